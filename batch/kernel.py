"""The row-wise sparse product (Gustavson 1978) as plain loops, which numba, where it is installed, compiles.

A row's counts are added up in one dense array. Which parts of it were touched is noted by LINE columns at a time, so
that a row is read out in the order of its columns without a sort, and nothing else is looked at or reset. Pairs of a
symmetric relation are counted in both of their rows: to count them once, all rows would have to be held.

Compiling takes some seconds. Its result is kept on disk, beside this file or, when that cannot be written, in the
user's cache folder.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

LINE_BITS = 4
LINE = 1 << LINE_BITS
"""Columns that are noted together: a cache line of counts."""

Ints = NDArray[Any]
Loops = Callable[..., int]

_log = logging.getLogger(__name__)


def loops(
    start: int,
    stop: int,
    row_ends: Ints,
    row_customers: Ints,
    customer_ends: Ints,
    customer_items: Ints,
    counter: Ints,
    touched: Ints,
    ends: Ints,
    items: Ints,
    counts: Ints,
) -> int:
    """Rows start … stop of a product of two CSR matrices of ones; the number of cells written.

    Args:
        start, stop: rows.
        row_ends, row_customers: the left matrix, items x customers: `indptr` and `indices`.
        customer_ends, customer_items: the right matrix, customers x items.
        counter: zeros, int32, a multiple of LINE and at least the number of items; zeros again afterwards.
        touched: zeros, one byte for each LINE of `counter`; zeros again afterwards.
        ends: the result's `indptr`, stop - start + 1 zeros.
        items, counts: the result's `indices` and `data`; one longer than there can be cells.
    """
    n = 0
    for row in range(start, stop):
        for at in range(row_ends[row], row_ends[row + 1]):
            customer = row_customers[at]
            for place in range(customer_ends[customer], customer_ends[customer + 1]):
                item = customer_items[place]
                counter[item] += 1
                touched[item >> LINE_BITS] = 1
        for line in range(len(touched)):
            if touched[line]:
                touched[line] = 0
                for item in range(line << LINE_BITS, (line + 1) << LINE_BITS):
                    count = counter[item]
                    counter[item] = 0
                    # Written in any case and kept by moving on: half of the branches would be predicted wrongly.
                    items[n] = item
                    counts[n] = count
                    n += 1 if count != 0 else 0
        ends[row - start + 1] = n
    return n


class Product:
    """Rows of `rows @ columns` for two CSR matrices of ones, (items x customers) and (customers x items)."""

    def __init__(self, rows: sparse.csr_array, columns: sparse.csr_array, run: Loops) -> None:
        # One type each, so that one compiled form does; unsigned indices cannot mean "from the end".
        self._matrices = (*_parts(rows), *_parts(columns))
        self._lengths = np.diff(columns.indptr).astype(np.int64)
        self._items = columns.shape[1]
        lines = -(-self._items // LINE)
        self._counter = np.zeros(lines * LINE, dtype=np.int32)
        self._touched = np.zeros(lines, dtype=np.uint8)
        self._run = run

    def __call__(self, start: int, stop: int, most: int) -> sparse.csr_array:
        """Rows start … stop, which have no more than `most` cells, as a CSR matrix with sorted columns."""
        ends = np.zeros(stop - start + 1, dtype=np.int64)
        items, counts = np.empty(most + 1, dtype=np.int32), np.empty(most + 1, dtype=np.int32)
        n = self._run(start, stop, *self._matrices, self._counter, self._touched, ends, items, counts)
        out = sparse.csr_array((counts[:n], items[:n], ends), shape=(stop - start, self._items))
        out.has_sorted_indices = True
        return out


def _parts(matrix: sparse.csr_array) -> tuple[Ints, Ints]:
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False).view(np.uint32)


@cache
def compiled() -> Loops:
    """`loops` as machine code.

    Raises:
        ImportError: numba is not installed, or does not work with the installed numpy.
    """
    # By name: the package is optional, and nothing else here may need it.
    numba = importlib.import_module("numba")
    try:
        made: Loops = numba.njit(cache=True, nogil=True)(loops)
    except RuntimeError as error:
        _log.info("the compiled kernel is not kept on disk: %s", error)
        made = numba.njit(nogil=True)(loops)
    return made


def available() -> bool:
    """Whether numba is there and works; a log line says why not."""
    try:
        compiled()
    except ImportError as error:
        _log.info("no compiled kernel: %s", error)
        return False
    return True
