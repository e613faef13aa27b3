"""The serving row: everything needed to rank one item's neighbours under any ranking, in one packed value.

Little-endian. Header (28 bytes): version u8, layout u8, candidates n u16, revision u32, written at u64 (ms), row
support u32, total customers u32, neighbours in the exact counts u32. Then three columns of n numbers:

- steps: each item number less the one before it, modulo 2³²; in the order of their numbers these are small
- pair counts
- supports of the column items

Each column has the width of its largest number, 1 to 4 bytes a number; 3 bytes are the low u16 of all numbers, then the
high u8 of all. Bit 0 of the layout: candidates were cut; bits 2 and 3, 4 and 5, 6 and 7: the columns' widths less 1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
HEADER = struct.Struct("<BBHIQIII")
_BEGIN = struct.Struct("<BBH")
_VERSION = 2
_CUT = 1
_SPARE = 2
_U32 = np.dtype(np.uint32)
_TYPES: dict[int, np.dtype[np.unsignedinteger[Any]]] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}
REVISION_SLICE = (4, 7)
"""First and last byte of the revision, for GETRANGE in put_rows.lua. The same in every version."""


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
    """The packed form of a row; smallest with the items in the order of their numbers."""
    items = np.asarray(row.items, dtype=_U32)
    steps = items.copy()
    np.subtract(items[1:], items[:-1], out=steps[1:])
    layout = _CUT if row.cut else 0
    packed = []
    for shift, column in ((2, steps), (4, row.counts), (6, row.supports)):
        width = _width(column)
        layout |= (width - 1) << shift
        packed.append(_pack(column, width))
    head = HEADER.pack(
        _VERSION,
        layout,
        len(row),
        row.revision & 0xFFFFFFFF,
        row.written_at,
        row.support,
        row.total,
        row.neighbours,
    )
    return head + b"".join(packed)


def candidates(data: bytes) -> int:
    """How many candidates a packed row has, by its header alone; what passes here, `decode` can read.

    Raises:
        ValueError: unknown version, or a length that does not fit the header.
    """
    if len(data) < HEADER.size:
        msg = f"a serving row of {len(data)} bytes is shorter than its header"
        raise ValueError(msg)
    version, layout, n = _BEGIN.unpack_from(data)
    widths = 3 + (layout >> 2 & 3) + (layout >> 4 & 3) + (layout >> 6)
    if version != _VERSION or layout & _SPARE or len(data) != HEADER.size + widths * n:
        msg = f"not a serving row: version {version}, {n} candidates, {len(data)} bytes"
        raise ValueError(msg)
    found: int = n
    return found


def decode(data: bytes) -> Row:
    """The inverse of `encode`; the arrays cannot be written to.

    Raises:
        ValueError: as `candidates`.
    """
    n = candidates(data)
    _, layout, _, revision, written_at, support, total, neighbours = HEADER.unpack_from(data)
    widths = 1 + (layout >> 2 & 3), 1 + (layout >> 4 & 3), 1 + (layout >> 6)
    counts_at = HEADER.size + widths[0] * n
    items = np.add.accumulate(_unpack(data, HEADER.size, n, widths[0]), dtype=_U32)
    counts = _unpack(data, counts_at, n, widths[1]).astype(_U32)
    supports = _unpack(data, counts_at + widths[1] * n, n, widths[2]).astype(_U32)
    for column in (items, counts, supports):
        column.setflags(write=False)
    return Row(items, counts, supports, support, total, revision, written_at, bool(layout & _CUT), neighbours)


def readable(data: bytes | None) -> Row | None:
    """The row a reader can use: None for no row, one of another version, and one without candidates."""
    try:
        row = None if data is None else decode(data)
    except ValueError:  # of a writer newer or older than this reader: the next patch or night replaces it
        return None
    return row if row is not None and len(row) else None


def _width(column: U32) -> int:
    largest = int(np.maximum.reduce(column)) if len(column) else 0
    return 1 if largest < 0x100 else (largest.bit_length() + 7) // 8


def _pack(column: U32, width: int) -> bytes:
    if width == 3:
        return column.astype(_TYPES[2]).tobytes() + (column >> 16).astype(_TYPES[1]).tobytes()
    return column.astype(_TYPES[width]).tobytes()


def _unpack(data: bytes, at: int, n: int, width: int) -> NDArray[Any]:
    if width == 3:
        high = np.frombuffer(data, _TYPES[1], n, at + 2 * n).astype(_U32)
        return high << 16 | np.frombuffer(data, _TYPES[2], n, at)
    return np.frombuffer(data, _TYPES[width], n, at)
