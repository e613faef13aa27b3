"""Pair counts of a whole night on one machine: a sparse product, in blocks of row items.

With X (customers x items, one where the item is in the history) a relation's counts are XᵀY. The product is exact and
is never held whole: a block of row items at a time bounds the memory by the densest block (docs/sql.md has figures).
sql/pair_counts.sql says the same as a self-join; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from varde.counts import Cells
from varde.history import Signal
from varde.pairs import Relation

BLOCK = 256
"""Row items counted together."""


@dataclass(frozen=True, slots=True, eq=False)
class Incidence:
    """Who has what: per signal a customers x items matrix of ones. Rows and columns mean the same in all of them."""

    items: Sequence[str]
    customers: int
    matrices: dict[Signal, sparse.csr_array]


def incidence(histories: pa.Table) -> Incidence:
    """The matrices of a table of histories (columns customer, signal, item; one row each)."""
    customers = histories["customer"].combine_chunks().dictionary_encode()
    items = histories["item"].combine_chunks().dictionary_encode()
    rows, columns = _codes(customers), _codes(items)
    signals = histories["signal"].to_numpy()
    shape = (len(customers.dictionary), len(items.dictionary))
    matrices = {}
    for signal in Signal:
        mine = signals == signal
        ones = np.ones(int(mine.sum()), dtype=np.int32)
        matrices[signal] = sparse.csr_array((ones, (rows[mine], columns[mine])), shape=shape)
    return Incidence(items.dictionary.to_pylist(), shape[0], matrices)


def _codes(encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def rows(who: Incidence, relation: Relation, block: int = BLOCK) -> Iterator[tuple[str, Cells]]:
    """(row item, column item -> customers) of every item that has a pair, in the order of `who.items`."""
    names = np.asarray(who.items, dtype=object)
    transposed = who.matrices[relation.row_signal].T.tocsr()
    columns = who.matrices[relation.column_signal]
    for start in range(0, len(names), block):
        counts = (transposed[start : start + block] @ columns).tocsr()
        for offset in range(counts.shape[0]):
            lo, hi = counts.indptr[offset], counts.indptr[offset + 1]
            cells = dict(zip(names[counts.indices[lo:hi]].tolist(), counts.data[lo:hi].tolist(), strict=True))
            item = names[start + offset]
            cells.pop(item, None)  # an item is no pair with itself
            if cells:
                yield item, cells
