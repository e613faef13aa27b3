"""Serving rows scored and ordered, many at once: a call of numpy costs the same for one row and for thirty. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from varde.config import Ranking
from varde.rows import Row

from .rules import Offer
from .shelf import Shelf

AT_ONCE = 16
"""Candidates that are turned into Python numbers at first; rules seldom need more."""
CUSTOMER_BITS = 32
"""Numbers of people are what the counts of a row can hold."""
CUSTOMERS = (1 << CUSTOMER_BITS) - 1


class Ordered:
    """One row's candidates under one ranking, best first, without pairs below the floor and unknown items.

    cells: a line of two for each, shape (m, 2): slot and customers in the upper and lower half of an integer, and the
    bits of the score as a float; so lines of several rows are joined at once, and those of all a shop's items fit into
    memory. Those that tie in score are in any order here, and by customers, then item id in `best` and `rest`.
    nameless: whether candidates were left out for want of a name.
    """

    __slots__ = ("_ids", "cells", "nameless")

    def __init__(self, cells: NDArray[np.int64], ids: Sequence[str], nameless: bool = False) -> None:
        self.cells, self.nameless, self._ids = cells, nameless, ids

    def __len__(self) -> int:
        return len(self.cells)

    def best(self, seed: int) -> list[Offer]:
        """The first AT_ONCE candidates and those that tie with the last of them, as offered for the seed."""
        return self._offers(0, self._cut(), seed)

    def rest(self, seed: int) -> list[Offer]:
        """Those after `best`."""
        return self._offers(self._cut(), len(self.cells), seed)

    def _cut(self) -> int:
        cut, scores = AT_ONCE, scores_of(self.cells)
        while 0 < cut < len(scores) and scores[cut] == scores[cut - 1]:
            cut += 1
        return min(cut, len(scores))

    def _offers(self, start: int, stop: int, seed: int) -> list[Offer]:
        part = self.cells[start:stop]
        columns = (slots_of(part).tolist(), scores_of(part).tolist(), customers_of(part).tolist())
        found: list[Offer] = [(slot, score, met, seed) for slot, score, met in zip(*columns, strict=True)]
        before, run = math.nan, 0
        for at, (_, score, _, _) in enumerate(found):
            if score != before:
                if at - run > 1:
                    self._sort(found, run, at)
                run, before = at, score
        if len(found) - run > 1:
            self._sort(found, run, len(found))
        return found

    def _sort(self, found: list[Offer], start: int, stop: int) -> None:
        """Put those that tie in the order of their customers, then of their item ids."""
        ids = self._ids
        found[start:stop] = sorted(found[start:stop], key=lambda one: (-(one[2] or 0), ids[one[0]]))


def cells_of(slots: NDArray[np.intp], scores: NDArray[np.float64], customers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lines as Ordered has them."""
    cells = np.empty((len(slots), 2), np.int64)
    cells[:, 0] = slots << CUSTOMER_BITS | customers
    cells[:, 1] = scores.view(np.int64)
    return cells


def slots_of(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """The items of lines."""
    return cells[:, 0] >> CUSTOMER_BITS


def customers_of(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """The customers of lines."""
    return cells[:, 0] & CUSTOMERS


def scores_of(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """The scores of lines."""
    return cells.view(np.float64)[:, 1]


EMPTY = Ordered(np.empty((0, 2), np.int64), ())


class _Columns(NamedTuple):
    k: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    n: NDArray[np.float64]


def ordered(rows: Sequence[Row], ranking: Ranking, floor: int, shelf: Shelf) -> list[Ordered]:
    """The rows' candidates by score down, then customers down, then item id up.

    Args:
        rows: rows with at least one candidate each.
        ranking: its formula scores them.
        floor: fewest customers of a pair that is shown.
        shelf: numbers to slots, and the ids that break ties.
    """
    sizes = [len(row) for row in rows]
    ends = np.cumsum(sizes)
    starts = ends - np.asarray(sizes)
    columns = _columns(rows, sizes, starts)
    score = ranking.formula.of(columns.k, columns.a, columns.b, columns.n)
    slots = shelf.of_numbers(np.concatenate([row.items for row in rows]))
    kept = (columns.k >= floor) & (slots >= 0)
    return [
        _one(slots[start:end], score[start:end], columns.k[start:end], kept[start:end], shelf.ids)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _columns(rows: Sequence[Row], sizes: Sequence[int], starts: NDArray[np.int64]) -> _Columns:
    """Counts and supports side by side; supports that are older than the counts are raised to what the counts imply."""
    k = np.concatenate([row.counts for row in rows]).astype(np.float64)
    b = np.maximum(np.concatenate([row.supports for row in rows]), k)
    a = np.maximum([row.support for row in rows], np.maximum.reduceat(k, starts))
    n = np.maximum(np.maximum([row.total for row in rows], a), np.maximum.reduceat(b, starts))
    return _Columns(k, np.repeat(a, sizes), b, np.repeat(n, sizes))


def _one(
    slots: NDArray[np.intp],
    score: NDArray[np.float64],
    k: NDArray[np.float64],
    kept: NDArray[np.bool_],
    ids: Sequence[str],
) -> Ordered:
    nameless = False
    if not kept.all():
        nameless = bool((slots < 0).any())
        slots, score, k = slots[kept], score[kept], k[kept]
    order = np.argsort(-score)
    return Ordered(cells_of(slots[order], score[order], k[order].astype(np.int64)), ids, nameless)
