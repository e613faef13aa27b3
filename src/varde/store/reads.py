"""The read half of the store without a client: each reading yields commands and is sent their replies.

The sync and the asyncio side drive the same generators, so that they cannot come to differ. Each `yield` is one round
trip. Readings never allocate a number.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from varde import keys, latest
from varde.history import Signal
from varde.latest import Customer
from varde.pairs import Relation, universe
from varde.rows import Row, readable
from varde.store.names import Names
from varde.store.packing import personal_call
from varde.store.scripts import Command, command

T = TypeVar("T")
Reading = Generator[Sequence[Command], list[Any], T]
"""Yields the commands of one round trip, is sent their replies, returns the result."""


class Weighted(NamedTuple):
    """An item and its decayed number of interactions (delivery.popularity)."""

    item: str
    weight: float


def flat(reply: Any) -> list[Any]:
    """[field, value, ...] of a hash or of members with scores, whichever protocol version the client speaks."""
    if isinstance(reply, dict):
        return [part for entry in reply.items() for part in entry]
    if reply and isinstance(reply[0], (list, tuple)):
        return [part for entry in reply for part in entry]
    return list(reply)


def numbers(names: Names, ids: Sequence[str]) -> Reading[list[int | None]]:
    """The numbers of ids; None where Varde has never counted the id. No round trip when all are cached."""
    found = {item: names.number(item) for item in ids}
    unknown = [item for item, number in found.items() if number is None]
    if unknown:
        groups = _by_shard((keys.shard_of(item), item) for item in unknown)
        replies = yield [command("HMGET", keys.numbers(shard), *items) for shard, items in groups.items()]
        for items, reply in zip(groups.values(), replies, strict=True):
            there = [(item, int(n)) for item, n in zip(items, reply, strict=True) if n is not None]
            found.update(there)
            names.learn(there)
    return [found[item] for item in ids]


def names(known: Names, wanted: Sequence[int]) -> Reading[list[str | None]]:
    """The ids of numbers; None for a number that no item has."""
    found = {number: known.name(number) for number in wanted}
    unknown = [number for number, item in found.items() if item is None]
    if unknown:
        groups = _by_shard((keys.shard_of_number(number), number) for number in unknown)
        replies = yield [command("HMGET", keys.names(shard), *group) for shard, group in groups.items()]
        for group, reply in zip(groups.values(), replies, strict=True):
            there = [(item.decode(), n) for n, item in zip(group, reply, strict=True) if item is not None]
            found.update((n, item) for item, n in there)
            known.learn(there)
    return [found[number] for number in wanted]


def rows(known: Names, relation: int, items: Sequence[str]) -> Reading[list[Row | None]]:
    """The serving rows of items; None where an item has no neighbours, or a row that cannot be read.

    One round trip once the items' numbers are cached.
    """
    found = yield from numbers(known, items)
    there = [number for number in found if number is not None]
    if not there:
        return [None] * len(items)
    replies = iter((yield [command("GET", keys.row(relation, number)) for number in there]))
    return [None if number is None else readable(next(replies)) for number in found]


def pair_count(known: Names, relation: int, item: str, other: str) -> Reading[int]:
    """The number of customers of a pair, exact; 0 for ids that were never counted."""
    i, j = yield from numbers(known, (item, other))
    if i is None or j is None:
        return 0
    (n,) = yield [command("HGET", keys.pairs(relation, i), j)]
    return int(n or 0)


def supports(known: Names, where: int, items: Sequence[str]) -> Reading[list[int]]:
    """The number of customers who have each item in a universe, exact; pairs.ANY_ITEM asks for all customers."""
    found = yield from numbers(known, items)
    groups = _by_shard((keys.shard_of_number(n), n) for n in found if n is not None)
    if not groups:
        return [0] * len(items)
    replies = yield [command("HMGET", keys.supports(where, shard), *group) for shard, group in groups.items()]
    sums: dict[int | None, int] = {None: 0}
    for group, reply in zip(groups.values(), replies, strict=True):
        sums.update((number, int(n or 0)) for number, n in zip(group, reply, strict=True))
    return [sums[number] for number in found]


def total(relation: int) -> Reading[int]:
    """The number of customers that a relation is about."""
    (n,) = yield [command("HGET", keys.supports(universe(Relation(relation)), 0), keys.ANY_NUMBER)]
    return int(n or 0)


def recents(customer: str) -> Reading[list[tuple[str, int]]]:
    """A customer's latest viewed items as (id, time ms), newest first. `customer` comes from keys.customer_key."""
    (reply,) = yield [command("ZRANGE", keys.recents(customer, Signal.VIEW), 0, -1, "WITHSCORES")]
    return sorted(_items(reply), key=lambda entry: (-entry[1], entry[0]))


def customer(customers: Sequence[str]) -> Reading[list[Customer]]:
    """What is known of each customer (keys.customer_key): latest views, carts and purchases. One round trip."""
    if not customers:
        return []
    return _customers((yield [_set(customer, signal) for customer in customers for signal in Signal]))


