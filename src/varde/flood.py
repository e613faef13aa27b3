"""How much of one customer counts in an hour: a bound on robots that no list knows. Pure.

An hour is a clock hour of event time (UTC). Only what changes the customer's history is counted against the bounds, so
a message that is delivered again uses nothing up. What comes late, from an hour before the newest, is counted with the
newest: an old date is no way round the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most interactions, and most items that come into a history, of one customer in an hour."""

    events: int = 1000
    items: int = 500


class Rate(NamedTuple):
    """What came of a customer since her newest hour began: in it, or late."""

    hour: int = -1
    events: int = 0
    items: int = 0

    def exceeded(self, time: int, new_items: int, bounds: Bounds) -> bool:
        """Whether one more interaction at `time` (ms), with so many items new to its history, is too much.

        The one that reaches a bound still counts, however many items it has: an order counts whole or not at all.
        """
        if time // HOUR_MS > self.hour:
            return False
        return self.events >= bounds.events or (new_items > 0 and self.items >= bounds.items)

    def after(self, time: int, new_items: int) -> Rate:
        """The rate once an interaction at `time` has counted."""
        hour = time // HOUR_MS
        if hour > self.hour:
            return Rate(hour, 1, new_items)
        return Rate(self.hour, self.events + 1, self.items + new_items)


NO_RATE = Rate()
