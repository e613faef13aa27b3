"""Profiles let go by their timers, with the clock of Beam's TestStream and the steps' own in step."""

from __future__ import annotations

import dataclasses

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_pipeline, test_stream

from varde import keys
from varde.history import DAY_MS
from varde.streaming import local_runner, messages, pipeline
from varde.streaming.dead_letters import DEAD
from varde.streaming.parse import ANONYMOUS, KNOWN, TALLY, ParseMessage
from varde.streaming.profiles import AnonymousProfiles, KnownProfiles

from .play import play, profiles, share_the_clock, states_of, stream_clock
from .world import NOW, identify, message, view, with_consent, withdrawn

WINDOW = 10
"""Days, as in `parameters`: what was seen on day d can be forgotten from the midnight that begins day d + 11 on."""


@pytest.fixture(autouse=True)
def one_clock(monkeypatch):
    share_the_clock(monkeypatch)


def sent(data, at):
    """A message as it is received at `at`."""
    return data.replace(b'"receivedAt": %d' % NOW, b'"receivedAt": %d' % at), at


def days(*steps):
    """A TestStream that begins at NOW: each step is a number of days that pass, or messages that come."""
    source, now = test_stream.TestStream().advance_processing_time(NOW / 1000), NOW
    for step in steps:
        if isinstance(step, list):
            source = source.add_elements([sent(data, now) for data in step]).advance_processing_time(2)
            now += 2000
        else:
            source = source.advance_processing_time(step * DAY_MS / 1000).advance_processing_time(2)
            now += step * DAY_MS + 2000
    return source


def run(parameters, *steps):
    return held_in(play(days(*steps), parameters, stream_clock))


def held_in(states):
    """The profiles by key, and how many keys have a timer."""
    held = profiles(states, "Known") | profiles(states, "Anonymous")
    timers = [state for step in ("Known", "Anonymous") for state in states[step].values() if state.timers]
    return held, len(timers)


def at(day):
    return NOW + day * DAY_MS


VIEW = view("a", user="u1")


@pytest.mark.parametrize("passing, left", [(WINDOW, 1), (WINDOW + 1, 0), (3 * WINDOW, 0)])
def test_an_idle_profile_goes(passing, left, parameters, store):
    held, timers = run(parameters, [VIEW], passing)
    assert (len(held), timers, store.stats().get("idle", 0)) == (left, left, 1 - left)


def test_both_kinds_go_linked_ones_too(parameters, store):
    held, timers = run(parameters, [view("a", device="d1"), view("b", device="d2"), identify("u1", "d1"), VIEW], 12)
    assert (held, timers) == ({}, 0)
    assert store.stats()["idle"] == 3


@pytest.mark.parametrize("more, left", [(7, 1), (12, 0)])
def test_who_was_seen_again_stays_and_is_looked_at_again(more, left, parameters, store):
    again = view("b", user="u1", at=at(5))
    held, timers = run(parameters, [VIEW], 5, [again], more)
    assert (len(held), timers, store.stats().get("idle", 0)) == (left, left, 1 - left)


@pytest.mark.parametrize("more, left", [(7, 1), (12, 0)])
def test_a_linked_visitor_who_still_comes_stays(more, left, parameters, store):
    """The profile of a linked visitor holds nothing but the link, which every visit needs."""
    key = keys.customer_key(None, "d1")
    held, _ = run(parameters, [identify("u1", "d1")], 5, [view("a", device="d1", at=at(5))], more)
    assert (key in held) == bool(left)


def test_an_erasure_is_remembered_for_the_window(parameters, store):
    gone = message("delete", None, NOW, userId="u1")
    held, timers = run(parameters, [VIEW, gone], WINDOW)
    assert (len(held), timers) == (1, 1)
    held, timers = run(dataclasses.replace(parameters, run_id="second"), [VIEW, gone], WINDOW + 1)
    assert (held, timers, store.stats()["idle"]) == ({}, 0, 1)


def test_a_cleared_profile_has_no_timer(parameters, store):
    asking = dataclasses.replace(
        parameters, settings=dataclasses.replace(parameters.settings, consent_categories=("ads",))
    )
    held, timers = run(asking, [VIEW, view("a", device="d1")], [withdrawn(user="u1"), withdrawn(device="d1")])
    assert (held, timers) == ({}, 0)
    again = with_consent(view("b", user="u1", at=at(1)), ads=True)
    steps = [[VIEW], [withdrawn(user="u1")], 1, [again]]
    held, timers = run(dataclasses.replace(asking, run_id="second"), *steps)
    assert (len(held), timers) == (1, 1), "who comes again is looked at again"
    run(dataclasses.replace(asking, run_id="third"), *steps, WINDOW)
    assert "idle" not in store.stats(), "the old timer does not end the new profile"
    run(dataclasses.replace(asking, run_id="fourth"), *steps, WINDOW + 1)
    assert store.stats()["idle"] == 1


@pytest.mark.parametrize("bounded", [True, False])
def test_a_bounded_input_sets_no_timer(bounded, parameters):
    """The steps by themselves: the graph of a bounded input has no trigger, which a TestStream would need."""
    local_runner.repair()
    settings = parameters.settings
    with test_pipeline.TestPipeline(runner="BundleBasedDirectRunner", options=PipelineOptions(["--streaming"])) as p:
        source = days([VIEW, view("a", device="d1")]).advance_watermark_to_infinity()
        parsed = p | source | beam.ParDo(ParseMessage(settings, 1)).with_outputs(ANONYMOUS, KNOWN, DEAD, TALLY)
        for name, tag, profiles_of in (
            ("Anonymous", ANONYMOUS, AnonymousProfiles),
            ("Known", KNOWN, KnownProfiles),
        ):
            step = profiles_of(settings, 1, bounded, stream_clock)
            _ = pipeline._typed(parsed[tag], tuple[str, messages.Work]) | name >> beam.ParDo(step).with_outputs()
    held, timers = held_in(states_of(p.result))
    assert (len(held), timers) == (2, 0 if bounded else 2)


def test_who_comes_back_after_the_window_starts_anew(parameters, store):
    back = view("b", user="u1", at=at(12))
    held, timers = run(parameters, [VIEW], 12, [back])
    assert (len(held), timers) == (1, 1)
    (profile,) = held.values()
    assert dict(profile.histories.view) == {"b": at(12)}
    assert store.counts(0, "a") == {}, "what has left the window makes no pair"
