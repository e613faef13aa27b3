"""The last step: deliveries into Redis, once each, and the rows they touch."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics

from varde.delivery import Delivery
from varde.freshness import histogram
from varde.settings import Settings
from varde.store.sync import Store

from .clock import wall_clock
from .panes import Written

_log = logging.getLogger(__name__)


@functools.cache
def _store(settings: Settings) -> Store:
    """One store a process: its caches are worth keeping, and runners set DoFns up again and again."""
    return Store.from_settings(settings)


class ApplyDeliveries(beam.DoFn):
    """(key, Written) -> (shard, pair updates) once applied. Errors of Redis are raised: the runner tries again."""

    def __init__(self, settings: Settings, clock: Callable[[], int] = wall_clock) -> None:
        self._settings = settings
        self._clock = clock
        self._bundle: list[Delivery] = []
        self._applied = Metrics.counter("varde", "applied")
        self._repeats = Metrics.counter("varde", "token_repeats")
        self._updates = Metrics.counter("varde", "pair_updates")
        self._new_pairs = Metrics.counter("varde", "new_pairs")
        self._freshness = Metrics.distribution("varde", "freshness_ms")

    def start_bundle(self) -> None:
        """No row is stale yet."""
        self._bundle = []

    def process(self, element: tuple[str, Written]) -> Iterator[tuple[str, int]]:
        """Apply one delivery, or merge some recents."""
        store = _store(self._settings)
        key, written = element
        if written.recents:
            store.remember(written.recents)
        if written.delivery is not None:
            self._deliver(store, written.delivery)
            self._bundle.append(written.delivery)
            yield key, written.delivery.updates

    def finish_bundle(self) -> None:
        """Bring every row that the bundle touched up to date, once.

        Also after repeats: the first try may have died between the counts and the rows. A bundle that dies here is
        tried again as a whole.
        """
        if self._bundle:
            _store(self._settings).refresh(*self._bundle)
        self._bundle = []

    def _deliver(self, store: Store, delivery: Delivery) -> None:
        now = self._clock()
        # A copy: the element itself may be tried again.
        timed = dataclasses.replace(delivery, stats=delivery.stats | histogram(delivery.published, now))
        if not store.apply(timed):
            self._repeats.inc()
            _log.info("applied before: %s, shard %d", delivery.token, delivery.shard)
            return
        self._applied.inc()
        self._updates.inc(delivery.updates)
        self._new_pairs.inc(sum(n for _, _, _, cells in delivery.rows for n in cells.values() if n > 0))
        for published in delivery.published:  # one value for each tenth of a second of publications
            self._freshness.update(max(0, now - published))
