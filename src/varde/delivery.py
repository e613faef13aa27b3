"""From the sums of one pane to what one script applies: batches of one shard, each with its own token. Pure.

A token names a batch by (run, lane, index, part): `run` is the life of one pipeline, `lane` the aggregation key,
`index` the pane's number in that lane, `part` the piece of the pane within the shard. The store remembers tokens as
bits (docs/redis.md), so index must count up from 0 in every lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, TypeVar

from varde import keys
from varde.counts import Cells, Counts
from varde.history import NO_HISTORY, History
from varde.latest import NO_ENTRIES, entries, newest
from varde.orders import Orders

T = TypeVar("T", int, float)
E = TypeVar("E", str, bytes)


@dataclass(frozen=True, slots=True)
class Token:
    """Identity of a batch: applied at most once, however often and wherever it is tried."""

    run: str
    lane: int
    index: int
    part: int


class Leave(IntEnum):
    """What a customer's forgetting leaves behind in Redis; of several, the largest holds."""

    NOTHING = 0
    """A withdrawn consent: only the items go."""
    MARK = 1
    """A mark beside the latest items, so that a write from before does not bring them back."""
    TOMBSTONE = 2
    """The mark, and an entry among the tombstones, which the nightly job and a seeded stream keep to."""


class Recent(NamedTuple):
    """Latest items of one customer (keys.customer_key); what happened up to `erased_at` (ms) is to be dropped.

    views, carts: item -> time, ms. orders: entry of latest.entries -> time, ms.
    """

    customer: str
    views: dict[str, int] = NO_HISTORY
    erased_at: int = -1
    leave: Leave = Leave.MARK
    carts: dict[str, int] = NO_HISTORY
    orders: dict[bytes, int] = NO_ENTRIES


def recent(customer: str, views: History, carts: History, done: Orders, kept: tuple[int, int, int]) -> Recent:
    """The latest items in a past, no more than is kept of them (Settings.latest_kept)."""
    orders = newest(entries(done), kept[2]) if done else NO_ENTRIES
    return Recent(customer, newest(views, kept[0]), carts=newest(carts, kept[1]), orders=orders)


@dataclass(slots=True)
class Pane:
    """Everything the stream has summed up since the last pane of a lane: a commutative monoid under `update`.

    counts: differences of pair counts and supports.
    popular: signal -> item -> decayed weight (see `popularity`).
    recents: customer key -> Recent.
    stats: counter name -> n, exact like the counts because it travels with them.
    published: time of publication (ms, to a tenth of a second) -> interactions, for freshness.
    """

    counts: Counts = field(default_factory=Counts)
    popular: dict[int, dict[str, float]] = field(default_factory=dict)
    recents: dict[str, Recent] = field(default_factory=dict)
    stats: dict[str, int] = field(default_factory=dict)
    published: dict[int, int] = field(default_factory=dict)

    def meet(self, signal: int, items: Iterable[str], weight: float) -> None:
        """Items were met: each becomes more popular by `weight` (see `popularity`)."""
        weights = self.popular.setdefault(signal, {})
        for item in items:
            weights[item] = weights.get(item, 0.0) + weight

    def update(self, other: Pane) -> None:
        """Add another pane in place."""
        self.counts.update(other.counts)
        for signal, weights in other.popular.items():
            mine = self.popular.setdefault(signal, {})
            for item, weight in weights.items():
                mine[item] = mine.get(item, 0.0) + weight
        for recent in other.recents.values():
            self.remember(recent)
        for name, n in other.stats.items():
            self.stats[name] = self.stats.get(name, 0) + n
        for at, n in other.published.items():
            self.published[at] = self.published.get(at, 0) + n

    def remember(self, recent: Recent) -> None:
        """Merge one customer's latest items: the newest time of each, nothing up to an erasure."""
        customer, views, erased_at, leave, carts, orders = recent
        known = self.recents.get(customer)
        if known is None:
            # Copies, which later merges may change in place.
            self.recents[customer] = Recent(customer, dict(views), erased_at, leave, dict(carts), dict(orders))
            return
        _raise(known.views, views, known.erased_at)
        if carts:
            _raise(known.carts, carts, known.erased_at)
        if orders:
            _raise(known.orders, orders, known.erased_at)
        if erased_at > known.erased_at:
            # One that says nothing about an erasure has no say in what it leaves.
            self.recents[customer] = Recent(
                customer,
                _after(known.views, erased_at),
                erased_at,
                leave if known.erased_at < 0 else max(leave, known.leave),
                _after(known.carts, erased_at),
                _after(known.orders, erased_at),
            )
        elif erased_at >= 0 and leave > known.leave:
            self.recents[customer] = known._replace(leave=leave)


