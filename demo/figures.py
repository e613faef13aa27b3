"""What the demo's terminal says between two looks at the stream's counters. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from varde.figures import Stats, grown, ignored, messages, pair_changes, rejected
from varde.freshness import quantile

__all__ = ["Figures", "Stats", "between", "ignored", "processed", "rejected"]

processed = messages
"""Messages that the stream has read: its progress through what was published."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened between two looks at the counters, `seconds` apart; `messages` and `rejected` are of all time."""

    messages: int
    messages_per_s: float
    pairs_per_s: float
    rejected: int
    freshness_p50_s: float | None
    freshness_p99_s: float | None

    def __str__(self) -> str:
        fresh = (
            f"freshness p50 {self.freshness_p50_s:g} s, p99 {self.freshness_p99_s:g} s"
            if self.freshness_p50_s is not None and self.freshness_p99_s is not None
            else "nothing new"
        )
        return (
            f"{self.messages:,} messages, {self.messages_per_s:,.0f}/s | pairs {self.pairs_per_s:,.0f}/s | "
            f"{fresh} | dead letters {self.rejected:,}"
        )


def between(before: Stats, after: Stats, seconds: float) -> Figures:
    """The figures of a stretch of time."""
    lately = grown(before, after)
    span = max(seconds, 1e-3)
    return Figures(
        messages(after),
        messages(lately) / span,
        pair_changes(lately) / span,
        rejected(after),
        quantile(lately, 0.5),
        quantile(lately, 0.99),
    )
