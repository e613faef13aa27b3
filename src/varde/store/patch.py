"""Bring serving rows up to date after counts have changed: read, merge, write if nobody else has; else again.

Why the rows end exact with any number of writers: every change of a count is followed by a patch that reads the row,
then the count, and writes only if the row's revision is the one it read. A row written in between makes it start
again from there. So whichever patch of a column comes last has put its exact count into the row that stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from redis.exceptions import RedisError

from varde import keys
from varde.delivery import Delivery
from varde.rows import REVISION_SLICE, Row, decode, encode
from varde.settings import Settings
from varde.store import packing
from varde.store.merge import Read, incomplete, merged
from varde.store.reads import flat
from varde.store.scripts import Command, command
from varde.store.supports import SupportTable

T = TypeVar("T")
Send = Callable[[Sequence[Command]], list[Any]]
Touched = dict[tuple[int, int], "dict[int, None] | None"]
"""(relation, row item number) -> column numbers whose counts have changed; None: build the row anew."""

ROWS_PER_CALL = 128
"""Rows read or written by one call of a script: some hundred kilobytes, well under a millisecond of Redis."""

PATCHES = 4
ATTEMPTS = 50
"""Lost races after which a row is built anew, and after which the batch is given back as an error."""

TOMBSTONE_S = 3600
"""How long a row without candidates stays: longer than any writer can sit on a reading of "no row"."""


class RowContentionError(RedisError):
    """Other writers were faster `ATTEMPTS` times in a row. To be retried like a lost connection."""


def touched_by(deliveries: Iterable[Delivery], numbers: packing.Numbers) -> Touched:
    """The rows and columns that deliveries change, days and shards merged."""
    touched: Touched = {}
    for delivery in deliveries:
        for relation, _, item, cells in delivery.rows:
            columns = touched.setdefault((int(relation), numbers[item]), {})
            if columns is not None:
                columns.update(dict.fromkeys(numbers[column] for column in cells))
    return touched


def patch(
    touched: Touched,
    send: Send,
    table: SupportTable,
    settings: Settings,
    now: int,
    entropy: Callable[[], int],
) -> int:
    """Patch rows until each has been written; the number of rows.

    Raises:
        RowContentionError: a row could not be written.
    """
    pending = touched
    for attempt in range(ATTEMPTS):
        if not pending:
            return len(touched)
        anew = {row for row, columns in pending.items() if _large(columns) or attempt >= PATCHES}
        reads = _read_patches({row: columns or {} for row, columns in pending.items() if row not in anew}, send)
        rows = merged(reads, table, settings, now, entropy)
        ready = []
        for read, row in zip(reads, rows, strict=True):
            if incomplete(row, settings.candidates):
                anew.add((read.relation, read.number))
            else:
                ready.append((read, row))
        for chunk in _calls(sorted(anew), lambda row: row[1]):
            whole = _read_whole(chunk, send)
            ready += zip(whole, merged(whole, table, settings, now, entropy), strict=True)
        pending = {row: pending[row] for row in _write(ready, send)}
    msg = f"{len(pending)} serving rows were changed by others {ATTEMPTS} times in a row"
    raise RowContentionError(msg)


def write_whole(
    reads: Sequence[Read],
    send: Send,
    table: SupportTable,
    settings: Settings,
    now: int,
    entropy: Callable[[], int],
) -> list[tuple[int, int]]:
    """Write rows anew from all their counts, each read in one step with the row's revision.

    Returns:
        The rows that others have written since: to be patched.
    """
    return _write(list(zip(reads, merged(reads, table, settings, now, entropy), strict=True)), send)


def _large(columns: dict[int, None] | None) -> bool:
    return columns is None or len(columns) > packing.WHOLE_ROW


def _read_patches(touched: dict[tuple[int, int], dict[int, None]], send: Send) -> list[Read]:
    """Rows with the exact counts of some columns; with all counts where there is no row yet."""
    asked = [(relation, number, list(columns)) for (relation, number), columns in touched.items()]
    chunks = _calls(asked, lambda row: row[1])
    if not chunks:
        return []
    calls = send([packing.read_call(chunk) for chunk in chunks])
    rows = (row for chunk, reply in zip(chunks, calls, strict=True) for row in zip(chunk, reply, strict=True))
    out = []
    for (relation, number, columns), (data, neighbours, counts, everything) in rows:
        if everything:
            columns, counts = everything[::2], everything[1::2]
        elif not counts:
            columns = []
        old, revision = _old(data)
        out.append(Read(relation, number, revision, old, neighbours, _ints(columns), _ints(counts)))
    return out


def _read_whole(rows: Sequence[tuple[int, int]], send: Send) -> list[Read]:
    """The revisions of rows, and after them all their counts."""
    commands = []
    for relation, number in rows:
        commands.append(command("GETRANGE", keys.row(relation, number), *REVISION_SLICE))
        commands.append(command("HGETALL", keys.pairs(relation, number)))
    replies = send(commands)
    out = []
    for (relation, number), revision, reply in zip(rows, replies[::2], replies[1::2], strict=True):
        everything = flat(reply)
        columns, counts = _ints(everything[::2]), _ints(everything[1::2])
        out.append(Read(relation, number, revision, None, len(columns), columns, counts))
    return out


def _old(data: bytes | None) -> tuple[Row | None, bytes]:
    if data is None:
        return None, b""
    revision = data[REVISION_SLICE[0] : REVISION_SLICE[1] + 1]
    try:
        return decode(data), revision
    except ValueError:  # unreadable: start empty, which `incomplete` notices
        return None, revision


def _ints(values: Iterable[Any]) -> list[int]:
    return [0 if value is None else int(value) for value in values]


def _write(ready: Sequence[tuple[Read, Row]], send: Send) -> list[tuple[int, int]]:
    """Write rows; the ones that somebody else has written since they were read."""
    writes = [
        packing.Write(read.relation, read.number, read.revision, encode(row), 0 if len(row) else TOMBSTONE_S)
        for read, row in ready
    ]
    chunks = _calls(writes, lambda write: write.number)
    if not chunks:
        return []
    replies = send([packing.put_call(chunk) for chunk in chunks])
    return [
        (chunk[i - 1].relation, chunk[i - 1].number)
        for chunk, conflicts in zip(chunks, replies, strict=True)
        for i in conflicts
    ]


def _calls(rows: Iterable[T], number: Callable[[T], int]) -> list[list[T]]:
    """Rows in groups for one call of a script each: of one shard, and not too many."""
    shards: dict[int, list[T]] = {}
    for row in rows:
        shards.setdefault(keys.shard_of_number(number(row)), []).append(row)
    return [
        some[start : start + ROWS_PER_CALL] for some in shards.values() for start in range(0, len(some), ROWS_PER_CALL)
    ]
