"""What the profiles of one bundle come to, lane by lane, and the sample of floods among it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from apache_beam import pvalue
from apache_beam.io.gcp.pubsub import PubsubMessage

from varde.delivery import Leave, Pane, Recent, popularity, recent
from varde.events import Rejected
from varde.settings import Settings
from varde.transitions import Past, Step

from .dead_letters import DEAD, dead_letter
from .messages import lane
from .panes import in_global_window

PANE = "pane"
_FLUSH = 50_000
"""Pair updates after which a bundle's sum is sent on before the bundle ends: bounds memory."""


class Sums:
    """Panes under construction. One for each DoFn instance: a bundle is one thread's."""

    def __init__(self, lanes: int, settings: Settings) -> None:
        self._lanes = lanes
        self._half_life_days = settings.half_life_days
        self._kept = settings.latest_kept
        self.clear()

    def clear(self) -> None:
        """Begin a bundle."""
        self._panes: dict[int, Pane] = {}
        self._updates = 0
        self._floods: dict[str, PubsubMessage] = {}

    def flush(self) -> Iterator[Any]:
        """The sums so far, as outputs of a bundle's end; begins anew."""
        for where, pane in self._panes.items():
            yield in_global_window((where, pane))
        for sample in self._floods.values():
            yield pvalue.TaggedOutput(DEAD, in_global_window(sample))
        self.clear()

    def overflow(self) -> Iterator[Any]:
        """The sums so far when they have grown large, as outputs of one element; begins anew."""
        if self._updates >= _FLUSH:
            yield from self._panes.items()
            self._panes, self._updates = {}, 0

    def count(self, key: str, name: str, n: int = 1) -> None:
        """Add to a counter."""
        stats = self._pane(key).stats
        stats[name] = stats.get(name, 0) + n

    def record(self, key: str, step: Step) -> None:
        """Add a transition: its differences and its outcome."""
        pane = self._pane(key)
        pane.counts.add(step.changes)
        stats = pane.stats
        stats[step.outcome] = stats.get(step.outcome, 0) + 1
        for row in step.changes.rows:
            name = "pairs_added" if row.sign > 0 else "pairs_removed"
            stats[name] = stats.get(name, 0) + len(row.partners)
            self._updates += len(row.partners)

    def remember(self, key: str, past: Past) -> None:
        """Latest items of a customer: what a past adds to them."""
        self._pane(key).remember(recent(key, *past, self._kept))

    def forget(self, key: str, erased_at: int, leave: Leave = Leave.MARK) -> None:
        """The latest items of a customer go, as far as they are not newer."""
        self._pane(key).remember(Recent(key, {}, erased_at, leave))

    def publish(self, key: str, published: int) -> None:
        """Note when an interaction was published, ms, for freshness."""
        times = self._pane(key).published
        bucket = published // 100 * 100
        times[bucket] = times.get(bucket, 0) + 1

    def meet(self, key: str, signal: int, items: tuple[str, ...], at: int) -> None:
        """A customer met items: they become more popular."""
        self._pane(key).meet(signal, items, popularity(at, self._half_life_days))

    def flooded(self, key: str, signal: str, items: Iterable[str], at: int, published: int) -> None:
        """A sample of what a flooding customer sent: the first of a bundle, by key and as it was understood."""
        if key not in self._floods:
            body = {"customer": key, "signal": signal, "items": list(items), "time": at}
            self._floods[key] = dead_letter(Rejected("flood", signal), orjson.dumps(body), published)

    def _pane(self, key: str) -> Pane:
        where = lane(key, self._lanes)
        pane = self._panes.get(where)
        if pane is None:
            pane = self._panes[where] = Pane()
        return pane
