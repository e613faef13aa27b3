"""Some days of a small shop, as messages for the warehouse and as the stream meets them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from tests.property import oracle
from tests.property.fold import Fold

from varde.batch.arguments import check
from varde.batch.loader import Loader
from varde.batch.nightly import Tick
from varde.batch.reconcile import Outcome, Request, reconcile
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.delivery import Pane, split
from varde.events import Event, Rejected, parse
from varde.history import DAY_MS
from varde.pairs import Relation, Universe
from varde.settings import Settings
from varde.store.night import NightStore

TODAY = 20_454  # 2026-01-01
NOW = TODAY * DAY_MS + 40_000_000
DAYS = 4
"""Days up to and with today."""


def shop(seed: int, messages: int) -> list[bytes]:
    """Messages of the days in their order; within a day they come as they like, some of them twice."""
    rng = random.Random(seed)
    out: list[bytes] = []
    for day in range(TODAY - DAYS + 1, TODAY + 1):
        latest = NOW if day == TODAY else (day + 1) * DAY_MS - 1
        today = [_message(rng, rng.randrange(day * DAY_MS, latest)) for _ in range(messages // DAYS)]
        out += rng.sample(today + rng.choices(today, k=len(today) // 5), k=len(today) + len(today) // 5)
    return out


def _message(rng: random.Random, at: int) -> bytes:
    who = rng.randrange(12)
    common: dict[str, Any] = {"type": "track", "timestamp": at, "receivedAt": at + 500, "anonymousId": f"d{who}"}
    if rng.random() < 0.7:
        common["userId"] = f"u{who}"
    items = [f"item {int(15 * rng.random() ** 2)}" for _ in range(3)]
    roll = rng.random()
    if roll < 0.03 and "userId" in common:
        return orjson.dumps({"type": "delete", "userId": common["userId"], "timestamp": at, "receivedAt": at + 500})
    if roll < 0.25:
        order = {"order_id": f"o{rng.randrange(40)}", "products": [{"product_id": item} for item in items]}
        name = "Order Completed" if roll > 0.08 else "Order Refunded"
        return orjson.dumps(common | {"event": name, "properties": order})
    return orjson.dumps(common | {"event": "Product Viewed", "properties": {"product_id": items[0]}})


def meanings(messages: Iterable[bytes], settings: Settings) -> list[Event]:
    """What the messages mean, in their order."""
    out: list[Event] = []
    for data in messages:
        parsed = parse(data, NOW, settings.mapping)
        if not isinstance(parsed, Rejected):
            out += parsed
    return out


def load(path: Path, messages: Iterable[bytes], settings: Settings) -> None:
    """The messages as Segment's tables in a DuckDB file."""
    with DuckDBWarehouse(path, check(settings)) as opened:
        loader = Loader(opened, settings.mapping, secret=settings.id_secret.encode())
        for data in messages:
            loader.add(data, NOW + 1000)
        loader.flush()


def run(settings: Settings, path: Path, request: Request, tick: Tick = lambda _: None) -> Outcome:
    """`varde reconcile` without the command line: on a DuckDB file and the Redis of the settings."""
    with DuckDBWarehouse(path, check(settings)) as opened, closing(NightStore.from_settings(settings)) as store:
        return reconcile(opened, store, settings, request, tick)


def stream(store: NightStore, events: Iterable[Event], settings: Settings, run: str) -> None:
    """Put the stream's differences of events into Redis."""
    fold = Fold(settings.limits, NOW).play(events)
    deliveries = list(split(Pane(counts=fold.total), run, 0, 0, 1000))
    for delivery in deliveries:
        assert store.apply(delivery)
    store.refresh(*deliveries)


def live(store: NightStore) -> oracle.Totals:
    """Everything that Redis counts."""
    items = list(store.all_items())
    pairs = {
        (int(relation), item, other): n
        for relation in Relation
        for item in items
        for other, n in store.counts(relation, item).items()
    }
    asked = ["", *items]
    supports = {
        (int(universe), item): n
        for universe in Universe
        for item, n in zip(asked, store.supports(universe, asked), strict=True)
        if n
    }
    return pairs, supports
