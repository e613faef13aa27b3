"""An hour as the status page's record has it: a stream and a server at work, with a gap and a slow spell."""

from __future__ import annotations

import math
import random

from varde.freshness import BOUNDS_MS, histogram
from varde.server.snapshots import Sample
from varde.server.status_readings import EXPOSED, FRESH, SLOW
from varde.server.status_seen import MEMORY, UNDER_WAY, Seen
from varde.server.tally import SECONDS
from varde.store.vitals import Memory, Vitals

from .world import NOW

EVERY = 5
LOOKS = 3600 // EVERY
GIB = 2**30
AWAY = range(400, 430)
"""Looks that nobody answered: two and a half minutes."""
DAY_MS = 86_400_000


def hour(at: float = 10_000.0, processes: int = 4) -> Seen:
    """A record of an hour that ends at a time of the monotonic clock."""
    chance = random.Random(3)
    seen = Seen(began=at - 3600)
    stream: dict[str, float] = dict.fromkeys(
        ("messages", "accepted", "pairs_added", "pairs_removed", "rejected:not_json", "rejected:bad_id", *FRESH), 0.0
    )
    stream |= {"rejected:not_json": 14.0, "rejected:bad_id": 3.0}
    server: dict[str, float] = {}
    for look in range(LOOKS + 1):
        time = at - 3600 + look * EVERY
        busy = 1 + 0.35 * math.sin(look / 90) + 0.06 * chance.random()
        if look not in AWAY:
            _stream(stream, busy, 3.0 if 560 < look < 600 else 1.0, chance)
        levels = {UNDER_WAY: float(chance.randint(4, 30)), MEMORY: 2.1 * GIB + look * GIB / 4000}
        seen.stream.add(time, None if look in AWAY else stream, levels)
        _server(server, busy, look in AWAY, chance)
        seen.server.add(time, server)
    seen.at, seen.at_ms, seen.looks = at, NOW, LOOKS
    seen.vitals = Vitals(
        memory={"0": Memory(int(2.28 * GIB), 4 * GIB)},
        reconciled_until=NOW - int(1.5 * DAY_MS),
        ended=NOW - int(0.4 * DAY_MS),
        drift={"also_viewed": 0.0021, "also_bought": 0.0007, "viewed_bought": 0.0034, "support view": 0.0002},
    )
    seen.gauges = [Sample("varde_draining", {"process": str(place)}, 0.0) for place in range(processes)]
    return seen


def _stream(counters: dict[str, float], busy: float, slow: float, chance: random.Random) -> None:
    events = int(1060 * busy)
    counters["messages"] += events * 1.04
    counters["accepted"] += events
    for name in ("deliveries", "deliveries_applied"):
        counters[name] = counters.get(name, 0.0) + 20
    counters["pairs_added"] += events * 2.7
    counters["pairs_removed"] += events * 0.1
    counters["rejected:not_json"] += chance.random() < 0.04
    counters["rejected:bad_id"] += chance.random() < 0.01
    ages = [slow * 700 * math.exp(chance.gauss(0, 0.3)) for _ in range(60)]
    for age in ages:
        for name, n in histogram({0: events // 60}, min(int(age), BOUNDS_MS[-1])).items():
            counters[name] += n


def _server(counters: dict[str, float], busy: float, away: bool, chance: random.Random) -> None:
    lists = 3900 * busy
    more = {
        "requests": lists * 1.07,
        "lists": lists,
        "fallbacks": lists * (0.31 if away else 0.035 + 0.01 * chance.random()),
        "cache:hit": lists * (0.9 + 0.02 * chance.random()),
        "cache:miss": lists * 0.09,
        f"{EXPOSED}sent": lists * 0.2,
        "shown:cosine-1/control": lists * 0.1,
        "shown:cosine-1/cosine": lists * 0.1 * (1 + 0.01 * chance.random()),
    }
    parts = (0.55, 0.3, 0.09, 0.045, 0.005, 0.008, 0.002)
    more |= {f"{SLOW}{bound}": lists * part for bound, part in zip(SECONDS, parts, strict=False)}
    for name, n in more.items():
        counters[name] = counters.get(name, 0.0) + n
