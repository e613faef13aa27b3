"""What the server reads of Redis in bulk and in the background: rows, revisions, names, popularity, the last days.

Every reading is one round trip, or says how many; each yields commands and is sent their replies (`reads`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from redis.exceptions import ResponseError

from varde import keys
from varde.pairs import Relation, Universe, universe
from varde.store import frozen, opened, people, reads, vitals
from varde.store.aio import Store
from varde.store.frozen import Frozen, freeze_call
from varde.store.opened import Opened
from varde.store.people import Known, Who
from varde.store.reads import Reading, flat
from varde.store.scripts import Command, command
from varde.store.sticky import Stuck, drop_command, stick_call
from varde.store.vitals import Vitals

_CHUNK = 5_000


class RowKey(NamedTuple):
    """A serving row by relation and item number."""

    relation: int
    number: int


class Touched(NamedTuple):
    """What a shard tells of its rows: the newest call's number, and the rows written since; None: any may have been."""

    newest: int
    rows: tuple[RowKey, ...] | None


class Sequences(NamedTuple):
    """How far each shard's numbering is, and the server that numbered: (last, run id) by shard."""

    shards: tuple[tuple[int, bytes], ...]


class ServingStore(Store):
    """The store of a server process."""

    @property
    def clustered(self) -> bool:
        """Whether one command may only touch keys of one slot."""
        return not hasattr(self._client, "connection_pool")

    async def rows_of(self, wanted: Sequence[RowKey]) -> list[bytes | None]:
        """The packed rows, None where there is none. One command on one server."""
        if self.clustered:
            return await self._run(_each("GET", wanted))
        if not wanted:
            return []
        return list(await self._client.execute_command("MGET", *(keys.row(*key) for key in wanted)))

    async def people(self, wanted: Sequence[Who]) -> list[Known | ResponseError | ValueError]:
        """What is known of each, or why it cannot be read; one round trip for all, on a cluster two.

        Raises:
            redis.exceptions.RedisError: not reached.
        """
        return await self._run_all([people.known(self._names, self.clustered, who) for who in wanted])

    async def stick(self, stuck: Sequence[Stuck], moved: Sequence[tuple[str, Sequence[str]]] = ()) -> None:
        """Note variations, then drop (customer, fields) that moved from another key. One round trip each."""
        if stuck:
            await self._send([stick_call(one) for one in stuck])
        if moved:
            await self._send([drop_command(customer, fields) for customer, fields in moved])

    async def freeze(
        self,
        customer: str,
        send: str,
        candidates: Sequence[str],
        slots: Sequence[int],
        now: int,
        keep_s: int,
        barred: Collection[str] = (),
        note: str = "",
    ) -> list[str | None]:
        """The item that each slot of a send shows from now on: the frozen one, else the first candidate that is free.

        Args:
            customer: from keys.customer_key.
            send: from frozen.send_key.
            candidates: item ids, best first; one that a slot of the send holds is passed over.
            slots: from 1 to frozen.MOST_SLOT.
            now: the time of the request, ms.
            keep_s: how long what is frozen now is kept, seconds.
            barred: item ids that must not be shown any more: a slot that holds one gets another.
            note: kept with a send that has none yet, at most frozen.MOST_NOTE_BYTES.

        Returns:
            An item id for each of `slots`, in their order; None where candidates ran out. One round trip.

        Raises:
            ValueError: an argument is out of its bounds.
        """
        (reply,) = await self._send([freeze_call(customer, send, candidates, slots, now, keep_s, tuple(barred), note)])
        return [item.decode() if item else None for item in reply]

    async def freeze_all(self, calls: Sequence[Command]) -> list[list[str | None]]:
        """`freeze` for many at once, each from frozen.freeze_call; one round trip.

        Raises:
            redis.exceptions.RedisError: not reached, or the first reply that is an error; others may have been done.
        """
        replies = await self._send(calls) if calls else []
        return [[item.decode() if item else None for item in reply] for reply in replies]

    async def frozen(self, customer: str, send: str, now: int) -> Frozen:
        """What is frozen of a send, and its note; nothing is written. One round trip."""
        return await self._run(frozen.frozen(customer, send, now))

    async def open_slots(self, some: Sequence[Opened], keep_s: int) -> None:
        """Note slots of mails whose links were opened. One round trip."""
        await self._send(opened.open_commands(some, keep_s))

    async def opened(self, some: Sequence[Opened], within_s: int) -> list[int]:
        """Of each: how many slots the customer opened within so many seconds of it. One round trip."""
        return await self._run(opened.opened(some, within_s))

    async def stats_of(self, shards: Sequence[int]) -> dict[str, int]:
        """The part of the stream's counters that lies in some shards."""
        return await self._run(reads.stats(shards))

    async def vitals(self) -> Vitals:
        """How Redis itself is, and how the last nights went."""
        return await vitals.read(self._client)

    async def touched(self, since: Sequence[int]) -> list[Touched]:
        """The rows that were written in each shard after the call of that number. One trip, two if there are any."""
        return await self._run(_touched(since))

    async def evidence(self, relation: Relation, row: int, column: int) -> tuple[int, int, int, int]:
        """Exact customers of a pair, of both items and of the relation, by item numbers; one round trip."""
        return await self._run(_evidence(relation, row, column))

    async def sequences(self) -> Sequences:
        """How far the numbering is."""
        return await self._run(_sequences())

    async def names_between(self, before: Sequences, now: Sequences) -> list[tuple[str, int]]:
        """Items that were numbered since, as (id, number)."""
        return await self._run(_names_between(before, now))

    async def all_names(self, shard: int) -> list[tuple[str, int]]:
        """Every item of a shard with its number."""
        return await self._run(_all_names(shard))

    async def popular_of(self, signal: int, shard: int) -> list[tuple[int, float]]:
        """Every item of a shard's popularity with its weight, by number, best first."""
        return await self._run(_popular_of(signal, shard))

    async def supports_of(self, where: int, shard: int, days: Sequence[int]) -> tuple[list[tuple[int, int]], list[int]]:
        """((number, difference) of the items that changed on these days, added up; their supports now)."""
        return await self._run(_supports_of(where, shard, days))


