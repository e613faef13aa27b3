"""Whether the stream is done with what it was sent: pure arithmetic over its own exact counters.

Each element that a step hands to another is counted where it leaves and where it has had its effect, for each
destination by itself, and in the batch that carries the effect. Batches reach Redis in any order; still a step that
lags behind cannot be hidden by another, because whatever causes an element is counted together with it.
"""

from __future__ import annotations

from collections.abc import Mapping

MESSAGES = "messages"
ANONYMOUS_WORK, ANONYMOUS_WORK_DONE = "anonymous_work", "anonymous_work_done"
KNOWN_WORK, KNOWN_WORK_DONE = "known_work", "known_work_done"
DELIVERIES, DELIVERIES_APPLIED = "deliveries", "deliveries_applied"

_LEGS = (
    (ANONYMOUS_WORK, ANONYMOUS_WORK_DONE),
    (KNOWN_WORK, KNOWN_WORK_DONE),
    (DELIVERIES, DELIVERIES_APPLIED),
)


def under_way(stats: Mapping[str, int]) -> int:
    """Elements between two steps: events on their way to a profile, and batches on their way to Redis."""
    # Sums are read while they grow, so either of a pair may be ahead.
    return sum(abs(stats.get(sent, 0) - stats.get(done, 0)) for sent, done in _LEGS)


def settled(stats: Mapping[str, int], messages: int) -> bool:
    """Whether `messages` messages have had all their effect on the counts.

    Exact when the queue delivers each once; a message that comes again may stand for one that has not come yet.
    """
    return stats.get(MESSAGES, 0) >= messages and under_way(stats) == 0
