"""What a Redis that was never reconciled lacks beside counts: popularity, and the customers' latest items.

The stream keeps both itself; these are their beginnings. Each may be repeated: a weight only rises to what the
warehouse says, and latest items merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from operator import itemgetter
from typing import Protocol

import pyarrow as pa

from varde.delivery import LANDMARK_MS, Recent, recent
from varde.history import DAY_MS
from varde.orders import ORDERS_PER_ITEM, items_kept, returns_kept
from varde.settings import Settings

from . import nightly, tombstones
from .customers import key as customer_key
from .customers import tuples
from .pasts import past
from .warehouse import Warehouse

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
    given = {"landmark": LANDMARK_MS, "half_life": int(settings.half_life_days * DAY_MS)}
    weights: dict[int, dict[str, float]] = {}
    for row in warehouse.query("popularity", given).to_pylist():
        weights.setdefault(row["signal"], {})[row["item"]] = row["weight"]
    for signal, some in weights.items():
        tick("popularity")
        store.raise_popularity(signal, some)
    erased = tombstones.latest(warehouse)  # also of after the night: what is gone does not come back
    bounds = {
        "orders_per_item": ORDERS_PER_ITEM,
        "items_kept": items_kept(settings.cap),
        "returns_kept": returns_kept(settings.cap),
    }
    latest = recents(warehouse.query("pasts", bounds), settings, erased)
    while some_recents := list(islice(latest, BATCH)):
        tick("latest items")
        store.remember(some_recents)


def recents(pasts: pa.Table, settings: Settings, erased: Mapping[str, int]) -> Iterator[Recent]:
    """What each customer viewed, carted and ordered last, but for what was erased.

    One customer after another: besides the table itself no more than a batch of its rows is in memory.

    Args:
        pasts: rows (customer, signal, item, order_id, time) of sql/pasts.sql.
        settings: latest_kept, id_secret.
        erased: customer key -> up to when, ms.
    """
    secret = settings.id_secret.encode()
    rows = pasts.sort_by([(column, "ascending") for column in ("customer", "signal", "item", "order_id")])
    del pasts  # unless the caller holds it too, it is free from here on
    for customer, mine in groupby(tuples(rows), itemgetter(0)):
        key = customer_key(customer, secret)
        kept = past(row[1:] for row in mine).since(erased.get(key, -1) + 1)
        if kept:
            yield recent(key, *kept, settings.latest_kept)
