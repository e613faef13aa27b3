"""Bounds on what one customer counts in an hour."""

from __future__ import annotations

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


def test_an_order_brings_as_many_items_as_it_has_new_ones() -> None:
    """It counts whole or not at all; what comes after it finds the bound reached."""
    held, outcomes = EMPTY, []
    for n, items in enumerate([("a", "b"), ("a", "b"), ("b", "c"), ("d",), ("a",)]):
        past = transitions.interaction(Signal.PURCHASE, items, NOW + n, bytes([n]))
        step = transitions.interact(held, past, LIMITS, Bounds(events=9, items=3), NOW)
        held = step.profile
        outcomes.append((step.outcome, held.rate.items))
    assert outcomes == [("counted", 2), ("refreshed", 2), ("counted", 3), ("flooded", 3), ("refreshed", 3)]
    many = transitions.interaction(Signal.PURCHASE, tuple(map(str, range(50))), NOW)
    step = transitions.interact(EMPTY, many, LIMITS, Bounds(events=9, items=3), NOW)
    assert (step.outcome, step.profile.rate.items) == ("counted", 50)


def test_repeats_use_nothing_up() -> None:
    held, outcomes = play(views("a") * 50 + views("b", at=NOW + 1), Bounds(events=2, items=2))
    assert outcomes == ["counted", *["unchanged"] * 49, "counted"]
    assert held.rate.events == 2


def test_the_next_hour_begins_anew_and_an_earlier_one_counts_with_it() -> None:
    bounds = Bounds(events=2, items=2)
    held, outcomes = play([*views("a", "b", "c"), *views("c", at=NOW + HOUR_MS)], bounds)
    assert outcomes == ["counted", "counted", "flooded", "counted"]
    late, outcomes = play(views(*"xyz", at=NOW - HOUR_MS), bounds, held)
    assert outcomes == ["counted", "flooded", "flooded"]
    assert late.rate == Rate(NOW // HOUR_MS + 1, 2, 2)


def test_hours_are_those_of_the_clock() -> None:
    edge = NOW // HOUR_MS * HOUR_MS
    rate = NO_RATE.after(edge - 1, 1).after(edge, 1)
    assert rate == Rate(edge // HOUR_MS, 1, 1)
    assert rate.exceeded(edge + HOUR_MS - 1, 0, Bounds(1, 1))
    assert not rate.exceeded(edge + HOUR_MS, 1, Bounds(1, 1))
    assert rate.exceeded(edge - 1, 1, Bounds(1, 1))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3))))
def test_a_rate_counts_what_came_since_the_newest_hour_began(seen: list[tuple[int, int]]) -> None:
    rate = NO_RATE
    newest, since = -1, list[int]()
    for hour, new in seen:
        rate = rate.after(hour * HOUR_MS + 7, new)
        if hour > newest:
            newest, since = hour, []
        since.append(new)
    assert rate == (newest, len(since), sum(since))


@given(st.lists(st.tuples(st.sampled_from(Signal), st.sampled_from("abcdefgh"), st.integers(0, 9)), max_size=40))
def test_no_hour_counts_more_than_its_bounds(seen: list[tuple[Signal, str, int]]) -> None:
    """Of one hour or late: what changes the profile is bounded, and what floods changes nothing at all."""
    bounds, changed = Bounds(events=6, items=3), 1
    held, _ = play(views("a"), bounds)
    for signal, item, at in seen:
        past = transitions.interaction(signal, (item,), NOW - (at % 3) * HOUR_MS + at)
        step = transitions.interact(held, past, LIMITS, bounds, NOW)
        assert step.outcome != "flooded" or step == Step(held, outcome="flooded")
        changed += step.profile is not held
        held = step.profile
    assert changed <= 6
    assert held.rate.items <= 3
