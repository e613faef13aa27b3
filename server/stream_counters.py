"""The stream's counters as they stand in Redis, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from varde.figures import ACCEPTED, IGNORED, REJECTED
from varde.freshness import cumulative
from varde.progress import under_way


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