def _raise(known: dict[E, int], times: dict[E, int], erased_at: int) -> None:
    for entry, time in times.items():
        if time > erased_at and time > known.get(entry, -1):
            known[entry] = time


def _after(times: dict[E, int], erased_at: int) -> dict[E, int]:
    return {entry: time for entry, time in times.items() if time > erased_at}


@dataclass(slots=True)
class Delivery:
    """One batch of one shard (hash tag): what `store.apply` takes.

    rows: (relation, day, row item, column item -> n); supports: (universe, day, item -> n);
    popular: (signal, item -> weight); stats: counter -> n; published: as in Pane
    (the pane's own counters and times travel in its first delivery of shard 0).
    """

    token: Token
    shard: int
    rows: list[tuple[int, int, str, Cells]] = field(default_factory=list)
    supports: list[tuple[int, int, Cells]] = field(default_factory=list)
    popular: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    stats: dict[str, int] = field(default_factory=dict)
    published: dict[int, int] = field(default_factory=dict)

    @property
    def updates(self) -> int:
        """Number of pair counts it changes."""
        return sum(len(cells) for _, _, _, cells in self.rows)


class _Cutter:
    """Deliveries under construction, one open per shard, their parts numbered in the order they were opened."""

    def __init__(self, run: str, lane: int, index: int) -> None:
        self._name = (run, lane, index)
        self._parts: dict[int, int] = {}
        self.open: dict[int, Delivery] = {}

    def at(self, shard: int) -> Delivery:
        if shard not in self.open:
            part = self._parts.get(shard, 0)
            self._parts[shard] = part + 1
            self.open[shard] = Delivery(Token(*self._name, part), shard)
        return self.open[shard]


def split(pane: Pane, run: str, lane: int, index: int, size: int) -> Iterator[Delivery]:
    """Cut a pane into deliveries of about `size` pair updates, each for one shard, in a fixed order of parts."""
    cut = _Cutter(run, lane, index)
    if pane.stats or pane.published:
        cut.at(0).stats, cut.at(0).published = dict(pane.stats), pane.published
    for (where, day), cells in pane.counts.supports.items():
        changed = {item: n for item, n in cells.items() if n}
        for shard, some in _by_shard(changed).items():
            cut.at(shard).supports.append((where, day, some))
    for signal, weights in pane.popular.items():
        for shard, some_weights in _by_shard(weights).items():
            cut.at(shard).popular.append((signal, some_weights))
    filled = [0] * keys.SHARDS
    for relation, day, item, cells in pane.counts.directed():
        shard = keys.shard_of(item)
        for piece in _pieces(cells, size):
            cut.at(shard).rows.append((relation, day, item, piece))
            filled[shard] += len(piece)
            if filled[shard] >= size:
                filled[shard] = 0
                yield cut.open.pop(shard)
    yield from cut.open.values()


def _by_shard(cells: dict[str, T]) -> dict[int, dict[str, T]]:
    shards: dict[int, dict[str, T]] = {}
    for item, n in cells.items():
        shards.setdefault(keys.shard_of(item), {})[item] = n
    return shards


def _pieces(cells: Cells, size: int) -> Iterator[Cells]:
    if len(cells) <= size:
        yield cells
        return
    entries = list(cells.items())
    for start in range(0, len(entries), size):
        yield dict(entries[start : start + size])


LANDMARK_MS = 1_767_225_600_000
"""2026-01-01: the moment at which an interaction weighs 1. Forward decay (Cormode et al., ICDE 2009)."""


def popularity(time: int, half_life_days: float) -> float:
    """Weight of one interaction: doubles every half-life of event time, so old sums fade relative to new ones.

    Sums of such weights do not depend on the order of events, and comparing two sums needs no clock.
    """
    exponent = (time - LANDMARK_MS) / (half_life_days * 86_400_000)
    return float(2.0 ** min(max(exponent, -900.0), 900.0))
