"""The demo shop's catalogue as its feed would have it, and its way into Redis."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from varde.catalogue import Entry
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore, Loaded

from .catalogue import BY_SLUG, PER_CATEGORY, Product, products

CONFIG = Path(__file__).with_name("shop.toml")
"""The configuration file of the demo's server."""
CURRENCY = "EUR"
DEPARTMENTS = {
    "Camping": "tent tarp bag mat lamp",
    "Cooking": "stove pot fuel bottle",
    "Footwear": "boot shoe sock gaiter",
    "Clothing": "jacket fleece trouser shorts base hat",
    "Equipment": "pack pole knife",
}
HIDDEN = 0.02
SOLD_OUT = 0.06
UNTRACKED = 0.1
"""Parts of the products that are hidden, sold out, or whose stock nobody tracks."""
MOST_STOCK = 120

_DEPARTMENT = {slug: name for name, slugs in DEPARTMENTS.items() for slug in slugs.split()}
_IN_VARIANTS = {*DEPARTMENTS["Footwear"].split(), *DEPARTMENTS["Clothing"].split()}


def entries() -> Iterator[Entry]:
    """Every product: the same ones each time. Footwear and clothing of one brand and kind are variants."""
    families: dict[str, list[str]] = {}
    for product in products().values():
        families.setdefault(_family(product), []).append(product.id)
    for product in products().values():
        family = _family(product)
        in_variants = product.category in _IN_VARIANTS and len(families[family]) > 1
        yield _entry(product, family if in_variants else None)


def load(settings: Settings, now: int) -> Loaded:
    """Put the catalogue into the Redis of the settings.

    Args:
        settings: of the system.
        now: the time of the feed, ms.

    Raises:
        redis.exceptions.RedisError: not reached.
    """
    with closing(CatalogueStore.from_settings(settings)) as store:
        return store.put_entries(entries(), now, complete=True)


def _family(product: Product) -> str:
    kind = next(kind for kind in BY_SLUG[product.category].kinds if product.name.endswith(kind))
    return f"{product.brand} {kind}".lower().replace(" ", "-")


def _entry(product: Product, parent: str | None) -> Entry:
    rng = random.Random(f"stock:{product.id}")  # noqa: S311 - the same each time, nothing secret
    fate = rng.random()
    stock: int | None = rng.randint(1, MOST_STOCK)
    if fate < SOLD_OUT:
        stock = 0
    elif fate < SOLD_OUT + UNTRACKED:
        stock = None
    slow = product.rank >= PER_CATEGORY // 4  # a shop hides what it no longer wants, not what sells best
    return Entry(
        product.id,
        parent=parent,
        title=product.name,
        price=product.price,
        currency=CURRENCY,
        stock=stock,
        categories=(_DEPARTMENT[product.category], BY_SLUG[product.category].title),
        brand=product.brand,
        hidden=slow and rng.random() < HIDDEN / 0.75,
    )
