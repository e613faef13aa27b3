"""The core per event, without any engine: parse, transitions.join and Counts.add, in events per second on one core.

    python -m tests.bench algebra

The state cell's codec is measured too, because the stream decodes and encodes it around every event. Rounds of all
cases take turns; the median counts. The baseline of the ratios is the JSON parser alone on the same messages.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable

import orjson

from varde import history, profile, transitions
from varde.counts import Counts
from varde.events import Rejected, parse
from varde.history import DAY_MS, Signal
from varde.orders import order_key
from varde.pairs import Histories
from varde.settings import Settings

from .table import machine, median, say, table
from .traffic import mix, views

EVENTS = 4_000
ROUNDS = 7
SETTINGS = Settings()
LIMITS = SETTINGS.limits
NOW = 20_600 * DAY_MS + DAY_MS // 2
PURCHASES = 8

Event = tuple[Signal, tuple[str, ...], int]


def somebody(views_: int) -> profile.Profile:
    """A customer with so many views and PURCHASES purchases, all of this week."""
    seen = history.of(((f"SKU-{n:06d}", NOW - DAY_MS - 1000 * n) for n in range(views_)), LIMITS.cap)
    held = profile.Profile(Histories(view=seen))
    for n in range(PURCHASES):
        order = transitions.interaction(Signal.PURCHASE, (f"SKU-{n:06d}",), NOW - DAY_MS - n, order_key(f"order-{n}"))
        held = transitions.join(held, order, LIMITS, NOW).profile
    return held


def each_new(start: profile.Profile, counts: Counts) -> int:
    """Every event adds a view of an item that the customer had not seen. Returns the pairs that changed."""
    changed = 0
    for n in range(EVENTS):
        step = transitions.join(start, transitions.interaction(Signal.VIEW, (f"NEW-{n:06d}",), NOW + n), LIMITS, NOW)
        counts.add(step.changes)
        changed += sum(len(row.partners) for row in step.changes.rows)
    return changed


def each_known(start: profile.Profile, counts: Counts) -> int:
    """Every event is a later view of an item that is in the history: a new time, no difference."""
    items = itertools.cycle(start.histories.view)
    for n, item in enumerate(itertools.islice(items, EVENTS)):
        step = transitions.join(start, transitions.interaction(Signal.VIEW, (item,), NOW + n), LIMITS, NOW)
        assert step.outcome == "refreshed"
        counts.add(step.changes)
    return 0


def each_again(start: profile.Profile, counts: Counts) -> int:
    """Every event came before, to the millisecond: redelivery."""
    entries = itertools.islice(itertools.cycle(start.histories.view.items()), EVENTS)
    for item, at in entries:
        step = transitions.join(start, transitions.interaction(Signal.VIEW, (item,), at), LIMITS, NOW)
        assert step.outcome == "unchanged"
        counts.add(step.changes)
    return 0


def orders(start: profile.Profile, counts: Counts) -> int:
    """Every event is an order of three items that the customer had not bought."""
    changed = 0
    for n in range(EVENTS):
        items = tuple(f"NEW-{3 * n + i:06d}" for i in range(3))
        order = transitions.interaction(Signal.PURCHASE, items, NOW + n, order_key(f"{n}"))
        step = transitions.join(start, order, LIMITS, NOW)
        counts.add(step.changes)
        changed += sum(len(row.partners) for row in step.changes.rows)
    return changed


def coded(start: profile.Profile) -> int:
    """The state cell, read and written."""
    for _ in range(EVENTS):
        again = profile.decode(profile.encode(start))
    assert again.histories == start.histories
    return 0


def parsed(messages: Iterable[bytes]) -> int:
    """Messages to events."""
    mapping = SETTINGS.mapping
    for data in messages:
        parse(data, NOW, mapping)
    return 0


def json_only(messages: Iterable[bytes]) -> int:
    """The JSON parser alone."""
    for data in messages:
        orjson.loads(data)
    return 0


def _cases() -> dict[str, Callable[[], int]]:
    views_, mix_ = views(EVENTS), [data for data in mix(2 * EVENTS) if not _faulty(data)][:EVENTS]
    some, full, nobody = somebody(10), somebody(LIMITS.cap), profile.EMPTY
    return {
        "orjson.loads, 600-byte views": lambda: json_only(views_),
        "parse, 600-byte views": lambda: parsed(views_),
        "parse, the simulator's mix": lambda: parsed(mix_),
        "join + add, first view": lambda: each_new(nobody, Counts()),
        "join + add, new view beside 10": lambda: each_new(some, Counts()),
        "join + add, new view, history full at 64": lambda: each_new(full, Counts()),
        "join + add, order of 3 items": lambda: orders(full, Counts()),
        "join + add, known item, history full": lambda: each_known(full, Counts()),
        "join + add, same event again, history full": lambda: each_again(full, Counts()),
        "state cell decoded and encoded, 10 views": lambda: coded(some),
        "state cell decoded and encoded, 64 views": lambda: coded(full),
    }


def _faulty(data: bytes) -> bool:
    events = parse(data, NOW, SETTINGS.mapping)
    return isinstance(events, Rejected) and events.dead_letter


def check() -> None:
    """What is timed is also right: the differences of a full history are those of the definition."""
    full, counts = somebody(LIMITS.cap), Counts()
    step = transitions.join(full, transitions.interaction(Signal.VIEW, ("NEW",), NOW), LIMITS, NOW)
    counts.add(step.changes)
    pairs, supports = counts.totals()
    # 63 pairs come and 63 go with the oldest view; across, each is paired with 8 purchases.
    assert sum(n for (relation, _, _), n in pairs.items() if relation == 0) == 0
    assert sum(abs(n) for (relation, _, _), n in pairs.items() if relation == 0) == 4 * (LIMITS.cap - 1)
    assert supports == {(0, "NEW"): 1, (0, f"SKU-{LIMITS.cap - 1:06d}"): -1}


def main() -> None:
    """Print the table."""
    check()
    say(f"algebra: {EVENTS} events a round, median of {ROUNDS} rounds; {machine()}")
    cases = _cases()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    changed = dict.fromkeys(cases, 0)
    for _ in range(ROUNDS):
        for name, run in cases.items():
            start = time.perf_counter()
            changed[name] = run()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: EVENTS / median(times) for name, times in seconds.items()}
    base = next(iter(rates.values()))
    rows = [
        [name, f"{rate:,.0f}", f"{1e6 / rate:.1f}", f"{base / rate:.1f}", f"{changed[name] / EVENTS:.0f}"]
        for name, rate in rates.items()
    ]
    table(["", "events/s", "us", "x JSON", "pairs/event"], rows)


if __name__ == "__main__":
    main()