def personal(
    known: Names, clustered: bool, customers: Sequence[str], relation: int, seeds: int
) -> Reading[tuple[Customer, list[tuple[str, bytes | None]]]]:
    """One customer of several keys (latest.merged), and the packed rows of the `seeds` newest views.

    One round trip; on a cluster two, once the items' numbers are cached.
    """
    if not customers:
        return latest.merged(()), []
    if not clustered:
        (reply,) = yield [personal_call(customers, relation, seeds)]
        *sets, found = reply
        rows = zip(found[::2], found[1::2], strict=True)
        return latest.merged(_customers(sets)), [(item.decode(), row) for item, row in rows]
    whole = latest.merged((yield from customer(customers)))
    items = [item for item, _ in whole.views[:seeds]]
    packed: dict[int | None, bytes | None] = {None: None}
    ids = yield from numbers(known, items)
    if there := [number for number in ids if number is not None]:
        replies = yield [command("GET", keys.row(relation, number)) for number in there]
        packed.update(zip(there, replies, strict=True))
    return whole, [(item, packed[number]) for item, number in zip(items, ids, strict=True)]


def _set(customer: str, signal: Signal) -> Command:
    return command("ZREVRANGE", keys.recents(customer, signal), 0, -1, "WITHSCORES")


def _customers(replies: Sequence[Any]) -> list[Customer]:
    """Of the replies to `_set`, three for each customer."""
    sets = iter(replies)
    return [
        latest.customer(_items(views), _items(carts), _timed(orders))
        for views, carts, orders in zip(sets, sets, sets, strict=True)
    ]


def _timed(reply: Any) -> list[tuple[bytes, int]]:
    """Members but the mark of an erasure, with their times, ms."""
    entries = flat(reply)
    return [(entry, int(float(time))) for entry, time in zip(entries[::2], entries[1::2], strict=True) if entry]


def _items(reply: Any) -> list[tuple[str, int]]:
    return [(item.decode(), time) for item, time in _timed(reply)]


def popular(known: Names, signal: int, n: int) -> Reading[list[Weighted]]:
    """The n items with the largest decayed number of interactions, over all shards."""
    if n < 1:
        return []
    replies = yield [
        command("ZREVRANGE", keys.popular(signal, shard), 0, n - 1, "WITHSCORES") for shard in range(keys.SHARDS)
    ]
    entries: list[tuple[float, int]] = []
    for reply in map(flat, replies):
        entries.extend((-float(w), int(number)) for number, w in zip(reply[::2], reply[1::2], strict=True))
    best = sorted(entries)[:n]
    ids = yield from names(known, [number for _, number in best])
    return [Weighted(item, -weight) for item, (weight, _) in zip(ids, best, strict=True) if item is not None]


def counts(known: Names, relation: int, item: str) -> Reading[dict[str, int]]:
    """Every neighbour of an item with its pair count, exact.

    A number without an id (lost with the newest writes of a server that died) has no name to be listed under.
    """
    (number,) = yield from numbers(known, (item,))
    if number is None:
        return {}
    (reply,) = yield [command("HGETALL", keys.pairs(relation, number))]
    entries = flat(reply)
    ids = yield from names(known, [int(column) for column in entries[::2]])
    return {other: int(n) for other, n in zip(ids, entries[1::2], strict=True) if other is not None}


def all_items(known: Names) -> Reading[dict[str, int]]:
    """Every item that was ever counted, id -> number; fills the cache. One round trip a shard."""
    found: dict[str, int] = {}
    for shard in range(keys.SHARDS):
        (reply,) = yield [command("HGETALL", keys.numbers(shard))]
        entries = flat(reply)
        found.update((item.decode(), int(n)) for item, n in zip(entries[::2], entries[1::2], strict=True))
    known.learn(found.items())
    return found


def stats(shards: Iterable[int] = range(keys.SHARDS)) -> Reading[dict[str, int]]:
    """The stream's counters, summed over the shards. One round trip."""
    found: dict[str, int] = {}
    for reply in (yield [command("HGETALL", keys.stats(shard)) for shard in shards]):
        entries = flat(reply)
        for name, n in zip(entries[::2], entries[1::2], strict=True):
            counter = name.decode()
            found[counter] = found.get(counter, 0) + int(n)
    return found


def tombstones() -> Reading[dict[str, int]]:
    """Customers who were erased: customer key -> up to when, ms. One round trip."""
    found: dict[str, int] = {}
    commands = [command("ZRANGE", keys.tombstones(shard), 0, -1, "WITHSCORES") for shard in range(keys.SHARDS)]
    for reply in (yield commands):
        entries = flat(reply)
        found.update((who.decode(), int(float(at))) for who, at in zip(entries[::2], entries[1::2], strict=True))
    return found


def _by_shard(entries: Iterable[tuple[int, T]]) -> dict[int, list[T]]:
    groups: dict[int, list[T]] = {}
    for shard, entry in entries:
        groups.setdefault(shard, []).append(entry)
    return groups
