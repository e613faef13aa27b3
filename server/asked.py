"""What a request for a list asks for: its parameters over the placement's settings. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from varde.config import Config, Ranking
from varde.pairs import Relation
from varde.placements import SAME, Placement, Price, price

from .errors import bad_parameter
from .params import MOST_ITEMS, Query
from .rules import Rules

COMMON = (
    "n",
    "relation",
    "ranking",
    "placement",
    "exclude",
    "exclude_item",
    "cart",
    "cart_item",
    "category",
    "min_price",
    "max_price",
    "in_stock",
    "group_variants",
    "fill",
    "lang",
    "currency",
    "uid",
    "aid",
)
"""Parameters of every list."""
SEEDS = ("items", "item")
MOST_EXCLUDED = 200
_CATEGORY_BYTES = 256
_LANG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_CURRENCY = re.compile(r"[A-Z]{3}")
_PRICE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(%?)")
DEFAULT = "default"
"""The placement of requests that name none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked request. `seeds` are item ids, the most recent first; `cart` and `exclude` are item ids, too."""

    config: Config
    placement: Placement
    relation: Relation
    ranking: Ranking
    floor: int
    n: int
    seeds: tuple[str, ...]
    exclude: tuple[str, ...]
    cart: tuple[str, ...]
    category: str | None
    low: Price | None
    high: Price | None
    in_stock: bool
    group_variants: bool
    fill: bool
    lang: str
    currency: str
    uid: str | None
    aid: str | None
    standing: dict[int, Rules] = field(default_factory=dict, compare=False, repr=False)
    """The rules that hold for every answer to this request, by the shelf's epoch they were made for (`lists.rules`)."""

    @property
    def relative(self) -> bool:
        """Whether the rules depend on the seed."""
        bounds = (self.low, self.high)
        return self.category == SAME or any(bound is not None and bound.relative for bound in bounds)

    @property
    def personal(self) -> bool:
        """Whether the answer is about one customer: then nobody else may be given it."""
        return self.uid is not None or self.aid is not None or bool(self.cart)


def asked(query: Query, config: Config, min_customers: int, seeds: tuple[str, ...]) -> Asked:
    """The request.

    Args:
        query: its parameters, of COMMON at least.
        config: placements and rankings.
        min_customers: floor of rankings that have none of their own.
        seeds: item ids.

    Raises:
        ApiError: 400 that names the parameter.
    """
    placement = _placement(query, config)
    ranking = _ranking(query, config, placement)
    return Asked(
        config=config,
        placement=placement,
        relation=query.relation(placement.relation),
        ranking=ranking,
        floor=min_customers if ranking.floor is None else ranking.floor,
        n=query.number("n", placement.n, MOST_ITEMS),
        seeds=seeds,
        exclude=query.items("exclude", "exclude_item", MOST_EXCLUDED),
        cart=query.items("cart", "cart_item", MOST_EXCLUDED),
        category=query.text("category", _CATEGORY_BYTES) or placement.category,
        low=_price(query, "min_price", placement.min_price),
        high=_price(query, "max_price", placement.max_price),
        in_stock=query.yes("in_stock", placement.in_stock),
        group_variants=query.yes("group_variants", placement.group_variants),
        fill=query.yes("fill", placement.fill),
        lang=_matching(query, "lang", _LANG, "a language tag as in BCP 47, such as sv or pt-BR"),
        currency=_matching(query, "currency", _CURRENCY, "three capital letters as in ISO 4217"),
        uid=query.customer("uid"),
        aid=query.customer("aid"),
    )


def _price(query: Query, name: str, otherwise: Price | None) -> Price | None:
    text = query.one(name)
    if text is None:
        return otherwise
    try:
        return price(text)
    except ValueError as error:
        raise bad_parameter(name, str(error)) from None


def _placement(query: Query, config: Config) -> Placement:
    name = query.one("placement")
    if name is None:
        return config.placements[DEFAULT]
    placement = config.placements.get(name)
    if placement is None:
        raise bad_parameter("placement", f"not configured; there are {', '.join(config.placements)}")
    return placement


def _ranking(query: Query, config: Config, placement: Placement) -> Ranking:
    name = query.one("ranking")
    if name is None:
        return config.rankings[placement.ranking]
    ranking = config.rankings.get(name)
    if ranking is None:
        raise bad_parameter("ranking", f"not configured; there are {', '.join(config.rankings)}")
    return ranking


def _matching(query: Query, name: str, pattern: re.Pattern[str], what: str) -> str:
    text = query.one(name)
    if text is not None and not pattern.fullmatch(text):
        raise bad_parameter(name, f"must be {what}")
    return text or ""
