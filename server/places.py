"""Where each item's row lies in memory, by the item's slot: compiled loops look it up themselves, and wait for it once.

What is noted here is no more than an address: whoever owns the memory takes it out before that is given back.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from varde.pairs import Relation

CODE, ADDRESS, ENTRIES = range(3)
"""Columns: of the order, plus one, or 0 where there is none; and its cells, as Ordered.where has them."""
COLUMNS = 3
_CODE = struct.Struct("=q")
_LINE = 8 * COLUMNS


class Places:
    """The first order of each row that is in memory. at, size: address and lines of each relation's table."""

    def __init__(self) -> None:
        self._tables = [np.zeros((0, COLUMNS), np.int64) for _ in Relation]
        self._views = [memoryview(bytearray())] * len(Relation)
        self.at = [0] * len(Relation)
        self.size = [0] * len(Relation)

    def put(self, relation: int, slot: int, code: int, where: bytes) -> None:
        """Note where the row of an item lies.

        Args:
            relation: of the row.
            slot: of the item.
            code: of the order.
            where: Ordered.where.
        """
        if slot >= self.size[relation]:
            self._widen(relation, slot)
        self._views[relation][slot * _LINE : (slot + 1) * _LINE] = _CODE.pack(code + 1) + where

    def take(self, relation: int, slot: int, where: bytes) -> None:
        """Forget it, unless another row has been noted in its place."""
        if 0 <= slot < self.size[relation]:
            view, start = self._views[relation], slot * _LINE
            if view[start + _CODE.size : start + _LINE] == where:
                view[start : start + _LINE] = bytes(_LINE)

    def let_go(self, slot: int) -> None:
        """Forget all rows of an item, which has another number now."""
        for relation, view in enumerate(self._views):
            if slot < self.size[relation]:
                view[slot * _LINE : (slot + 1) * _LINE] = bytes(_LINE)

    def forget(self) -> None:
        """Forget everything."""
        for table in self._tables:
            table[:] = 0

    def where(self, relation: int, slot: int) -> tuple[int, bytes] | None:
        """The code and Ordered.where of an item's row; None where none is noted."""
        if slot >= self.size[relation]:
            return None
        line = bytes(self._views[relation][slot * _LINE : (slot + 1) * _LINE])
        (code,) = _CODE.unpack_from(line)
        return (code - 1, line[_CODE.size :]) if code else None

    def _widen(self, relation: int, slot: int) -> None:
        before = self._tables[relation]
        table: NDArray[np.int64] = np.zeros((max(1024, 2 * len(before), slot + 1), COLUMNS), np.int64)
        table[: len(before)] = before
        self._tables[relation], self._views[relation] = table, table.data.cast("B")
        self.at[relation], self.size[relation] = table.ctypes.data, len(table)