def _each(name: str, wanted: Sequence[RowKey]) -> Reading[list[bytes | None]]:
    return (yield [command(name, keys.row(*key)) for key in wanted]) if wanted else []


def _touched(since: Sequence[int]) -> Reading[list[Touched]]:
    newest = yield [command("ZRANGE", keys.touched(shard), -1, -1, "WITHSCORES") for shard in range(keys.SHARDS)]
    out = [Touched(int(float(entry[1])) if (entry := flat(reply)) else 0, ()) for reply in newest]
    changed = [shard for shard, one in enumerate(out) if one.newest > since[shard]]
    if changed:
        replies = yield [command("ZRANGEBYSCORE", keys.touched(shard), f"({since[shard]}", "+inf") for shard in changed]
        for shard, names in zip(changed, replies, strict=True):
            # The oldest are forgotten first: if any after `since` were, all that are left are after it. Those after
            # `newest` too, or what is forgotten between the two trips would pass unseen.
            rows = tuple(RowKey(*map(int, name.split(b":"))) for name in names)
            out[shard] = Touched(out[shard].newest, rows if len(rows) < keys.MOST_TOUCHED else None)
    # Fewer calls than we know of: Redis has lost its newest writes.
    return [Touched(one.newest, None) if one.newest < since[shard] else one for shard, one in enumerate(out)]


def _evidence(relation: Relation, row: int, column: int) -> Reading[tuple[int, int, int, int]]:
    replies = yield [
        command("HGET", keys.pairs(relation, row), column),
        command("HGET", keys.supports(Universe(relation.row_signal), keys.shard_of_number(row)), row),
        command("HGET", keys.supports(Universe(relation.column_signal), keys.shard_of_number(column)), column),
        command("HGET", keys.supports(universe(relation), 0), keys.ANY_NUMBER),
    ]
    pair, item, other, total = (int(n or 0) for n in replies)
    return pair, item, other, total


def _sequences() -> Reading[Sequences]:
    replies = yield [command("HMGET", keys.sequence(shard), "last", "server") for shard in range(keys.SHARDS)]
    return Sequences(tuple((int(last or 0), bytes(server or b"")) for last, server in replies))


def _names_between(before: Sequences, now: Sequences) -> Reading[list[tuple[str, int]]]:
    wanted: dict[int, list[int]] = {}
    for shard, ((old, _), (new, _)) in enumerate(zip(before.shards, now.shards, strict=True)):
        if new > old:
            wanted[shard] = [sequence * keys.SHARDS + shard for sequence in range(old + 1, new + 1)]
    found: list[tuple[str, int]] = []
    for commands, numbers in _in_chunks(wanted):
        for group, reply in zip(numbers, (yield commands), strict=True):
            found.extend((item.decode(), n) for n, item in zip(group, reply, strict=True) if item is not None)
    return found


def _in_chunks(wanted: dict[int, list[int]]) -> Iterator[tuple[list[Command], list[list[int]]]]:
    commands: list[Command] = []
    numbers: list[list[int]] = []
    size = 0
    for shard, group in wanted.items():
        for start in range(0, len(group), _CHUNK):
            part = group[start : start + _CHUNK]
            commands.append(command("HMGET", keys.names(shard), *part))
            numbers.append(part)
            size += len(part)
            if size >= _CHUNK:
                yield commands, numbers
                commands, numbers, size = [], [], 0
    if commands:
        yield commands, numbers


def _all_names(shard: int) -> Reading[list[tuple[str, int]]]:
    (reply,) = yield [command("HGETALL", keys.numbers(shard))]
    entries = flat(reply)
    return [(item.decode(), int(n)) for item, n in zip(entries[::2], entries[1::2], strict=True)]


def _popular_of(signal: int, shard: int) -> Reading[list[tuple[int, float]]]:
    (reply,) = yield [command("ZREVRANGE", keys.popular(signal, shard), 0, -1, "WITHSCORES")]
    entries = flat(reply)
    return [(int(number), float(weight)) for number, weight in zip(entries[::2], entries[1::2], strict=True)]


def _supports_of(where: int, shard: int, days: Sequence[int]) -> Reading[tuple[list[tuple[int, int]], list[int]]]:
    changed: dict[int, int] = {}
    for reply in (yield [command("HGETALL", keys.supports_day(where, shard, day)) for day in days]):
        entries = flat(reply)
        for number, n in zip(entries[::2], entries[1::2], strict=True):
            changed[int(number)] = changed.get(int(number), 0) + int(n)
    if not changed:
        return [], []
    (now,) = yield [command("HMGET", keys.supports(where, shard), *changed)]
    return list(changed.items()), [int(n or 0) for n in now]
