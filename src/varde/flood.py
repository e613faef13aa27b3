"""How much of one customer counts in an hour: a bound on robots that no list knows. Pure.

An hour is a clock hour of event time (UTC). Only what changes the customer's history is counted against the bounds, so
a message that is delivered again uses nothing up. What comes late, from an hour before the newest, is not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most interactions, and most items that come into the history of views or carts, of one customer in an hour."""

    events: int = 1000
    items: int = 500


class Rate(NamedTuple):
    """What a customer did in the newest hour that had something of hers."""

    hour: int = -1
    events: int = 0
    items: int = 0

    def exceeded(self, time: int, new_item: bool, bounds: Bounds) -> bool:
        """Whether one more interaction at `time` (ms), with an item that is new to the history or not, is too much."""
        if time // HOUR_MS != self.hour:
            return False
        return self.events >= bounds.events or (new_item and self.items >= bounds.items)

    def after(self, time: int, new_item: bool) -> Rate:
        """The rate once an interaction at `time` has counted."""
        hour = time // HOUR_MS
        if hour < self.hour:
            return self
        if hour > self.hour:
            return Rate(hour, 1, int(new_item))
        return Rate(hour, self.events + 1, self.items + new_item)


NO_RATE = Rate()
