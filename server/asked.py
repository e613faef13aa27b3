"""What a request for a list asks for: its parameters over the placement's settings. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from varde.config import Config, Ranking
from varde.pairs import Relation
from varde.placements import SAME, Placement, Price, price

from .errors import bad_parameter
from .params import MOST_ITEMS, Query
from .rules import Rules

if TYPE_CHECKING:
    from .plain import Ready

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
    "campaign",
    "send_id",
)
"""Parameters of every list."""
SEEDS = ("items", "item")
MOST_EXCLUDED = 200
_CATEGORY_BYTES = 256
CAMPAIGN_BYTES = 128
"""Longest `campaign` or `send_id`, UTF-8."""
LANG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
CURRENCY = re.compile(r"[A-Z]{3}")
_PRICE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(%?)")
_OF_PLACEMENT = {
    "n": "n",
    "category": "category",
    "low": "min_price",
    "high": "max_price",
    "in_stock": "in_stock",
    "group_variants": "group_variants",
    "fill": "fill",
}
"""Fields that have the placement's value where the request has no parameter of that name."""
DEFAULT = "default"
"""The placement of requests that name none."""


@dataclass(slots=True)  # not frozen: that would treble the time it takes to make one
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
    campaign: str | None = None
    """A mailing, and one sending of it, for exposures: they change nothing of the answer."""
    send_id: str | None = None
    given: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    """Names of the parameters that the request has: what it says goes before any placement."""
    standing: dict[int, Rules] = field(default_factory=dict, compare=False, repr=False)
    """The rules that hold for every answer to this request, by the shelf's epoch they were made for (`lists.rules`)."""

    plain: bool = field(default=False, compare=False, repr=False)
    """Whether nothing but the items' rows and kinds decides, so that `plain` may answer."""
    ready: Ready | None = field(default=None, compare=False, repr=False)
    """What `plain` keeps for its answers."""

    @property
    def relative(self) -> bool:
        """Whether the rules depend on the seed."""
        bounds = (self.low, self.high)
        return self.category == SAME or any(bound is not None and bound.relative for bound in bounds)

    @property
    def personal(self) -> bool:
        """Whether the answer is about one customer: then nobody else may be given it."""
        return self.uid is not None or self.aid is not None or bool(self.cart)


_values = attrgetter(*Asked.__slots__)


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
    found = Asked(
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
        lang=_matching(query, "lang", LANG, "a language tag as in BCP 47, such as sv or pt-BR"),
        currency=_matching(query, "currency", CURRENCY, "three capital letters as in ISO 4217"),
        uid=query.customer("uid"),
        aid=query.customer("aid"),
        campaign=query.text("campaign", CAMPAIGN_BYTES),
        send_id=query.text("send_id", CAMPAIGN_BYTES),
        given=query.names,
    )
    found.plain = not (
        found.personal
        or found.lang
        or found.currency
        or found.relative
        or placement.source not in ("similar", "recommendations")
        or placement.must_include
        or placement.boost
        or config.experiments.at(placement.name)
    )
    return found


def at(asked: Asked, placement: Placement, ranking: Ranking | None, relation: Relation | None, floor: int) -> Asked:
    """The same request at another placement, or with another order or other pairs.

    What the request says itself stays. The answer bears the name of the placement that was asked for.

    Args:
        asked: the request.
        placement: whose rules and values hold.
        ranking: None: the placement's.
        relation: None: the placement's.
        floor: of rankings that have none of their own.
    """
    given, chosen = asked.given, asked.config.rankings[placement.ranking] if ranking is None else ranking
    if "ranking" in given:
        chosen = asked.ranking
    pairs = placement.relation if relation is None else relation
    changes: dict[str, Any] = {
        "placement": placement,
        "ranking": chosen,
        "floor": floor if chosen.floor is None else chosen.floor,
        "relation": asked.relation if "relation" in given else pairs,
        "standing": {},
        "plain": False,
        "ready": None,
    }
    if placement is asked.placement:
        other = Asked(*_values(asked))  # replace() takes three times as long
        for name, value in changes.items():
            setattr(other, name, value)
        return other
    changes |= {to: getattr(placement, name) for to, name in _OF_PLACEMENT.items() if name not in given}
    return replace(asked, **changes)


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
