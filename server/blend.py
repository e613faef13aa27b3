"""One list out of the rows of several seeds: an item's score is the weighted sum of its scores in them. Pure, numpy."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .kernel import Room
from .rules import Offer
from .scored import EMPTY, Ordered, customers_of, scores_of, slots_of

if TYPE_CHECKING:
    from .compiled import Loops

WEIGHTS = (1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5)
"""Weight of a seed by its place, the most recent first."""
SEEDS = len(WEIGHTS)
"""Seeds that are looked up."""
FIRST = 32
"""Entries that are sorted at first; rules seldom need more."""
Floats = NDArray[np.float64]
Slots = NDArray[np.intp]
_TOTAL = itemgetter(0)


class Sums:
    """Where sums by slot are formed: kept between requests, because clearing what was used costs less than new ones."""

    def __init__(self, loops: Loops | None = None) -> None:
        """One for each thread.

        Args:
            loops: of `compiled`; None: numpy adds up.
        """
        self._loops = loops
        self._sums = np.zeros(1024)
        self._room = Room()

    def of(self, slots: Slots, scores: Floats) -> Floats:
        """For each entry the sum of the scores of all that have its slot, added up in their order."""
        try:
            np.add.at(self._sums, slots, scores)
        except IndexError:  # items have come since; nothing was added: all indices are looked at before
            self.widen(int(slots.max()))
            np.add.at(self._sums, slots, scores)
        total: Floats = self._sums[slots]
        self._sums[slots] = 0.0
        return total

    def widen(self, slot: int) -> None:
        """Make room for slots up to this one."""
        self._sums = np.zeros(2 * slot + 2)

    def best(
        self,
        parts: Sequence[Ordered],
        weights: Sequence[float],
        seeds: Sequence[int],
        ids: Sequence[str],
        most: int = FIRST,
    ) -> Iterable[tuple[int, float, int, int]]:
        """The first of `blended` and those whose score is that of the last; nothing without loops.

        Args:
            parts: orders with candidates.
            weights: of each, SEEDS numbers.
            seeds: slot of each one's seed.
            ids: item ids by slot.
            most: how many.
        """
        if self._loops is None:
            return ()
        self._room = room = self._room.widened(sum(map(len, parts)))
        cells = (*(part.cells for part in parts), *(EMPTY.cells,) * (SEEDS - len(parts)))
        counts, totals = room.counts, room.totals
        n = self._loops.select(
            self._loops.add_up(cells, weights, room.table, counts, totals), most, room.top, counts, totals
        )
        found = zip(totals[: abs(n), 0].tolist(), counts[: abs(n)].tolist(), strict=True)
        offers = ((slot, total, met, seeds[part]) for total, (slot, met, part) in found)
        return offers if n >= 0 else sorted(offers, key=lambda one: (-one[1], -one[2], ids[one[0]]))


def blended(orders: Sequence[Ordered], seeds: Sequence[int], ids: Sequence[str], sums: Sums) -> Iterator[Offer]:
    """The candidates of up to SEEDS rows: by weighted sum down, then customers down, then item id up.

    `customers` is the pair count with the seed that gave most of the score, and `because` is that seed.

    Args:
        orders: one per seed, the most recent first; may be empty ones.
        seeds: the seeds' slots, in the same order.
        ids: item ids by slot.
        sums: this thread's.
    """
    there = [at for at, order in enumerate(orders) if len(order.cells)]
    if not there:
        return iter(())
    if len(there) == 1 and there[0] == 0:
        return orders[0].offers(seeds[0])
    if len(there) == SEEDS:
        return _blended(orders, WEIGHTS, seeds, ids, sums)
    weights = [WEIGHTS[at] for at in there]
    return _blended([orders[at] for at in there], weights, [seeds[at] for at in there], ids, sums)


def _blended(
    parts: Sequence[Ordered], weights: Sequence[float], seeds: Sequence[int], ids: Sequence[str], sums: Sums
) -> Iterator[Offer]:
    n = 0
    for offer in sums.best(parts, (*weights, *(0.0,) * (SEEDS - len(weights))), seeds, ids):
        n += 1
        yield offer
    yield from islice(_summed(parts, weights, seeds, ids, sums), n, None)


def _summed(
    parts: Sequence[Ordered], weights: Sequence[float], seeds: Sequence[int], ids: Sequence[str], sums: Sums
) -> Iterator[Offer]:
    cells = np.concatenate([part.cells for part in parts])
    slots, customers = slots_of(cells), customers_of(cells)
    each = np.concatenate([scores_of(part.cells) * weight for part, weight in zip(parts, weights, strict=True)])
    total = sums.of(slots, each)
    ends = list(accumulate(map(len, parts)))
    for chosen in _chunks(total):
        ats, totals = chosen.tolist(), total[chosen].tolist()
        columns = (slots[chosen], each[chosen], customers[chosen])
        entries = list(zip(totals, *(column.tolist() for column in columns), ats, strict=True))
        entries.sort(key=_TOTAL, reverse=True)
        # Of one item's entries, which have the same total, the strongest counts.
        best: dict[int, tuple[float, int, float, int, int]] = {}
        tied, before = False, math.nan
        for entry in entries:
            score, slot, own, met, _ = entry
            there = best.get(slot)
            if there is None:
                best[slot] = entry
                tied |= score == before
                before = score
            elif (own, met) > there[2:4]:
                best[slot] = entry
        found = list(best.values())
        if tied:
            found.sort(key=lambda one: (-one[0], -one[3], ids[one[1]]))
        for score, slot, _, met, at in found:
            yield slot, score, met, seeds[bisect_right(ends, at)]


def _chunks(total: Floats) -> Iterator[Slots]:
    """Indices in two parts: every one that is at least as good as the FIRST-best, then the others."""
    if len(total) <= FIRST:
        yield np.arange(len(total))
        return
    ahead = total >= np.partition(total, len(total) - FIRST)[len(total) - FIRST]
    yield ahead.nonzero()[0]
    yield (~ahead).nonzero()[0]
