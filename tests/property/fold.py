"""The stream without an engine: its transitions over two dictionaries of profiles, message by message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from varde import orders, profile, transitions
from varde.counts import Counts
from varde.events import Erasure, Event, IdentityLink, Impersonal, Interaction, Return
from varde.flood import Bounds
from varde.history import DAY_MS, Limits
from varde.profile import EMPTY, Profile
from varde.transitions import Past, Step

NO_BOUNDS = Bounds(10**9, 10**9)


class Fold:
    """Profiles and the sum of their differences. Ids stand for customer keys."""

    def __init__(self, limits: Limits, now: int, bounds: Bounds = NO_BOUNDS) -> None:
        self.limits, self.now, self.bounds = limits, now, bounds
        self.known: dict[str, Profile] = {}
        self.anonymous: dict[str, Profile] = {}
        self.total = Counts()
        self.outcomes: Counter[str] = Counter()

    def play(self, events: Iterable[Event]) -> Fold:
        """Take events in their order."""
        for event in events:
            self.take(event)
        return self

    def take(self, event: Event) -> None:
        """Take one event, as the steps of the stream do."""
        if isinstance(event, Impersonal):
            return
        if isinstance(event, IdentityLink):
            device = self.anonymous.get(event.anonymous_id, EMPTY)
            step = self._put(
                self.anonymous,
                event.anonymous_id,
                transitions.link(device, event.user_id, event.time, self.limits, self.now),
            )
            self._hand(step)
        elif isinstance(event, Erasure):
            held = self.known.get(event.user_id, EMPTY)
            self._put(self.known, event.user_id, transitions.erase(held, event.time, self.limits, self.now))
        elif isinstance(event, Interaction | Return):
            self._meet(event.user_id, event.anonymous_id, event)
        else:
            if event.user_id is not None:
                self._withdraw(self.known, event.user_id, event.time)
            if event.anonymous_id is not None:
                linked = self.anonymous.get(event.anonymous_id, EMPTY).linked
                self._withdraw(self.anonymous, event.anonymous_id, event.time)
                if linked is not None:
                    self._withdraw(self.known, linked, event.time)

    def seed(self, kind: str, key: str, past: Profile) -> None:
        """Bring in a past whose counts are elsewhere already."""
        where = self.known if kind == "known" else self.anonymous
        step = self._put(where, key, transitions.seed(where.get(key, EMPTY), past, self.limits, self.now))
        self._hand(step)

    def _meet(self, user_id: str | None, anonymous_id: str | None, event: Interaction | Return) -> None:
        where, key = self.known, user_id
        if key is None:
            where, key = self.anonymous, anonymous_id or ""
            linked = self.anonymous.get(key, EMPTY).linked
            if linked is not None:
                where, key = self.known, linked
        held = where.get(key, EMPTY)
        if isinstance(event, Return):
            past = transitions.take_back(orders.order_key(event.order_id), event.items, event.time)
            self._put(where, key, transitions.join(held, past, self.limits, self.now))
            return
        past = transitions.interaction(event.signal, event.items, event.time, orders.order_key(event.order_id))
        self._put(where, key, transitions.interact(held, past, self.limits, self.bounds, self.now))

    def _withdraw(self, where: dict[str, Profile], key: str, time: int) -> None:
        self._put(where, key, transitions.withdraw(where.get(key, EMPTY), time, self.limits, self.now))

    def _hand(self, step: Step) -> None:
        if step.handed_over:
            assert step.profile.linked is not None
            self._join(step.profile.linked, step.handed_over, step.profile.linked_at // DAY_MS)

    def _join(self, key: str, past: Past, day: int) -> None:
        held = self.known.get(key, EMPTY)
        self._put(self.known, key, transitions.join(held, past, self.limits, self.now, floor=day))

    def _put(self, where: dict[str, Profile], key: str, step: Step) -> Step:
        where[key] = profile.decode(profile.encode(step.profile))  # as the state cell keeps it
        self.total.add(step.changes)
        self.outcomes[step.outcome] += 1
        return step
