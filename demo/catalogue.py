"""The catalogue of an outdoor shop that does not exist: 440 products in 22 categories, always the same ones. Pure.

And a few arrivals that simulated shoppers do not know: whoever looks at one is the first.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

PER_CATEGORY = 20
BRANDS = (
    "Rimfell", "Kaldra", "Brekkur", "Myrvik", "Tindre", "Skarvik", "Holmgrat", "Ursfjell",
    "Vindlo", "Grankott", "Nordlyng", "Stigvar",
)  # fmt: skip
MODELS = (
    "Heron", "Lynx", "Bilberry", "Marten", "Osprey", "Juniper", "Ptarmigan", "Saxifrage", "Otter", "Rowan", "Plover",
    "Heather", "Wolverine", "Birch", "Dipper", "Sorrel", "Arctic Fox", "Cloudberry", "Merlin", "Spruce", "Lemming",
    "Crowberry", "Raven", "Willow",
)  # fmt: skip
NEW_IN = ("tent", "pack", "boot", "jacket", "lamp", "stove", "bag", "bottle")
"""Categories with an arrival."""
TIERS = 3
"""Budget, middle, best: shoppers keep to one more than not."""


@dataclass(frozen=True, slots=True)
class Category:
    """A shelf: `slug` begins the product ids, `related` are the slugs that its buyers look at next."""

    slug: str
    title: str
    kinds: tuple[str, ...]
    prices: tuple[int, int]
    related: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """One article. `rank` is its popularity within the category (0 sells best), `tier` its price class (0 to 2)."""

    id: str
    name: str
    category: str
    brand: str
    price: float
    rank: int
    tier: int


def _category(slug: str, title: str, kinds: str, low: int, high: int, related: str) -> Category:
    return Category(slug, title, tuple(kinds.split(", ")), (low, high), tuple(related.split()))


CATEGORIES = (
    _category("tent", "Tents", "Dome Tent, Tunnel Tent, Ridge Tent", 120, 900, "bag mat tarp stove"),
    _category("tarp", "Tarps and hammocks", "Tarp, Hammock", 40, 260, "tent mat lamp"),
    _category("bag", "Sleeping bags", "Down Sleeping Bag, Summer Sleeping Bag", 80, 620, "mat tent base"),
    _category("mat", "Sleeping mats", "Air Mat, Foam Mat", 25, 230, "bag tent"),
    _category("pack", "Backpacks", "Trekking Pack, Day Pack", 60, 380, "bottle pole jacket"),
    _category("boot", "Hiking boots", "Leather Boots, Mid Boots", 110, 390, "sock gaiter trouser"),
    _category("shoe", "Trail shoes", "Trail Shoes, Approach Shoes", 80, 220, "sock shorts bottle"),
    _category("sock", "Socks", "Merino Socks, Liner Socks", 12, 38, "boot shoe base"),
    _category("gaiter", "Gaiters", "Gaiters, Snow Gaiters", 30, 110, "boot trouser pole"),
    _category("jacket", "Shell jackets", "Shell Jacket, Rain Jacket", 90, 560, "trouser fleece pack"),
    _category("fleece", "Fleeces and down", "Fleece, Down Jacket", 60, 420, "jacket base hat"),
    _category("trouser", "Trousers", "Trekking Trousers, Shell Trousers", 70, 290, "jacket boot base"),
    _category("shorts", "Shorts and shirts", "Shorts, Trail Shirt", 35, 110, "shoe hat"),
    _category("base", "Base layers", "Merino Top, Merino Tights", 45, 130, "sock fleece hat"),
    _category("hat", "Hats and gloves", "Wool Hat, Gloves", 20, 120, "fleece base"),
    _category("stove", "Stoves", "Gas Stove, Spirit Stove, Petrol Stove", 35, 240, "pot fuel knife"),
    _category("pot", "Pots and mugs", "Pot Set, Mug", 15, 140, "stove fuel bottle"),
    _category("fuel", "Fuel and lighters", "Gas Canister, Fire Steel", 6, 35, "stove pot"),
    _category("lamp", "Head torches", "Head Torch, Camp Lantern", 25, 180, "knife tent"),
    _category("pole", "Poles and navigation", "Trekking Poles, Compass", 30, 210, "pack gaiter"),
    _category("bottle", "Bottles and filters", "Bottle, Water Filter", 14, 120, "pack pot"),
    _category("knife", "Knives and tools", "Knife, Folding Saw", 25, 170, "stove lamp"),
)
BY_SLUG = {category.slug: category for category in CATEGORIES}


@cache
def catalogue() -> dict[str, tuple[Product, ...]]:
    """Category slug -> its products, the best seller first."""
    rng = random.Random("varde")  # noqa: S311 - a fixed assortment, nothing secret
    return {category.slug: tuple(_shelf(category, rng)) for category in CATEGORIES}


@cache
def products() -> dict[str, Product]:
    """Product id -> product, of the whole catalogue."""
    return {product.id: product for shelf in catalogue().values() for product in shelf}


@cache
def arrivals() -> dict[str, Product]:
    """Product id -> product, of what is new in. They are in no shelf of `catalogue` and sell last."""
    rng = random.Random("arrivals")  # noqa: S311 - a fixed assortment, nothing secret
    return {product.id: product for product in (_arrival(BY_SLUG[slug], rng) for slug in NEW_IN)}


def _arrival(category: Category, rng: random.Random) -> Product:
    names = {product.name for product in catalogue()[category.slug]}
    low, high = category.prices
    while True:
        brand, tier = rng.choice(BRANDS), rng.randrange(TIERS)
        name = f"{brand} {rng.choice(MODELS)} {rng.choice(category.kinds)}"
        price = round(low + (high - low) * (tier + rng.random()) / TIERS) - 0.05
        if name not in names:
            return Product(
                f"{category.slug}-{PER_CATEGORY + 1:03d}", name, category.slug, brand, price, PER_CATEGORY, tier
            )


def _shelf(category: Category, rng: random.Random) -> list[Product]:
    low, high = category.prices
    models = rng.sample(MODELS, PER_CATEGORY)
    ranks = rng.sample(range(PER_CATEGORY), PER_CATEGORY)
    shelf = []
    for number, (model, rank) in enumerate(zip(models, ranks, strict=True)):
        tier = number * TIERS // PER_CATEGORY
        brand = rng.choice(BRANDS)
        price = low + (high - low) * (number + rng.random()) / PER_CATEGORY
        name = f"{brand} {model} {rng.choice(category.kinds)}"
        slug = f"{category.slug}-{number + 1:03d}"
        shelf.append(Product(slug, name, category.slug, brand, round(price) - 0.05, rank, tier))
    return sorted(shelf, key=lambda product: product.rank)


@cache
def attraction(slug: str, tier: int, brand: str) -> tuple[float, ...]:
    """How much each product of a category draws a shopper of this tier and favourite brand, best seller first."""
    return tuple(
        (3.0 if product.tier == tier else 1.0) * (2.5 if product.brand == brand else 1.0) / (product.rank + 2)
        for product in catalogue()[slug]
    )
