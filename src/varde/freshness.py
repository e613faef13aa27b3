"""Freshness: the time from a message's publication to its count in Redis, as a histogram that adds up. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from math import inf

BOUNDS_MS = (100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1400, 1600, 1800, 2000, 2500, 3000, 4000, 5000,
             7500, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000)  # fmt: skip
"""Upper bounds of the buckets; a last bucket holds everything slower."""
PREFIX = "freshness_ms:"
_NAMES = tuple(f"{PREFIX}{bound}" for bound in (*BOUNDS_MS, "inf"))


def histogram(published: Mapping[int, int], now: int) -> dict[str, int]:
    """Counters (`freshness_ms:<upper bound>` -> n) for interactions published at given times (ms -> n), counted `now`.

    What was published after `now`, by another clock, is as fresh as can be.
    """
    out: dict[str, int] = {}
    for at, n in published.items():
        name = _NAMES[bisect_left(BOUNDS_MS, now - at)]
        out[name] = out.get(name, 0) + n
    return out


def cumulative(stats: Mapping[str, int]) -> list[tuple[float, int]]:
    """(upper bound in seconds, interactions no slower than that), the last bound infinite: a Prometheus histogram."""
    bounds = (*(bound / 1000 for bound in BOUNDS_MS), inf)
    return list(zip(bounds, accumulate(stats.get(name, 0) for name in _NAMES), strict=True))


def quantile(stats: Mapping[str, int], q: float) -> float | None:
    """The q-quantile in seconds as the upper bound of its bucket, or None without any or beyond the last bound."""
    reached = cumulative(stats)
    total = reached[-1][1]
    # A quotient and not q * total: .07 * 100 is more than 7.
    bound = next((bound for bound, n in reached if n > 0 and n / total >= q), inf)
    return None if bound == inf else bound
