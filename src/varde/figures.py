"""The stream's counters (docs/metrics.md) as figures for people. Pure.

Counters are sums since Redis was empty. What happened in a stretch of time is the difference of two looks (`grown`),
and every figure here may be taken of such a difference, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from varde import freshness, progress

Stats = Mapping[str, int]
"""Counter name -> n."""

ACCEPTED = "accepted"
REJECTED, IGNORED = "rejected:", "ignored:"
"""Beginnings of names; what follows is a key of events.REASONS."""
PAIRS_ADDED, PAIRS_REMOVED = "pairs_added", "pairs_removed"


def messages(stats: Stats) -> int:
    """Messages read: those accepted, ignored and rejected."""
    return stats.get(progress.MESSAGES, 0)


def accepted(stats: Stats) -> int:
    """Messages that say something about a customer: an interaction, a link of two ids, or an erasure."""
    return stats.get(ACCEPTED, 0)


def ignored(stats: Stats) -> int:
    """Messages that are sound, but not for Varde."""
    return _sum(stats, IGNORED)


def rejected(stats: Stats) -> int:
    """Faulty messages: the dead letters."""
    return _sum(stats, REJECTED)


def customer_pairs(stats: Stats) -> int:
    """Sum over all customers and relations of the pairs a customer has; of pair counts, with a symmetric pair once.

    Pairs that leave by an erasure, a merge or the cap are taken off. Those that leave the window are not: their
    expiry is the nightly job's, which does not count here.
    """
    return stats.get(PAIRS_ADDED, 0) - stats.get(PAIRS_REMOVED, 0)


def pair_changes(stats: Stats) -> int:
    """Changes of pairs, up and down: the work of the stream."""
    return stats.get(PAIRS_ADDED, 0) + stats.get(PAIRS_REMOVED, 0)


def grown(before: Stats, after: Stats) -> dict[str, int]:
    """What has been counted between two looks; nothing where a counter fell, because Redis was emptied between."""
    return {name: max(0, n - before.get(name, 0)) for name, n in after.items()}


def totals(stats: Stats) -> dict[str, int | float | None]:
    """All that the counters tell a person, by the names of GET /v1/stats.

    Freshness is in seconds: None without an interaction, or when the quantile is slower than the last bound of
    `freshness.BOUNDS_MS`.
    """
    return {
        "messages": messages(stats),
        "events": accepted(stats),
        "ignored": ignored(stats),
        "rejected": rejected(stats),
        "customer_pairs": customer_pairs(stats),
        "links": stats.get("linked", 0),
        "erasures": stats.get("forgotten", 0),
        "under_way": progress.under_way(stats),
        "freshness_p50_s": freshness.quantile(stats, 0.5),
        "freshness_p99_s": freshness.quantile(stats, 0.99),
    }


def _sum(stats: Stats, prefix: str) -> int:
    return sum(n for name, n in stats.items() if name.startswith(prefix))
