"""Redis' memory and the last nights, for Prometheus: read at the scrape, absent when Redis did not answer it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from varde.store.vitals import Vitals


class StoreVitals(Collector):
    """What this scrape has read; None: nothing."""

    def __init__(self) -> None:
        self.values: Vitals | None = None

    def collect(self) -> Iterator[Metric]:
        """The families that there is something to say in."""
        if self.values is None:
            return
        memory = self.values.memory
        used = GaugeMetricFamily("varde_redis_memory_bytes", "Memory that Redis uses, by node.", labels=["node"])
        bound = GaugeMetricFamily("varde_redis_memory_bound_bytes", "Most that it may use, 0: any.", labels=["node"])
        for node, each in sorted(memory.items()):
            used.add_metric([node], each.used)
            bound.add_metric([node], each.bound)
        yield from (used, bound) if memory else ()
        yield from self._nights(self.values)

    def _nights(self, values: Vitals) -> Iterator[Metric]:
        if values.reconciled_until is not None:
            until = "Unix time up to which the last night that was written has counted."
            yield GaugeMetricFamily("varde_reconciled_until_seconds", until, values.reconciled_until / 1000)
        if values.ended is not None:
            ended = "Unix time at which the last run of the nightly job ended, whatever it did."
            yield GaugeMetricFamily("varde_nightly_ended_seconds", ended, values.ended / 1000)
            yield GaugeMetricFamily("varde_nightly_refusals", "Its reasons not to write.", values.refusals)
            drift = GaugeMetricFamily("varde_drift_ratio", "How far live counts were apart then.", labels=["of"])
            for name, part in sorted(values.drift.items()):
                drift.add_metric([name], part)
            yield drift
