"""Live counts against the night's, pair by pair. Pure but for `against_store`, which reads one item row at a time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from varde.pairs import ANY_ITEM, Relation, Universe

Cells = Mapping[str, int]
WORST = 10
"""Differences shown per comparison."""


class Difference(NamedTuple):
    """One number that differs; 0 where one side does not have it."""

    item: str
    other: str
    live: int
    nightly: int

    @property
    def size(self) -> int:
        """How far apart the two are."""
        return abs(self.live - self.nightly)


@dataclass(frozen=True, slots=True)
class Drift:
    """The result of one comparison: every number that either side has was compared.

    worst: the largest differences, then by item and other; at most WORST.
    """

    compared: int
    equal: int
    different: int
    worst: tuple[Difference, ...] = ()

    def figures(self) -> dict[str, Any]:
        """As plain objects, for JSON."""
        worst = [difference._asdict() for difference in self.worst]
        return {"compared": self.compared, "equal": self.equal, "different": self.different, "worst": worst}


def compare(rows: Iterable[tuple[str, Cells, Cells]], worst: int = WORST) -> Drift:
    """Compare (row item, live cells, nightly cells); a row item comes once. A zero is the same as nothing."""
    equal = different = 0
    heap: list[tuple[int, Difference]] = []
    for item, live, nightly in rows:
        if live == nightly and 0 not in live.values():
            equal += len(live)
            continue
        for other in live.keys() | nightly.keys():
            ours, theirs = live.get(other, 0), nightly.get(other, 0)
            if ours == theirs:
                equal += 1 if ours else 0
                continue
            different += 1
            difference = Difference(item, other, ours, theirs)
            heapq.heappush(heap, (difference.size, difference))
            if len(heap) > worst:
                heapq.heappop(heap)
    found = sorted((d for _, d in heap), key=lambda d: (-d.size, d))
    return Drift(equal + different, equal, different, tuple(found))


def matched(
    nightly: Iterable[tuple[str, Cells]], live: Callable[[str], Cells], live_items: Iterable[str]
) -> Iterator[tuple[str, Cells, Cells]]:
    """Rows for `compare`: the night's one after another with the live row of the item, then what only lives."""
    done: set[str] = set()
    for item, cells in nightly:
        done.add(item)
        yield item, live(item), cells
    for item in live_items:
        if item not in done:
            done.add(item)
            yield item, live(item), {}


class LiveCounts(Protocol):
    """What is asked of varde.store.sync.Store."""

    def counts(self, relation: int, item: str) -> Mapping[str, int]:
        """Column item -> customers, exact."""
        ...

    def all_items(self) -> Iterable[str]:
        """Every item that was ever counted."""
        ...

    def supports(self, universe: int, items: Sequence[str]) -> Sequence[int]:
        """Customers of each item; ANY_ITEM for all customers."""
        ...


class Summary(NamedTuple):
    """Drift of everything: pairs by relation; supports by universe, where ANY_ITEM holds the totals."""

    pairs: dict[str, Drift]
    supports: dict[str, Drift]

    @property
    def pairs_compared(self) -> int:
        """Pairs that either side has."""
        return sum(drift.compared for drift in self.pairs.values())

    @property
    def pairs_different(self) -> int:
        """Pairs whose counts differ, or that one side lacks."""
        return sum(drift.different for drift in self.pairs.values())

    @property
    def supports_different(self) -> int:
        """Supports and totals that differ."""
        return sum(drift.different for drift in self.supports.values())


def against_store(
    store: LiveCounts,
    rows: Callable[[Relation], Iterable[tuple[str, Cells]]],
    supports: Mapping[int, Cells],
    tick: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Compare a night's result with the live counts.

    Args:
        store: the live counts.
        rows: the night's rows of a relation.
        supports: the night's supports: universe -> item -> customers.
        tick: called with what is compared, once a row.
    """
    items = sorted(store.all_items())
    pairs = {}
    for relation in Relation:

        def live(item: str, relation: Relation = relation) -> Cells:
            tick(relation.label)
            return store.counts(relation, item)

        pairs[relation.label] = compare(matched(rows(relation), live, items))
    both = {}
    for universe in Universe:
        mine = supports.get(universe, {})
        asked = sorted({ANY_ITEM, *items, *mine})
        live_supports = dict(zip(asked, store.supports(universe, asked), strict=True))
        both[universe.name.lower()] = compare([("", live_supports, mine)])
    return Summary(pairs, both)
