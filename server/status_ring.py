"""A bounded record of counters that only grow, out of looks at their sums. Pure: times are given.

Kept is what has grown since the record began, column by column, so that any stretch of time is one difference. What is
not known, because nobody answered or counters began anew, has grown by nothing in no time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Counters = Mapping[str, float]
"""Name -> sum since some moment."""
Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """What has grown in a stretch of time.

    seconds: how much of it is known. grown: of each counter that has grown. levels: what else was seen, last of all.
    """

    seconds: float = 0.0
    grown: Counters = field(default_factory=dict)
    levels: Counters = field(default_factory=dict)

    def rate(self, *names: str) -> float | None:
        """Of the counters' sum, per second; None where nothing is known of the time."""
        return self.sum(names) / self.seconds if self.seconds > 0 else None

    def share(self, part: Iterable[str], of: Iterable[str]) -> float | None:
        """Of some counters' growth in that of others; None where the others have not grown."""
        whole = self.sum(of)
        return self.sum(part) / whole if whole > 0 else None

    def sum(self, names: Iterable[str]) -> float:
        """Growth of some counters."""
        return sum(self.grown.get(name, 0.0) for name in names)

    def beginning(self, prefix: str) -> dict[str, float]:
        """Growth by the rest of the names that begin so."""
        return {name.removeprefix(prefix): n for name, n in self.grown.items() if name.startswith(prefix)}


class Ring:
    """The looks of the last `span` seconds, at most `most` of them."""

    def __init__(self, span: float, most: int, gap: float) -> None:
        """Empty.

        Args:
            span: how far back it reaches, seconds.
            most: looks that are kept at most, whatever `span`; two or more.
            gap: what happened between two answered looks further apart, seconds, is not known: it cannot be said when.
        """
        self._span, self._most, self._gap = span, most, gap
        self._places: dict[str, int] = {}
        self._begin()

    def _begin(self) -> None:
        self._times: list[float] = []
        self._known: list[float] = []
        self._sums: list[Column] = []
        self._levels: list[Counters] = []
        self._before: Counters | None = None
        self._last: Counters = {}

    def __len__(self) -> int:
        return len(self._times)

    def add(self, at: float, counters: Counters | None, levels: Counters | None = None) -> None:
        """Take a look into the record.

        Args:
            at: when, seconds. Not later than the last one: the clock went back, and the record begins anew.
            counters: their sums; None: nobody answered.
            levels: what else was seen.
        """
        if self._times and at <= self._times[-1]:
            self._begin()
        known = self._known[-1] if self._times else 0.0
        sums = self._sums[-1] if self._times else np.zeros(0)
        if counters is not None:
            for name in counters:
                self._places.setdefault(name, len(self._places))
            if self._before is not None and at - self._times[-1] <= self._gap and not _fell(self._before, counters):
                known += at - self._times[-1]
                sums = self._grown(sums, self._before, counters)
        self._times.append(at)
        self._known.append(known)
        self._sums.append(sums)
        self._levels.append(dict(levels or {}))
        self._before = None if counters is None else dict(counters)
        self._last = self._before or self._last
        self._forget(at)

    def _grown(self, sums: Column, before: Counters, after: Counters) -> Column:
        out = np.zeros(len(self._places))
        out[: len(sums)] = sums
        for name, n in after.items():
            out[self._places[name]] += n - before.get(name, 0.0)
        return out

    def _forget(self, now: float) -> None:
        """All but one look from before the span: from that one on the span is known whole."""
        old = max(bisect_right(self._times, now - self._span) - 1, len(self._times) - self._most, 0)
        for kept in (self._times, self._known, self._sums, self._levels):
            del kept[:old]

    @property
    def last(self) -> Counters:
        """The sums of the last look that was answered."""
        return self._last

    def over(self, now: float, seconds: float) -> Window:
        """From the last look before the last so many seconds on."""
        if not self._times:
            return Window()
        first = max(0, bisect_right(self._times, now - seconds) - 1)
        grown = self._named(self._padded(len(self._times) - 1) - self._padded(first))
        return Window(self._known[-1] - self._known[first], grown, self._levels[-1])

    def bins(self, now: float, width: float, n: int) -> list[Window | None]:
        """The last n stretches of `width` seconds that are over, the oldest first; None where nothing is known.

        Growth between two looks belongs to stretches by their parts of that time. They begin at multiples of the
        width, so that a plot that is drawn again has the same points.
        """
        if len(self._times) < 2:
            return [None] * n
        edges = (now // width - n + np.arange(n + 1)) * width
        times = np.asarray(self._times)
        edges = np.clip(edges, times[0], times[-1])
        right = np.clip(np.searchsorted(times, edges, side="right"), 1, len(times) - 1)
        part = (edges - times[right - 1]) / (times[right] - times[right - 1])
        known = np.asarray(self._known)
        seconds = np.diff(known[right - 1] + part * (known[right] - known[right - 1]))
        left = np.stack([self._padded(place - 1) for place in right.tolist()])
        step = np.stack([self._padded(place) for place in right.tolist()]) - left
        grown = np.diff(left + part[:, None] * step, axis=0)
        last = np.searchsorted(times, edges[1:], side="right").tolist()
        return [
            Window(seconds[place], self._named(grown[place]), self._levels[last[place] - 1])
            if seconds[place] > 1e-6
            else None
            for place in range(n)
        ]

    def since_grown(self, now: float, *names: str) -> float | None:
        """Seconds since the last look at which one of the counters had grown; None: at no look."""
        places = [self._places[name] for name in names if name in self._places]
        for place in range(len(self._times) - 1, 0, -1):
            if self._sums[place] is not self._sums[place - 1]:
                grown = self._padded(place)[places] - self._padded(place - 1)[places]
                if grown.any():
                    return max(0.0, now - self._times[place])
        return None

    def least(self, now: float, seconds: float, level: str) -> float | None:
        """The least of a level in the last so many seconds; None where not all of them are known."""
        if not self.covered(now, seconds):
            return None
        first = bisect_right(self._times, now - seconds)
        return min((seen[level] for seen in self._levels[first:] if level in seen), default=None)

    def covered(self, now: float, seconds: float) -> bool:
        """Whether all of the last so many seconds is known, but for what is younger than a gap."""
        first = bisect_right(self._times, now - seconds) - 1
        if first < 0 or now - self._times[-1] > self._gap:
            return False
        return self._known[-1] - self._known[first] >= (self._times[-1] - self._times[first]) * (1 - 1e-9)

    def _padded(self, place: int) -> Column:
        sums = self._sums[place]
        return sums if len(sums) == len(self._places) else np.pad(sums, (0, len(self._places) - len(sums)))

    def _named(self, grown: Column) -> dict[str, float]:
        places = grown.tolist()
        return {name: places[place] for name, place in self._places.items() if places[place] > 0}


def _fell(before: Counters, after: Counters) -> bool:
    """Whether a counter has fallen or is gone: they began anew, and nobody knows what was lost."""
    return any(after.get(name, 0.0) < n for name, n in before.items())
