"""From values to script calls: the keys and arguments that each .lua header asks for. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import msgpack

from varde import keys
from varde.counts import Cells
from varde.delivery import Delivery, Leave, Recent
from varde.history import DAY_MS, Signal
from varde.rows import REVISION_SLICE
from varde.settings import Settings
from varde.store.scripts import (
    APPLY,
    INTERN,
    PERSONAL,
    PUT_ROWS,
    READ_ROWS,
    REMEMBER,
    Argument,
    Command,
    call,
    command,
)

DAY_S = 86_400

WHOLE_ROW = 1_000
"""An item with more changed columns than this, or more neighbours and no row, is read apart from its batch."""

Numbers = Mapping[str, int]
T = TypeVar("T", int, float)

ITEMS_REFUSED = "items_refused"
POPULAR = 1_000
"""Most items of a shard and signal whose popularity is kept: the least popular go."""


def intern_calls(ids: Sequence[str], most: int) -> tuple[list[list[str]], list[Command]]:
    """The distinct ids in groups of one shard, and for each group the call that numbers it.

    `most` ids have a number, over all shards: each shard has its part of them.
    """
    part = -(-most // keys.SHARDS)
    groups: dict[int, list[str]] = {}
    for item in dict.fromkeys(ids):
        groups.setdefault(keys.shard_of(item), []).append(item)
    calls = [
        call(
            INTERN, (keys.numbers(s), keys.names(s), keys.sequence(s)), (s, keys.SHARDS, part, *map(str.encode, items))
        )
        for s, items in groups.items()
    ]
    return list(groups.values()), calls


def items_of(delivery: Delivery) -> set[str]:
    """Every item id that a delivery mentions."""
    found = row_items_of((delivery,))
    found.update(*(cells for _, _, cells in delivery.supports))
    found.update(*(weights for _, weights in delivery.popular))
    return found


def row_items_of(deliveries: Iterable[Delivery]) -> set[str]:
    """The ids of row and column items of deliveries."""
    found: set[str] = set()
    for delivery in deliveries:
        for _, _, item, cells in delivery.rows:
            found.add(item)
            found.update(cells)
    return found


def without_refused(delivery: Delivery, numbers: Numbers) -> Delivery:
    """The part of a delivery whose items have numbers; a counter says how many items have none (VARDE_MAX_ITEMS)."""
    refused = len(items_of(delivery) - numbers.keys())

    def kept(cells: Mapping[str, T]) -> dict[str, T]:
        return {item: n for item, n in cells.items() if item in numbers}

    return replace(
        delivery,
        rows=[(r, d, item, kept(cells)) for r, d, item, cells in delivery.rows if item in numbers],
        supports=[(where, day, kept(cells)) for where, day, cells in delivery.supports],
        popular=[(signal, kept(weights)) for signal, weights in delivery.popular],
        stats=delivery.stats | {ITEMS_REFUSED: delivery.stats.get(ITEMS_REFUSED, 0) + refused},
    )


def apply_call(delivery: Delivery, numbers: Numbers, server: str, now: int, settings: Settings) -> Command:
    """The call that applies a delivery once.

    Args:
        delivery: all its row items, support items and popular items are of its shard.
        numbers: id -> number of every item in it.
        server: run id of the Redis server that the numbers come from.
        now: ms; differences of the last `live_days` days are dated as well as added.
        settings: live_days, token_days.

    Raises:
        ValueError: an item lies in another shard; the script would touch keys of two slots.
        KeyError: an item has no number.
    """
    token, shard = delivery.token, delivery.shard
    batch = _Batch(now, settings.live_days)
    for where, day, cells in delivery.supports:
        _check(shard, [numbers[item] for item in cells])
        dated = keys.supports_day(where, shard, day) if batch.dates(day) else None
        batch.add(keys.supports(where, shard), dated, day, cells, numbers)
    watched = len(batch.groups)
    for relation, day, item, cells in delivery.rows:
        number = numbers[item]
        _check(shard, (number,))
        dated = keys.pairs_day(relation, number, day) if batch.dates(day) else None
        batch.add(keys.pairs(relation, number), dated, day, cells, numbers)
    batch.add_stats(shard, delivery.stats)
    weights = [_weights(some, shard, numbers) for _, some in delivery.popular]
    batch.keys += [keys.popular(signal, shard) for signal, _ in delivery.popular]
    block, bit = divmod(token.index, keys.TOKEN_BLOCK)
    bitmap = keys.applied(shard, token.run, token.lane, block, token.part)
    payload = msgpack.packb((batch.groups, weights))
    return call(APPLY, (bitmap, *batch.keys), (bit, settings.token_days * DAY_S, watched, payload, server, POPULAR))


def _weights(some: Mapping[str, float], shard: int, numbers: Numbers) -> list[float]:
    """[member, weight, ...]; a weight that is no number would make the whole sum none."""
    entries: list[float] = []
    for item, weight in some.items():
        if math.isfinite(weight):
            entries += numbers[item], float(weight)
    _check(shard, entries[::2])
    return entries


class _Batch:
    """The groups of one call and their keys: a total, and for a recent day the hash of that day."""

    def __init__(self, now: int, live_days: int) -> None:
        self._now = now // 1000
        self._oldest = now // DAY_MS - live_days
        self._live_days = live_days
        self.keys: list[str] = []
        self.groups: list[list[int | str]] = []

    def dates(self, day: int) -> bool:
        return day >= self._oldest

    def add(self, total: str, dated: str | None, day: int, cells: Cells, numbers: Numbers) -> None:
        self.keys.append(total)
        if dated is None:
            group: list[int | str] = [0, 0]
        else:
            # Gone when the day leaves the live days; an event dated ahead of this clock does not stay longer for it.
            end = (day + self._live_days + 1) * DAY_S - self._now
            self.keys.append(dated)
            group = [1, min(max(end, 1), (self._live_days + 2) * DAY_S)]
        for item, n in cells.items():
            group += str(numbers[item]), n
        self.groups.append(group)

    def add_stats(self, shard: int, stats: Mapping[str, int]) -> None:
        if stats:
            self.keys.append(keys.stats(shard))
            self.groups.append([0, 0, *(part for entry in stats.items() for part in entry)])


def _check(shard: int, numbers: Sequence[float]) -> None:
    for number in numbers:
        if int(number) % keys.SHARDS != shard:
            msg = f"item number {number} is not of shard {shard}"
            raise ValueError(msg)


def support_changes(delivery: Delivery, numbers: Numbers) -> list[tuple[int, int]]:
    """(universe, item number) of each sum that `apply_call` returns, in its order."""
    return [(where, numbers[item]) for where, _, cells in delivery.supports for item in cells]


def remember_call(recent: Recent, settings: Settings) -> Command:
    """The call that merges one customer's latest items: an erasure in all sets, else only in those it has."""
    customer, views, erased_at, leave, carts, orders = recent
    args: list[Argument] = [settings.window_days * DAY_S, erased_at, int(leave != Leave.NOTHING)]
    names: list[str] = []
    entries: list[Argument] = []
    sets: tuple[dict[str, int] | dict[bytes, int], ...] = views, carts, orders
    for signal, (times, keep) in enumerate(zip(sets, settings.latest_kept, strict=True)):
        if times or not signal or erased_at >= 0:  # the views' set has the mark of an erasure, for all
            names.append(keys.recents(customer, signal))
            args += keep, len(times)
            for entry, time in times.items():
                entries += entry if isinstance(entry, bytes) else entry.encode(), time
    return call(REMEMBER, names, args + entries)


