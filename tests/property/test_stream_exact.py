"""Section 2 of the design: whatever comes, in whatever order, the stream's differences add up to the definition."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from varde.counts import count
from varde.events import Event
from varde.history import Limits
from varde.profile import Profile

from . import oracle
from .fold import Fold
from .strategies import NOW, limits, peaceful, worlds

MOST = settings(max_examples=20 * settings().max_examples)
MANY = settings(max_examples=3 * settings().max_examples)


def again(data: st.DataObject, events: list[Event]) -> list[Event]:
    """The events in any order, some of them several times."""
    more = data.draw(st.lists(st.sampled_from(events), max_size=10)) if events else []
    return list(data.draw(st.permutations(events + more)))


@MOST
@given(st.data(), limits)
def test_any_world_equals_brute_force(data: st.DataObject, limits: Limits) -> None:
    events = data.draw(worlds(limits.window_days))
    events = again(data, events)
    stream = Fold(limits, NOW).play(events)
    assert stream.total.totals() == oracle.arrival(events, limits, NOW)


@MANY
@given(st.data(), limits)
def test_order_and_repeats_do_not_matter(data: st.DataObject, limits: Limits) -> None:
    events = data.draw(peaceful(limits.window_days))
    stream = Fold(limits, NOW).play(again(data, events))
    assert stream.total.totals() == oracle.arrival(events, limits, NOW) == oracle.warehouse(events, limits, NOW)


@MANY
@given(st.data(), limits)
def test_a_restart_with_seeds_equals_no_restart(data: st.DataObject, limits: Limits) -> None:
    """The seeds come at any moment among the events that follow, and twice."""
    events = data.draw(worlds(limits.window_days))
    cut = data.draw(st.integers(0, len(events)))
    before = Fold(limits, NOW).play(events[:cut])
    after = Fold(limits, NOW)
    pasts: list[tuple[str, str, Profile]] = [("known", k, p) for k, p in before.known.items()]
    pasts += [("anonymous", k, p) for k, p in before.anonymous.items()]
    for kind, key, past in pasts:
        after.seed(kind, key, past)
    after.play(events[cut:])
    for kind, key, past in data.draw(st.permutations(pasts)):
        after.seed(kind, key, past)
    after.total.update(before.total)
    assert after.total.totals() == oracle.arrival(events, limits, NOW)


@MANY
@given(st.data(), limits)
def test_seeds_may_come_after_events(data: st.DataObject, limits: Limits) -> None:
    """Interactions, orders and returns that the stream meets before the past of their customer is in."""
    events = data.draw(peaceful(limits.window_days))
    cut = data.draw(st.integers(0, len(events)))
    before = Fold(limits, NOW).play(events[:cut])
    after = Fold(limits, NOW)
    late: list[object] = [("known", k, p) for k, p in before.known.items()]
    late += [("anonymous", k, p) for k, p in before.anonymous.items()]
    for one in data.draw(st.permutations([*late, *events[cut:]])):
        if isinstance(one, tuple) and len(one) == 3 and isinstance(one[2], Profile):
            after.seed(one[0], one[1], one[2])
        else:
            after.take(one)  # type: ignore[arg-type]
    after.total.update(before.total)
    assert after.total.totals() == oracle.arrival(events, limits, NOW)


@MANY
@given(st.data(), limits)
def test_the_state_holds_what_was_counted(data: st.DataObject, limits: Limits) -> None:
    events = data.draw(worlds(limits.window_days))
    stream = Fold(limits, NOW).play(events)
    everyone = [*stream.known.values(), *stream.anonymous.values()]
    assert count(p.histories.since(limits.window_start(NOW)) for p in everyone).totals() == stream.total.totals()
