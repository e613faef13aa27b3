"""The catalogue in Redis without a client: what is sent to write, announce and read it. Both sides drive it.

A writer reads records, merges, and writes those that are still what it read (catalogue_put.lua), until all are. Then
it announces the items in the stream `changes`, so that every server reads them anew; announced is also what a retry
finds done already, because the first try may have died in between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from redis.exceptions import RedisError

from varde import keys
from varde.catalogue import EMPTY, Change, Record, changed, decode, effective, encode, merge
from varde.store.reads import Reading
from varde.store.scripts import PUT_CATALOGUE, Argument, Command, call, command

BATCH: Final = 200
"""Most items in one script call."""
ATTEMPTS: Final = 50
IDS: Final = 100
"""Most item ids in one entry of the stream."""
LOG: Final = 4096
"""Entries of the stream that are kept, about."""
PAGE: Final = 500
"""Items that a scan asks for at once."""
ALIVE_MS: Final = 10_000
"""A follower that has said nothing for longer is not waited for."""
START: Final = "0-0"
"""The position before every entry of the stream."""

EVERYTHING: Final = b"everything"
ITEMS: Final = b"items"


class CatalogueContentionError(RedisError):
    """Other writers were faster ATTEMPTS times in a row. To be retried like a lost connection."""


class LateLoadError(ValueError):
    """A complete load of a later time has been, so that this one says nothing any more."""


class Written(NamedTuple):
    """What became of some items: ids whose entry is another one now; ids for which there was no room; untouched ones.

    late: the load was older than the newest complete one, and was left out (as far as it had not been written).
    """

    changed: list[str]
    refused: list[str]
    unchanged: int
    late: bool = False


class Applied(NamedTuple):
    """What became of changes: ids whose entry is another one now, and ids for which there was no room.

    position: of the announcement in the stream; a server process that `reached` it answers by the changes.
    """

    changed: tuple[str, ...]
    refused: tuple[str, ...]
    position: str


class Follower(NamedTuple):
    """A server process: the last entry of the stream that it has applied, and when it said so, ms."""

    applied: str
    seen: int


def reached(applied: str, position: str) -> bool:
    """Whether a follower that has applied the stream up to `applied` has applied the entry at `position`."""
    return _parts(applied) >= _parts(position)


def _parts(position: str) -> tuple[int, int]:
    ms, _, sequence = position.partition("-")
    return int(ms), int(sequence or 0)


def record_of(item: str, data: bytes | None) -> Record:
    """What is held of an item; nothing where the bytes are none of ours."""
    try:
        return decode(item, data) if data else EMPTY
    except ValueError:
        return EMPTY


Revise = Callable[[str, Record], Record | None]
"""Item id and what is held of it -> what shall be held; None for nothing."""


def revise(ids: Iterable[str], revision: Revise, most_items: int, as_of: int | None = None) -> Reading[Written]:
    """Compare and set, until every record is revised.

    Args:
        ids: which items.
        revision: the new record of one; called again when another writer was faster.
        most_items: items that Redis may hold in all.
        as_of: time of the feed load that this belongs to, ms.

    Raises:
        CatalogueContentionError: other writers were faster every time.
    """
    room = -(-most_items // keys.SHARDS)
    todo = list(dict.fromkeys(ids))
    done: list[str] = []
    full: list[str] = []
    unchanged, late = 0, False
    for _ in range(ATTEMPTS):
        if not (groups := list(_groups(todo))):
            return Written(done, full, unchanged, late)
        read = yield [command("HMGET", keys.catalogue(shard), *_bytes(group)) for shard, group in groups]
        made = [_revised(group, found, revision) for (_, group), found in zip(groups, read, strict=True)]
        unchanged += len(todo) - sum(len(one.items) for one in made)
        sent = [(shard, one) for (shard, _), one in zip(groups, made, strict=True) if one.items]
        head = ("" if as_of is None else as_of, room)
        calls = [call(PUT_CATALOGUE, (keys.catalogue(shard),), (*head, *one.args)) for shard, one in sent]
        todo = []
        for (_, one), (too_old, conflicts, refused) in zip(sent, (yield calls) if calls else [], strict=True):
            late = late or bool(too_old)
            left = {one.items[i] for i in (*conflicts, *refused)}
            todo += [one.items[i] for i in conflicts]
            full += [one.items[i] for i in refused]
            if not too_old:
                done += [item for item in one.items if item in one.differing and item not in left]
                unchanged += sum(item not in one.differing and item not in left for item in one.items)
    msg = f"{len(todo)} items of the catalogue, for one {todo[0]!r}, were changed by others every time"
    raise CatalogueContentionError(msg)


class _Revised(NamedTuple):
    """Items whose records are to be written, their part of the script's arguments, and those of another entry."""

    items: list[str]
    args: list[Argument]
    differing: set[str]


