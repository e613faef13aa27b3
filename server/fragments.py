"""What an answer says of each item, end to end in one piece of memory, with where it lies and what rules look at first.

Compiled loops (`writing`) read both without touching a Python object: an object for each item of a shop would be a line
of memory or two that no cache holds.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

SHOWN, BUYABLE = 1, 2
"""Bits of OPEN: not hidden; neither hidden nor sold out."""
OPEN, GROUP, START, LENGTH, NAME = range(5)
"""Columns of `cards`: what may be done with the item; the code of its variants; where its fragment begins and how long
it is, bytes; and how much of that is its id as a field, `"id":"…"`."""
COLUMNS = 5
_CARD = struct.Struct("=5q")


class Fragments:
    """Fragments by slot.

    cards: a line for each slot, shape (more than there are slots, COLUMNS). text: the bytes of all.
    """

    def __init__(self) -> None:
        self.cards: NDArray[np.int64] = np.zeros((1024, COLUMNS), np.int64)
        self.text: NDArray[np.uint8] = np.zeros(1 << 16, np.uint8)
        self._lines, self._bytes = self.cards.data.cast("B"), self.text.data
        self._end = self._unused = self._slots = 0

    def __getitem__(self, slot: int) -> bytes:
        """The fragment of an item."""
        _, _, start, length, _ = _CARD.unpack_from(self._lines, slot * _CARD.size)
        return self._bytes[start : start + length].tobytes()

    def add(self, open_: int, group: int, fragment: bytes, name: int) -> None:
        """The next slot's; parameters as the columns."""
        slot = self._slots
        if slot == len(self.cards):
            grown = np.zeros((2 * slot, COLUMNS), np.int64)
            grown[:slot] = self.cards
            self.cards, self._lines = grown, grown.data.cast("B")
        self._slots += 1
        self._write(slot, open_, group, fragment, name)

    def put(self, slot: int, open_: int, group: int, fragment: bytes, name: int) -> None:
        """Others for a slot that there is."""
        _, _, start, length, _ = _CARD.unpack_from(self._lines, slot * _CARD.size)
        if len(fragment) > length:
            self._unused += length
            self._write(slot, open_, group, fragment, name)
            return
        self._unused += length - len(fragment)
        self._bytes[start : start + len(fragment)] = fragment
        _CARD.pack_into(self._lines, slot * _CARD.size, open_, group, start, len(fragment), name)

    def _write(self, slot: int, open_: int, group: int, fragment: bytes, name: int) -> None:
        start, end = self._end, self._end + len(fragment)
        if end > len(self.text):
            _CARD.pack_into(self._lines, slot * _CARD.size, open_, group, 0, 0, 0)
            self._make_room(len(fragment))
            start, end = self._end, self._end + len(fragment)
        self._bytes[start:end] = fragment
        self._end = end
        _CARD.pack_into(self._lines, slot * _CARD.size, open_, group, start, len(fragment), name)

    def _make_room(self, more: int) -> None:
        """Close the gaps where they are at least a third, and take twice the memory otherwise."""
        if 3 * self._unused > self._end:
            found = [self[slot] for slot in range(self._slots)]
            ends = np.cumsum([len(fragment) for fragment in found])
            joined = b"".join(found)
            self.cards[: self._slots, START] = ends - self.cards[: self._slots, LENGTH]
            self._bytes[: len(joined)] = joined
            self._end, self._unused = len(joined), 0
        if self._end + more > len(self.text):
            grown = np.zeros(max(2 * len(self.text), self._end + more), np.uint8)
            grown[: self._end] = self.text[: self._end]
            self.text, self._bytes = grown, grown.data
