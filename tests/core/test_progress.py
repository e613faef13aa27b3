"""Whether the stream is done, on a small model of it: elements that wait between steps, and counters of each bundle."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from varde.progress import DELIVERIES, DELIVERIES_APPLIED, MESSAGES, WORK, WORK_DONE, settled, under_way

stats = st.dictionaries(
    st.sampled_from([MESSAGES, WORK, WORK_DONE, DELIVERIES, DELIVERIES_APPLIED]), st.integers(0, 1000)
)


class Stream:
    """Messages -> work at profiles, some of it handed on once -> batches. Every bundle is counted as it happens."""

    def __init__(self, messages: int, chance: random.Random) -> None:
        self.chance = chance
        self.counted: Counter[str] = Counter()
        self.unread = messages
        self.waiting: list[bool] = []  # work; whether it may still be handed on
        self.batches = 0

    @property
    def on_its_way(self) -> int:
        return len(self.waiting) + self.batches

    def read(self) -> None:
        n = self.chance.randint(1, self.unread)
        self.unread -= n
        new = self.chance.choices([True, False], k=self.chance.randint(0, 2 * n))
        self.waiting += new
        self.counted.update({MESSAGES: n, WORK: len(new)})

    def work(self) -> None:
        handed_on = self.waiting.pop(self.chance.randrange(len(self.waiting))) and self.chance.random() < 0.5
        if handed_on:
            self.waiting.append(False)
        made = self.chance.randint(0, 2)
        self.batches += made
        self.counted.update({WORK_DONE: 1, WORK: int(handed_on), DELIVERIES: made})

    def apply(self) -> None:
        self.batches -= 1
        self.counted.update({DELIVERIES_APPLIED: 1})

    def step(self) -> bool:
        """One bundle of any step that has something to do; whether there was one."""
        able = [(self.read, self.unread), (self.work, self.waiting), (self.apply, self.batches)]
        ready = [step for step, input_ in able if input_]
        if ready:
            self.chance.choice(ready)()
        return bool(ready)


@given(st.integers(0, 12), st.randoms(use_true_random=False))
def test_settled_exactly_when_all_is_read_and_nothing_is_on_its_way(messages: int, chance: random.Random) -> None:
    stream = Stream(messages, chance)
    more = True
    while more:
        assert under_way(stream.counted) == stream.on_its_way
        assert settled(stream.counted, messages) == (not stream.unread and not stream.on_its_way)
        more = stream.step()
    assert settled(stream.counted, messages)
    assert not settled(stream.counted, messages + 1)


@given(stats, st.integers(0, 1000))
def test_whatever_is_read_while_it_grows_is_never_negative(found: dict[str, int], messages: int) -> None:
    assert under_way(found) >= 0
    if settled(found, messages):
        assert found.get(WORK, 0) == found.get(WORK_DONE, 0)
        assert found.get(DELIVERIES, 0) == found.get(DELIVERIES_APPLIED, 0)
        assert found.get(MESSAGES, 0) >= messages


@given(stats)
def test_two_steps_that_are_off_do_not_make_up_for_each_other(found: dict[str, int]) -> None:
    """Sums are read while they grow: work may be done before it was counted, a batch counted before it is applied."""
    more = Counter(found)
    more.update({WORK_DONE: 2000, DELIVERIES: 2000})
    assert under_way(more) > 0


def test_duplicates_may_come_on_top() -> None:
    assert settled({MESSAGES: 12, WORK: 3, WORK_DONE: 3}, 10)


def test_nothing_was_sent() -> None:
    assert settled({}, 0)
    assert under_way({}) == 0
