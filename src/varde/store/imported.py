"""A file of `varde export` back into Redis: checked as a whole before anything is written, marked while it is written.

What is made anew: serving rows from the counts, the note of what was touched with them, the announcement that the
catalogue has changed. What has ended since stays away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from varde import keys
from varde.delivery import Leave, Recent
from varde.history import DAY_MS
from varde.settings import Settings
from varde.store import catalogue
from varde.store.export_file import ExportError, Reader, Record, Whole, read_whole
from varde.store.exported import describe
from varde.store.families import EVERY, FAMILIES, Kind, family_of
from varde.store.merge import Read
from varde.store.night import NightStore
from varde.store.patch import write_whole
from varde.store.scanning import keys_of
from varde.store.schema import IMPORT, UNDER_WAY, VERSION_FIELD, SchemaStore
from varde.store.scripts import Argument, Command, command

TOGETHER = 1_000
"""Commands in one round trip."""
WORDS = 1_000
"""Values in one command."""
MAX_AGE_DAYS = 7.0
"""What came after a file is replayed from the topic, which keeps a week: erasures, too."""
ROWS = 64
"""Serving rows made together."""
Tick = Callable[[str, int], None]


class RefusedError(ValueError):
    """The file does not fit this installation. The message says why, and nothing was written."""


def compare(whole: Whole, settings: Settings, now: int, max_age_days: float) -> None:
    """See that a file fits.

    Raises:
        RefusedError: other settings, another schema, or too old.
    """
    if why := next(_misfits(whole.header, settings, now, max_age_days), ""):
        raise RefusedError(why)


def _misfits(theirs: dict[str, Any], settings: Settings, now: int, max_age_days: float) -> Iterator[str]:
    ours = describe(settings, now)
    for name, what in (("keys", "version of the keys"), ("shards", "shards"), ("relations", "relations")):
        if theirs.get(name) != ours[name]:
            yield f"{what}: the file has {theirs.get(name)}, this program {ours[name]}"
    if theirs.get("schema") != ours["schema"]:
        yield (
            f"schema: the file has version {theirs.get('schema')}, this program {ours['schema']}: "
            f"import it with varde {theirs.get('varde')}, then `varde migrate`"
        )
    if theirs.get("id_secret") != ours["id_secret"]:
        yield "VARDE_ID_SECRET: the file was written with another one, so no customer would be found again"
    held = theirs.get("settings")
    for name, value in ours["settings"].items():
        found = held.get(name) if isinstance(held, dict) else None
        if found != value:
            yield f"VARDE_{name.upper()}: the file was written with {found!r}, here it is {value!r}"
    begun = theirs.get("begun")
    days = (now - begun) / DAY_MS if isinstance(begun, int) else float("inf")
    if days > max_age_days:
        yield (
            f"it is {days:.1f} days old: what was erased since cannot be replayed any more, and would come back; fill "
            "Redis from the warehouse (docs/runbook.md#disasters), or say --max-age"
        )


class Importer(NightStore):
    """The store with what an import writes."""

    def take(
        self,
        file: BinaryIO,
        replace: bool = False,
        max_age_days: float = MAX_AGE_DAYS,
        tick: Tick = lambda what, n: None,
    ) -> dict[str, Any]:
        """Write a file into Redis; the figures of the last line.

        Args:
            file: open for reading, can be set back.
            replace: take away what Varde has there, first.
            max_age_days: refuse an older file.
            tick: called now and then with what is done, and how many.

        Raises:
            ExportError: not a whole export; nothing was written.
            RefusedError: it does not fit, or Redis is not empty; nothing was written.
            redis.exceptions.RedisError: not reached; no program starts there until an import has ended.
        """
        whole = read_whole(file)
        compare(whole, self._settings, self._clock(), max_age_days)
        schema = SchemaStore(self._client)
        self._ready(schema, replace)
        schema.note({UNDER_WAY: f"{IMPORT} of {whole.trailer['digest'][:16]}"})
        if replace:
            self._clear(tick)
        reader = Reader(file)
        done = self._put(reader, tick)
        if reader.trailer != whole.trailer:
            msg = "the file was changed meanwhile: import it again, with --replace"
            raise ExportError(msg)
        self._forget(whole.trailer.get("erased", {}))
        self._send([catalogue.announce_everything()])
        schema.note({VERSION_FIELD: keys.SCHEMA}, [UNDER_WAY])
        return done | {"quiet": bool(whole.trailer.get("quiet")), "begun": whole.header["begun"]}

    def _ready(self, schema: SchemaStore, replace: bool) -> None:
        found = schema.state()
        if self._send([command("EXISTS", keys.lock())])[0]:
            msg = "a nightly run is under way in this Redis"
            raise RefusedError(msg)
        if not replace and (not found.empty or found.under_way):
            msg = "Redis is not empty: stop the stream, then say --replace to take away what Varde has there"
            raise RefusedError(msg)

    def _clear(self, tick: Tick) -> None:
        gone = 0
        for some in keys_of(self._client, EVERY):
            mine = [key.decode() for key in some if key != keys.schema().encode()]
            for at in range(0, len(mine), TOGETHER):
                self._send([command("UNLINK", key) for key in mine[at : at + TOGETHER]])
            gone += len(mine)
            tick("taken away", gone)

    def _put(self, reader: Reader, tick: Tick) -> dict[str, Any]:
        written = rows = ended = 0
        waiting: list[Read] = []
        large: dict[tuple[int, int], None] = {}
        for block in reader.records():
            now = self._clock()
            live = [record for record in block if not 0 < record.expires <= now]
            ended += len(block) - len(live)
            self._send_all([one for record in live for one in _commands(record)])
            written += sum(not record.part for record in live)
            for record in live:
                self._row_of(record, waiting, large)
            while len(waiting) >= ROWS:
                rows += self._rows(waiting[:ROWS])
                del waiting[:ROWS]
            tick("keys written", written)
        rows += self._rows(waiting)
        self._table.refresh()
        self._patch(dict.fromkeys(large))
        return {"keys": written, "rows": rows + len(large), "ended": ended}

    def _row_of(self, record: Record, waiting: list[Read], large: dict[tuple[int, int], None]) -> None:
        """Note the serving row that is to be made of a record: of its counts, or of all that will be in Redis."""
        found = family_of(record.key)
        assert found is not None
        if found.family.name != "pairs":
            return
        row = found.numbers[0], found.numbers[1]
        if record.part:
            large[row] = None
            waiting[:] = [read for read in waiting if (read.relation, read.number) != row]
            return
        columns, counts = [list(map(int, record.values[at::2])) for at in (0, 1)]
        waiting.append(Read(*row, b"", None, sum(n > 0 for n in counts), columns, counts))

    def _rows(self, reads: Sequence[Read]) -> int:
        """Make serving rows; one that is there already (its key came twice) is made of what Redis holds."""
        once = {(read.relation, read.number): read for read in reads}
        self._table.refresh()
        late = write_whole(list(once.values()), self._send, self._table, self._settings, self._clock(), self._entropy)
        self._patch(dict.fromkeys(late))
        return len(once)

    def _forget(self, erased: Mapping[str, int]) -> None:
        """Take away what is left of those who were erased while the file was written: customer -> up to when, ms."""
        gone = [Recent(customer, erased_at=at, leave=Leave.TOMBSTONE) for customer, at in erased.items()]
        for at in range(0, len(gone), TOGETHER):
            self.remember(gone[at : at + TOGETHER])

    def _send_all(self, commands: Sequence[Command]) -> None:
        for at in range(0, len(commands), TOGETHER):
            self._send(commands[at : at + TOGETHER])


def _commands(record: Record) -> list[Command]:
    """What writes a record: the key as it was, with its end."""
    found = family_of(record.key)
    assert found is not None
    key, kind, values = record.key.decode(), FAMILIES[found.family.name].kind, record.values
    if kind is Kind.STRING:
        out = [command("SET", key, values[0])]
    else:
        out = [] if record.part else [command("DEL", key)]
        out += [_entries(kind, key, values[at : at + WORDS]) for at in range(0, len(values), WORDS)]
    if record.expires:
        out.append(command("PEXPIREAT", key, record.expires))
    return out


def _entries(kind: Kind, key: str, values: Sequence[bytes]) -> Command:
    if kind is Kind.HASH:
        return command("HSET", key, *values)
    words: list[Argument] = []
    for member, score in zip(values[::2], values[1::2], strict=True):
        words += score, member
    return command("ZADD", key, *words)
