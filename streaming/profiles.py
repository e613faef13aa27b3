"""The two stateful steps: anonymous profiles, and the known customers they may belong to. One state cell each.

Both are keyed by customer keys. A timer for each profile lets it go when nothing in it can count any more; a bounded
input sets none, because its state ends with it (and Beam's batch runner fires every timer at once).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from varde import profile, transitions
from varde.delivery import Leave
from varde.history import DAY_MS, Signal
from varde.profile import EMPTY, Profile
from varde.progress import ANONYMOUS_WORK_DONE, KNOWN_WORK, KNOWN_WORK_DONE
from varde.settings import Settings
from varde.transitions import Past, Step

from .clock import wall_clock
from .messages import ERASURE, HANDOVER, INTERACTION, LINK, RETURN, SEED, WITHDRAWAL, Work, handed, handover
from .sums import Sums

HANDED = "handed"
_TAKEN = frozenset({"counted", "refreshed"})
"""Outcomes of what a profile takes in; what leaves it unchanged is no news to the latest items either."""


class _Profiles(beam.DoFn):
    """What both steps share: the sums of a bundle, the fate of the cell, and what an interaction adds."""

    def __init__(
        self, settings: Settings, lanes: int, bounded: bool = False, clock: Callable[[], int] = wall_clock
    ) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._bounds = settings.flood_bounds
        self._bounded = bounded
        self._clock = clock
        self._sums = Sums(lanes, settings)

    def start_bundle(self) -> None:
        """A bundle that is tried again sums again from nothing."""
        self._sums.clear()

    def finish_bundle(self) -> Iterator[Any]:
        """Send the bundle's sums on: one element a lane."""
        yield from self._sums.flush()

    def _keep(self, before: Profile, after: Profile, cell: Any, timer: Any) -> None:
        """Write the cell when it has changed; the first write sets the timer that ends it."""
        if after is before:
            return
        if after == EMPTY:
            cell.clear()
            timer.clear()
            return
        cell.write(profile.encode(after))
        if before is EMPTY and not self._bounded:
            self._wake(after, timer)

    def _wake(self, held: Profile, timer: Any) -> None:
        timer.set(Timestamp(held.expires_on(self._limits.window_days) * DAY_MS // 1000))

    def _idle(self, key: str, cell: Any, timer: Any) -> Iterator[Any]:
        """The timer has fired: let an idle profile go, look at any other again when it may be idle."""
        stored = cell.read()
        if not stored:
            return
        held = profile.decode(stored)
        if held.expires_on(self._limits.window_days) * DAY_MS > self._clock():
            self._wake(held, timer)
            return
        cell.clear()
        self._sums.count(key, "idle")
        yield from self._sums.flush()

    def _act(self, key: str, before: Profile, work: Work, now: int) -> Profile:
        """An interaction, a return or a withdrawn consent of this profile."""
        if work[0] == INTERACTION:
            return self._interact(key, before, work, now)
        if work[0] == RETURN:
            _, order, items, at = work
            past = transitions.take_back(order, tuple(items), at)
            step = transitions.join(before, past, self._limits, now)
            if step.outcome in _TAKEN:
                self._sums.remember(key, past)
            outcome = "returned" if step.outcome in _TAKEN else step.outcome
            self._sums.record(key, step._replace(outcome=outcome))
            return step.profile
        assert work[0] == WITHDRAWAL
        step = transitions.withdraw(before, work[1], self._limits, now)
        self._sums.record(key, step)
        self._sums.forget(key, work[1], Leave.NOTHING)
        return step.profile

    def _interact(self, key: str, before: Profile, work: Work, now: int) -> Profile:
        _, signal, items, at, published, order = work
        past = transitions.interaction(signal, tuple(items), at, order)
        step = transitions.interact(before, past, self._limits, self._bounds, now)
        self._sums.record(key, step)
        self._sums.publish(key, published)
        if step.outcome == "flooded":
            self._sums.flooded(key, Signal(signal).name.lower(), items, at, published)
        elif step.outcome in _TAKEN:
            self._sums.remember(key, past)
            self._sums.meet(key, signal, items, at)
        return step.profile


class AnonymousProfiles(_Profiles):
    """(key, work) -> (lane, Pane); tagged HANDED, (key of the customer, work) once one is linked; tagged DEAD."""

    CELL = ReadModifyWriteStateSpec("profile", BytesCoder())
    IDLE = TimerSpec("idle", TimeDomain.REAL_TIME)

    def process(
        self,
        element: tuple[str, Work],
        cell: Any = beam.DoFn.StateParam(CELL),
        timer: Any = beam.DoFn.TimerParam(IDLE),
    ) -> Iterator[Any]:
        """One event or link of an anonymous visitor."""
        key, work = element
        stored = cell.read()
        before = profile.decode(stored) if stored else EMPTY
        now = self._clock()
        self._sums.count(key, ANONYMOUS_WORK_DONE)
        if work[0] in (LINK, SEED):
            step = self._bind(key, before, work, now)
            after = step.profile
            if step.handed_over:
                day = after.linked_at // DAY_MS
                yield self._hand(key, after.linked, handover(step.handed_over, day))
        elif before.linked is not None:
            yield self._hand(key, before.linked, work)
            after = transitions.met(before, now)
            if work[0] == WITHDRAWAL:
                after = self._act(key, before, work, now)
        else:
            after = self._act(key, before, work, now)
        self._keep(before, after, cell, timer)
        yield from self._sums.overflow()

    @on_timer(IDLE)  # type: ignore[untyped-decorator] # Beam has no types here
    def idle(
        self,
        key: str = beam.DoFn.KeyParam,
        cell: Any = beam.DoFn.StateParam(CELL),
        timer: Any = beam.DoFn.TimerParam(IDLE),
    ) -> Iterator[Any]:
        """Nothing may be left to count."""
        yield from self._idle(key, cell, timer)

    def _hand(self, key: str, customer: str | None, work: Work) -> pvalue.TaggedOutput:
        self._sums.count(key, KNOWN_WORK)
        return pvalue.TaggedOutput(HANDED, (customer, work))

    def _bind(self, key: str, before: Profile, work: Work, now: int) -> Step:
        if work[0] == SEED:
            step = transitions.seed(before, profile.decode(work[1]), self._limits, now)
        else:
            step = transitions.link(before, work[1], work[2], self._limits, now)
        if step.outcome != "unchanged":  # every message of a known visitor repeats the link
            self._sums.record(key, step)
        if step.handed_over:
            # The anonymous visitor is a known customer from here on; recents move with the history.
            self._sums.forget(key, now)
        return step


class KnownProfiles(_Profiles):
    """(key, work) -> (lane, Pane); and dead letters, tagged DEAD."""

    CELL = ReadModifyWriteStateSpec("profile", BytesCoder())
    IDLE = TimerSpec("idle", TimeDomain.REAL_TIME)

    def process(
        self,
        element: tuple[str, Work],
        cell: Any = beam.DoFn.StateParam(CELL),
        timer: Any = beam.DoFn.TimerParam(IDLE),
    ) -> Iterator[Any]:
        """One event, handed-over past, erasure or seed of a known customer."""
        key, work = element
        stored = cell.read()
        before = profile.decode(stored) if stored else EMPTY
        now = self._clock()
        if work[0] == HANDOVER:
            after = self._take_over(key, before, *handed(work), now)
        elif work[0] == ERASURE:
            step = transitions.erase(before, work[1], self._limits, now)
            self._sums.record(key, step)
            after = step.profile
            self._sums.forget(key, after.erased_at, Leave.TOMBSTONE)
        elif work[0] == SEED:
            step = transitions.seed(before, profile.decode(work[1]), self._limits, now)
            self._sums.record(key, step)
            after = step.profile
        else:
            after = self._act(key, before, work, now)
        self._sums.count(key, KNOWN_WORK_DONE)
        self._keep(before, after, cell, timer)
        yield from self._sums.overflow()

    @on_timer(IDLE)  # type: ignore[untyped-decorator] # Beam has no types here
    def idle(
        self,
        key: str = beam.DoFn.KeyParam,
        cell: Any = beam.DoFn.StateParam(CELL),
        timer: Any = beam.DoFn.TimerParam(IDLE),
    ) -> Iterator[Any]:
        """Nothing may be left to count."""
        yield from self._idle(key, cell, timer)

    def _take_over(self, key: str, before: Profile, past: Past, day: int, now: int) -> Profile:
        step = transitions.join(before, past, self._limits, now, floor=day)
        self._sums.record(key, step._replace(outcome="merged"))
        kept = past.since(profile.window_start(before, self._limits, now))
        if kept:
            self._sums.remember(key, kept)
        return step.profile
