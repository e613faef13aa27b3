"""Bounds on what one customer counts in an hour."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from varde import transitions
from varde.flood import HOUR_MS, NO_RATE, Bounds, Rate
from varde.history import DAY_MS, Limits, Signal
from varde.profile import EMPTY, Profile
from varde.transitions import Step

NOW = 20_000 * DAY_MS + 12 * HOUR_MS
LIMITS = Limits(cap=4, window_days=2)


def play(seen: list[tuple[Signal, str, int]], bounds: Bounds, held: Profile = EMPTY) -> tuple[Profile, list[str]]:
    outcomes = []
    for signal, item, time in seen:
        step: Step = transitions.interact(held, transitions.interaction(signal, (item,), time), LIMITS, bounds, NOW)
        held = step.profile
        outcomes.append(step.outcome)
    return held, outcomes


def views(*items: str, at: int = NOW) -> list[tuple[Signal, str, int]]:
    return [(Signal.VIEW, item, at + n) for n, item in enumerate(items)]


def test_events_of_an_hour_count_up_to_their_bound() -> None:
    held, outcomes = play(views(*"abab"), Bounds(events=3, items=9))
    assert outcomes == ["counted", "counted", "refreshed", "flooded"]
    assert held.rate == Rate(NOW // HOUR_MS, 3, 2)
    assert held.histories.view == {"a": NOW + 2, "b": NOW + 1}


def test_new_items_have_a_bound_of_their_own() -> None:
    _, outcomes = play(views(*"abcab"), Bounds(events=9, items=2))
    assert outcomes == ["counted", "counted", "flooded", "refreshed", "refreshed"]


def test_orders_count_as_events_and_not_as_items() -> None:
    seen = [(Signal.PURCHASE, item, NOW + n) for n, item in enumerate("abcd")]
    assert play(seen, Bounds(events=3, items=1))[1] == ["counted", "counted", "counted", "flooded"]


def test_repeats_use_nothing_up() -> None:
    held, outcomes = play(views("a") * 50 + views("b", at=NOW + 1), Bounds(events=2, items=2))
    assert outcomes == ["counted", *["unchanged"] * 49, "counted"]
    assert held.rate.events == 2


def test_the_next_hour_begins_anew_and_an_earlier_one_is_not_measured() -> None:
    bounds = Bounds(events=1, items=1)
    held, outcomes = play([*views("a", "b"), *views("c", at=NOW + HOUR_MS)], bounds)
    assert outcomes == ["counted", "flooded", "counted"]
    late, outcomes = play(views(*"xyz", at=NOW - HOUR_MS), bounds, held)
    assert "flooded" not in outcomes
    assert late.rate == held.rate == Rate(NOW // HOUR_MS + 1, 1, 1)


def test_hours_are_those_of_the_clock() -> None:
    edge = NOW // HOUR_MS * HOUR_MS
    rate = NO_RATE.after(edge - 1, True).after(edge, True)
    assert rate == Rate(edge // HOUR_MS, 1, 1)
    assert rate.exceeded(edge + HOUR_MS - 1, False, Bounds(1, 1))
    assert not rate.exceeded(edge + HOUR_MS, True, Bounds(1, 1))
    assert not rate.exceeded(edge - 1, True, Bounds(1, 1))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_a_rate_counts_the_newest_hour(seen: list[tuple[int, bool]]) -> None:
    rate = NO_RATE
    newest = -1
    expected: dict[int, list[bool]] = {}
    for hour, new in seen:
        rate = rate.after(hour * HOUR_MS + 7, new)
        if hour >= newest:
            newest = hour
            expected.setdefault(hour, []).append(new)
    counted: list[Any] = expected.get(newest, [])
    assert rate == (newest, len(counted), sum(counted))


@given(st.lists(st.tuples(st.sampled_from(Signal), st.sampled_from("abcdefgh"), st.integers(0, 9)), max_size=40))
def test_no_hour_counts_more_than_its_bounds(seen: list[tuple[Signal, str, int]]) -> None:
    """All within one hour: what changes the profile is bounded, and what floods changes nothing at all."""
    held, bounds, changed = EMPTY, Bounds(events=6, items=3), 0
    for signal, item, at in seen:
        past = transitions.interaction(signal, (item,), NOW + at)
        step = transitions.interact(held, past, LIMITS, bounds, NOW)
        assert step.outcome != "flooded" or step == Step(held, outcome="flooded")
        changed += step.profile is not held
        held = step.profile
    assert changed <= 6
    assert held.rate.items <= 3
