"""The demo shop's catalogue as its feed would have it, and its way into Redis."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from varde.catalogue import Entry
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore, Loaded

from .catalogue import BY_SLUG, PER_CATEGORY, Product, arrivals, products

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
PICTURE = 480
"""Width of the catalogue's pictures in pixels."""

_DEPARTMENT = {slug: name for name, slugs in DEPARTMENTS.items() for slug in slugs.split()}
_IN_VARIANTS = {*DEPARTMENTS["Footwear"].split(), *DEPARTMENTS["Clothing"].split()}


def entries(shop: str = "") -> Iterator[Entry]:
    """Every product: the same ones each time. Footwear and clothing of one brand and kind are variants.

    Args:
        shop: address of the shop's pages and pictures, without a slash at the end; empty: they are paths.
    """
    families: dict[str, list[str]] = {}
    for product in products().values():
        families.setdefault(_family(product), []).append(product.id)
    for product in products().values():
        family = _family(product)
        in_variants = product.category in _IN_VARIANTS and len(families[family]) > 1
        yield _at(shop, _entry(product, family if in_variants else None))
    for product in arrivals().values():
        yield _at(shop, replace(_entry(product, None), stock=MOST_STOCK, hidden=False))


def load(settings: Settings, now: int, shop: str = "") -> Loaded:
    """Put the catalogue into the Redis of the settings.

    Args:
        settings: of the system.
        now: the time of the feed, ms.
        shop: address of the shop's pages and pictures.

    Raises:
        redis.exceptions.RedisError: not reached.
    """
    with closing(CatalogueStore.from_settings(settings)) as store:
        return store.put_entries(entries(shop), now, complete=True)


def _at(shop: str, entry: Entry) -> Entry:
    return replace(entry, url=f"{shop}{page_path(entry.id)}", image=f"{shop}{picture_path(entry.id)}")


def page_path(item: str) -> str:
    """Where the shop has an item's page."""
    return f"/p/{item}"


def picture_path(item: str, width: int = PICTURE) -> str:
    """Where the shop has an item's picture, so many pixels wide."""
    return f"/pictures/{item}.png?w={width}"


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
