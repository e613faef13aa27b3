"""Counters of answers: plain numbers that cost a request less than a microsecond, shown to Prometheus when it asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
"""Upper bounds of the buckets."""


class Tally(Collector):
    """Answers by route, status and rung: how many, and how long they took."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int, str], list[float]] = {}
        """(route, status, rung or "") -> [sum of seconds, answers up to SECONDS[0], ..., answers above all]."""

    def add(self, route: str, status: int, rung: str, seconds: float) -> None:
        """One answer."""
        one = self.answers.get((route, status, rung))
        if one is None:
            one = self.answers[route, status, rung] = [0.0] * (len(SECONDS) + 2)
        one[0] += seconds
        one[bisect_left(SECONDS, seconds) + 1] += 1

    def dumped(self) -> list[tuple[str, int, str, list[float]]]:
        """All of it as plain values."""
        return [(*key, one) for key, one in self.answers.items()]

    def take(self, dumped: Iterable[tuple[str, int, str, list[float]]]) -> None:
        """Add what another has dumped."""
        for route, status, rung, one in dumped:
            there = self.answers.get((route, status, rung))
            self.answers[route, status, rung] = (
                list(one) if there is None else [a + b for a, b in zip(there, one, strict=True)]
            )

    def collect(self) -> Iterator[Metric]:
        """The families that docs/metrics.md describes."""
        requests = CounterMetricFamily("varde_http_requests", "Requests answered.", labels=["route", "status"])
        rungs = CounterMetricFamily(
            "varde_http_answers", "Lists answered, by the rung that gave them.", labels=["route", "rung"]
        )
        seconds = HistogramMetricFamily(
            "varde_http_request_seconds", "Time to answer a request.", labels=["route", "rung"]
        )
        by_status: dict[tuple[str, int], float] = {}
        by_rung: dict[tuple[str, str], list[float]] = {}
        for (route, status, rung), one in self.answers.items():
            by_status[route, status] = by_status.get((route, status), 0) + sum(one[1:])
            there = by_rung.get((route, rung))
            by_rung[route, rung] = one if there is None else [a + b for a, b in zip(there, one, strict=True)]
        for (route, status), n in sorted(by_status.items()):
            requests.add_metric([route, str(status)], n)
        for (route, rung), one in sorted(by_rung.items()):
            seconds.add_metric([route, rung], _buckets(one[1:]), one[0])
            if rung:
                rungs.add_metric([route, rung], sum(one[1:]))
        yield requests
        yield seconds
        yield rungs


def _buckets(counts: list[float]) -> list[tuple[str, float]]:
    out, up_to = [], 0.0
    for bound, n in zip((*map(str, SECONDS), "+Inf"), counts, strict=True):
        up_to += n
        out.append((bound, up_to))
    return out
