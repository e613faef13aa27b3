"""Placements: what one list of the shop shows, and by which rules. Values only; server/ applies them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from varde import tables
from varde.pairs import Relation
from varde.tables import TableError, key
from varde.toml_lines import Path

SOURCES = ("similar", "recommendations", "trending", "popular")
UNLISTED = ("hide", "show")
BOOSTED = ("item", "brand", "category")
SAME = "same"
"""As a category: that of the seed."""
MOST_ITEMS = 100
"""Most items in one answer."""
MOST_FACTOR = 1000
MOST_PRICE = 1e12
_PRICE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?", re.ASCII)
_RELATIONS = {relation.label: relation for relation in Relation}


@dataclass(frozen=True, slots=True)
class Price:
    """A bound of prices: `value` itself, or that part of the seed's price."""

    value: float
    relative: bool = False

    def of(self, seed: float | None) -> float | None:
        """The bound for a seed of this price; None (no bound) where it is relative and the seed's is unknown."""
        if not self.relative:
            return self.value
        return None if seed is None else self.value * seed

    def __str__(self) -> str:
        return f"{self.value * 100:g}%" if self.relative else f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class Boost:
    """What multiplies the score of an item: `by` one of BOOSTED, the item id, brand or category, the factor."""

    by: str
    value: str
    factor: float


def price(value: Any) -> Price:
    """`100`, `"100"`, or `"50%"` of the seed's price."""
    shown = str(value) if type(value) in (int, float) else value
    relative = isinstance(shown, str) and shown.endswith("%")
    if not isinstance(shown, str) or not _PRICE.fullmatch(shown.removesuffix("%") if relative else shown):
        msg = 'must be a price such as 100 or "99.50", or a part of the seed\'s such as "50%"'
        raise ValueError(msg)
    return Price(float(shown[:-1]) / 100, True) if relative else Price(float(shown))


def relation(value: Any) -> Relation:
    """The label of a relation."""
    if not isinstance(value, str) or value not in _RELATIONS:
        msg = f"must be one of {', '.join(_RELATIONS)}"
        raise ValueError(msg)
    return _RELATIONS[value]


def boost(value: Any) -> Boost:
    """`{brand = "Nord", factor = 1.5}`."""
    given = [by for by in BOOSTED if isinstance(value, dict) and by in value]
    if len(given) != 1 or set(value) != {given[0], "factor"}:
        msg = "must be a table of item, brand or category, and factor"
        raise ValueError(msg)
    factor = value["factor"]
    if type(factor) not in (int, float) or not (0 < factor <= MOST_FACTOR and math.isfinite(factor)):
        msg = f"factor must be more than 0 and at most {MOST_FACTOR:,}"
        raise ValueError(msg)
    return Boost(given[0], tables.text(value[given[0]]), float(factor))


_ids = tables.each(tables.text)
_id_set = tables.set_of(tables.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One list of the shop. `static` None: the one of the whole file; `ranking` is the name of one."""

    name: str
    source: str = key("similar", "What the list starts from.", tables.one_of(*SOURCES), '"similar"')
    relation: Relation = key(Relation.ALSO_VIEWED, "Which pairs count.", relation, '"also_viewed"')
    ranking: str = key("", "A ranking's name; default: the first of `VARDE_RANKINGS`.", tables.text, '"llr"')
    n: int = key(10, "Items in an answer, 1 to 100.", tables.whole(1, MOST_ITEMS), "10")
    in_stock: bool = key(True, "Leave out what is sold out.", tables.flag, "true")
    group_variants: bool = key(True, "At most one item of one parent, and no variant of the seed.", tables.flag, "true")
    max_per_brand: int = key(0, "Most items of one brand; 0: no bound.", tables.whole(0, MOST_ITEMS), "3")
    exclude_bought: bool = key(False, "Leave out what this customer bought.", tables.flag, "true")
    exclude_in_cart: bool = key(True, "Leave out what is in the cart.", tables.flag, "true")
    exclude: frozenset[str] = key(frozenset(), "Items that never appear.", _id_set, '["gift-card"]')
    exclude_categories: frozenset[str] = key(frozenset(), "Categories that never appear.", _id_set, '["Services"]')
    exclude_brands: frozenset[str] = key(frozenset(), "Brands that never appear.", _id_set, '["Rival"]')
    category: str | None = key(None, 'Only items of this category; `"same"`: of the seed\'s.', tables.text, '"same"')
    min_price: Price | None = key(
        None, 'Lowest price: `100`, or `"50%"` of the seed\'s. Without a seed the latter is no bound.', price, '"50%"'
    )
    max_price: Price | None = key(None, "Highest price, in the same way.", price, '"150%"')
    must_include: tuple[str, ...] = key(
        (), "Items that come first, at most n, unless a rule leaves them out.", _ids, '["base-001"]'
    )
    boost: tuple[Boost, ...] = key(
        (),
        "Factors (over 0, at most 1,000) on the scores of an `item`, `brand` or `category`.",
        tables.each(boost, 1000),
        '[{ brand = "Nord", factor = 1.5 }, { category = "Sale", factor = 0.5 }]',
    )
    fill: bool = key(False, "Complete a list of fewer than n from lower rungs.", tables.flag, "true")
    static: tuple[str, ...] | None = key(
        None, "Items of the last rung; default: `static` of the whole file.", _ids, '["base-002", "base-003"]'
    )
    max_age: int = key(0, "Seconds that an answer may be cached, up to a day.", tables.whole(0, 86_400), "60")
    unlisted: str = key(
        "hide",
        "`hide` or `show`: items without an entry in the catalogue, while one is loaded.",
        tables.one_of(*UNLISTED),
        '"hide"',
    )


def check(placement: Placement, path: Path) -> None:
    """Refuse keys that contradict each other.

    Raises:
        TableError: which and why.
    """
    low, high = placement.min_price, placement.max_price
    if low and high and low.relative == high.relative and low.value > high.value:
        raise TableError((*path, "max_price"), f"is less than min_price, {low}")
    if len(placement.must_include) > placement.n:
        raise TableError((*path, "must_include"), f"has {len(placement.must_include)} items, and n is {placement.n}")
    both = placement.exclude.intersection(placement.must_include)
    if both:
        raise TableError((*path, "must_include"), f"{min(both)!r} is excluded as well")
