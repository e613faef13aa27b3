"""Whether a night's result may be written: pure checks of its figures, each refusal a sentence with its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from varde.history import DAY_MS

HOUR_MS = 3_600_000
NO_FAULTS = frozenset({"robot", "no_consent", "after_as_of", "future_time", "no_loaded_at"})
"""Reasons of faults.sql that are no reason to refuse: what they are of is not to count, or counts all the same."""

NAMES = {"sale": "rows of store.sales", "message": "raw messages"}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is still believed.

    max_drop, max_growth: by what part of the live sum a relation's counts, or a universe's supports, may fall or rise
    in sum. max_stale_hours: age of what the warehouse has whole. max_faulty: part of the messages of a kind that could
    not be read. min_sum: sums below which `max_drop` (of the live one) and `max_growth` (of the night's) are not asked:
    in a small shop one customer moves them. min_messages: the same of messages for `max_faulty`.
    """

    max_drop: float = 0.3
    max_growth: float = 1.0
    max_stale_hours: float = 72.0
    max_faulty: float = 0.05
    min_messages: int = 100
    min_sum: int = 1_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What a night and the live counts come to.

    until: time of receipt up to which the warehouse is complete, ms, and `table`, which decides it. now: ms.
    live_day: the first day (since the epoch) that the warehouse need not know. oldest_live_day: the oldest since which
    Redis still has all differences. sums: name -> (live, nightly) sums of counts as of that day.
    messages: kind (a signal's name, `return`, `sale`, `message`) -> messages. faults: (kind, reason) -> messages.
    first: no night was ever written to its end, so counts may have to rise from anything.
    """

    until: int
    table: str
    now: int
    live_day: int
    oldest_live_day: int
    sums: Mapping[str, tuple[int, int]]
    messages: Mapping[str, int]
    faults: Mapping[tuple[str, str], int]
    first: bool = False


def refusals(figures: Figures, thresholds: Thresholds) -> list[str]:
    """Why this night should not be written; nothing when it may be."""
    return [*_of_time(figures, thresholds), *_of_sums(figures, thresholds), *_of_messages(figures, thresholds)]


def _of_time(figures: Figures, thresholds: Thresholds) -> Iterator[str]:
    hours = (figures.now - figures.until) / HOUR_MS
    if hours > thresholds.max_stale_hours:
        yield (
            f"stale: what the warehouse has whole, by its table {figures.table}, is {hours:.0f} hours old, "
            f"more than {thresholds.max_stale_hours:g}"
        )
    if figures.live_day * DAY_MS > figures.until:
        yield f"incomplete: the table {figures.table} has not all messages up to the end of the counted time"
    if figures.live_day < figures.oldest_live_day:
        days = figures.oldest_live_day - figures.live_day
        yield f"too old: Redis has let go of the differences of {days} days since (VARDE_LIVE_DAYS, a later night)"


def _of_sums(figures: Figures, thresholds: Thresholds) -> Iterator[str]:
    for name, (live, nightly) in figures.sums.items():
        if live >= thresholds.min_sum and nightly < live * (1 - thresholds.max_drop):
            yield f"drop: {name} would fall from {live:,} to {nightly:,}, by more than {thresholds.max_drop:.0%}"
        grown = live and nightly > live * (1 + thresholds.max_growth)
        if grown and nightly >= thresholds.min_sum and not figures.first:
            yield f"growth: {name} would rise from {live:,} to {nightly:,}, by more than {thresholds.max_growth:.0%}"


def _of_messages(figures: Figures, thresholds: Thresholds) -> Iterator[str]:
    for kind, messages in figures.messages.items():
        reasons = {
            reason: n for (name, reason), n in figures.faults.items() if name == kind and reason not in NO_FAULTS
        }
        faulty = sum(reasons.values())
        if messages >= thresholds.min_messages and faulty > messages * thresholds.max_faulty:
            why = ", ".join(f"{reason} {n:,}" for reason, n in sorted(reasons.items(), key=lambda r: (-r[1], r[0])))
            yield (
                f"faulty: {faulty:,} of {messages:,} {NAMES.get(kind, f'{kind} messages')} could not be read, "
                f"more than {thresholds.max_faulty:.0%} ({why})"
            )
