"""Serving rows scored and ordered, many at once: a call of numpy costs the same for one row and for thirty. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
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
_WHERE = struct.Struct("=2q").pack


class Ordered:
    """One row's candidates under one ranking, best first, without pairs below the floor and unknown items.

    cells: a line of two for each, shape (m, 2): slot and customers in the upper and lower half of an integer, and the
    bits of the score as a float; so those of all a shop's items fit into memory. Those that tie in score are in the
    order of their customers, the most first, then of their item ids.
    nameless: whether candidates were left out for want of a name.
    where: the address of the cells and how many lines there are, as `by_address.answer` wants them.
    """

    __slots__ = ("cells", "nameless", "where")

    def __init__(self, cells: NDArray[np.int64], nameless: bool = False) -> None:
        self.cells, self.nameless = np.ascontiguousarray(cells), nameless
        self.where = _WHERE(self.cells.ctypes.data, len(cells))

    def __len__(self) -> int:
        return len(self.cells)

    def offers(self, seed: int) -> Iterator[Offer]:
        """The candidates as offered for a seed."""
        yield from self._part(0, AT_ONCE, seed)
        yield from self._part(AT_ONCE, len(self.cells), seed)

    def _part(self, start: int, stop: int, seed: int) -> list[Offer]:
        part = self.cells[start:stop]
        columns = (slots_of(part).tolist(), scores_of(part).tolist(), customers_of(part).tolist())
        return [(slot, score, met, seed) for slot, score, met in zip(*columns, strict=True)]


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


EMPTY = Ordered(np.empty((0, 2), np.int64))


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
    order = np.lexsort((-k, -score))
    slots, score, k = slots[order], score[order], k[order]
    tied = (score[1:] == score[:-1]) & (k[1:] == k[:-1])
    if tied.any():
        _by_id(slots, tied, ids)
    return Ordered(cells_of(slots, score, k.astype(np.int64)), nameless)


def _by_id(slots: NDArray[np.intp], tied: NDArray[np.bool_], ids: Sequence[str]) -> None:
    """Put the slots of each run of ties in the order of their ids. tied: whether each but the first has a run go on."""
    edges = np.flatnonzero(np.diff(tied, prepend=False, append=False)).tolist()
    for start, last in zip(edges[::2], edges[1::2], strict=True):
        slots[start : last + 1] = sorted(slots[start : last + 1].tolist(), key=ids.__getitem__)
