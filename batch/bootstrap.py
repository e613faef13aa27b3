"""What a Redis that was never reconciled lacks beside counts: popularity, and the customers' latest items.

The stream keeps both itself; these are their beginnings. Each may be repeated: a weight only rises to what the
warehouse says, and latest items merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from varde import keys
from varde.delivery import LANDMARK_MS, Recent
from varde.history import DAY_MS, Signal
from varde.settings import Settings

from . import nightly, tombstones
from .warehouse import Warehouse

COLUMNS = ("customer", "signal", "item", "time")
BATCH = 1_000
"""Customers in one round trip."""


class LiveItems(Protocol):
    """What is asked of varde.store.night.NightStore."""

    def raise_popularity(self, signal: int, weights: Mapping[str, float]) -> None:
        """Let each item weigh at least this."""
        ...

    def remember(self, recents: Iterable[Recent]) -> None:
        """Merge customers' latest items."""
        ...


def fill(
    warehouse: Warehouse,
    store: LiveItems,
    night: nightly.Night,
    settings: Settings,
    tick: nightly.Tick = lambda _: None,
) -> None:
    """Give Redis popularity and latest items, from the tables of a night."""
    given = {
        "landmark": LANDMARK_MS,
        "half_life": int(settings.half_life_days * DAY_MS),
        "window_start": night.window_start,
    }
    weights: dict[int, dict[str, float]] = {}
    for row in warehouse.query("popularity", given).to_pylist():
        weights.setdefault(row["signal"], {})[row["item"]] = row["weight"]
    for signal, some in weights.items():
        tick("popularity")
        store.raise_popularity(signal, some)
    erased = tombstones.latest(warehouse)  # also of after the night: what is gone does not come back
    latest = recents(warehouse.read("varde.histories", COLUMNS), settings, erased)
    while some_recents := list(islice(latest, BATCH)):
        tick("latest items")
        store.remember(some_recents)


def recents(histories: pa.Table, settings: Settings, erased: Mapping[str, int]) -> Iterator[Recent]:
    """The latest views of each customer, of rows (customer, signal, item, time), but for what was erased.

    Args:
        histories: as in varde.histories.
        settings: recent_items, id_secret.
        erased: customer key -> up to when, ms.
    """
    secret = settings.id_secret.encode()
    views = histories.filter(pc.equal(histories["signal"], int(Signal.VIEW)))
    views = views.sort_by([("customer", "ascending"), ("time", "descending"), ("item", "ascending")])
    rows = zip(*(views[column].to_pylist() for column in ("customer", "item", "time")), strict=True)
    for customer, mine in groupby(rows, lambda row: row[0]):
        kind, _, value = customer.partition(":")
        key = keys.customer_key(value, None, secret) if kind == "u" else keys.customer_key(None, value, secret)
        bound = erased.get(key, -1)
        latest = {item: time for _, item, time in islice(mine, settings.recent_items) if time > bound}
        if latest:
            yield Recent(key, latest)
