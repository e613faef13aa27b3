"""The state of a server process in numbers: how old its memory is, how full, and how often it had the answer."""

from __future__ import annotations

import time

from .desk import Desk
from .hot import HotRows
from .parts import Parts
from .snapshots import Sample


def counts(parts: Parts, desk: Desk) -> list[Sample]:
    """What memory was asked for, and had."""
    caches: dict[str, Desk | HotRows] = {"answers": desk, "rows": parts.running.memory.hot}
    stale = Sample("varde_stale_answers", {}, float(desk.stale))
    lists = parts.shown.lists if parts.shown else {}
    dealt = [
        Sample("varde_experiment_lists", {"experiment": experiment, "variation": variation}, float(n))
        for (experiment, variation), n in lists.items()
    ]
    return [stale, *dealt] + [
        Sample("varde_cache_reads", {"cache": name, "result": result}, float(n))
        for name, cache in caches.items()
        for result, n in (("hit", cache.hits), ("miss", cache.misses))
    ]


def gauges(parts: Parts, desk: Desk) -> list[Sample]:
    """This moment."""
    running, now = parts.running, time.monotonic()
    shelf = running.memory.shelf
    items = {"known": len(shelf), "in_catalogue": shelf.entries_listed}
    entries = {"answers": len(desk), "rows": len(running.memory.hot)}
    return [
        Sample("varde_circuit_open", {}, float(running.circuit.open)),
        Sample("varde_config_error", {}, float(parts.file is not None and parts.file.error is not None)),
        Sample("varde_draining", {}, float(running.draining)),
        Sample("varde_exposures_waiting", {}, float(len(parts.shown.exposures) if parts.shown else 0)),
        *(Sample("varde_items", {"kind": kind}, float(n)) for kind, n in items.items()),
        *(Sample("varde_cache_entries", {"cache": cache}, float(n)) for cache, n in entries.items()),
        *(
            Sample("varde_memory_age_seconds", {"part": part}, round(now - at, 3))
            for part, at in parts.compared.items()
        ),
    ]
