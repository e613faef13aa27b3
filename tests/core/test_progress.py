"""Whether the stream is done, on a small model of it: elements that wait, and batches applied in any order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from varde.progress import (
    ANONYMOUS_WORK,
    ANONYMOUS_WORK_DONE,
    DELIVERIES,
    DELIVERIES_APPLIED,
    KNOWN_WORK,
    KNOWN_WORK_DONE,
    MESSAGES,
    settled,
    under_way,
)

NAMES = [
    MESSAGES, ANONYMOUS_WORK, ANONYMOUS_WORK_DONE, KNOWN_WORK, KNOWN_WORK_DONE, DELIVERIES, DELIVERIES_APPLIED,
]  # fmt: skip
stats = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 1000))


class Stream:
    """Messages -> anonymous or known work, some of the former handed on -> batches, applied in any order."""

    def __init__(self, messages: int, chance: random.Random) -> None:
        self.chance = chance
        self.redis: Counter[str] = Counter()
        self.unread = messages
        self.anonymous = self.known = 0
        self.batches: list[Counter[str]] = []

    def emit(self, counted: Mapping[str, int]) -> None:
        """A pane becomes one to three batches; one carries its counters and their number."""
        parts = [Counter({DELIVERIES_APPLIED: 1}) for _ in range(self.chance.randint(1, 3))]
        self.chance.choice(parts).update({**counted, DELIVERIES: len(parts)})
        self.batches += parts

    def read(self) -> None:
        self.unread -= 1
        new = self.chance.choice([{}, {ANONYMOUS_WORK: 1}, {KNOWN_WORK: 1}, {ANONYMOUS_WORK: 1, KNOWN_WORK: 1}])
        self.anonymous += new.get(ANONYMOUS_WORK, 0)
        self.known += new.get(KNOWN_WORK, 0)
        self.emit({MESSAGES: 1, **new})

    def work_anonymous(self) -> None:
        handed_on = self.chance.randint(0, 1)
        self.anonymous -= 1
        self.known += handed_on
        self.emit({ANONYMOUS_WORK_DONE: 1, KNOWN_WORK: handed_on})

    def work_known(self) -> None:
        self.known -= 1
        self.emit({KNOWN_WORK_DONE: 1})

    def apply(self) -> None:
        self.redis.update(self.batches.pop(self.chance.randrange(len(self.batches))))

    def able(self) -> list:
        steps = [
            (self.read, self.unread),
            (self.work_anonymous, self.anonymous),
            (self.work_known, self.known),
            (self.apply, len(self.batches)),
        ]
        return [step for step, waiting in steps if waiting]


@given(st.integers(0, 6), st.randoms(use_true_random=False))
def test_settled_exactly_when_nothing_is_left_to_do(messages: int, chance: random.Random) -> None:
    stream = Stream(messages, chance)
    while able := stream.able():
        assert not settled(stream.redis, messages)
        chance.choice(able)()
    assert settled(stream.redis, messages)
    assert not settled(stream.redis, messages + 1)


@given(stats, st.integers(0, 1000))
def test_whatever_is_read_while_it_grows_is_never_negative(found: dict[str, int], messages: int) -> None:
    assert under_way(found) >= 0
    if settled(found, messages):
        assert found.get(ANONYMOUS_WORK, 0) == found.get(ANONYMOUS_WORK_DONE, 0)
        assert found.get(KNOWN_WORK, 0) == found.get(KNOWN_WORK_DONE, 0)
        assert found.get(DELIVERIES, 0) == found.get(DELIVERIES_APPLIED, 0)
        assert found.get(MESSAGES, 0) >= messages


def test_steps_that_are_off_do_not_make_up_for_each_other() -> None:
    assert under_way({ANONYMOUS_WORK: 1, KNOWN_WORK_DONE: 1}) == 2
    assert under_way({KNOWN_WORK: 1, DELIVERIES_APPLIED: 1}) == 2


def test_duplicates_may_come_on_top() -> None:
    assert settled({MESSAGES: 12, KNOWN_WORK: 3, KNOWN_WORK_DONE: 3}, 10)


def test_nothing_was_sent() -> None:
    assert settled({}, 0)
    assert under_way({}) == 0
