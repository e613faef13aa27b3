"""From where on the status page says that something is not well: the same as the alerts of deploy/monitoring.

A test holds each against the alert of its name. The page says at once what alerts wait some minutes with.
"""

from __future__ import annotations

from typing import NamedTuple

PAGE, TICKET = "page", "ticket"
"""Somebody gets up; somebody looks within a day."""


class Limit(NamedTuple):
    """bound: what is worse is told. over_s: the time that is looked at; 0: this moment."""

    bound: float
    over_s: float = 0.0


_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0

LIMITS: dict[tuple[str, str], Limit] = {
    ("RedisDown", PAGE): Limit(0),
    ("RedisCircuitOpen", TICKET): Limit(1),
    ("RedisMemoryFull", PAGE): Limit(0.92),
    ("RedisMemoryHigh", TICKET): Limit(0.8),
    ("RedisMemoryUnbounded", TICKET): Limit(0),
    ("StreamSilent", PAGE): Limit(0, 15 * _MINUTE),
    ("StreamStuck", PAGE): Limit(0, 15 * _MINUTE),
    ("DeadLettersHigh", TICKET): Limit(0.01, 15 * _MINUTE),
    ("Flooded", TICKET): Limit(0.05, 15 * _MINUTE),
    ("ItemsRefused", PAGE): Limit(0, 15 * _MINUTE),
    ("CatalogueChangesRefused", TICKET): Limit(0.01, 15 * _MINUTE),
    ("NightNotWritten", TICKET): Limit(3.5 * _DAY),
    ("NightNotWritten", PAGE): Limit(10 * _DAY),
    ("NightNotRun", TICKET): Limit(36 * _HOUR),
    ("NightRefused", TICKET): Limit(0),
    ("DriftHigh", TICKET): Limit(0.01),
    ("DriftHigh", PAGE): Limit(0.1),
    ("StaleAnswers", PAGE): Limit(0.01, 5 * _MINUTE),
    ("FallbackShareHigh", TICKET): Limit(0.8, 15 * _MINUTE),
    ("ServerMemoryOld", TICKET): Limit(600),
    ("ConfigurationRefused", TICKET): Limit(1),
    ("ExposuresDropped", PAGE): Limit(0.001, 15 * _MINUTE),
    ("ExposuresWait", TICKET): Limit(5000),
    ("ExperimentFailures", TICKET): Limit(0, 15 * _MINUTE),
    ("StickyWritesLost", TICKET): Limit(0.01, 15 * _MINUTE),
}
"""By the alert's name and severity."""


class Objective(NamedTuple):
    """budget: the part of what is counted that may be bad, of slo.yaml. bound: from where on one is bad, seconds."""

    budget: float
    bound: float = 0.0


BURN = 14.4
"""Times its rate at which a budget of 30 days is gone in 2, over both of the next."""
LONG_S, SHORT_S = _HOUR, 5 * _MINUTE
OBJECTIVES = {
    "AvailabilityBudgetBurns": Objective(0.001),
    "LatencyBudgetBurns": Objective(0.01, 0.1),
    "EmptyListsBudgetBurns": Objective(0.001),
    "FreshnessBudgetBurns": Objective(0.01, 5.0),
}
"""By the name of the alert, of which the page knows the one of the shortest windows; it pages."""
SLO_OF = {
    "AvailabilityBudgetBurns": "availability",
    "LatencyBudgetBurns": "latency",
    "EmptyListsBudgetBurns": "lists",
    "FreshnessBudgetBurns": "freshness",
}


def runbook(alert: str) -> str:
    """Where it is said what to do."""
    return f"docs/runbook.md#{alert.lower()}"
