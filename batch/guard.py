"""Whether a night's result may be written: pure checks of its figures, each refusal a sentence with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from varde.history import DAY_MS, Signal

HOUR_MS = 3_600_000
NO_FAULTS = frozenset({"robot", "no_consent"})
"""Reasons of faults.sql that say nothing against the warehouse: these messages are not to count."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is still believed.

    max_drop, max_growth: by what part of the live sum the sum of a relation's counts may fall or rise.
    max_stale_hours: age of the newest message in the warehouse.
    max_faulty: part of the messages of a signal that could not be read.
    min_messages: messages of a signal below which `max_faulty` is not asked.
    """

    max_drop: float = 0.3
    max_growth: float = 1.0
    max_stale_hours: float = 72.0
    max_faulty: float = 0.05
    min_messages: int = 100


@dataclass(frozen=True, slots=True)
class Figures:
    """What a night and the live counts come to.

    newest: time of receipt of the newest message in the warehouse, ms. now: ms.
    live_day: the first day (since the epoch) that the warehouse need not know. oldest_live_day: the oldest since which
    Redis still has all differences. sums: name -> (live, nightly) sums of counts as of that day.
    messages: signal -> messages. faults: (signal name, reason) -> messages.
    first: no night was ever written to its end, so counts may have to rise from anything.
    """

    newest: int
    now: int
    live_day: int
    oldest_live_day: int
    sums: Mapping[str, tuple[int, int]]
    messages: Mapping[Signal, int]
    faults: Mapping[tuple[str, str], int]
    first: bool = False


def refusals(figures: Figures, thresholds: Thresholds) -> list[str]:
    """Why this night should not be written; nothing when it may be."""
    out = []
    hours = (figures.now - figures.newest) / HOUR_MS
    if hours > thresholds.max_stale_hours:
        out.append(
            f"stale: the warehouse's newest message is {hours:.0f} hours old, more than {thresholds.max_stale_hours:g}"
        )
    if figures.live_day * DAY_MS > figures.newest:
        out.append("incomplete: the warehouse has no message from after the end of the counted time")
    if figures.live_day < figures.oldest_live_day:
        days = figures.oldest_live_day - figures.live_day
        out.append(
            f"too old: Redis has let go of the differences of {days} days since (VARDE_LIVE_DAYS, a later night)"
        )
    for name, (live, nightly) in figures.sums.items():
        if live and nightly < live * (1 - thresholds.max_drop):
            out.append(f"drop: {name} would fall from {live:,} to {nightly:,}, by more than {thresholds.max_drop:.0%}")
        if live and not figures.first and nightly > live * (1 + thresholds.max_growth):
            out.append(
                f"growth: {name} would rise from {live:,} to {nightly:,}, by more than {thresholds.max_growth:.0%}"
            )
    for signal, messages in figures.messages.items():
        mine = sum(
            n for (name, reason), n in figures.faults.items() if name == signal.name.lower() and reason not in NO_FAULTS
        )
        if messages >= thresholds.min_messages and mine > messages * thresholds.max_faulty:
            out.append(
                f"faulty: {mine:,} of {messages:,} {signal.name.lower()} messages could not be read, "
                f"more than {thresholds.max_faulty:.0%}"
            )
    return out
