"""The status page's record: rates by hand, and by brute force over random looks."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from varde.server.status_ring import Ring, Window

SPAN, MOST, GAP = 100.0, 1000, 10.0


def ring() -> Ring:
    return Ring(SPAN, MOST, GAP)


def test_a_rate_is_what_has_grown_over_the_time_that_is_known() -> None:
    record = ring()
    for at, n in ((0, 100), (5, 110), (10, 160)):
        record.add(at, {"a": n, "b": 7})
    window = record.over(10, 5)
    assert (window.seconds, window.grown) == (5, {"a": 50})
    assert record.over(10, 60).rate("a") == 6
    assert record.over(10, 60).rate("a", "b") == 6
    assert record.over(10, 60).rate("never-seen") == 0
    assert record.over(10, 60).share(["a"], ["a", "b"]) == 1
    assert record.over(10, 60).share(["a"], ["b"]) is None, "nothing of b: no share"


def test_of_nothing_nothing_is_known() -> None:
    record = ring()
    assert record.over(0, 60) == Window()
    assert record.over(0, 60).rate("a") is None
    assert record.bins(0, 10, 3) == [None] * 3
    assert record.since_grown(0, "a") is None
    record.add(1, {"a": 5})
    assert record.over(1, 60).rate("a") is None, "one look tells no difference"
    assert record.bins(1, 10, 3) == [None] * 3


def test_counters_that_begin_anew_spoil_one_step_and_no_more() -> None:
    record = ring()
    for at, n in ((0, 100), (5, 110), (10, 3), (15, 13)):
        record.add(at, {"a": n})
    window = record.over(15, 60)
    assert (window.seconds, window.grown) == (10, {"a": 20})
    assert not record.covered(15, 15)
    assert record.covered(15, 5)
    assert record.last == {"a": 13}


def test_a_counter_that_vanishes_is_a_new_beginning_too() -> None:
    record = ring()
    record.add(0, {"a": 1, "b": 1})
    record.add(5, {"a": 2})
    assert record.over(5, 60).seconds == 0


def test_while_nobody_answers_nothing_is_known() -> None:
    record = ring()
    for at, n in ((0, 0), (5, 10), (10, None), (15, None), (20, 30), (25, 40)):
        record.add(at, None if n is None else {"a": n})
    window = record.over(25, 60)
    assert (window.seconds, window.grown) == (10, {"a": 20})
    assert [one is None for one in record.bins(25, 5, 5)] == [False, True, True, True, False]
    record.add(30, None)
    assert record.last == {"a": 40}, "what was last told"


def test_a_look_that_is_long_overdue_tells_nothing_of_the_time_before() -> None:
    record = ring()
    for at, n in ((0, 0), (5, 10), (50, 1000), (55, 1010)):
        record.add(at, {"a": n})
    assert record.over(55, 100).rate("a") == 2


def test_when_the_clock_goes_back_the_record_begins_anew() -> None:
    record = ring()
    record.add(50, {"a": 1})
    record.add(55, {"a": 9})
    record.add(20, {"a": 12})
    assert len(record) == 1
    record.add(25, {"a": 22})
    assert record.over(25, 60).rate("a") == 2


def test_since_when_a_counter_has_not_grown() -> None:
    record = ring()
    for at, a, b in ((0, 1, 1), (5, 2, 1), (10, 2, 5), (15, 2, 5)):
        record.add(at, {"a": a, "b": b})
    assert record.since_grown(15, "a") == 10
    assert record.since_grown(17, "a", "b") == 7
    assert record.since_grown(15, "c") is None


def test_the_least_of_a_level_needs_the_whole_time() -> None:
    record = ring()
    for at, level in ((0, 1.0), (5, 4.0), (10, 3.0), (15, 6.0)):
        record.add(at, {"a": at}, {"level": level})
    assert record.least(15, 10, "level") == 3
    assert record.least(15, 30, "level") is None, "the record is shorter"
    assert record.least(15, 10, "other") is None
    assert record.least(40, 10, "level") is None, "the last look is too old"


def test_it_is_bounded_by_time_and_by_number() -> None:
    record = Ring(SPAN, 10, GAP)
    for at in range(50):
        record.add(at * 0.1, {"a": at})
    assert len(record) == 10
    record = ring()
    for at in range(0, 1000, 5):
        record.add(at, {"a": at})
    assert len(record) <= SPAN / 5 + 2
    assert record.over(995, SPAN).rate("a") == 1
    assert record.covered(995, SPAN)


LOOKS = st.lists(
    st.tuples(
        st.floats(0.1, 14),
        st.one_of(st.none(), st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3)),
        st.booleans(),
    ),
    max_size=30,
)


def played(
    looks: list[tuple[float, dict[str, int] | None, bool]],
) -> tuple[Ring, list[tuple[float, float, dict[str, int]]], float]:
    """The record of looks, and the steps that are known, one by one: (from, to, growth)."""
    record, steps, sums = ring(), [], dict.fromkeys("abc", 1)
    at, before = 1000.0, None
    for pause, more, emptied in looks:
        since, at = at, at + pause
        if more is None:
            record.add(at, None)
            before = None
            continue
        if emptied:
            sums = dict.fromkeys("abc", 0)
        sums = {name: n + more.get(name, 0) for name, n in sums.items()}
        record.add(at, dict(sums))
        fell = before is not None and any(sums[name] < n for name, n in before.items())
        if before is not None and not fell and at - since <= GAP:
            steps.append((since, at, {name: n - before[name] for name, n in sums.items()}))
        before = dict(sums)
    return record, steps, at


@given(LOOKS, st.floats(1, 200))
def test_windows_are_the_sum_of_their_steps(looks, seconds) -> None:
    record, steps, now = played(looks)
    begin = now - min(seconds, SPAN)
    # From the last look at or before the window's begin on.
    times = [1000.0]
    for pause, _, _ in looks:
        times.append(times[-1] + pause)
    earlier = [one for one in times[1:] if one <= begin]
    since = earlier[-1] if earlier else -math.inf
    inside = [step for step in steps if step[0] >= since]
    window = record.over(now, min(seconds, SPAN))
    assert math.isclose(window.seconds, sum(step[1] - step[0] for step in inside), abs_tol=1e-6)
    for name in "abc":
        assert math.isclose(window.grown.get(name, 0), sum(step[2][name] for step in inside), abs_tol=1e-6)


@given(LOOKS, st.integers(1, 12), st.floats(1, 20))
def test_bins_share_every_step_out_by_time(looks, n, width) -> None:
    record, steps, now = played(looks)
    n = min(n, int(SPAN // width))
    first = (now // width - n) * width
    for place, found in enumerate(record.bins(now, width, n)):
        begin, end = first + place * width, first + (place + 1) * width
        parts = [((min(to, end) - max(since, begin)), to - since, grown) for since, to, grown in steps]
        parts = [one for one in parts if one[0] > 0]
        seconds = sum(one[0] for one in parts)
        if found is None:
            assert seconds < 1e-5
            continue
        assert math.isclose(found.seconds, seconds, rel_tol=1e-6, abs_tol=1e-6)
        for name in "abc":
            expected = sum(inside / whole * grown[name] for inside, whole, grown in parts)
            assert math.isclose(found.grown.get(name, 0), expected, rel_tol=1e-6, abs_tol=1e-6)


@given(LOOKS)
def test_nothing_is_ever_negative_and_no_rate_without_time(looks) -> None:
    record, _, now = played(looks)
    for window in [record.over(now, 30), *filter(None, record.bins(now, 5, 10))]:
        assert all(n > 0 for n in window.grown.values())
        assert (window.rate("a") is None) == (window.seconds == 0)
