"""The window under a moving clock: days pass, events come at any time of any day, the nightly job expires.

The stream emits nothing when an interaction leaves the window. The nightly job of this test takes it out at midnight,
by brute force; together both are the definition at every moment.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from varde.events import Erasure, Event, IdentityLink, Interaction, Return
from varde.history import DAY_MS, Limits, Signal

from . import oracle
from .fold import Fold

MANY = settings(max_examples=2 * settings().max_examples)
FIRST = 20_000
"""The day on which a world begins."""
LENGTH = 10
OWNERS = {"a": "U", "b": "V"}
limits = st.builds(Limits, st.integers(2, 5), st.integers(1, 4))
ITEMS = st.lists(st.sampled_from("pqrst"), min_size=1, max_size=3, unique=True).map(tuple)


@cache
def time_on(day: int) -> st.SearchStrategy[int]:
    """A time of that day, its edges among them."""
    start = day * DAY_MS
    return st.one_of(st.sampled_from([start, start + DAY_MS - 1]), st.integers(start, start + DAY_MS - 1))


def event_on(day: int) -> st.SearchStrategy[Event]:
    """Something that comes on `day` and happened then or on one of the days before, late; devices have one owner."""
    at = st.one_of(time_on(day), time_on(day), st.integers(day - 6, day).flatmap(time_on))
    who = st.sampled_from([("U", None), ("V", None), (None, "a"), (None, "b")])
    interaction = st.builds(
        lambda ids, signal, items, time, number: Interaction(
            ids[0], ids[1], signal, items, time, order_on(time, number) if signal == Signal.PURCHASE else None
        ),
        who, st.sampled_from(Signal), ITEMS, at, st.integers(0, 1),
    )  # fmt: skip
    taken_back = st.builds(
        # Of an order of that day or one before: a shop does not take back what will be bought.
        lambda ids, items, time, number, ago: Return(
            ids[0], ids[1], order_on(time - ago * DAY_MS, number), items, time // DAY_MS * DAY_MS + DAY_MS - 1
        ),
        who, st.one_of(st.just(()), ITEMS), at, st.integers(0, 1), st.integers(0, 4),
    )  # fmt: skip
    link = st.builds(lambda who, time: IdentityLink(who, OWNERS[who], time), st.sampled_from(list(OWNERS)), at)
    erasure = st.builds(Erasure, st.sampled_from("UV"), at)
    return st.one_of(interaction, interaction, interaction, taken_back, link, erasure)


def order_on(time: int, number: int) -> str:
    """The id of an order: it is of one day."""
    return f"{time // DAY_MS}-{number}"


days = st.tuples(*(st.lists(event_on(FIRST + n), max_size=5) for n in range(LENGTH)))


class World:
    """The stream, the nightly job, and every event so far."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.stream = Fold(limits, FIRST * DAY_MS)
        self.events: list[Event] = []
        self.expired_pairs: Counter[tuple[int, str, str]] = Counter()
        self.expired_supports: Counter[tuple[int, str]] = Counter()

    @property
    def counts(self) -> oracle.Totals:
        """What Redis would hold: the stream's differences and the nightly job's."""
        emitted_pairs, emitted_supports = self.stream.total.totals()
        pairs, supports = Counter(emitted_pairs), Counter(emitted_supports)
        pairs.subtract(self.expired_pairs)
        supports.subtract(self.expired_supports)
        return {k: n for k, n in pairs.items() if n}, {k: n for k, n in supports.items() if n}

    def take(self, event: Event) -> None:
        self.events.append(event)
        self.stream.take(event)

    def midnight(self, day: int) -> None:
        """The day begins: what has left the window goes, by the definition before and after."""
        old_pairs, old_supports = self.truth()
        self.stream.now = day * DAY_MS
        new_pairs, new_supports = self.truth()
        self.expired_pairs.update(old_pairs)
        self.expired_pairs.subtract(new_pairs)
        self.expired_supports.update(old_supports)
        self.expired_supports.subtract(new_supports)

    def truth(self) -> oracle.Totals:
        return oracle.arrival(self.events, self.limits, self.stream.now)


@MANY
@given(st.data(), limits, days)
def test_counts_are_the_definition_at_every_moment(
    data: st.DataObject, limits: Limits, days: tuple[list[Event], ...]
) -> None:
    world = World(limits)
    for day, events in enumerate(days, FIRST):
        world.midnight(day)
        assert world.counts == world.truth(), "after midnight"
        again = data.draw(st.lists(st.sampled_from(world.events), max_size=2)) if world.events else []
        for event in [*events, *again]:
            world.stream.now = day * DAY_MS + data.draw(st.integers(0, DAY_MS - 1))
            world.take(event)
            assert world.counts == world.truth()


@given(limits, days)
def test_the_stream_emits_nothing_when_the_window_moves(limits: Limits, days: tuple[list[Event], ...]) -> None:
    """Midnight by itself is silent, and after the last day of the window only the nightly job has anything to do."""
    world = World(limits)
    for day, events in enumerate(days, FIRST):
        world.midnight(day)
        for event in events:
            world.take(event)
    emitted = world.stream.total.totals()
    for day in range(FIRST + LENGTH, FIRST + LENGTH + limits.window_days + 2):
        world.midnight(day)
        assert world.stream.total.totals() == emitted
    assert world.counts == world.truth() == ({}, {})


@given(limits, days)
def test_an_idle_profile_has_nothing_left_to_count(limits: Limits, days: tuple[list[Event], ...]) -> None:
    """Forgetting each profile on the day that it names changes no count then or later."""
    world = World(limits)
    for day, events in enumerate(days, FIRST):
        world.midnight(day)
        for where in (world.stream.known, world.stream.anonymous):
            for key in [key for key, held in where.items() if held.expires_on(limits.window_days) <= day]:
                del where[key]
        for event in events:
            world.take(event)
            # A link that was forgotten is one the definition still knows: only who is met again is linked again.
            if isinstance(event, Interaction | Return) and event.anonymous_id is not None:
                world.take(IdentityLink(event.anonymous_id, OWNERS[event.anonymous_id], event.time))
        assert world.counts == world.truth()
