"""What a process remembers of the two-way naming of items: ids and numbers never change, so they may be cached."""

from __future__ import annotations

from collections.abc import Iterable

from varde.keys import ANY_NUMBER
from varde.pairs import ANY_ITEM


class Names:
    """Item id <-> item number, bounded: a full cache is emptied.

    Threads may share it: each step is one operation on a dict. It must be emptied when a connection is made anew,
    because a server that lost its newest writes no longer knows the newest numbers (intern.lua never reissues them).
    """

    __slots__ = ("_ids", "_limit", "_numbers")

    def __init__(self, limit: int = 1_000_000) -> None:
        self._limit = limit
        self._numbers: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything but ANY_ITEM."""
        self._numbers = {ANY_ITEM: ANY_NUMBER}
        self._ids = {ANY_NUMBER: ANY_ITEM}

    def learn(self, pairs: Iterable[tuple[str, int]]) -> None:
        """Add (id, number) pairs."""
        for item, number in pairs:
            if len(self._numbers) > self._limit:
                self.clear()
            self._numbers[item] = number
            self._ids[number] = item

    def number(self, item: str) -> int | None:
        """The number of an id, if known."""
        return self._numbers.get(item)

    def name(self, number: int) -> str | None:
        """The id of a number, if known."""
        return self._ids.get(number)

    @property
    def numbers(self) -> dict[str, int]:
        """The cached id -> number, for loops that look up thousands; not to be changed."""
        return self._numbers
