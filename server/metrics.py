"""The server's metrics in a registry of their own; docs/metrics.md describes each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from varde.figures import ACCEPTED, IGNORED, REJECTED
from varde.freshness import cumulative
from varde.progress import under_way

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)


class StreamCounters(Collector):
    """The stream's counters as they stand in Redis: empty when they could not be read, never stale."""

    def __init__(self) -> None:
        self.values: Mapping[str, int] = {}

    def collect(self) -> Iterator[Metric]:
        """Every counter under the stream's own name, and those that dashboards need in a form they can work with."""
        family = CounterMetricFamily("varde_stream", "What the stream has counted, by counter.", labels=["counter"])
        for name, n in sorted(self.values.items()):
            family.add_metric([name], n)
        yield family
        if self.values:
            yield self._messages()
            yield self._freshness()
            yield GaugeMetricFamily(
                "varde_stream_under_way", "Elements between two steps of the stream.", under_way(self.values)
            )

    def _messages(self) -> Metric:
        family = CounterMetricFamily(
            "varde_stream_messages", "Messages read by the stream, by what became of them.", labels=["fate", "reason"]
        )
        for name, n in sorted(self.values.items()):
            fate, _, reason = name.partition(":")
            if name == ACCEPTED or name.startswith((IGNORED, REJECTED)):
                family.add_metric([fate, reason], n)
        return family

    def _freshness(self) -> Metric:
        """A histogram without a sum: the counters do not hold one."""
        buckets = [("+Inf" if bound == inf else str(bound), float(n)) for bound, n in cumulative(self.values)]
        return HistogramMetricFamily(
            "varde_stream_freshness_seconds",
            "Time from a message's publication to its count in Redis.",
            buckets=buckets,
            sum_value=None,
        )


class Metrics:
    """Everything the server counts about itself, and the stream's counters beside it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.stream = StreamCounters()
        self.registry.register(self.stream)
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "varde_http_requests", "Requests answered.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "varde_http_request_seconds",
            "Time to answer a request.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.rungs = Counter(
            "varde_http_answers",
            "Lists answered, by the rung that gave them.",
            ["route", "rung"],
            registry=self.registry,
        )
        self.failures = Counter(
            "varde_store_failures", "Reads that Redis did not answer as it should.", ["reason"], registry=self.registry
        )
        self.erasures = Counter(
            "varde_erasure_requests", "Requests to erase a customer, by result.", ["result"], registry=self.registry
        )
        self.store_up = Gauge("varde_store_up", "1 if Redis answered this very scrape.", registry=self.registry)

    def exposition(self) -> bytes:
        """The registry in Prometheus' text format."""
        return generate_latest(self.registry)
