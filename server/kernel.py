"""The best of several rows' candidates together as plain loops, which numba, where it is installed, compiles.

Without numba, `blend` does the same with numpy, more slowly (docs/benchmarks.md, An answer).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scored import CUSTOMER_BITS, CUSTOMERS

Array = NDArray[Any]
SCATTER = 0x9E3779B1
"""Multiplies slots so that their upper bits are spread over the table: the golden ratio's part of 2 ** 32 (Knuth)."""


def add_up(parts: tuple[Array, ...], weights: tuple[float, ...], table: Array, counts: Array, totals: Array) -> int:
    """The weighted sum of each item's scores, added up in the order of the entries; the number of items.

    Items are found in a hash table with linear probing, which fits into the nearest cache of the processor, whereas
    a sum for each item of the shop would not.

    Args:
        parts: entries as Ordered has them, shape (n, 2); in a part an item comes once.
        weights: of the parts.
        table: zeros, a power of two of them, at least twice as many as all entries; zeros again afterwards.
        counts: the result, room for all entries: slot; customers and part of the entry that gave most of the sum.
        totals: the result, likewise: the sum; what that entry gave.
    """
    found = 0
    for part in range(len(parts)):
        found = add(parts[part], part, weights[part], found, table, counts, totals)
    table[:] = 0
    return found


def add(cells: Array, part: int, weight: float, found: int, table: Array, counts: Array, totals: Array) -> int:
    """Add one part to what `add_up` has found before; the number of items then."""
    last, scores = len(table) - 1, cells.view(np.float64)
    for at in range(len(cells)):
        code = cells[at, 0]
        slot, met, own = code >> CUSTOMER_BITS, code & CUSTOMERS, scores[at, 1] * weight
        cell = (slot * SCATTER >> 16) & last
        while table[cell] != 0 and counts[table[cell] - 1, 0] != slot:
            cell = (cell + 1) & last
        place = table[cell] - 1
        if place < 0:
            place = found
            found += 1
            table[cell] = found
            counts[place, 0], totals[place, 0] = slot, own
        else:
            totals[place, 0] += own
            if not (own > totals[place, 1] or (own == totals[place, 1] and met > counts[place, 1])):
                continue
        totals[place, 1], counts[place, 1], counts[place, 2] = own, met, part
    return found


def select(found: int, most: int, top: Array, counts: Array, totals: Array) -> int:
    """Put the `most` items with the largest sums first, best before better, and all that tie with the last of them.

    Of items with equal sums the one with more customers comes first.

    Args:
        found: items, as `add_up` left them in counts and totals.
        most: at least 1.
        top: room for `most` numbers.
        counts, totals: changed.

    Returns:
        How many; negative where two have equal sums and customers.
    """
    held = 0
    for place in range(found):
        total = totals[place, 0]
        if held < most:
            held += 1
        elif total <= top[most - 1]:
            continue
        # By insertion: few are better than all that came before.
        at = held - 1
        while at > 0 and top[at - 1] < total:
            top[at] = top[at - 1]
            at -= 1
        top[at] = total
    kept, tied = 0, False
    for place in range(found):
        total = totals[place, 0]
        if total < top[held - 1]:
            continue
        slot, met, part = counts[place, 0], counts[place, 1], counts[place, 2]
        at = kept
        while at > 0 and (totals[at - 1, 0] < total or (totals[at - 1, 0] == total and counts[at - 1, 1] < met)):
            totals[at, 0] = totals[at - 1, 0]
            counts[at, 0], counts[at, 1], counts[at, 2] = counts[at - 1, 0], counts[at - 1, 1], counts[at - 1, 2]
            at -= 1
        tied = tied or (at > 0 and totals[at - 1, 0] == total and counts[at - 1, 1] == met)
        totals[at, 0] = total
        counts[at, 0], counts[at, 1], counts[at, 2] = slot, met, part
        kept += 1
    return -kept if tied else kept


class Room:
    """Where the loops work, kept between requests, since to clear what was used costs less than new arrays."""

    __slots__ = ("counts", "lines", "table", "top", "totals")

    def __init__(self, entries: int = 1024) -> None:
        """For so many entries of all rows together."""
        self.table = np.zeros(1 << (2 * entries - 1).bit_length(), np.int32)
        self.counts, self.totals = np.zeros((entries, 3), np.int64), np.zeros((entries, 2))
        self.top, self.lines = np.zeros(entries), np.zeros((entries, 3), np.int64)

    def doubled(self) -> Room:
        """A larger one."""
        return Room(2 * len(self.counts))

    def widened(self, entries: int) -> Room:
        """This, or a larger one where it is too small."""
        return self if entries <= len(self.counts) else Room(2 * entries)
