"""A serving row in memory, with its candidates in the orders that were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from varde.config import Ranking
from varde.rows import REVISION_SLICE, candidates
from varde.store.serving import RowKey

from .scored import EMPTY, Ordered

Name = tuple[Ranking, int]
"""A ranking and the fewest customers of a pair that is shown."""
NO_CODE = -1
"""Of a row that is in no order yet."""
NO_ORDERS: Mapping[int, Ordered] = MappingProxyType({})


def place(relation: int, number: int) -> int:
    """A row's name as one number, which is found sooner than a pair."""
    return number << 2 | relation


class HotRow:
    """A row in memory. `current` turns false when Redis has another one; answers made of it are then made anew."""

    __slots__ = ("code", "current", "key", "orders", "packed", "revision", "slot", "where")

    def __init__(self, key: RowKey, data: bytes | None) -> None:
        """A row that was read.

        Args:
            key: its name.
            data: packed; None where there is none.

        Raises:
            ValueError: the bytes are no row.
        """
        self.key = key
        self.revision = None if data is None else data[REVISION_SLICE[0] : REVISION_SLICE[1] + 1]
        self.packed = data if data is not None and candidates(data) else None
        """None for a row without candidates."""
        self.code, self.where = NO_CODE, EMPTY.where
        """Of the first order, which most requests want; `orders` keeps what lies there."""
        self.orders: Mapping[int, Ordered] = NO_ORDERS
        """By the code of the ranking itself: its name may mean another formula since the request for it came."""
        self.slot = -1
        """Under which `places` knows it; -1: under none."""
        self.current = True
