"""A random small shop: items, what was counted of them, catalogue, customers, configuration, and requests for lists."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from varde.catalogue import Entry
from varde.config import Config, Ranking, read
from varde.delivery import popularity
from varde.latest import HOUR_MS
from varde.pairs import Relation
from varde.placements import Boost, Placement, Price
from varde.ranking import formula

from .world import NOW

ITEMS = [f"item-{n:02d}" for n in range(16)]
ONLY_LISTED, ONLY_STATIC, PARENT = "only-listed", "only-static", "parent-id"
"""Ids that Varde has counted nothing of: one in the catalogue, one in the configuration, one that is only a parent."""
EVERY = [*ITEMS, ONLY_LISTED, ONLY_STATIC, PARENT]
BRANDS, CATEGORIES = ["Nord", "Syd"], ["Shoes", "Hats", "Red, large"]
RELATIONS = [Relation.ALSO_VIEWED, Relation.VIEWED_BOUGHT]
RANKINGS = ("count", "llr", "jaccard")
PLACES = ["default", "page", "cart", "rising", "best"]
HALF_LIFE, DAYS, FLOOR, CART_HOURS = 7.0, 90, 3, 48
TOTAL = 200
"""Customers of every universe."""


@dataclass
class Person:
    """(item, time) each, newest first."""

    views: list = field(default_factory=list)
    carts: list = field(default_factory=list)
    bought: list = field(default_factory=list)


@dataclass
class Shop:
    """numbers: item -> number, of those that were counted. supports: item -> customers. rows: (relation, item) ->
    {item: customers}; an item that has no number is a candidate without a name. popular: signal -> item -> weight.
    rising: item -> customers won of late. people: "uid" and "aid".
    """

    numbers: dict
    supports: dict
    rows: dict
    popular: dict
    rising: dict
    catalogue: dict
    people: dict
    config: Config

    def entry(self, item):
        return self.catalogue.get(item)


def shop(chance):
    """A shop by a random.Random."""
    numbers = {item: place * 64 + chance.randrange(64) for place, item in enumerate(ITEMS)}
    supports = {item: chance.randint(9, 30) for item in ITEMS}
    rows = {}
    for relation in RELATIONS:
        for item in chance.sample(ITEMS, 10):
            others = [other for other in chance.sample(ITEMS, chance.randint(1, 12)) if other != item]
            if others:
                rows[relation, item] = {other: chance.randint(1, 9) for other in others}
    popular = {signal: weights(chance) for signal in range(3)}
    rising = {item: chance.randint(-2, 9) for item in chance.sample(ITEMS, 6)}
    catalogue = {item: entry(chance, item) for item in EVERY if chance.random() < 0.8} if chance.random() < 0.8 else {}
    if chance.random() < 0.1:
        catalogue = {item: dataclasses.replace(one, listed=False) for item, one in catalogue.items()}
    people = {"uid": person(chance), "aid": person(chance)}
    return Shop(numbers, supports, rows, popular, rising, catalogue, people, config(chance))


def weights(chance):
    items = chance.sample(ITEMS, chance.choice([0, 3, 8, 16]))
    return {item: chance.choice([1.0, 2.0, 2.0, 3.5, 8.0]) * popularity(NOW, HALF_LIFE) for item in items}


def entry(chance, item):
    return Entry(
        item,
        parent=chance.choice([None, None, PARENT, "item-00", "family"]),
        title=chance.choice([None, "A name"]),
        price=chance.choice([None, 5.0, 10.0, 20.0, 40.0]),
        currency=chance.choice([None, "SEK"]),
        stock=chance.choice([None, None, 3, 0, -1]),
        categories=tuple(chance.sample(CATEGORIES, chance.randint(0, 2))),
        brand=chance.choice([None, *BRANDS]),
        hidden=chance.random() < 0.15,
        prices={"EUR": chance.choice([1.0, 4.0])} if chance.random() < 0.3 else {},
        listed=chance.random() < 0.9,
    )


def person(chance):
    if chance.random() < 0.3:
        return Person()

    def some(most):
        times = sorted((NOW - chance.randrange(4 * 24 * HOUR_MS) for _ in range(most)), reverse=True)
        return list(zip(chance.sample(EVERY, most), times, strict=True))

    return Person(some(chance.randint(0, 7)), some(chance.randint(0, 3)), some(chance.randint(0, 3)))


def config(chance):
    base = read("", RANKINGS)
    sources = {
        "default": "similar",
        "page": "similar",
        "cart": "recommendations",
        "rising": "trending",
        "best": "popular",
    }
    static = tuple(chance.sample(EVERY, chance.randint(0, 4)))
    placements = {name: placement(chance, name, sources[name], static) for name in PLACES}
    rankings = {name: Ranking(name=name, formula=formula(name)) for name in RANKINGS}
    rankings["count"] = dataclasses.replace(rankings["count"], floor=chance.choice([None, 1, 5]))
    return dataclasses.replace(base, rankings=rankings, placements=placements, static=static)


def placement(chance, name, source, static):
    plain = Placement(name=name, source=source, ranking=chance.choice(RANKINGS), static=static)
    if chance.random() < 0.3:
        return plain
    exclude = frozenset(chance.sample(EVERY, chance.randint(0, 3)))
    pinned = [item for item in chance.sample(EVERY, chance.randint(0, 3)) if item not in exclude]
    boosted = [Boost("item", chance.choice(ITEMS), chance.choice([0.01, 3.0, 100.0])), Boost("brand", "Nord", 2.0)]
    boosted.append(Boost("category", chance.choice(CATEGORIES), chance.choice([0.5, 4.0])))
    return dataclasses.replace(
        plain,
        relation=chance.choice(RELATIONS),
        n=chance.choice([3, 5, 10]),
        in_stock=chance.random() < 0.7,
        group_variants=chance.random() < 0.6,
        max_per_brand=chance.choice([0, 0, 1, 2]),
        exclude_bought=chance.random() < 0.5,
        exclude_in_cart=chance.random() < 0.5,
        exclude=exclude,
        exclude_categories=frozenset(chance.sample(CATEGORIES, chance.choice([0, 0, 1]))),
        exclude_brands=frozenset(chance.sample(BRANDS, chance.choice([0, 0, 1]))),
        category=chance.choice([None, None, "same", *CATEGORIES]),
        min_price=chance.choice([None, None, Price(10.0), Price(0.5, True)]),
        max_price=chance.choice([None, None, Price(20.0), Price(1.5, True)]),
        must_include=tuple(pinned),
        boost=tuple(chance.sample(boosted, chance.choice([0, 0, 1, 3]))),
        fill=chance.random() < 0.4,
        unlisted=chance.choice(["hide", "show"]),
    )


def wanted(chance):
    """The fields of one list of a request, as JSON has them; `items` are the seeds."""
    fields = {
        "placement": chance.choice(PLACES),
        "items": chance.sample(EVERY, chance.choice([0, 1, 1, 2, 6])),
        "n": chance.choice([1, 2, 5, 20]),
        "relation": chance.choice([one.label for one in RELATIONS]),
        "ranking": chance.choice(RANKINGS),
        "category": chance.choice(["same", "no such", *CATEGORIES]),
        "min_price": chance.choice(["10", "50%", "0"]),
        "max_price": chance.choice(["20", "100%", "5"]),
        "in_stock": chance.random() < 0.5,
        "group_variants": chance.random() < 0.5,
        "fill": chance.random() < 0.5,
    }
    kept = {name for name in fields if chance.random() < 0.25} | {"items"}
    if chance.random() < 0.8:
        kept.add("placement")
    return {name: value for name, value in fields.items() if name in kept}


def shared(chance):
    """The fields that hold for a whole page."""
    fields = {
        "uid": "jane",
        "aid": "device",
        "cart": chance.sample(EVERY, chance.randint(1, 3)),
        "exclude": chance.sample(EVERY, chance.randint(1, 4)),
        "currency": "EUR",
    }
    return {name: value for name, value in fields.items() if chance.random() < 0.3}
