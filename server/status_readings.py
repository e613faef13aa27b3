"""What the status page's record is made of: the counters of all processes and of the stream, named in one way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from varde.freshness import BOUNDS_MS, PREFIX

from .snapshots import Sample
from .tally import SECONDS, Tally

REQUESTS, FAULTS, LISTS, FALLBACKS, EMPTY, STALE = "requests", "faults", "lists", "fallbacks", "empty", "stale"
HITS, MISSES = "cache:hit", "cache:miss"
SLOW = "seconds:"
"""And the upper bound of a bucket of lists by the time that they took, or inf."""
EXPOSED, FAILED, STUCK, SHOWN = "exposed:", "failed:", "stuck:", "shown:"
"""And the result; the kind; the result; the experiment and its variation with a / between."""
FRESH = tuple(f"{PREFIX}{bound}" for bound in (*BOUNDS_MS, "inf"))
"""Interactions that were counted, by freshness: together all of them."""
NOT_COUNTED = frozenset({"/healthz", "/readyz", "/metrics", "/v1/status"})
"""Routes of those who watch the server."""
FALLBACK_RUNGS = frozenset({"category", "popular", "static", "none"})
_BOUNDS = (*SECONDS, inf)
_BY_LABELS = {
    "varde_exposures": (EXPOSED, ("result",)),
    "varde_experiment_failures": (FAILED, ("kind",)),
    "varde_sticky_writes": (STUCK, ("result",)),
    "varde_experiment_lists": (SHOWN, ("experiment", "variation")),
}


def of_server(tally: Tally, counts: Iterable[Sample]) -> dict[str, float]:
    """The counters of all processes that share the port.

    Args:
        tally: their answers.
        counts: their other counters.
    """
    out = dict.fromkeys((REQUESTS, FAULTS, LISTS, FALLBACKS, EMPTY, STALE, HITS, MISSES), 0.0)
    for (route, status, rung), (_, *buckets) in tally.answers.items():
        if route in NOT_COUNTED:
            continue
        n = sum(buckets)
        out[REQUESTS] += n
        out[FAULTS] += n if status >= 500 else 0
        if rung:
            out[LISTS] += n
            out[FALLBACKS] += n if rung in FALLBACK_RUNGS else 0
            out[EMPTY] += n if rung == "none" else 0
            for bound, some in zip(_BOUNDS, buckets, strict=True):
                out[f"{SLOW}{bound}"] = out.get(f"{SLOW}{bound}", 0.0) + some
    for name, labels, value in counts:
        if name == "varde_stale_answers":
            out[STALE] += value
        elif name == "varde_cache_reads" and labels["cache"] == "answers":
            out[HITS if labels["result"] == "hit" else MISSES] += value
        elif name in _BY_LABELS:
            prefix, wanted = _BY_LABELS[name]
            key = prefix + "/".join(labels[label] for label in wanted)
            out[key] = out.get(key, 0.0) + value
    return out


def latency(grown: Mapping[str, float], q: float) -> float | None:
    """The q-quantile of lists' time in seconds: the upper bound of its bucket; None without lists, or beyond all."""
    counts = [grown.get(f"{SLOW}{bound}", 0.0) for bound in _BOUNDS]
    total, reached = sum(counts), 0.0
    for bound, n in zip(_BOUNDS, counts, strict=True):
        reached += n
        if n > 0 and reached / total >= q:
            return None if bound == inf else bound
    return None


def slower(grown: Mapping[str, float], seconds: float) -> float:
    """Lists that took longer than a bound of the buckets."""
    return sum(grown.get(f"{SLOW}{bound}", 0.0) for bound in _BOUNDS if bound > seconds)


def later(grown: Mapping[str, float], seconds: float) -> float:
    """Interactions that were counted later than so many seconds, a bound of the buckets, after their publication."""
    bounds = (*BOUNDS_MS, inf)
    return sum(grown.get(name, 0.0) for name, bound in zip(FRESH, bounds, strict=True) if bound > seconds * 1000)
