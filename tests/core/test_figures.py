"""Figures for people against what they claim to say: of the parser's verdicts and of the counts themselves."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from varde import figures, profile, transitions
from varde.counts import Counts
from varde.events import REASONS
from varde.history import Limits, Signal
from varde.pairs import Changes, Relation

NOW = 20_400 * 86_400_000
LIMITS = Limits(4, 30)
fates = st.sampled_from(
    ["accepted", *(f"{'rejected' if why.dead_letter else 'ignored'}:{name}" for name, why in REASONS.items())]
)
looks = st.dictionaries(st.text(max_size=5) | fates, st.integers(0, 10**6))
steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(Signal),
        st.lists(st.sampled_from("rstuvwx"), min_size=1, max_size=5, unique=True).map(tuple),
        st.integers(NOW - 10**6, NOW),
        st.integers(0, 6).map(lambda roll: roll == 0),
    ),
    max_size=60,
)


@given(st.lists(fates))
def test_every_message_is_in_one_figure(each: list[str]) -> None:
    stats = Counter(each) | {"messages": len(each)}
    assert figures.accepted(stats) + figures.ignored(stats) + figures.rejected(stats) == figures.messages(stats)
    verdicts = Counter(name.partition(":")[0] for name in each)
    found = figures.totals(stats)
    assert (found["events"], found["ignored"], found["rejected"]) == (
        verdicts["accepted"],
        verdicts["ignored"],
        verdicts["rejected"],
    )


@given(steps)
def test_customer_pairs_are_the_sum_of_the_pair_counts(
    done: list[tuple[str, Signal, tuple[str, ...], int, bool]],
) -> None:
    """The stream counts a RowChange's partners up or down; what is left are the counts, a symmetric pair once."""
    profiles: dict[str, profile.Profile] = {}
    counts, stats = Counts(), Counter[str]()
    for who, signal, items, time, forgotten in done:
        before = profiles.get(who, profile.EMPTY)
        if forgotten:
            step = transitions.erase(before, time, LIMITS, NOW)
        else:
            step = transitions.join(before, transitions.interaction(signal, items, time), LIMITS, NOW)
        profiles[who] = step.profile
        counts.add(step.changes)
        stats.update(_as_the_stream_counts(step.changes))
    pairs, _ = counts.totals()
    both_ways = sum(n for (relation, _, _), n in pairs.items() if Relation(relation).symmetric)
    one_way = sum(n for (relation, _, _), n in pairs.items() if not Relation(relation).symmetric)
    assert figures.customer_pairs(stats) == both_ways // 2 + one_way
    assert figures.pair_changes(stats) >= figures.customer_pairs(stats) >= 0


def _as_the_stream_counts(changes: Changes) -> dict[str, int]:
    """As varde.streaming.profiles does; tests/server/test_metrics_docs.py holds the names against it."""
    out = {figures.PAIRS_ADDED: 0, figures.PAIRS_REMOVED: 0}
    for row in changes.rows:
        out[figures.PAIRS_ADDED if row.sign > 0 else figures.PAIRS_REMOVED] += len(row.partners)
    return out


@given(looks, looks)
def test_what_has_grown_is_added_to_what_was(before: dict[str, int], more: dict[str, int]) -> None:
    after = Counter(before)
    after.update(more)
    lately = figures.grown(before, after)
    assert {name: n for name, n in lately.items() if n} == {name: n for name, n in more.items() if n}
    assert figures.rejected(lately) == figures.rejected(after) - figures.rejected(before)


@given(looks, looks)
def test_an_emptied_redis_gives_no_negative_figure(before: dict[str, int], after: dict[str, int]) -> None:
    assert all(n >= 0 for n in figures.grown(before, after).values())


def test_no_counters_give_zeros_and_no_freshness() -> None:
    found = figures.totals({})
    assert {name for name, value in found.items() if value is None} == {"freshness_p50_s", "freshness_p99_s"}
    assert {value for value in found.values() if value is not None} == {0}


def test_totals_by_an_example() -> None:
    stats = {
        "messages": 12, "accepted": 8, "ignored:not_counted": 2, "rejected:not_json": 1, "rejected:bad_id": 1,
        "pairs_added": 30, "pairs_removed": 4, "linked": 2, "link_conflict": 5, "forgotten": 1,
        "anonymous_work": 9, "anonymous_work_done": 7, "deliveries": 4, "deliveries_applied": 3,
        "freshness_ms:400": 99, "freshness_ms:2000": 1,
    }  # fmt: skip
    assert figures.totals(stats) == {
        "messages": 12, "events": 8, "ignored": 2, "rejected": 2, "customer_pairs": 26, "links": 2, "erasures": 1,
        "under_way": 3, "freshness_p50_s": 0.4, "freshness_p99_s": 0.4,
    }  # fmt: skip
