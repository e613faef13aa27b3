"""Which keys of a step have a timer that is due, without asking all of them. Pure; for Beam's local runner.

Every profile has a timer, most of them months ahead, and the runner asks for due ones on every turn, many times a
second. So the states of a step note which keys have changed, and a heap knows when the soonest timer of each key is
due: a turn costs the changed keys and the due ones.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.utils.timestamp import Timestamp

Key = bytes | None
Timers = dict[Any, dict[tuple[str, str, str], Any]]
"""window -> (name, domain, tag) -> when: as Beam's in-memory state holds them."""


class Alarms:
    """The soonest timer of each key, in one time domain."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Key]] = []
        self._soonest: dict[Key, int] = {}
        self._pushed = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def set(self, key: Key, at: int) -> None:
        """Ask for the key to be named from `at` (us) on; what is set for it already and sooner holds."""
        if at < self._soonest.get(key, at + 1):
            self._soonest[key] = at
            self._pushed += 1  # keys need not be comparable
            heapq.heappush(self._heap, (at, self._pushed, key))

    def ring(self, now: int) -> Iterator[Key]:
        """The keys whose time has come at `now` (us); each is named once."""
        while self._heap and self._heap[0][0] <= now:
            at, _, key = heapq.heappop(self._heap)
            if self._soonest.get(key) == at:  # else a sooner one has been named, and was set anew since
                del self._soonest[key]
                yield key


class KeyedStates(dict[Key, Any]):
    """The states of a step by key; notes which have been put in, and knows which to ask for due timers."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: set[Key] = set()
        self._due: set[Key] = set()
        self._with_real_time: set[Key] = set()
        self._real_time, self._watermark = Alarms(), Alarms()

    def __setitem__(self, key: Key, state: Any) -> None:
        """Put a state in. The runner changes copies, so a timer is set or cleared in this way only."""
        super().__setitem__(key, state)
        self._changed.add(key)

    @property
    def any_real_time(self) -> bool:
        """Whether a timer in real time is set, however far ahead. As of the last `to_ask`."""
        return bool(self._with_real_time)

    def to_ask(self, watermark: Timestamp, now: Timestamp) -> Iterable[Key]:
        """The keys that may have a due timer; each wants an `answer`.

        Args:
            watermark: the step's input watermark.
            now: the runner's clock.
        """
        if self._changed:
            for key in self._changed:
                self._look(key, self[key].timers)
            self._due |= self._changed
            self._changed = set()
        if self._real_time:
            self._due.update(self._real_time.ring(now.micros))
        if self._watermark:
            self._due.update(self._watermark.ring(watermark.micros))
        asked = {key for key in self._due if key in self} if self._due else self._due  # some may be gone by now
        self._due = set()  # a new one: a set that was large stays slow to walk when it is empty
        return asked

    def answer(self, key: Key, due: bool) -> None:
        """What was found: ask the key again next time, or let it be until its next timer is due."""
        if due:
            self._due.add(key)
            return
        state = self[key]
        if not (state.timers or state.state or state.global_state):
            del self[key]  # Beam keeps the shell of every key that ever was
        for (_, domain, _), at in _entries(state.timers):
            (self._real_time if domain == TimeDomain.REAL_TIME else self._watermark).set(key, _micros(at))

    def _look(self, key: Key, timers: Timers) -> None:
        if any(domain == TimeDomain.REAL_TIME for (_, domain, _), _ in _entries(timers)):
            self._with_real_time.add(key)
        else:
            self._with_real_time.discard(key)


def _entries(timers: Timers) -> Iterator[tuple[tuple[str, str, str], Any]]:
    for by_name in timers.values():
        yield from by_name.items()


def _micros(at: Any) -> int:
    micros: int = Timestamp.of(at).micros
    return micros
