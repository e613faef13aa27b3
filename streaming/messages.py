"""What travels between the steps: tuples of plain values, because every element is encoded on a real worker."""

from __future__ import annotations

import zlib
from typing import Any

from varde.pairs import Histories

Work = tuple[Any, ...]
"""One of the four below; the first field says which."""

INTERACTION = 0
"""(INTERACTION, signal, items, time ms, published ms)"""
LINK = 1
"""(LINK, user id, time ms): for an anonymous profile."""
HANDOVER = 2
"""(HANDOVER, view, cart, purchase): histories of an anonymous profile for the customer it belongs to."""
ERASURE = 3
"""(ERASURE, time ms): for a known profile."""


def handover(histories: Histories) -> Work:
    """The work that gives an anonymous history to its customer."""
    return (HANDOVER, *histories)


def lane(key: str, lanes: int) -> int:
    """The aggregation key of a customer: only spreads load, sums commute."""
    if lanes == 1:
        return 0
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % lanes
