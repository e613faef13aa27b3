"""The catalogue's sync side: what loads feeds and what the stream applies changes with.

Every call may be repeated: records merge, and a retry announces anew.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Self

from redis.exceptions import RedisError

from varde import keys
from varde.catalogue import EMPTY, Change, Entry, Record, effective, loaded, merge, swept
from varde.history import DAY_MS
from varde.settings import Settings
from varde.store import catalogue
from varde.store.catalogue import Applied, LateLoadError, Written
from varde.store.connection import Client, connect
from varde.store.scripts import command
from varde.store.sending import Sending

CHUNK: Final = 2_000
"""Entries that are merged together."""
MANY: Final = 1_000
"""A load that changes more items tells the servers to read everything."""
CHANGES_DAYS: Final = 30
"""Days that changes of an item are kept which no feed has any more."""


class TooManyRemovedError(ValueError):
    """A complete load would remove a larger part of the catalogue than it may."""


class Loaded(NamedTuple):
    """What a feed load came to, in items: with another entry now, with the same, removed, without room."""

    written: int
    unchanged: int
    removed: int
    refused: int


class CatalogueStore(Sending):
    """The catalogue in Redis. Threads may share it as they may share the client."""

    def __init__(self, client: Client, max_items: int, token: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        """Over a client that replies in bytes.

        Args:
            client: redis.Redis or cluster.Cluster.
            max_items: items that Redis may hold in all.
            token: a new name for each load.
        """
        self._client = client
        self._max_items = max_items
        self._token = token

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Over a new client for VARDE_REDIS_URL; nothing is sent yet."""
        return cls(connect(settings.redis_url, lambda: None, settings.clustered), settings.max_items)

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def change(self, changes: Iterable[Change]) -> Applied:
        """Apply changes and announce them; a repeat changes nothing and announces again.

        Raises:
            redis.exceptions.RedisError: not reached, or refused; what was applied is unknown: try again.
        """
        return self._run(catalogue.change(changes, self._max_items))

    def put_entries(
        self,
        entries: Iterable[Entry],
        as_of: int,
        complete: bool,
        keep: Collection[str] = frozenset(),
        max_removed: float = 1.0,
    ) -> Loaded:
        """Merge a feed load, and announce what it changes.

        Args:
            entries: the rows; read once, in chunks.
            as_of: when the feed was true, ms.
            complete: whether items that the load does not have are gone.
            keep: items that stay as they are though the load does not have them; looked at after the last entry.
            max_removed: part of the listed items that a complete load may remove.

        Raises:
            LateLoadError: a complete load of a later time has been; nothing more is written.
            TooManyRemovedError: nothing is removed; what the load has is written.
            redis.exceptions.RedisError: not reached, or refused: try again.
        """
        token = self._token().encode()
        others = self._send([command("HKEYS", keys.loads())])[0]
        told = _Told(everything=bool(others))
        unchanged = refused = 0
        rows = iter(entries)
        try:
            while chunk := list(itertools.islice(rows, CHUNK)):
                done = self._put(chunk, as_of, token)
                told.add(done.changed)
                unchanged, refused = unchanged + done.unchanged, refused + len(done.refused)
                if done.late:
                    msg = f"a complete load of a later time than {as_of} has been"
                    raise LateLoadError(msg)
            written = told.count
            if complete:
                self._sweep(as_of, keep, max_removed, token, told)
        except RedisError:
            raise  # the next load announces what this one has written
        except Exception:
            self._announce(told, [token, *others])
            raise
        self._announce(told, [token, *others])
        return Loaded(written, unchanged, told.count - written, refused)

    def entry(self, item: str) -> Entry | None:
        """An item as it is shown; None when nothing is known of it."""
        return effective(item, self.record(item))

    def record(self, item: str) -> Record:
        """Everything that is held of an item."""
        return self._run(catalogue.records([item]))[0]

    def scan(self) -> Iterator[tuple[str, Record]]:
        """Every item with what is held of it; one may come twice."""
        for shard in range(keys.SHARDS):
            cursor = 0
            while True:
                cursor, found = self._run(catalogue.page(shard, cursor))
                yield from found
                if not cursor:
                    break

    def _put(self, chunk: Sequence[Entry], as_of: int, token: bytes) -> Written:
        self._note(token, as_of)
        rows: dict[str, Record] = {}
        for entry in chunk:
            rows[entry.id] = merge(rows.get(entry.id, EMPTY), loaded(entry, as_of))
        return self._run(catalogue.put(rows, self._max_items, as_of))

    def _note(self, token: bytes, as_of: int) -> None:
        """Should this load die before it has announced what it wrote, the next one announces everything."""
        self._send([command("HSET", keys.loads(), token, as_of)])

    def _sweep(self, as_of: int, keep: Collection[str], max_removed: float, token: bytes, told: _Told) -> None:
        """Remove what the load does not have. First the mark: else an older load could bring it back meanwhile."""

        def gone(item: str, record: Record) -> bool:
            return record.as_of < as_of and item not in keep

        listed = removed = 0
        if max_removed < 1.0:
            for item, record in self.scan():
                listed += record.feed is not None
                removed += record.feed is not None and gone(item, record)
            if removed > max_removed * listed:
                msg = f"{removed:,} of {listed:,} items would be removed"
                raise TooManyRemovedError(msg)
        for shard in range(keys.SHARDS):
            self._run(catalogue.mark(shard, as_of))
        since = as_of - CHANGES_DAYS * DAY_MS
        candidates = (item for item, record in self.scan() if gone(item, record))
        while some := list(itertools.islice(candidates, CHUNK)):
            self._note(token, as_of)
            done = self._run(catalogue.revise(some, lambda _, record: swept(record, as_of, since), self._max_items))
            told.add(done.changed)

    def _announce(self, told: _Told, tokens: Sequence[bytes]) -> None:
        commands = [catalogue.announce_everything()] if told.everything else catalogue.announcements(told.ids)
        if commands:
            self._send(commands)
        self._send([command("HDEL", keys.loads(), *tokens)])


class _Told:
    """Which items a load has changed: the ids while they are few."""

    def __init__(self, everything: bool) -> None:
        self.everything = everything
        self.count = 0
        self.ids: list[str] = []

    def add(self, ids: Sequence[str]) -> None:
        self.count += len(ids)
        self.everything = self.everything or self.count > MANY
        self.ids = [] if self.everything else [*self.ids, *ids]
