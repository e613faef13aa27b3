"""What the status page finds, one thing after the other in an hour that is well but for that."""

from __future__ import annotations

import dataclasses

import pytest

from varde.server.snapshots import Sample
from varde.server.status_findings import findings
from varde.server.status_limits import LIMITS, OBJECTIVES
from varde.server.status_seen import UNDER_WAY, Seen
from varde.store.vitals import Memory

from .status_world import DAY_MS, EVERY, GIB, hour
from .world import NOW

MINUTE = 60 // EVERY


def gauge(seen, name, value, **labels):
    seen.gauges = [*seen.gauges, Sample(name, {"process": "0", **labels}, value)]


def vitals(**changes):
    def change(seen):
        seen.vitals = dataclasses.replace(seen.vitals, **changes)

    return change


def away(seen):
    seen.away_since = NOW - 1000


def goes_on(minutes, level=1.0, server=None, **more):
    """So many minutes in which every step has added this to the counters (with a colon, `__`); without events."""

    def change(seen):
        stream, served = dict(seen.stream.last), dict(seen.server.last)
        for _ in range(int(minutes * MINUTE)):
            seen.at += EVERY
            for name, n in more.items():
                stream[name.replace("__", ":")] = stream.get(name.replace("__", ":"), 0.0) + n
            for name, n in (server or {}).items():
                served[name] = served.get(name, 0.0) + n
            seen.stream.add(seen.at, stream, {UNDER_WAY: level})
            seen.server.add(seen.at, served)

    return change


WELL = {"messages": 100, "deliveries_applied": 2}
LISTS = {"requests": 100, "lists": 100}
CASES = {
    ("RedisDown", "page"): away,
    ("RedisCircuitOpen", "ticket"): lambda seen: gauge(seen, "varde_circuit_open", 1.0),
    ("RedisMemoryFull", "page"): vitals(memory={"0": Memory(int(3.8 * GIB), 4 * GIB)}),
    ("RedisMemoryHigh", "ticket"): vitals(memory={"0": Memory(int(3.4 * GIB), 4 * GIB)}),
    ("RedisMemoryUnbounded", "ticket"): vitals(memory={"0": Memory(GIB, 0)}),
    ("StreamSilent", "page"): goes_on(15.5, level=0.0),
    ("StreamStuck", "page"): goes_on(15.5, level=5.0, messages=100),
    ("DeadLettersHigh", "ticket"): goes_on(16, **WELL, rejected__bad_id=2),
    ("Flooded", "ticket"): goes_on(16, **WELL, flooded=6),
    ("ItemsRefused", "page"): goes_on(1, **WELL, items_refused=1),
    ("CatalogueChangesRefused", "ticket"): goes_on(16, **WELL, catalogue_rejected__bad_price=1),
    ("NightNotWritten", "ticket"): vitals(reconciled_until=NOW - 4 * DAY_MS),
    ("NightNotWritten", "page"): vitals(reconciled_until=NOW - 11 * DAY_MS),
    ("NightNotRun", "ticket"): vitals(ended=NOW - 2 * DAY_MS),
    ("NightRefused", "ticket"): vitals(refusals=1),
    ("DriftHigh", "ticket"): vitals(drift={"also_viewed": 0.02, "also_bought": 0.001}),
    ("DriftHigh", "page"): vitals(drift={"also_viewed": 0.02, "also_bought": 0.2}),
    ("StaleAnswers", "page"): goes_on(6, **WELL, server=LISTS | {"stale": 3}),
    ("FallbackShareHigh", "ticket"): goes_on(16, **WELL, server=LISTS | {"fallbacks": 85}),
    ("ServerMemoryOld", "ticket"): lambda seen: gauge(seen, "varde_memory_age_seconds", 700.0, part="names"),
    ("ConfigurationRefused", "ticket"): lambda seen: gauge(seen, "varde_config_error", 1.0),
    ("ExposuresDropped", "page"): goes_on(16, **WELL, server={"exposed:sent": 100, "exposed:dropped": 1}),
    ("ExposuresWait", "ticket"): lambda seen: gauge(seen, "varde_exposures_waiting", 6000.0),
    ("ExperimentFailures", "ticket"): goes_on(1, **WELL, server={"failed:draft": 1}),
    ("StickyWritesLost", "ticket"): goes_on(16, **WELL, server={"stuck:written": 20, "stuck:failed": 1}),
    ("AvailabilityBudgetBurns", "page"): goes_on(40, **WELL, server=LISTS | {"requests": 4000, "faults": 150}),
    ("LatencyBudgetBurns", "page"): goes_on(40, **WELL, server={"lists": 4000, "seconds:0.15": 1200}),
    ("EmptyListsBudgetBurns", "page"): goes_on(40, **WELL, server={"lists": 4000, "empty": 100}),
    ("FreshnessBudgetBurns", "page"): goes_on(55, **WELL, freshness_ms__7500=900),
}


