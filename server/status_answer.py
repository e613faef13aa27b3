"""The answer of GET /v1/status. Pure: what was seen -> JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from varde import freshness
from varde.experiments import Experiment
from varde.figures import ACCEPTED, PAIRS_ADDED, PAIRS_REMOVED, REJECTED

from .status_findings import Finding, findings
from .status_limits import LIMITS, OBJECTIVES, PAGE, TICKET, runbook
from .status_readings import FALLBACKS, FRESH, HITS, LISTS, MISSES, REQUESTS, SHOWN, latency
from .status_ring import Ring, Window
from .status_seen import MEMORY, SPAN_S, UNDER_WAY, Seen

Json = dict[str, Any]
VERSION = version("varde")
NOW_S = 60.0
"""Figures of this moment are over so many seconds."""
STEPS_S = {15: 10, 60: 30}
"""Minutes that plots may show -> seconds of each of their points."""
Plot = Callable[[Window], float | None]


def answer(seen: Seen, experiments: Iterable[Experiment], minutes: int, process: str) -> Json:
    """All of it, as it was at the last look.

    Args:
        seen: by this process.
        experiments: of the configuration in force.
        minutes: one of STEPS_S.
        process: this one's place among those that share the port.
    """
    now, now_ms = seen.at, seen.at_ms
    found = findings(seen, now, now_ms)
    return {
        "time": instant(now_ms),
        "state": _state(seen, found),
        "stale": seen.stale,
        "findings": [_finding(one) for one in found],
        "server": {
            "version": VERSION,
            "process": process,
            "processes": seen.processes,
            "watched_s": round(min(SPAN_S, now - seen.began), 1),
        },
        "redis": _redis(seen),
        "now": _now(seen, now),
        "dead_letters": dead_letters(seen.stream, now),
        "night": _night(seen),
        "experiments": [_experiment(one, seen.server, now, now_ms) for one in experiments],
        "plots": _plots(seen, now, minutes),
        "limits": _LIMITS,
    }


def instant(ms: int) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_LIMITS = {
    "freshness_s": OBJECTIVES["FreshnessBudgetBurns"].bound,
    "list_s": OBJECTIVES["LatencyBudgetBurns"].bound,
    "fallback_share": LIMITS["FallbackShareHigh", TICKET].bound,
    "memory_share": LIMITS["RedisMemoryFull", PAGE].bound,
    "drift": LIMITS["DriftHigh", TICKET].bound,
    "dead_letter_share": LIMITS["DeadLettersHigh", TICKET].bound,
}


def _state(seen: Seen, found: list[Finding]) -> str:
    if any(one.severity == PAGE for one in found):
        return "problem"
    if found:
        return "warning"
    return "ok" if seen.looks else "starting"


def _finding(one: Finding) -> Json:
    return {**one._asdict(), "runbook": runbook(one.alert)}


def _redis(seen: Seen) -> Json:
    memory = seen.vitals.memory if seen.vitals else {}
    return {
        "up": seen.looks > 0 and seen.away_since is None,
        "away_since": None if seen.away_since is None else instant(seen.away_since),
        "memory": [
            {"node": node, "used_bytes": one.used, "bound_bytes": one.bound} for node, one in sorted(memory.items())
        ],
    }


def _now(seen: Seen, now: float) -> Json:
    stream, server = seen.stream.over(now, NOW_S), seen.server.over(now, NOW_S)
    newest = seen.stream.since_grown(now, *FRESH)
    lately = stream if any(name in stream.grown for name in FRESH) else seen.stream.over(now, SPAN_S)
    return {
        "newest_counted_s": _round(newest),
        "freshness_p50_s": _quantile(lately, 0.5),
        "freshness_p99_s": _quantile(lately, 0.99),
        "under_way": None if UNDER_WAY not in stream.levels else int(stream.levels[UNDER_WAY]),
        **{name: _round(plot(stream)) for name, plot in _OF_STREAM.items() if name.endswith("per_s")},
        **{name: _round(plot(server)) for name, plot in _OF_SERVER.items()},
    }


def _quantile(window: Window, q: float) -> float | None:
    return freshness.quantile({name: round(n * 1000) for name, n in window.grown.items() if name in _FRESH}, q)


_FRESH = frozenset(FRESH)
_OF_STREAM: dict[str, Plot] = {
    "events_per_s": lambda one: one.rate(ACCEPTED),
    "changes_per_s": lambda one: one.rate(PAIRS_ADDED, PAIRS_REMOVED),
    "dead_letters_per_s": lambda one: one.rate(*(name for name in one.grown if name.startswith(REJECTED))),
    "freshness_p50_s": lambda one: _quantile(one, 0.5),
    "freshness_p99_s": lambda one: _quantile(one, 0.99),
    "memory_bytes": lambda one: one.levels.get(MEMORY),
}
_OF_SERVER: dict[str, Plot] = {
    "requests_per_s": lambda one: one.rate(REQUESTS),
    "list_p99_s": lambda one: latency(one.grown, 0.99),
    "fallback_share": lambda one: one.share([FALLBACKS], [LISTS]),
    "cache_hit_share": lambda one: one.share([HITS], [HITS, MISSES]),
}


def dead_letters(ring: Ring, now: float) -> list[Json]:
    """By reason, the most frequent of the last hour first."""
    hour, minute = ring.over(now, SPAN_S), ring.over(now, NOW_S)
    out = [
        {
            "reason": name.removeprefix(REJECTED),
            "total": int(total),
            "last_hour": int(hour.grown.get(name, 0)),
            "per_s": _round(minute.rate(name)),
        }
        for name, total in ring.last.items()
        if name.startswith(REJECTED)
    ]
    return sorted(out, key=lambda one: (-int(str(one["last_hour"])), -int(str(one["total"])), str(one["reason"])))


def _night(seen: Seen) -> Json:
    vitals = seen.vitals
    if vitals is None:
        return {"reconciled_until": None, "ended": None, "refusals": 0, "drift": []}
    return {
        "reconciled_until": None if vitals.reconciled_until is None else instant(vitals.reconciled_until),
        "ended": None if vitals.ended is None else instant(vitals.ended),
        "refusals": vitals.refusals,
        "drift": [{"of": of, "part": part} for of, part in sorted(vitals.drift.items())],
    }


def _experiment(one: Experiment, server: Ring, now: float, now_ms: int) -> Json:
    state = (
        "stopped" if one.stopped else "running" if one.runs(now_ms) else "ended" if _over(one, now_ms) else "planned"
    )
    hour = server.over(now, SPAN_S).beginning(f"{SHOWN}{one.key}/")
    return {
        "key": one.key,
        "state": state,
        "mode": one.mode,
        "placements": list(one.placements),
        "start": None if one.start is None else instant(one.start),
        "end": None if one.end is None else instant(one.end),
        "gets_all": one.stopped or None,
        "variations": [
            {
                "key": each.key,
                "weight": each.weight,
                "lists_last_hour": int(hour.get(each.key, 0)),
                "lists": int(server.last.get(f"{SHOWN}{one.key}/{each.key}", 0)),
            }
            for each in one.variations
        ],
    }


def _over(one: Experiment, now_ms: int) -> bool:
    return one.end is not None and one.end <= now_ms


def _plots(seen: Seen, now: float, minutes: int) -> Json:
    step = STEPS_S[minutes]
    n = minutes * 60 // step
    stream, server = seen.stream.bins(now, step, n), seen.server.bins(now, step, n)
    return {
        "minutes": minutes,
        "step_s": step,
        "series": {
            **{name: [_point(plot, one) for one in stream] for name, plot in _OF_STREAM.items()},
            **{name: [_point(plot, one) for one in server] for name, plot in _OF_SERVER.items()},
        },
    }


def _point(plot: Plot, one: Window | None) -> float | None:
    return None if one is None else _round(plot(one))


def _round(value: float | None) -> float | None:
    """Four significant digits: a plot has no more, and an answer with more is longer."""
    return None if value is None else float(f"{value:.4g}") if abs(value) < 1e6 else float(round(value))
