"""The two stateful steps: anonymous profiles, and the known customers they may belong to. One state cell each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.coders import BytesCoder
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from varde import keys, profile
from varde.delivery import Pane, Recent, popularity
from varde.history import Signal
from varde.pairs import NOBODY, Histories
from varde.profile import EMPTY, Profile, Step
from varde.progress import ANONYMOUS_WORK_DONE, KNOWN_WORK, KNOWN_WORK_DONE
from varde.settings import Settings

from .clock import wall_clock
from .messages import ERASURE, HANDOVER, INTERACTION, LINK, Work, handover, lane
from .panes import in_global_window

PANE, HANDED = "pane", "handed"
_FLUSH = 50_000
"""Pair updates after which a bundle's sum is sent on before the bundle ends: bounds memory."""


class _Profiles(beam.DoFn):
    """What both steps share: the sums of a bundle, and what an interaction adds to them."""

    def __init__(self, settings: Settings, lanes: int, clock: Callable[[], int] = wall_clock) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._secret = settings.id_secret.encode()
        self._lanes = lanes
        self._clock = clock
        self._panes: dict[int, Pane] = {}
        self._updates = 0

    def start_bundle(self) -> None:
        """A bundle that is tried again sums again from nothing."""
        self._panes = {}
        self._updates = 0

    def finish_bundle(self) -> Iterator[Any]:
        """Send the bundle's sums on: one element a lane."""
        for where, pane in self._panes.items():
            yield in_global_window((where, pane))
        self.start_bundle()

    def _overflow(self) -> Iterator[Any]:
        if self._updates >= _FLUSH:
            yield from self._panes.items()
            self.start_bundle()

    def _pane(self, key: str) -> Pane:
        where = lane(key, self._lanes)
        pane = self._panes.get(where)
        if pane is None:
            pane = self._panes[where] = Pane()
        return pane

    def _count(self, key: str, name: str) -> None:
        stats = self._pane(key).stats
        stats[name] = stats.get(name, 0) + 1

    def _record(self, pane: Pane, step: Step) -> None:
        self._add(pane, step)
        pane.stats[step.outcome] = pane.stats.get(step.outcome, 0) + 1

    def _add(self, pane: Pane, step: Step) -> None:
        pane.counts.add(step.changes)
        for row in step.changes.rows:
            name = "pairs_added" if row.sign > 0 else "pairs_removed"
            pane.stats[name] = pane.stats.get(name, 0) + len(row.partners)
            self._updates += len(row.partners)

    def _interact(self, key: str, customer: str, before: Profile, work: Work, now: int) -> Profile:
        """One interaction of this profile."""
        signal, items, at, published = int(work[1]), work[2], int(work[3]), int(work[4])
        step = profile.seen(before, profile.interaction(Signal(signal), items, at), self._limits, now)
        pane = self._pane(key)
        self._record(pane, step)
        bucket = published // 100 * 100
        pane.published[bucket] = pane.published.get(bucket, 0) + 1
        if step.outcome in ("counted", "refreshed"):
            weights = pane.popular.setdefault(signal, {})
            weight = popularity(at, self._settings.half_life_days)
            for item in items:
                weights[item] = weights.get(item, 0.0) + weight
            if signal == Signal.VIEW:
                latest = dict.fromkeys(items[-self._settings.recent_items :], at)
                pane.remember(Recent(customer, latest))
        return step.profile


class AnonymousProfiles(_Profiles):
    """(anonymousId, work) -> (lane, Pane); and, tagged HANDED, (userId, work) once a link has named the customer."""

    CELL = ReadModifyWriteStateSpec("profile", BytesCoder())

    def process(self, element: tuple[str, Work], cell: Any = beam.DoFn.StateParam(CELL)) -> Iterator[Any]:
        """One event or link of an anonymous visitor."""
        anonymous_id, work = element
        stored = cell.read()
        before = profile.decode(stored) if stored else EMPTY
        now = self._clock()
        self._count(anonymous_id, ANONYMOUS_WORK_DONE)
        if work[0] == LINK:
            after, handed = self._link(anonymous_id, before, work, now)
            if handed:
                self._count(anonymous_id, KNOWN_WORK)
                yield pvalue.TaggedOutput(HANDED, (after.linked, handover(handed)))
        elif before.linked is not None:
            self._count(anonymous_id, KNOWN_WORK)
            yield pvalue.TaggedOutput(HANDED, (before.linked, work))
            return
        else:
            customer = keys.customer_key(None, anonymous_id, self._secret)
            after = self._interact(anonymous_id, customer, before, work, now)
        if after is not before:
            cell.write(profile.encode(after))
        yield from self._overflow()

    def _link(self, anonymous_id: str, before: Profile, work: Work, now: int) -> tuple[Profile, Histories]:
        _, user_id, at = work
        step = profile.link(before, user_id, at, now, self._limits)
        pane = self._pane(anonymous_id)
        if step.outcome != "unchanged":  # every message of a known visitor repeats the link
            self._record(pane, step)
        if step.handed_over:
            # The anonymous visitor is a known customer from here on; recents move with the history.
            pane.remember(Recent(keys.customer_key(None, anonymous_id, self._secret), {}, erased_at=now))
        return step.profile, step.handed_over


class KnownProfiles(_Profiles):
    """(userId, work) -> (lane, Pane)."""

    CELL = ReadModifyWriteStateSpec("profile", BytesCoder())

    def process(self, element: tuple[str, Work], cell: Any = beam.DoFn.StateParam(CELL)) -> Iterator[Any]:
        """One event, handed-over history or erasure of a known customer."""
        user_id, work = element
        stored = cell.read()
        before = profile.decode(stored) if stored else EMPTY
        now = self._clock()
        customer = keys.customer_key(user_id, None, self._secret)
        if work[0] == INTERACTION:
            after = self._interact(user_id, customer, before, work, now)
        elif work[0] == HANDOVER:
            after = self._take_over(user_id, customer, before, Histories(*work[1:]), now)
        else:
            assert work[0] == ERASURE
            step = profile.erase(before, work[1], now, self._limits)
            pane = self._pane(user_id)
            self._record(pane, step)
            pane.remember(Recent(customer, {}, erased_at=step.profile.erased_at))
            after = step.profile
        self._count(user_id, KNOWN_WORK_DONE)
        if after is not before:
            cell.write(profile.encode(after))
        yield from self._overflow()

    def _take_over(self, user_id: str, customer: str, before: Profile, handed: Histories, now: int) -> Profile:
        step = profile.seen(before, handed, self._limits, now)
        pane = self._pane(user_id)
        self._add(pane, step)
        pane.stats["merged"] = pane.stats.get("merged", 0) + 1
        kept = handed.since(before.erased_at + 1) or NOBODY
        latest = sorted(kept.view.items(), key=lambda entry: -entry[1])[: self._settings.recent_items]
        if latest:
            pane.remember(Recent(customer, dict(latest)))
        return step.profile