def found(seen):
    return {(one.alert, one.severity): one for one in findings(seen, seen.at, NOW)}


def test_every_rule_has_a_case():
    assert set(CASES) == {*LIMITS, *((alert, "page") for alert in OBJECTIVES)}


def test_an_hour_that_is_well_has_none():
    assert found(hour()) == {}


@pytest.mark.parametrize("key", CASES, ids=" ".join)
def test_it_is_found_alone_and_said_in_words(key):
    seen = hour()
    CASES[key](seen)
    some = found(seen)
    assert set(some) == {key}
    text, remedy = some[key].text, some[key].remedy
    assert text.endswith(".")
    assert remedy.endswith(".")
    assert not any(word in text + remedy for word in ("None", "nan", "inf "))


def nearly(seen):
    """Everything just within its limit."""
    vitals(
        memory={"0": Memory(int(0.79 * GIB), GIB)}, reconciled_until=NOW - 3 * DAY_MS, drift={"also_viewed": 0.0099}
    )(seen)
    gauge(seen, "varde_exposures_waiting", 5000.0)
    gauge(seen, "varde_memory_age_seconds", 599.0, part="names")
    gauge(seen, "varde_memory_age_seconds", 10_000.0, part="warmth")
    goes_on(
        20,
        messages=1000,
        deliveries_applied=1,
        rejected__bad_id=9,
        flooded=49,
        server={
            "requests": 1000,
            "lists": 1000,
            "stale": 9,
            "fallbacks": 790,
            "exposed:sent": 10_000,
            "exposed:failed": 9,
        },
    )(seen)


def test_what_is_just_within_its_limit_is_not_found():
    seen = hour()
    nearly(seen)
    assert found(seen) == {}


def test_the_first_minutes_of_a_server_are_no_sample():
    """One empty list, or one dead letter of two messages, is no share to wake anybody for."""
    bad = {"requests": 1, "lists": 1, "empty": 1, "fallbacks": 1, "faults": 1, "exposed:dropped": 1, "stuck:failed": 1}
    lost = {"messages": 2, "rejected__bad_id": 1, "flooded": 1, "freshness_ms__7500": 1, "deliveries_applied": 1}
    for minutes, many in ((3, False), (5, True)):
        seen = Seen()
        goes_on(minutes, **lost, server=bad)(seen)
        assert (len(found(seen)) >= 7) == many, found(seen)
        assert many or found(seen) == {}


def test_what_pages_comes_first():
    seen = hour()
    for key in (("RedisMemoryHigh", "ticket"), ("RedisDown", "page"), ("ConfigurationRefused", "ticket")):
        CASES[key](seen)
    assert [one.severity for one in findings(seen, seen.at, NOW)] == ["page", "ticket", "ticket"]


def test_before_anything_was_seen_there_is_nothing_to_find():
    seen = Seen()
    assert findings(seen, 0.0, NOW) == []
