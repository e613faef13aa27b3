"""What the shop's pages show of the assortment: shelves, departments, search. Pure, and the same each time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from varde.catalogue import Entry

from . import shop_texts
from .assortment import DEPARTMENTS, entries, page_path, picture_path
from .catalogue import BY_SLUG, Category, Product, arrivals, products

SORTS = {"popular": "Most popular", "price": "Price, low to high", "price-down": "Price, high to low", "name": "Name"}
MOST_FOUND = 40
LOW_STOCK = 5


@dataclass(frozen=True, slots=True)
class Good:
    """A product with what the catalogue says of it."""

    product: Product
    entry: Entry
    new: bool

    @property
    def id(self) -> str:
        """The item id."""
        return self.product.id

    @property
    def url(self) -> str:
        """Path of its page."""
        return page_path(self.id)

    @property
    def price(self) -> str:
        """As a page writes it."""
        return money(self.product.price)

    @property
    def category(self) -> Category:
        """The shelf it stands on."""
        return BY_SLUG[self.product.category]

    @property
    def about(self) -> str:
        """A sentence or two."""
        return shop_texts.about(self.product.category)

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """(name, value)."""
        return shop_texts.facts(self.product)

    @property
    def sizes(self) -> tuple[str, ...]:
        """To choose from; empty where there is one."""
        return shop_texts.sizes(self.product.category)

    @property
    def stock(self) -> str:
        """What a page says about it."""
        stock = self.entry.stock
        if self.entry.sold_out:
            return "Sold out"
        return f"Only {stock} left" if stock is not None and stock <= LOW_STOCK else "In stock"

    def picture(self, width: int) -> str:
        """Path of its picture, so many pixels wide."""
        return picture_path(self.id, width)


@dataclass(frozen=True, slots=True)
class Department:
    """Several categories under one name. `slug` is in addresses."""

    name: str
    slug: str
    categories: tuple[Category, ...]


@cache
def goods() -> Mapping[str, Good]:
    """Item id -> what is sold, without what is hidden."""
    known = products() | arrivals()
    fresh = arrivals().keys()
    return {one.id: Good(known[one.id], one, one.id in fresh) for one in entries() if not one.hidden}


@cache
def departments() -> Mapping[str, Department]:
    """Slug -> department."""
    return {
        name.lower(): Department(name, name.lower(), tuple(BY_SLUG[slug] for slug in slugs.split()))
        for name, slugs in DEPARTMENTS.items()
    }


def department_of(category: str) -> Department:
    """The department of a category's slug."""
    return next(one for one in departments().values() if category in {shelf.slug for shelf in one.categories})


@cache
def shelf(category: str) -> tuple[Good, ...]:
    """The goods of a category, what is new first, then the best sellers."""
    return tuple(sorted(_of(category), key=lambda one: (not one.new, one.product.rank)))


def _of(category: str) -> Iterator[Good]:
    return (one for one in goods().values() if one.product.category == category)


def new_in() -> tuple[Good, ...]:
    """What nobody knows yet."""
    return tuple(one for one in goods().values() if one.new)


def family(good: Good) -> tuple[Good, ...]:
    """Others of the same line."""
    parent = good.entry.parent
    return tuple(one for one in goods().values() if parent and one.entry.parent == parent and one.id != good.id)


def chosen(shown: Iterable[Good], brand: str, sort: str) -> tuple[Good, ...]:
    """Those of one brand (all where it is empty), in an order of SORTS; an unknown one keeps the order."""
    kept = [one for one in shown if not brand or one.product.brand == brand]
    if sort in {"price", "price-down"}:
        kept.sort(key=lambda one: one.product.price, reverse=sort == "price-down")
    elif sort == "name":
        kept.sort(key=lambda one: one.product.name)
    return tuple(kept)


def search(text: str) -> tuple[Good, ...]:
    """Goods whose name or category holds every word, the best sellers first; at most MOST_FOUND."""
    words = text.lower().split()
    found = [one for one in goods().values() if words and all(word.rstrip("s") in _searched(one) for word in words)]
    return tuple(sorted(found, key=lambda one: (one.product.rank, one.id))[:MOST_FOUND])


def _searched(good: Good) -> str:
    return f"{good.product.name} {good.category.title}".lower()


def money(amount: float) -> str:
    """A price as a page writes it."""
    return f"€{amount:,.2f}"