def personal_call(customers: Sequence[str], relation: int, seeds: int) -> Command:
    """The call that reads customers' sets and the serving rows of the latest viewed items, not for a cluster."""
    names = [keys.recents(customer, signal) for customer in customers for signal in Signal]
    return call(PERSONAL, names, (seeds, int(relation), keys.SHARDS, keys.NUMBERS, keys.ROW))


def tombstone_commands(recents: Iterable[Recent], now: int, settings: Settings) -> list[Command]:
    """The commands that note erased customers, and let go of those whose erased past has left the window anyway."""
    shards: dict[int, list[Argument]] = {}
    for recent in recents:
        if recent.leave == Leave.TOMBSTONE and recent.erased_at >= 0:
            shards.setdefault(keys.shard_of(recent.customer), []).extend((recent.erased_at, recent.customer))
    expired = settings.limits.window_start(now) - 1
    return [
        made
        for shard, entries in shards.items()
        for made in (
            command("ZADD", keys.tombstones(shard), "GT", *entries),
            command("ZREMRANGEBYSCORE", keys.tombstones(shard), "-inf", expired),
            command("EXPIRE", keys.tombstones(shard), (settings.window_days + 2) * DAY_S),
        )
    ]


def read_call(touched: Sequence[tuple[int, int, Sequence[int]]]) -> Command:
    """The call that reads rows of one shard with the exact counts of columns: (relation, number, columns) each."""
    names: list[str] = []
    for relation, number, _ in touched:
        names += keys.row(relation, number), keys.pairs(relation, number)
    return call(READ_ROWS, names, (msgpack.packb([list(columns) for _, _, columns in touched]), WHOLE_ROW))


class Write(NamedTuple):
    """A packed row to be written if the revision is still the one that was read; `seconds` 0: for good."""

    relation: int
    number: int
    revision: bytes
    data: bytes
    seconds: int


def put_call(writes: Sequence[Write]) -> Command:
    """The call that writes rows of one shard."""
    args: list[Argument] = [*REVISION_SLICE, keys.MOST_TOUCHED]
    for write in writes:
        args += write.revision, write.data, write.seconds, f"{write.relation}:{write.number}"
    touched = keys.touched(keys.shard_of_number(writes[0].number))
    return call(PUT_ROWS, [touched, *(keys.row(write.relation, write.number) for write in writes)], args)
