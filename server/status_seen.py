"""All that the status page is made of at one moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from varde.store.vitals import Vitals

from .snapshots import Sample
from .status_ring import Ring

SPAN_S = 3600.0
"""How far back the page looks."""
MOST_STEPS = 1024
GAP_S = 20.0
UNDER_WAY, MEMORY = "under_way", "memory"
"""Levels: elements between two steps of the stream; the fullest node's memory, bytes."""


def ring() -> Ring:
    """An empty record of the page's length."""
    return Ring(SPAN_S, MOST_STEPS, GAP_S)


@dataclass(slots=True)
class Seen:
    """What a process has seen so far.

    stream: the stream's counters, the same for all processes. server: those of all processes that share the port.
    vitals: of Redis; what was last read while it is away, None before. away_since: ms since the epoch; None while Redis
    answers. gauges: of the processes that live.
    """

    began: float = 0.0
    """Seconds, monotonic, as `at`."""
    at: float = 0.0
    """When the last look was."""
    at_ms: int = 0
    """The same by the wall clock, ms since the epoch."""
    stream: Ring = field(default_factory=ring)
    server: Ring = field(default_factory=ring)
    vitals: Vitals | None = None
    away_since: int | None = None
    looks: int = 0
    """At what Redis says, answered or not."""
    gauges: Sequence[Sample] = ()
    stale: bool = False
    """Whether lists are made without Redis, in this process."""

    def levels(self, name: str, *without: str) -> list[float]:
        """The values of a gauge, one for each process (and part)."""
        return [one.value for one in self.gauges if one.name == name and not set(without) & set(one.labels.values())]

    @property
    def processes(self) -> int:
        """Processes that live."""
        return len({one.labels["process"] for one in self.gauges if "process" in one.labels})
