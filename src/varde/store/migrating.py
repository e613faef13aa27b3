"""Data of an older schema become those of the next, key by key, so that a migration may be killed and run again.

A step gets keys of one hash tag, as SCAN finds them, and says what becomes of them; to repeat it must change nothing
more. After the first pass others look again until one changes nothing: keys that a writer has put back meanwhile, or
that have moved to another node, are found so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from varde import keys
from varde.store.families import tag_of
from varde.store.reads import Reading, flat
from varde.store.scanning import Node, nodes
from varde.store.schema import MIGRATION, UNDER_WAY, VERSION_FIELD, SchemaStore
from varde.store.scripts import command

PASSES = 5
"""Passes after which something is still writing."""
_CURSOR = "at:"
"""Before the run id of a node: how far the first pass came there, a cursor of SCAN, or 0 for its end."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What brings data of version `to` - 1 to version `to`.

    what: in a few words, for the plan. match: the keys that it looks at, as a pattern of SCAN. step: of keys of one
    tag; yields commands on keys of that tag and returns how many keys it has changed; repeated, it changes none.
    """

    to: int
    what: str
    match: str
    step: Callable[[Sequence[bytes]], Reading[int]]


MIGRATIONS: tuple[Migration, ...] = ()
"""From each version to the next, without a gap up to keys.SCHEMA: there is one version so far."""


class StillWritingError(RuntimeError):
    """Pass after pass has found something to change."""


class MisfitError(ValueError):
    """There is no way from the version of the data to that of this program."""


class Migrator(SchemaStore):
    """Runs what lies between the version of the data and that of the program."""

    migrations: Sequence[Migration] = MIGRATIONS
    schema: int = keys.SCHEMA

    def wanted(self) -> list[Migration]:
        """What has to run, in order.

        Raises:
            MisfitError: the data are newer, half imported, or older than any migration begins with.
        """
        found = self.state()
        version = found.has(self.schema)
        if found.under_way and not found.under_way.startswith(MIGRATION):
            raise MisfitError(found.refusal(self.schema))
        if version > self.schema:
            raise MisfitError(found.refusal(self.schema))
        some = [one for one in self.migrations if version < one.to <= self.schema]
        if [one.to for one in some] != list(range(version + 1, self.schema + 1)):
            msg = f"there is no way from schema version {version} to {self.schema}"
            raise MisfitError(msg)
        return some

    def count(self, migration: Migration) -> int:
        """The keys that it would look at."""
        return sum(len(page.keys) for node in nodes(self._client) for page in node.pages(migration.match))

    def run(self, migration: Migration, tick: Callable[[int], None] = lambda _: None) -> int:
        """Migrate, from where a try before has come to; the number of keys changed by this one.

        Args:
            migration: the next one.
            tick: called now and then with the keys looked at.

        Raises:
            StillWritingError: something writes keys of the old kind.
            redis.exceptions.RedisError: not reached: run it again.
        """
        name = f"{MIGRATION} to version {migration.to}"
        self.note({VERSION_FIELD: migration.to - 1, UNDER_WAY: name})
        changed = self._first(migration, tick)
        for _ in range(PASSES):
            more = sum(self._pass(migration, node, 0, tick) for node in nodes(self._client))
            changed += more
            if not more:
                break
        else:
            msg = "something still writes as before: end every stream and server of the old version, then run it again"
            raise StillWritingError(msg)
        self.note({VERSION_FIELD: migration.to}, [UNDER_WAY, *self._cursors()])
        return changed

    def _first(self, migration: Migration, tick: Callable[[int], None]) -> int:
        """The pass that notes how far it came. A node that was started again has other cursors, and begins anew."""
        changed = 0
        for node in nodes(self._client):
            field = _CURSOR + node.life
            noted = self._cursors().get(field)
            if noted == 0:
                continue
            changed += self._pass(migration, node, noted or 0, tick, partial(self._mark, field))
        return changed

    def _mark(self, field: str, cursor: int) -> None:
        self.note({field: cursor})

    def _cursors(self) -> dict[str, int]:
        (reply,) = self._send([command("HGETALL", keys.schema())])
        words = [word.decode() for word in flat(reply)]
        fields = dict(zip(words[::2], words[1::2], strict=True))
        found: dict[str, int] = {}
        for name, text in fields.items():
            if name.startswith(_CURSOR):
                with suppress(ValueError):
                    found[name] = int(text)
        return found

    def _pass(
        self,
        migration: Migration,
        node: Node,
        cursor: int,
        tick: Callable[[int], None],
        note: Callable[[int], None] = lambda _: None,
    ) -> int:
        changed = seen = 0
        for page in node.pages(migration.match, cursor):
            for some in _by_tag(page.keys):
                changed += self._run(migration.step(some))
            seen += len(page.keys)
            tick(seen)
            note(page.cursor)
        return changed


def _by_tag(found: Sequence[bytes]) -> Iterator[list[bytes]]:
    for _, some in groupby(sorted(found, key=tag_of), tag_of):
        yield list(some)
