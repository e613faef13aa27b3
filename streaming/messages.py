"""What travels between the steps: tuples of plain values, because every element is encoded on a real worker.

Customers are named by their keys (varde.keys.customer_key), so that no id of a person is in a shuffle or a state.
"""

from __future__ import annotations

import zlib
from typing import Any

from varde import orders
from varde.transitions import Past

Work = tuple[Any, ...]
"""One of those below; the first field says which."""

INTERACTION = 0
"""(INTERACTION, signal, items, time ms, published ms, order key)"""
LINK = 1
"""(LINK, customer key, time ms): for an anonymous profile."""
HANDOVER = 2
"""(HANDOVER, day of the link, view, cart, orders): the past of an anonymous profile for its customer."""
ERASURE = 3
"""(ERASURE, time ms): for a known profile."""
RETURN = 4
"""(RETURN, order key, items, time ms)"""
WITHDRAWAL = 5
"""(WITHDRAWAL, time ms)"""
SEED = 6
"""(SEED, encoded profile): the past from before the stream began."""


def handover(past: Past, day: int) -> Work:
    """The work that gives an anonymous past to its customer."""
    return (HANDOVER, day, past.view, past.cart, orders.encode(past.orders))


def handed(work: Work) -> tuple[Past, int]:
    """The inverse of `handover`."""
    _, day, view, cart, packed = work
    return Past(view, cart, orders.decode(packed)), day


def lane(key: str, lanes: int) -> int:
    """The aggregation key of a customer: only spreads load, sums commute."""
    if lanes == 1:
        return 0
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % lanes