def _revised(group: Sequence[str], found: Sequence[bytes | None], revision: Revise) -> _Revised:
    out = _Revised([], [], set())
    for item, old in zip(group, found, strict=True):
        before = record_of(item, old)
        after = revision(item, before)
        data = b"" if after is None else encode(after)
        if data != (old or b""):
            out.items.append(item)
            out.args.extend((item.encode(), old or b"", data))
            if effective(item, before) != effective(item, after or EMPTY):
                out.differing.add(item)
    return out


def _groups(ids: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    shards: dict[int, list[str]] = {}
    for item in ids:
        shards.setdefault(keys.shard_of(item), []).append(item)
    for shard, items in sorted(shards.items()):
        for start in range(0, len(items), BATCH):
            yield shard, items[start : start + BATCH]


def _bytes(ids: Iterable[str]) -> list[bytes]:
    return [item.encode() for item in ids]


def put(records: Mapping[str, Record], most_items: int, as_of: int | None = None) -> Reading[Written]:
    """Merge records into what is held."""
    return revise(records, lambda item, held: merge(held, records[item]), most_items, as_of)


def change(changes: Iterable[Change], most_items: int) -> Generator[Sequence[Command], list[Any], Applied]:
    """Apply changes and announce their items, also those that have been changed before."""
    records: dict[str, Record] = {}
    for one in changes:
        records[one.id] = merge(records.get(one.id, EMPTY), changed(one))
    written = yield from put(records, most_items)
    position = START
    if told := announcements(records):
        position = (yield told)[-1].decode()
    return Applied(tuple(written.changed), tuple(written.refused), position)


def announcements(ids: Iterable[str]) -> list[Command]:
    """The commands that tell every follower to read these items anew."""
    every = list(ids)
    parts = [every[start : start + IDS] for start in range(0, len(every), IDS)]
    return [_announce(ITEMS, orjson.dumps(part)) for part in parts]


def announce_everything() -> Command:
    """The command that tells every follower to read the whole catalogue anew."""
    return _announce(EVERYTHING, b"1")


def _announce(name: bytes, value: bytes) -> Command:
    return command("XADD", keys.changes(), "MAXLEN", "~", LOG, "*", name, value)


def mark(shard: int, as_of: int) -> Reading[None]:
    """Note that a complete load of this time has been: what older loads say does not count any more.

    Raises:
        LateLoadError: a later one has been.
        CatalogueContentionError: other writers were faster every time.
    """
    key = keys.catalogue(shard)
    for _ in range(ATTEMPTS):
        (old,) = yield [command("HGET", key, b"")]
        if old is not None and int(old) >= as_of:
            if int(old) > as_of:
                msg = f"a complete load of a later time than {as_of} has been"
                raise LateLoadError(msg)
            return
        ((_, conflicts, _),) = yield [call(PUT_CATALOGUE, (key,), ("", 0, b"", old or b"", str(as_of)))]
        if not conflicts:
            return
    msg = f"the catalogue's shard {shard} was marked by others every time"
    raise CatalogueContentionError(msg)


def page(shard: int, cursor: int) -> Reading[tuple[int, list[tuple[str, Record]]]]:
    """Some items of a shard with what is held of each, and the cursor that goes on; 0 at the end.

    An item may come twice, and one that comes or goes meanwhile need not come at all.
    """
    (reply,) = yield [command("HSCAN", keys.catalogue(shard), cursor, "COUNT", PAGE)]
    following, found = reply
    return int(following), [(item.decode(), record_of(item.decode(), data)) for item, data in found.items() if item]


def records(ids: Sequence[str]) -> Reading[list[Record]]:
    """What is held of items, in their order."""
    found: dict[str, Record] = {}
    if groups := list(_groups(list(dict.fromkeys(ids)))):
        replies = yield [command("HMGET", keys.catalogue(shard), *_bytes(group)) for shard, group in groups]
        for (_, group), reply in zip(groups, replies, strict=True):
            found.update((item, record_of(item, data)) for item, data in zip(group, reply, strict=True))
    return [found[item] for item in ids]


def news(last: str) -> Reading[tuple[list[str] | None, str]]:
    """What the stream has after a position: ids, or None for everything, and the position after it.

    Everything also when entries after the position are gone, or Redis has another past than the one in which the
    position was handed out.
    """
    key = keys.changes()
    length, newest, same, found = yield [
        command("XLEN", key),
        command("XREVRANGE", key, "+", "-", "COUNT", 1),
        command("XRANGE", key, last or START, last or START),
        command("XRANGE", key, f"({last or START}", "+", "COUNT", PAGE),
    ]
    if not newest:
        return ([], last) if last == START else (None, START)
    end = newest[0][0].decode()
    # A position is an entry, which goes before those after it do; one that is gone may also be of a Redis that was
    # emptied and filled since. None goes while there are fewer than LOG.
    held = bool(same) or (last == START and length < LOG)
    if not held or any(EVERYTHING in entry for _, entry in found):
        return None, end
    ids = [item for _, entry in found for item in orjson.loads(entry[ITEMS])]
    return list(dict.fromkeys(ids)), found[-1][0].decode() if found else last
