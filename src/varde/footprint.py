"""Bytes of Redis that Varde takes, as formulas over what bounds each key family. Pure; docs/redis.md has what they fit.

Each is fitted to MEMORY USAGE on Redis 7.0 (`python -m tests.bench bytes`), for ids of ten bytes; a test measures anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from varde.history import Signal
from varde.keys import MOST_TOUCHED, SHARDS, TOKEN_BLOCK
from varde.pairs import Relation, Universe
from varde.settings import Settings

PACKED = 512
"""Fields up to which a hash is packed (hash-max-listpack-entries)."""
LOOSE = 54.0
"""Bytes a field of a hash that is not."""
ID_BYTES = 10
POPULAR_KEPT = 1_000
"""Most popular items kept, of a shard and signal."""
TOUCHED, POPULAR, SUPPORT, NAMES, CATALOGUE, TOKENS = 100, 96, 51, 118, 275, 1_112
"""Of a row written lately; of an item its popularity, support, names, catalogue entry; of TOKEN_BLOCK batches."""
DAY_S = 86_400


def row(neighbours: float, candidates: int) -> float:
    """Of a serving row."""
    return 104 + 5.75 * min(neighbours, candidates) if neighbours else 0.0


def pairs(neighbours: float) -> float:
    """Of a row item's pair counts in one relation."""
    if neighbours > PACKED:
        return 400 + LOOSE * neighbours
    return 76 + 6.0 * neighbours if neighbours else 0.0


def pairs_day(neighbours: float, days: float) -> float:
    """Of the dated differences of `neighbours` pairs that changed on so many days, each pair on one of them."""
    days = min(days, neighbours)
    if days and neighbours / days > PACKED:
        return days * 400 + LOOSE * neighbours
    return 95 * days + 5.9 * neighbours


def relation(neighbours: float, days: float, candidates: int) -> float:
    """Of an item in one relation: its serving row, counts and differences."""
    return row(neighbours, candidates) + pairs(neighbours) + pairs_day(neighbours, days)


def item(days: float, id_bytes: float = ID_BYTES) -> float:
    """Of an item, whatever its neighbours: number, name, supports and their days; popularity is bounded by itself."""
    return NAMES + 2 * (id_bytes - ID_BYTES) + SUPPORT * len(Universe) * (1 + days)


def customer(views: float, carted: float, orders: float, id_bytes: float = ID_BYTES) -> float:
    """Of a customer's latest items: views, carted items, orders of two items."""
    longer = id_bytes - ID_BYTES
    out = 130 + (21 + longer) * views if views else 0.0
    out += 120 + (22 + longer) * carted if carted else 0.0
    return out + (130 + 2 * (33 + longer) * orders if orders else 0.0)


def tokens(batches_per_s: float, days: int) -> float:
    """Of the tokens of applied batches."""
    return batches_per_s * days * DAY_S / TOKEN_BLOCK * TOKENS


@dataclass(frozen=True, slots=True)
class Shop:
    """What a shop is like.

    customers: with a history in the window, known or not. items: that are met. neighbours: of an item, by Relation.
    head: part of the items that have `head_neighbours` instead. days: on which an item's pairs change, of those kept.
    views, carted, orders: of a customer; carting, buying: parts of the customers who do. batches_per_s: written.
    """

    customers: int
    items: int
    neighbours: tuple[float, float, float] = (128, 16, 32)
    head: float = 0.01
    head_neighbours: float = 2_000
    days: float = 5
    views: float = 20
    carted: float = 5
    orders: float = 3
    carting: float = 0.2
    buying: float = 0.1
    batches_per_s: float = 64
    id_bytes: float = ID_BYTES
    catalogue: bool = True


def memory(shop: Shop, settings: Settings) -> dict[str, float]:
    """Bytes by what they are for."""
    days = min(shop.days, settings.live_days)
    counted = min(shop.items, settings.max_items)
    usual = [relation(min(n, counted), days, settings.candidates) for n in shop.neighbours]
    many = relation(min(shop.head_neighbours, counted), days, settings.candidates)
    views, carted = min(shop.views, settings.recent_items), min(shop.carted, settings.recent_items)
    of_customer = customer(views, 0, 0, shop.id_bytes)
    of_customer += shop.carting * customer(0, carted, 0, shop.id_bytes)
    of_customer += shop.buying * customer(0, 0, shop.orders, shop.id_bytes)
    return {
        "pairs and rows": counted * ((1 - shop.head) * sum(usual) + shop.head * len(Relation) * many),
        "items": counted * item(days, shop.id_bytes)
        + POPULAR * len(Signal) * min(counted, POPULAR_KEPT * SHARDS)
        + TOUCHED * min(counted * len(Relation), MOST_TOUCHED * SHARDS),
        "catalogue": shop.items * (CATALOGUE + 2 * (shop.id_bytes - ID_BYTES)) if shop.catalogue else 0.0,
        "customers": shop.customers * of_customer,
        "tokens": tokens(shop.batches_per_s, settings.token_days),
        "empty": 2_000_000.0,
    }
