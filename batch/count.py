"""Pair counts of a whole night on one machine: a sparse product, in blocks of row items.

With X (customers x items, one where the item is in the history) a relation's counts are XᵀY. The product is exact and
is never held whole: it is made row by row (Gustavson), as many rows at a time as cannot have more than a given number
of cells, by a bound that is known beforehand. Rows and cells come in the order of the item ids, whatever the order of
the histories. sql/pair_counts.sql says the same as a self-join; a test holds the two against each other.

scipy multiplies; where numba is installed (extra `fast`), the compiled loops of kernel.py do the same in less time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from varde.counts import Cells
from varde.history import Signal
from varde.pairs import Relation

from . import kernel

CELLS = 4_000_000
"""Cells of a block at most, unless one row alone has more; at 8 bytes each, and as much again while they are sorted."""

COLUMNS = ("customer", "signal", "item")
"""What is read of a table of histories."""

Rows = Callable[[int, int, int], sparse.csr_array]
"""Rows from one to before another, of no more than so many cells."""

_log = logging.getLogger(__name__)


class Engine(Enum):
    """What multiplies."""

    SCIPY = "scipy"
    NUMBA = "numba"


@dataclass(frozen=True, slots=True, eq=False)
class Incidence:
    """Who has what: per signal a customers x items matrix of ones. Rows and columns mean the same in all of them.

    items: the item of each column, in byte order.
    """

    items: Sequence[str]
    customers: int
    matrices: dict[Signal, sparse.csr_array]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows of a relation: of the items `start`, `start` + 1, … of the incidence.

    counts: rows x items; the item itself is in its row. Columns are sorted.
    """

    start: int
    counts: sparse.csr_array


def incidence(histories: pa.Table) -> Incidence:
    """The matrices of a table of histories (columns customer, signal, item; one row each)."""
    customers, who = _coded(histories["customer"])
    histories = histories.select(["signal", "item"])  # unless the caller holds them too, the strings are free
    items, what = _coded(histories["item"])
    signals = histories["signal"].to_numpy().astype(np.int8)
    del histories
    pa.default_memory_pool().release_unused()
    order = pc.sort_indices(items)
    place = np.empty(len(order), dtype=np.int32)
    place[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    matrices = {}
    for signal in Signal:
        mine = signals == signal
        ones = np.ones(int(mine.sum()), dtype=np.int32)
        shape = (len(customers), len(order))
        matrices[signal] = sparse.csr_array((ones, (who[mine], place[what[mine]])), shape=shape)
    return Incidence(items.take(order).to_pylist(), len(customers), matrices)


def _coded(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int32]]:
    """The distinct values of a column, and the place in them of each of its values."""
    encoded = column.dictionary_encode().unify_dictionaries()
    chunks = encoded.chunks
    if not chunks:
        return pa.array([], column.type), np.zeros(0, dtype=np.int32)
    codes = [chunk.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False) for chunk in chunks]
    return chunks[-1].dictionary, np.concatenate(codes)


@cache
def best() -> Engine:
    """The faster engine of those that are installed."""
    engine = Engine.NUMBA if kernel.available() else Engine.SCIPY
    _log.info("pairs are counted with %s", engine.value)
    return engine


def blocks(who: Incidence, relation: Relation, block: int = CELLS, engine: Engine | None = None) -> Iterator[Block]:
    """All rows of a relation, in the order of `who.items`; rows without a pair may be left out.

    Args:
        who: the histories.
        relation: which histories give rows and columns.
        block: cells of a block at most. A row has no more than its customers have items together, and no more
            than there are items; a row whose bound is larger is a block of its own.
        engine: what multiplies; None takes the best. The blocks are the same.

    Raises:
        ImportError: an engine that is not installed.
    """
    transposed = who.matrices[relation.row_signal].T.tocsr()
    columns = who.matrices[relation.column_signal]
    lengths = np.diff(columns.indptr).astype(np.int64)
    most = np.minimum(transposed @ lengths, len(who.items))
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(most)])
    multiply = _multiply(transposed, columns, engine or best())
    start = 0
    while start < len(most):
        stop = max(start + 1, int(np.searchsorted(before, before[start] + block, side="right")) - 1)
        if before[stop] > before[start]:
            yield Block(start, multiply(start, stop, int(before[stop] - before[start])))
        start = stop


def _multiply(rows: sparse.csr_array, columns: sparse.csr_array, engine: Engine) -> Rows:
    if engine == Engine.NUMBA:
        return kernel.Product(rows, columns, kernel.compiled())

    def multiply(start: int, stop: int, _: int) -> sparse.csr_array:
        counts = (rows[start:stop] @ columns).tocsr()
        counts.sort_indices()
        return counts

    return multiply


def rows(
    who: Incidence, relation: Relation, block: int = CELLS, engine: Engine | None = None
) -> Iterator[tuple[str, Cells]]:
    """(row item, column item -> customers) of every item that has a pair, both in the order of `who.items`.

    `block` bounds the memory, as in `blocks`.
    """
    names = np.asarray(who.items, dtype=object)
    for part in blocks(who, relation, block, engine):
        counts = part.counts
        for offset in range(counts.shape[0]):
            lo, hi = counts.indptr[offset], counts.indptr[offset + 1]
            found = dict(zip(names[counts.indices[lo:hi]].tolist(), counts.data[lo:hi].tolist(), strict=True))
            item = names[part.start + offset]
            found.pop(item, None)  # an item is no pair with itself
            if found:
                yield item, found
