"""One list out of the rows of several seeds: an item's score is the weighted sum of its scores in them. Pure, numpy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .rules import Offer
from .scored import Ordered

WEIGHTS = (1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5)
"""Weight of a seed by its place, the most recent first."""
SEEDS = len(WEIGHTS)
"""Seeds that are looked up."""
_FIRST = 48
"""Entries that are sorted at first; rules seldom need more."""
Floats = NDArray[np.float64]


class Sums:
    """Where sums by slot are formed: kept between requests, because clearing what was used costs less than new ones."""

    def __init__(self) -> None:
        self._sums = np.zeros(1024)

    def of(self, parts: Sequence[Ordered], weighted: Sequence[Floats], slots: NDArray[np.int32]) -> Floats:
        """The sums of the parts' weighted scores at `slots`, which hold every slot of the parts."""
        sums = self._sums
        try:
            for part, scores in zip(parts, weighted, strict=True):
                sums[part.slots] += scores  # an item is in a row only once
        except IndexError:  # items have come since
            self._sums = np.zeros(2 * int(slots.max()) + 2)
            return self.of(parts, weighted, slots)
        total = sums[slots]
        sums[slots] = 0.0
        return total


def single(order: Ordered, seed: int) -> Iterator[Offer]:
    """The candidates of one row, in its order."""
    yield from order.best(seed)
    yield from order.rest(seed)


def blended(orders: Sequence[Ordered], seeds: Sequence[int], ids: Sequence[str], sums: Sums) -> Iterator[Offer]:
    """The candidates of up to SEEDS rows: by weighted sum down, then customers down, then item id up.

    `customers` is the pair count with the seed that gave most of the score, and `because` is that seed.

    Args:
        orders: one per seed, the most recent first; may be empty ones.
        seeds: the seeds' slots, in the same order.
        ids: item ids by slot.
        sums: this thread's.
    """
    there = [at for at, order in enumerate(orders) if len(order)]
    if not there:
        return iter(())
    if len(there) == 1 and there[0] == 0:
        return single(orders[0], seeds[0])
    parts = [orders[at] for at in there]
    weighted = [order.scores * WEIGHTS[at] for order, at in zip(parts, there, strict=True)]
    return _summed(parts, weighted, [seeds[at] for at in there], ids, sums)


def _summed(
    parts: Sequence[Ordered], weighted: Sequence[Floats], seeds: Sequence[int], ids: Sequence[str], sums: Sums
) -> Iterator[Offer]:
    slots = np.concatenate([part.slots for part in parts])
    customers = np.concatenate([part.customers for part in parts])
    each = np.concatenate(weighted)
    because = np.array(seeds).repeat([len(part) for part in parts])
    total = sums.of(parts, weighted, slots)
    seen: set[int] = set()
    for chosen in _chunks(total):
        # Of one item's entries, which have the same total, the strongest comes first.
        order = chosen[np.lexsort((-customers[chosen], -each[chosen], -total[chosen]))]
        columns = (slots[order], total[order], customers[order], because[order])
        found: list[tuple[int, float, int, int]] = []
        tied, before = False, math.nan
        for entry in zip(*(column.tolist() for column in columns), strict=True):
            if entry[0] not in seen:
                seen.add(entry[0])
                found.append(entry)
                tied |= entry[1] == before
                before = entry[1]
        if tied:
            found.sort(key=lambda one: (-one[1], -one[2], ids[one[0]]))
        yield from found


def _chunks(total: Floats) -> Iterator[NDArray[np.intp]]:
    """Indices in two parts: every one that is at least as good as the _FIRST-best, then the others."""
    if len(total) <= _FIRST:
        yield np.arange(len(total))
        return
    ahead = total >= np.partition(total, len(total) - _FIRST)[len(total) - _FIRST]
    yield ahead.nonzero()[0]
    yield (~ahead).nonzero()[0]
