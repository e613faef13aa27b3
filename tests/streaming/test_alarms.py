"""Due timers found from the changed keys alone, against asking every key on every turn as Beam does."""

from __future__ import annotations

import threading

from apache_beam.runners.direct import evaluation_context, watermark_manager
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.utils.timestamp import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from varde.streaming import local_runner
from varde.streaming.alarms import KeyedStates

KEYS = [None, b"a", b"b", b"c"]
NAMES = [("idle", TimeDomain.REAL_TIME), ("trigger", TimeDomain.REAL_TIME), ("end", TimeDomain.WATERMARK)]
WINDOWS = ["w1", "w2"]

set_timer = st.tuples(
    st.just("set"), st.sampled_from(KEYS), st.sampled_from(WINDOWS), st.sampled_from(NAMES), st.integers(0, 30)
)
clear_timer = st.tuples(
    st.just("clear"), st.sampled_from(KEYS), st.sampled_from(WINDOWS), st.sampled_from(NAMES), st.just(0)
)
time_passes = st.tuples(
    st.sampled_from(["clock", "watermark"]), st.none(), st.just(""), st.sampled_from(NAMES), st.integers(0, 9)
)
look = st.tuples(st.just("look"), st.none(), st.just(""), st.sampled_from(NAMES), st.just(0))


STOCK = watermark_manager._TransformWatermarks.extract_transform_timers
"""Taken when this module is collected, before a test of this process can replace it; checked below."""


class Turns:
    """One step of the runner, without the runner: Beam's states, its clock and watermark."""

    def __init__(self):
        self._lock = threading.Lock()
        self._keyed_states = KeyedStates()
        self._clock, self._now = self, 0.0
        self._input_watermark = Timestamp(0)
        self._fired_timers = set()

    def time(self):
        return self._now

    def put(self, key, change):
        """As a bundle does: change a copy, then put it in."""
        held = self._keyed_states.get(key) or evaluation_context.DirectUnmergedState()
        changed = held.copy()
        change(changed)
        self._keyed_states[key] = changed


def shown(firings):
    return sorted((str(f.encoded_key), f.window, f.name, f.time_domain, float(f.timestamp)) for f in firings)


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.one_of(set_timer, set_timer, clear_timer, time_passes, look), max_size=40))
def test_the_due_timers_are_those_that_beam_finds(steps):
    local_runner.repair()
    turns = Turns()
    for what, key, window, (name, domain), at in steps:
        if what == "set":
            turns.put(key, lambda state, w=window, n=name, d=domain, t=at: state.set_timer(w, n, d, t + 0.25))
        elif what == "clear":
            turns.put(key, lambda state, w=window, n=name, d=domain: state.clear_timer(w, n, d))
        elif what == "clock":
            turns._now += at + 0.25
        elif what == "watermark":
            turns._input_watermark += at + 0.25
        due, any_real_time = local_runner._extract_transform_timers(turns)
        beams, beams_any = STOCK(turns)
        assert (shown(due), any_real_time) == (shown(beams), beams_any)


def test_the_comparison_is_with_beams_own_code():
    assert STOCK.__module__ == watermark_manager.__name__


def test_a_turn_asks_only_what_has_changed_or_is_due():
    local_runner.repair()
    turns = Turns()
    for n in range(1000):
        turns.put(b"%d" % n, lambda state, n=n: state.set_timer("w", "idle", TimeDomain.REAL_TIME, 100.0 + n))
    states = turns._keyed_states
    assert local_runner._extract_transform_timers(turns) == ([], True)
    assert not states.to_ask(Timestamp(0), Timestamp(0))
    turns.put(b"7", lambda state: state.clear_timer("w", "idle", TimeDomain.REAL_TIME))
    assert states.to_ask(Timestamp(0), Timestamp(0)) == {b"7"}
    states.answer(b"7", due=False)
    assert b"7" not in states, "nothing is kept of a key that holds nothing"
    turns._now = 100.0
    for _ in range(2):  # until a bundle has taken it
        due, _ = local_runner._extract_transform_timers(turns)
        assert [firing.encoded_key for firing in due] == [b"0"]


def test_a_copied_state_can_be_changed_by_itself():
    local_runner.repair()
    state = evaluation_context.DirectUnmergedState()
    state.set_timer("w", "idle", TimeDomain.REAL_TIME, 5.0)
    copied = state.copy()
    copied.set_timer("w", "idle", TimeDomain.REAL_TIME, 9.0)
    copied.state["w"]["cell"] = [b"x"]
    assert [dict(timers) for timers in state.timers.values()] == [{("idle", TimeDomain.REAL_TIME, ""): 5.0}]
    assert not state.state
