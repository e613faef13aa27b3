"""The serving row: everything needed to rank one item's neighbours under any ranking, in one packed value.

Little-endian. Header (28 bytes): version u8, flags u8 (1: candidates were cut), candidates n u16, revision u32,
written at u64 (ms), row support u32, total customers u32, neighbours in the exact counts u32. Then three arrays of n:
column item numbers u32, pair counts u32, column supports u32. 28 + 12 n bytes: 1,564 at 128 candidates.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
_HEADER = struct.Struct("<BBHIQIII")
_VERSION = 1
_CUT = 1
REVISION_SLICE = (4, 7)
"""First and last byte of the revision, for GETRANGE in put_rows.lua."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One item's candidates in one relation.

    Arrays have the same length n; `supports[k]` is the support of column item `items[k]`, `counts[k]` the number of
    customers of the pair. Supports are those known when the row was written; the counts are exact.
    """

    items: U32
    counts: U32
    supports: U32
    support: int
    total: int
    revision: int = 0
    written_at: int = 0
    cut: bool = False
    neighbours: int = 0

    def __len__(self) -> int:
        return len(self.items)


def encode(row: Row) -> bytes:
    """The packed form of a row."""
    head = _HEADER.pack(
        _VERSION,
        _CUT if row.cut else 0,
        len(row.items),
        row.revision & 0xFFFFFFFF,
        row.written_at,
        row.support,
        row.total,
        row.neighbours,
    )
    arrays = (row.items, row.counts, row.supports)
    return head + b"".join(np.ascontiguousarray(a, dtype="<u4").tobytes() for a in arrays)


def decode(data: bytes) -> Row:
    """The inverse of `encode`; the arrays are read-only views of `data`.

    Raises:
        ValueError: unknown version, or a length that does not fit the header.
    """
    if len(data) < _HEADER.size:
        msg = f"a serving row of {len(data)} bytes is shorter than its header"
        raise ValueError(msg)
    version, flags, n, revision, written_at, support, total, neighbours = _HEADER.unpack_from(data)
    if version != _VERSION or len(data) != _HEADER.size + 12 * n:
        msg = f"not a serving row: version {version}, {n} candidates, {len(data)} bytes"
        raise ValueError(msg)
    columns = np.frombuffer(data, dtype="<u4", offset=_HEADER.size).reshape(3, n)
    return Row(columns[0], columns[1], columns[2], support, total, revision, written_at, bool(flags & _CUT), neighbours)
