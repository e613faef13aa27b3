"""Whether the stream is done with what it was sent: pure arithmetic over its own exact counters.

Each element that a step hands to another is counted where it leaves (`work`, `deliveries`) and where it has had its
effect (`work_done`, `deliveries_applied`), in the same bundles. So equal sums mean that nothing is on its way, once all
batches of a lane are in. Lanes are not in step: what one has done may be applied before what another counted as handed
over, and hide something of that lane for as long as sums are gathered (`freshness_seconds`).
"""

from __future__ import annotations

from collections.abc import Mapping

MESSAGES = "messages"
WORK, WORK_DONE = "work", "work_done"
DELIVERIES, DELIVERIES_APPLIED = "deliveries", "deliveries_applied"


def under_way(stats: Mapping[str, int]) -> int:
    """Elements between two steps: events on their way to a profile, and batches on their way to Redis."""
    work = stats.get(WORK, 0) - stats.get(WORK_DONE, 0)
    deliveries = stats.get(DELIVERIES, 0) - stats.get(DELIVERIES_APPLIED, 0)
    return abs(work) + abs(deliveries)  # sums are read while they grow, so one may be ahead of the other


def settled(stats: Mapping[str, int], messages: int) -> bool:
    """Whether `messages` messages (each may have come more than once) have had all their effect on the counts."""
    return stats.get(MESSAGES, 0) >= messages and under_way(stats) == 0
