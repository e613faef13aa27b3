"""The stream's counters as figures for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from varde.freshness import PREFIX, quantile

Stats = Mapping[str, int]


def processed(stats: Stats) -> int:
    """Messages that the stream is done with: counted, ignored or rejected."""
    return stats.get("messages", 0)


def rejected(stats: Stats) -> int:
    """Messages that went to the dead letters."""
    return sum(n for name, n in stats.items() if name.startswith("rejected:"))


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened between two looks at the counters, `seconds` apart."""

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
    grown = {name: n - before.get(name, 0) for name, n in after.items()}
    recent = {name: n for name, n in grown.items() if name.startswith(PREFIX)}
    span = max(seconds, 1e-3)
    return Figures(
        processed(after),
        processed(grown) / span,
        (grown.get("pairs_added", 0) + grown.get("pairs_removed", 0)) / span,
        rejected(after),
        quantile(recent, 0.5),
        quantile(recent, 0.99),
    )
