"""Writes a list's items by compiled loops, which find by address what they read and where they write."""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .by_address import BITS, CARDS, EXCLUDED, EXCLUDED_N, LEFT, MEMORY, MOST, RULES, SMALL, TEXT, VARIANTS
from .fragments import Fragments
from .kernel import Room
from .params import MOST_ITEMS, MOST_SEEDS
from .pointers import Called
from .shelf import Shelf

if TYPE_CHECKING:
    from .compiled import Loops

_OUT = 1 << 17
"""Bytes that a list's items may take; longer ones are written in the usual way."""
_SLOTS = [struct.Struct(f"={n}q").pack for n in range(MOST_SEEDS + 1)]
assert MOST_ITEMS < 256, "an answer's items are a byte of what the loops return"


class Wanted:
    """What may be in a list, where the loops find it: `at` is its address."""

    __slots__ = ("_excluded", "_numbers", "at")

    def __init__(self, n: int, bits: int, variants: bool, excluded: Collection[int]) -> None:
        """Of a request.

        Args:
            n: items.
            bits: of Fragments' OPEN, one of which an item needs.
            variants: whether one item of a group is enough.
            excluded: slots that are left out, beside the seeds.
        """
        self._excluded = np.array(sorted(excluded), np.int64)
        self._numbers = np.zeros(RULES, np.int64)
        self._numbers[[MOST, BITS, VARIANTS, EXCLUDED, EXCLUDED_N]] = (
            *(n, bits, variants),
            *(self._excluded.ctypes.data, len(self._excluded)),
        )
        self.at: int = self._numbers.ctypes.data


class Pen:
    """Holds where the loops work and what they write on."""

    def __init__(self, loops: Loops) -> None:
        """One for each thread."""
        self._answer, self._placed = loops.answer, loops.placed
        self._out = np.zeros(_OUT, np.uint8)
        self._view = self._out.data
        self._memory = np.zeros(MEMORY, np.int64)
        self._at: int = self._memory.ctypes.data
        self._fragments = Fragments()
        self._cards, self._text = self._fragments.cards, self._fragments.text
        self._room = Room()
        self._learn(self._fragments, self._room)

    def items(
        self, where: Sequence[bytes], slots: Sequence[int], wanted: Wanted, fragments: Fragments, *, because: bool
    ) -> tuple[memoryview, int] | None:
        """The items of one list, with commas between them, and how many; None where the usual way has to make it.

        The bytes are good until the next call.

        Args:
            where: Ordered.where of each row, at most blend.SEEDS; whoever calls keeps these orders.
            slots: of the seeds, at most MOST_SEEDS, those of the rows first.
            wanted: what may be in it.
            fragments: of all items.
            because: whether each item says which seed it is there for.
        """
        if fragments.cards is not self._cards or fragments.text is not self._text:
            self._learn(fragments, self._room)
        n = len(slots)
        given = b"".join(where), len(where), _SLOTS[n](*slots), n, because, wanted.at, self._at
        return self._done(self._answer, given, self._answer(*given))

    def placed(
        self,
        shelf: Shelf,
        relation: int,
        code: int,
        slots: Sequence[int],
        held: int,
        wanted: Wanted,
        *,
        because: bool,
    ) -> tuple[memoryview, int] | None:
        """The same of the rows that the shelf's `places` has.

        Args:
            shelf: of all items.
            relation: of the rows.
            code: of their order.
            slots: as `items` has them.
            held: rows: of the first so many.
            wanted: what may be in it.
            because: as `items` has it.
        """
        fragments, places = shelf.fragments, shelf.places
        if fragments.cards is not self._cards or fragments.text is not self._text:
            self._learn(fragments, self._room)
        n = len(slots)
        seeds = _SLOTS[n](*slots)
        given = (
            *(places.at[relation], places.size[relation], code),
            *(held, seeds, n, because, wanted.at, self._at),
        )
        return self._done(self._placed, given, self._placed(*given))

    def _done(self, call: Called, given: tuple[bytes | int, ...], done: int) -> tuple[memoryview, int] | None:
        """What a call has written, again where there was no room."""
        while done == SMALL:
            self._learn(self._fragments, self._room.doubled())
            done = call(*given)
        return None if done == LEFT else (self._view[: (done >> 8) - 1], done & 255)

    def _learn(self, fragments: Fragments, room: Room) -> None:
        """Note where everything lies; what is noted is kept."""
        self._fragments, self._cards, self._text, self._room = fragments, fragments.cards, fragments.text, room
        self._memory[CARDS : TEXT + 2] = (
            *(self._cards.ctypes.data, len(self._cards)),
            *(self._text.ctypes.data, len(self._text)),
        )
        self._memory[TEXT + 2 :] = (
            *(self._out.ctypes.data, len(self._out)),
            *(room.table.ctypes.data, len(room.table), len(room.counts)),
            *(one.ctypes.data for one in (room.counts, room.totals, room.top, room.lines)),
        )
