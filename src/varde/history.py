"""The history of a customer: a join-semilattice of (item -> time of the last interaction).

Merging two histories (pointwise latest time, then keep the M latest) is associative, commutative and idempotent, so
duplicates, late events and identity merges need no case of their own. Proof of associativity: an item that one merge
drops has at least M items ahead of it, and each of these stays at least as recent in every larger merge, so the item
could only return with a newer time, which is then carried by the other operand.

Everything here is pure. Times are milliseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

DAY_MS = 86_400_000

History = dict[str, int]
"""item id -> time of the last interaction, ms. Treated as immutable once it has left this module."""


class Signal(IntEnum):
    """What a customer did with an item. The numbers are part of the stored formats: never renumber."""

    VIEW = 0
    CART = 1
    PURCHASE = 2


NO_HISTORY: History = {}


@dataclass(frozen=True, slots=True)
class Limits:
    """The cap M (items per customer and signal) and the window W (whole days) of a history."""

    cap: int = 64
    window_days: int = 90

    def __post_init__(self) -> None:
        if self.cap < 1:
            msg = f"cap must be at least 1, not {self.cap}"
            raise ValueError(msg)
        if self.window_days < 1:
            msg = f"window_days must be at least 1, not {self.window_days}"
            raise ValueError(msg)

    def window_start(self, now: int) -> int:
        """First moment inside the window at `now`: midnight UTC, W days before the midnight that began today."""
        return (now // DAY_MS - self.window_days) * DAY_MS


def _latest(items: Mapping[str, int], cap: int) -> History:
    """The `cap` latest entries; of equal times the smaller item id is kept."""
    kept = dict(items)
    if len(kept) > cap + 4:
        ranked = sorted(kept.items(), key=lambda entry: (-entry[1], entry[0]))
        return dict(ranked[:cap])
    while len(kept) > cap:  # the usual case, one too many, without sorting
        oldest = min(kept.values())
        del kept[max(item for item, time in kept.items() if time == oldest)]
    return kept


def of(entries: Iterable[tuple[str, int]], cap: int, start: int = 0) -> History:
    """The history of (item, time) entries, in any order and with repeats: the definition that tests hold on to.

    Args:
        entries: (item id, time ms) pairs.
        cap: the largest number of items kept (M).
        start: first time that counts; older entries are left out.
    """
    latest: History = {}
    for item, time in entries:
        if time >= start and time > latest.get(item, -1):
            latest[item] = time
    return _latest(latest, cap)


def merge(a: History, b: History, cap: int) -> History:
    """The join of two histories: pointwise latest time, then the `cap` latest."""
    if not b:
        return a if len(a) <= cap else _latest(a, cap)
    if not a:
        return b if len(b) <= cap else _latest(b, cap)
    joined = dict(a)
    for item, time in b.items():
        if time > joined.get(item, -1):
            joined[item] = time
    return joined if len(joined) <= cap else _latest(joined, cap)


def since(history: History, start: int) -> History:
    """The part of a history inside a window that begins at `start` (returns the same object when all of it is)."""
    if not history or min(history.values()) >= start:
        return history
    return {item: time for item, time in history.items() if time >= start}
