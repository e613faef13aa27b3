"""The promise, end to end and on real processes: whatever the queue does, no pair and no support differs.

A day of messages as the official Python SDK makes them, each delivered three times and in disorder, with identities
that are known too late, refunds and deletions, through Pub/Sub, `varde stream` and Redis; held against brute force.
EXACT_MESSAGES is the number of distinct messages (`make e2e`: 100,000); FAULT_SEED repeats a run.
"""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

from varde.settings import Settings

from .parts import differing, streaming
from .visits import COPIES, day, delivered, truth

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600), pytest.mark.usefixtures("no_settings")]

MESSAGES = int(os.environ.get("EXACT_MESSAGES", "5000"))
CAP = 24
"""Small enough for evictions to be common among the busier half of the customers."""


def exact(broker, settings, messages, rng, logs):
    now = time.time_ns() // 1_000_000
    sent = delivered(day(rng.getrandbits(32), messages, now), rng)
    expected = truth(sent, settings.limits, now)
    with streaming(broker, settings, logs) as stream:
        stream.start()
        assert stream.publish(sent) == COPIES * messages == len(sent)
        stream.settle(len(sent))
        found, stats = stream.counts(), stream.store.stats()
    assert differing(found, expected) == []
    return found, Counter(stats)


def test_messages_in_disorder_three_times_each_count_exactly(broker, redis_url, rng, tmp_path):
    (pairs, supports), stats = exact(broker, Settings(redis_url=redis_url, cap=CAP), MESSAGES, rng, tmp_path)
    assert len(pairs) > MESSAGES / 2 and len(supports) > 100
    for happened in ("linked", "merged", "forgotten", "returned", "unchanged", "pairs_removed"):
        assert stats[happened] > 0, happened
    assert sum(n for name, n in stats.items() if name.startswith("rejected:")) == 0
    assert stats["link_conflict"] == stats["link_conflict_older"] == stats["flooded"] == 0


def test_a_cluster_of_three_nodes_counts_exactly(broker, redis_cluster, rng, tmp_path):
    """The same; every node has a part of it."""
    settings = Settings(redis_url=redis_cluster.url, redis_cluster="yes", cap=CAP)
    exact(broker, settings, MESSAGES, rng, tmp_path)
    with redis_cluster.client() as client:
        sizes = [client.dbsize(target_nodes=node) for node in client.get_primaries()]
    assert len(sizes) == 3 and min(sizes) > 100
