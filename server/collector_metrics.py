"""What the collector counts about itself; docs/metrics.md describes each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import Counter

from .snapshots import Sample

COUNTERS = {
    "varde_collector_messages": "Messages that came to the collector, by what became of them.",
    "varde_collector_refused": "Requests to the collector that were refused as a whole.",
    "varde_collector_calls": "Calls to Pub/Sub, each with messages of several requests.",
}
GAUGES = {"varde_collector_waiting": "Messages whose requests are not answered yet."}
COLLECT, PIXEL, WEBHOOK = "collect", "pixel", "webhook"
"""Where messages come from."""
TAKEN, DROPPED, NOT_TAKEN = "taken", "dropped", "not_taken"
"""What became of them: not taken ones come again, dropped ones do not."""


class Collected:
    """The counters of a process."""

    def __init__(self) -> None:
        labels = {"messages": ("source", "result", "reason"), "refused": ("source", "code"), "calls": ("result",)}
        made = {
            name: Counter(f"varde_collector_{name}", COUNTERS[f"varde_collector_{name}"], names, registry=None)
            for name, names in labels.items()
        }
        self._messages, self._refused, self._calls = made["messages"], made["refused"], made["calls"]
        self.counters = tuple(made.values())
        self.waiting: Callable[[], int] = int
        """Messages whose requests are not answered yet."""

    def took(self, source: str, n: int) -> None:
        """Pub/Sub has so many messages."""
        self._messages.labels(source, TAKEN, "").inc(n)

    def dropped(self, source: str, reasons: Mapping[str, int]) -> None:
        """So many were left out, by reason."""
        for reason, n in reasons.items():
            self._messages.labels(source, DROPPED, reason).inc(n)

    def not_taken(self, source: str, reason: str, n: int) -> None:
        """A request was told to come again with its messages."""
        self._messages.labels(source, NOT_TAKEN, reason).inc(n)

    def refused(self, source: str, code: str) -> None:
        """A request was refused with this code."""
        self._refused.labels(source, code).inc()

    def called(self, result: str) -> None:
        """Pub/Sub was called."""
        self._calls.labels(result).inc()

    def gauges(self) -> list[Sample]:
        """This moment."""
        return [Sample("varde_collector_waiting", {}, float(self.waiting()))]
