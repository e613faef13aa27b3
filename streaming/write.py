"""The last step: deliveries into Redis, once each, and the rows they touch."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.utils.windowed_value import WindowedValue

from varde.delivery import Delivery
from varde.freshness import histogram
from varde.settings import Settings
from varde.store import schema
from varde.store.sync import Store

from .clock import wall_clock
from .panes import Written, in_global_window

_log = logging.getLogger(__name__)


@functools.cache
def _store(settings: Settings, clock: Callable[[], int]) -> Store:
    """One store a process: its caches are worth keeping, and runners set DoFns up again and again."""
    store = Store.from_settings(settings, clock)
    schema.check(store)  # an error of it is a failure of the bundle: nothing is written, and it is tried again
    return store


WRITERS = 2
"""Threads that write: one makes batches while Redis works on the other's. More would only wait for Redis."""


@functools.cache
def _writers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WRITERS, thread_name_prefix="redis-write")


def _all_done(futures: Iterable[Future[Any]]) -> None:
    """Wait for every one, then raise what any has raised: nothing of a bundle goes on while it is tried again."""
    for future in wait(futures).done:
        future.result()


class ApplyDeliveries(beam.DoFn):
    """(key, Written) -> (shard, pair updates) once applied. Errors of Redis are raised: the runner tries again."""

    def __init__(self, settings: Settings, clock: Callable[[], int] = wall_clock) -> None:
        self._settings = settings
        self._clock = clock
        self._bundle: list[tuple[str, Delivery, Future[bool]]] = []
        self._others: list[Future[None]] = []
        self._applied = Metrics.counter("varde", "applied")
        self._repeats = Metrics.counter("varde", "token_repeats")
        self._updates = Metrics.counter("varde", "pair_updates")
        self._new_pairs = Metrics.counter("varde", "new_pairs")
        self._freshness = Metrics.distribution("varde", "freshness_ms")

    def start_bundle(self) -> None:
        """Nothing is under way, and no row is stale yet."""
        self._bundle, self._others = [], []

    def process(self, element: tuple[str, Written]) -> None:
        """Start to apply one delivery, or to merge some recents."""
        store = _store(self._settings, self._clock)
        key, written = element
        if written.recents:
            self._others.append(_writers().submit(store.remember, written.recents))
        if written.delivery is not None:
            applied = _writers().submit(self._apply, store, written.delivery)
            self._bundle.append((key, written.delivery, applied))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Wait until all is applied, then bring every row that the bundle touched up to date, once.

        Also after repeats: the first try may have died between the counts and the rows. A bundle that dies here is
        tried again as a whole.
        """
        store = _store(self._settings, self._clock)
        _all_done([*self._others, *(applied for _, _, applied in self._bundle)])
        # A row lies in one shard, so the halves share none.
        halves = [[d for _, d, _ in self._bundle if d.shard % WRITERS == half] for half in range(WRITERS)]
        _all_done([_writers().submit(store.refresh, *half) for half in halves if half])
        for key, delivery, applied in self._bundle:
            self._measure(delivery, applied.result())
            yield in_global_window((key, delivery.updates))
        self.start_bundle()

    def _apply(self, store: Store, delivery: Delivery) -> bool:
        # A copy: the element itself may be tried again.
        ages = histogram(delivery.published, self._clock())
        return store.apply(dataclasses.replace(delivery, stats=delivery.stats | ages))

    def _measure(self, delivery: Delivery, applied: bool) -> None:
        if not applied:
            self._repeats.inc()
            _log.info("applied before: %s, shard %d", delivery.token, delivery.shard)
            return
        self._applied.inc()
        self._updates.inc(delivery.updates)
        self._new_pairs.inc(sum(n for _, _, _, cells in delivery.rows for n in cells.values() if n > 0))
        now = self._clock()
        for published in delivery.published:  # one value for each tenth of a second of publications
            self._freshness.update(max(0, now - published))
