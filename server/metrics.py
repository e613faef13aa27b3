"""The server's metrics: counted in each process, summed over all that share a port; docs/metrics.md describes each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import Counter, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from . import collector_metrics, slot_metrics
from .snapshots import Sample, Snapshots
from .store_metrics import StoreVitals
from .stream_counters import StreamCounters
from .tally import Tally

COUNTERS = {
    "varde_store_failures": "Reads that Redis did not answer as it should.",
    "varde_erasure_requests": "Requests to erase a customer, by result.",
    "varde_access_refused": "Requests without the right key, or with one that asks too often.",
    "varde_rate_limited": "Requests of a client that asks too often.",
    "varde_stale_answers": "Lists that are older or poorer than they would be, because Redis did not answer.",
    "varde_exposures": "Lists of experiments that were shown, by what became of their exposure.",
    "varde_exposure_retries": "Batches of exposures that Pub/Sub did not take, and that are tried again.",
    "varde_experiment_lists": "Lists that an experiment was about, by its variation; without testers' own.",
    "varde_experiment_failures": "Lists that were made without their experiment, or exposures that were not made.",
    "varde_sticky_writes": "Customers whose variations were to be noted in Redis.",
    "varde_cache_reads": "Looks into the memory of finished answers and of rows.",
    "varde_email_answers": "Look-ups of email tools, by what they got.",
    **collector_metrics.COUNTERS,
    **slot_metrics.COUNTERS,
}
GAUGES = {
    "varde_circuit_open": "1 while Redis is not asked, because it has failed several times in a row.",
    "varde_config_error": "1 while the configuration file is not the one in force, because it makes no sense.",
    "varde_draining": "1 from SIGTERM on.",
    "varde_exposures_waiting": "Exposures that are not sent yet.",
    "varde_items": "Items in memory, by what is known of them.",
    "varde_cache_entries": "Entries in the memory of finished answers and of rows.",
    "varde_memory_age_seconds": "Time since a part of the memory was last compared with Redis.",
    **collector_metrics.GAUGES,
}


class Metrics:
    """Everything the processes count about themselves, and the stream's counters beside it."""

    def __init__(self, process: str = "0", directory: Path | None = None) -> None:
        """Of a process.

        Args:
            process: its place among those that share the port; a successor goes on with its numbers.
            directory: where these leave their numbers; None when it is alone.
        """
        self.process = process
        self.stream = StreamCounters()
        self.vitals = StoreVitals()
        self.tally = Tally()
        self.failures = _counter("varde_store_failures", "reason")
        self.erasures = _counter("varde_erasure_requests", "result")
        self._refused = _counter("varde_access_refused", "scope", "code")
        self._limited = _counter("varde_rate_limited", "client")
        self.stale = _counter("varde_stale_answers")
        self._exposures = _counter("varde_exposures", "result", "reason")
        self._fates: dict[tuple[str, str], Counter] = {}
        self._retries = _counter("varde_exposure_retries")
        self._experiments = _counter("varde_experiment_failures", "kind")
        self._sticky = _counter("varde_sticky_writes", "result")
        self._mails = _counter("varde_email_answers", "result")
        self.collected = collector_metrics.Collected()
        self.slotted = slot_metrics.Slotted()
        self.store_up: bool | None = None
        self.counts: Callable[[], list[Sample]] = list
        """Samples of counters that are kept elsewhere."""
        self.gauges: Callable[[], list[Sample]] = list
        """Samples of this moment."""
        self._system = ProcessCollector(registry=None)
        self._snapshots = Snapshots(process, directory)

    def refused(self, scope: str, code: str, client: str) -> None:
        """A request was refused before any handler; client: its name in the configuration, or empty."""
        self._refused.labels(scope, code).inc()
        if code == "rate_limited":
            self._limited.labels(client).inc()
        if scope == "erase":
            self.erasures.labels(code).inc()

    def exposed(self, result: str, reason: str, n: int) -> None:
        """What became of so many exposures."""
        fate = self._fates.get((result, reason))
        if fate is None:
            fate = self._fates[result, reason] = self._exposures.labels(result, reason)
        fate.inc(n)

    def retried(self) -> None:
        """A batch of exposures was not taken."""
        self._retries.inc()

    def experiment_failed(self, kind: str) -> None:
        """An experiment did not get what it is about."""
        self._experiments.labels(kind).inc()

    def stuck(self, result: str, n: int) -> None:
        """What became of noting the variations of so many customers."""
        self._sticky.labels(result).inc(n)

    def mailed(self, result: str) -> None:
        """An email tool was answered: personal, fallback or too_few."""
        self._mails.labels(result).inc()

    def leave(self) -> None:
        """Leave this process's numbers where the others find them."""
        self._snapshots.leave(self._snapshot())

    def summed(self) -> tuple[Tally, list[Sample], list[Sample]]:
        """Answers and counters of all processes, and the gauges of those that live."""
        return self._snapshots.summed(self._snapshot())

    def exposition(self) -> bytes:
        """All processes' numbers in Prometheus' text format. This one's are left first, so that sums never fall."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """The families."""
        tally, counts, gauges = self.summed()
        yield from self.stream.collect()
        yield from self.vitals.collect()
        if self.store_up is not None:
            yield GaugeMetricFamily("varde_store_up", "1 if Redis answered this very scrape.", float(self.store_up))
        yield from tally.collect()
        yield from _families(CounterMetricFamily, COUNTERS, counts)
        yield from _families(GaugeMetricFamily, GAUGES, gauges)
        of_system = [sample for sample in gauges if sample.name.startswith("process_")]
        for name in sorted({sample.name for sample in of_system}):
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            bare = name.removesuffix("_total")
            ours = [Sample(bare, sample.labels, sample.value) for sample in of_system if sample.name == name]
            yield from _families(family, {bare: "Of the operating system, by process."}, ours)

    def _snapshot(self) -> dict[str, Any]:
        counted = [self.failures, self.erasures, self._refused, self._limited, self.stale]
        counted += [self._exposures, self._retries, self._experiments, self._sticky, self._mails]
        counted += [*self.collected.counters, *self.slotted.counters]
        counts = [
            Sample(metric.name, sample.labels, sample.value)
            for counter in counted
            for metric in counter.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        ]
        system = [
            Sample(sample.name, dict(sample.labels), sample.value)
            for metric in self._system.collect()
            for sample in metric.samples
        ]
        return {
            "answers": self.tally.dumped(),
            "counts": counts + self.counts(),
            "gauges": [sample.of(self.process) for sample in self.gauges() + self.collected.gauges() + system],
        }


Collector.register(Metrics)  # by shape: it has collect()


def _counter(name: str, *labels: str) -> Counter:
    return Counter(name, COUNTERS[name], labels, registry=None)


def _families(kind: Any, helps: dict[str, str], samples: list[Sample]) -> Iterator[Metric]:
    for name, text in helps.items():
        ours = [sample for sample in samples if sample.name == name]
        family = kind(name, text, labels=list(ours[0].labels) if ours else [])
        for sample in ours:
            family.add_metric(list(sample.labels.values()), sample.value)
        yield family
