"""Freshness: the time from a message's publication to its count in Redis, as a histogram that adds up. Pure."""

from __future__ import annotations

from collections.abc import Mapping

BOUNDS_MS = (100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1400, 1600, 1800, 2000, 2500, 3000, 4000, 5000,
             7500, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000)  # fmt: skip
"""Upper bounds of the buckets; a last bucket holds everything slower."""
PREFIX = "freshness_ms:"


def histogram(published: Mapping[int, int], now: int) -> dict[str, int]:
    """Counters (`freshness_ms:<upper bound>` -> messages) for messages published at given times and counted `now`."""
    out: dict[str, int] = {}
    for at, n in published.items():
        age = now - at
        bound = next((bound for bound in BOUNDS_MS if age <= bound), None)
        name = f"{PREFIX}{bound if bound is not None else 'inf'}"
        out[name] = out.get(name, 0) + n
    return out


def quantile(stats: Mapping[str, int], q: float) -> float | None:
    """The q-quantile in seconds as the upper bound of its bucket, or None without messages or beyond the last bound."""
    counts = [stats.get(f"{PREFIX}{bound}", 0) for bound in BOUNDS_MS]
    total = sum(counts) + stats.get(f"{PREFIX}inf", 0)
    if not total:
        return None
    reached = 0
    for bound, n in zip(BOUNDS_MS, counts, strict=True):
        reached += n
        if reached >= q * total:
            return bound / 1000
    return None
