"""The best candidates of a row under one ranking, ready to be written: what almost every answer of one seed is made of.

They are packed, so that those of all a shop's items fit into memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from varde.config import Ranking

from .scored import Ordered

Name = tuple[Ranking, int]
"""A ranking and the fewest customers of a pair that is shown."""
MOST_HEADS = 4
"""Orders that a row's best candidates are ready in."""
_STRUCTS: dict[int, struct.Struct] = {}


def said(score: float, customers: int) -> bytes:
    """The beginning of an item in an answer. Nine significant digits: more say nothing about customers."""
    return b'{"score":%.9g,"customers":%d,' % (score, customers)


class Head:
    """Slots, best first, with what is said of each. whole: no candidate comes after these."""

    __slots__ = ("_said", "_slots", "_struct", "name", "whole")

    def __init__(self, order: Ordered, name: Name) -> None:
        """Of a row.

        Args:
            order: its candidates.
            name: what they are ordered by.
        """
        offers = order.best(0)
        self.name, self.whole = name, len(offers) == len(order)
        n = len(offers)
        self._struct = _STRUCTS.get(n) or _STRUCTS.setdefault(n, struct.Struct(f"<{n}i"))
        self._slots = self._struct.pack(*(offer[0] for offer in offers))
        self._said = b"\0".join([said(score, customers or 0) for _, score, customers, _ in offers])

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Each slot and what is said of it."""
        # Without slots there is one empty text.
        return zip(self._struct.unpack(self._slots), self._said.split(b"\0"), strict=False)
