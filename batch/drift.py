"""Live counts against the night's, pair by pair. Pure but for `against_store`, which reads some item rows at a time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from varde.pairs import Relation, Universe
from varde.store.night import Cells

NOTHING: Cells = {}
WORST = 10
"""Differences shown per comparison."""
BLOCK = 256
"""Rows that are read together."""
NOW = 10**6
"""A day that no difference is dated by: live counts of it are those that stand."""


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
    apart: the sizes of all differences, added up. live, nightly: the sum of the counts on either side.
    counted: the numbers that the night has.
    """

    compared: int
    equal: int
    different: int
    worst: tuple[Difference, ...] = ()
    apart: int = 0
    live: int = 0
    nightly: int = 0
    counted: int = 0

    @property
    def relative(self) -> float:
        """`apart` as a part of the night's sum; of 1 when that is nothing."""
        return self.apart / max(self.nightly, 1)

    def figures(self) -> dict[str, Any]:
        """As plain objects, for JSON."""
        worst = [difference._asdict() for difference in self.worst]
        return {
            "compared": self.compared,
            "equal": self.equal,
            "different": self.different,
            "apart": self.apart,
            "relative": round(self.relative, 6),
            "live": self.live,
            "nightly": self.nightly,
            "worst": worst,
        }


def compare(rows: Iterable[tuple[str, Cells, Cells]], worst: int = WORST) -> Drift:
    """Compare (row item, live cells, nightly cells); a row item comes once. A zero is the same as nothing."""
    equal = different = apart = live_sum = nightly_sum = counted = 0
    heap: list[tuple[int, Difference]] = []
    for item, live, nightly in rows:
        live_sum += sum(live.values())
        nightly_sum += sum(nightly.values())
        counted += sum(map(bool, nightly.values()))
        if live == nightly and 0 not in live.values():
            equal += len(live)
            continue
        for other in live.keys() | nightly.keys():
            ours, theirs = live.get(other, 0), nightly.get(other, 0)
            if ours == theirs:
                equal += 1 if ours else 0
                continue
            different += 1
            apart += abs(ours - theirs)
            difference = Difference(item, other, ours, theirs)
            heapq.heappush(heap, (difference.size, difference))
            if len(heap) > worst:
                heapq.heappop(heap)
    found = sorted((d for _, d in heap), key=lambda d: (-d.size, d))
    return Drift(equal + different, equal, different, tuple(found), apart, live_sum, nightly_sum, counted)


def matched(
    nightly: Iterable[tuple[str, Cells]], live: Callable[[Sequence[str]], Sequence[Cells]], live_items: Iterable[str]
) -> Iterator[tuple[str, Cells, Cells]]:
    """Rows for `compare`: the night's with the live rows of their items, some at a time, then what only lives."""
    rows = every_row(nightly, live_items)
    while block := list(itertools.islice(rows, BLOCK)):
        found = live([item for item, _ in block])
        for (item, cells), mine in zip(block, found, strict=True):
            yield item, mine, cells


def every_row(nightly: Iterable[tuple[str, Cells]], live_items: Iterable[str]) -> Iterator[tuple[str, Cells]]:
    """The night's rows, then an empty one for each item that only Redis knows, in their order."""
    done: set[str] = set()
    for item, cells in nightly:
        done.add(item)
        yield item, cells
    for item in live_items:
        if item not in done:
            done.add(item)
            yield item, NOTHING


class LiveCounts(Protocol):
    """What is asked of varde.store.night.NightStore."""

    def rows_at(self, relation: int, items: Sequence[str], day: int) -> Sequence[Mapping[str, int]]:
        """For each item, column item -> customers as it was when the day began."""
        ...

    def all_items(self) -> Iterable[str]:
        """Every item that was ever counted."""
        ...

    def supports_at(self, where: int, day: int) -> Mapping[str, int]:
        """Item -> customers as it was when the day began; ANY_ITEM for all customers."""
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
    def pairs_counted(self) -> int:
        """Pairs that the night has."""
        return sum(drift.counted for drift in self.pairs.values())

    @property
    def supports_different(self) -> int:
        """Supports and totals that differ."""
        return sum(drift.different for drift in self.supports.values())

    @property
    def relative(self) -> dict[str, float]:
        """Drift.relative by relation, and by `support UNIVERSE`."""
        both = {**self.pairs, **{f"support {name}": drift for name, drift in self.supports.items()}}
        return {name: drift.relative for name, drift in both.items()}


def against_store(
    store: LiveCounts,
    rows: Callable[[Relation], Iterable[tuple[str, Cells]]],
    supports: Mapping[int, Cells],
    day: int = NOW,
    tick: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Compare a night's result with the live counts.

    Args:
        store: the live counts.
        rows: the night's rows of a relation.
        supports: the night's supports: universe -> item -> customers.
        day: since the epoch; the live counts are those of its beginning. NOW: those of this moment.
        tick: called with what is compared, once a row.
    """
    items = sorted(store.all_items())
    pairs = {}
    for relation in Relation:

        def live(block: Sequence[str], relation: Relation = relation) -> Sequence[Cells]:
            for _ in block:
                tick(relation.label)
            return store.rows_at(relation, block, day)

        pairs[relation.label] = compare(matched(rows(relation), live, items))
    both = {
        universe.name.lower(): compare([("", store.supports_at(universe, day), supports.get(universe, {}))])
        for universe in Universe
    }
    return Summary(pairs, both)
