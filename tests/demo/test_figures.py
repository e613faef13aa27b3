"""The line on the demo's terminal, from two looks at the counters."""

from __future__ import annotations

from varde.demo import figures

BEFORE = {"messages": 1000, "pairs_added": 500, "pairs_removed": 10, "rejected:not_json": 2, "freshness_ms:60000": 900}
AFTER = {
    "messages": 1200, "accepted": 1100, "pairs_added": 650, "pairs_removed": 60, "rejected:not_json": 2,
    "rejected:no_id": 3, "freshness_ms:60000": 900, "freshness_ms:500": 98, "freshness_ms:1400": 2,
}  # fmt: skip


def test_rates_and_freshness_are_of_the_stretch_and_sums_of_all_time() -> None:
    found = figures.between(BEFORE, AFTER, 10)
    assert found == figures.Figures(1200, 20.0, 20.0, 5, 0.5, 1.4)
    assert str(found) == "1,200 messages, 20/s | pairs 20/s | freshness p50 0.5 s, p99 1.4 s | dead letters 5"


def test_without_interactions_nothing_is_new() -> None:
    assert str(figures.between(AFTER, AFTER, 1)) == "1,200 messages, 0/s | pairs 0/s | nothing new | dead letters 5"
    assert "nothing new" in str(figures.between({}, {}, 0))


def test_a_redis_that_was_emptied_gives_no_negative_rate() -> None:
    found = figures.between(AFTER, {"messages": 3}, 1)
    assert (found.messages_per_s, found.pairs_per_s) == (0.0, 0.0)
