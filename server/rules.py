"""The shop's rules, one place for every path: which items may be in an answer, which come first, how many of a kind.

Pure: candidates go in best first, picks come out. Every rung of the ladder goes through the same Picker, so a rule
holds on fallbacks, too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from .shelf import Shelf

T = TypeVar("T", bound=tuple[Any, ...])

_tuple = tuple.__new__
MUST_INCLUDE, BOOST = "must_include", "boost"
"""Labels in the answer."""


Offer = tuple[int, float, int | None, int | None]
"""An item that a rung offers: slot, score; and, on the rung pairs, customers and the slot of the seed.

A plain tuple: hundreds are made for a request.
"""


class Pick(NamedTuple):
    """An item of the answer: where it comes from, and why it stands where it stands."""

    slot: int
    score: float | None
    customers: int | None
    because: int | None
    rung: str
    label: str | None


@dataclass(slots=True)
class Boosts:
    """Factors on scores by item slot, brand code and category code; they multiply."""

    items: Mapping[int, float] = field(default_factory=dict)
    brands: Mapping[int, float] = field(default_factory=dict)
    categories: Mapping[int, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.items or self.brands or self.categories)

    def factor(self, shelf: Shelf, slot: int) -> float:
        """What the item's score is multiplied by."""
        factor = self.items.get(slot, 1.0) * self.brands.get(shelf.brand[slot], 1.0)
        for category in shelf.categories[slot]:
            factor *= self.categories.get(category, 1.0)
        return factor


@dataclass(slots=True)  # not frozen: that would treble the time it takes to make one
class Rules:
    """What one answer must obey.

    excluded: slots of what the request or the placement excludes, or the request says is in the cart. listed_only:
    without items that no catalogue feed has. category: a code, or None for any; NO_CATEGORY for one that no item has.
    low, high: bounds of the price, both included; an item without a price is outside any bound. per_brand: 0 for no
    bound.
    """

    excluded: Set[int] = frozenset()
    excluded_brands: Set[int] = frozenset()
    excluded_categories: Set[int] = frozenset()
    in_stock: bool = True
    listed_only: bool = False
    group_variants: bool = True
    category: int | None = None
    low: float = -math.inf
    high: float = math.inf
    currency: str = ""
    per_brand: int = 0
    boosts: Boosts | None = None
    plain: bool = field(init=False)
    """Whether no kind of item is left out, so that it need not be asked of which kind each is."""

    def __post_init__(self) -> None:
        self.plain = not (
            self.excluded_brands
            or self.excluded_categories
            or self.category is not None
            or self.bounded
            or self.per_brand
        )

    @property
    def bounded(self) -> bool:
        """Whether the price matters."""
        return self.low > -math.inf or self.high < math.inf


NO_CATEGORY = -1


class Picker:
    """Fills one answer with up to n items."""

    def __init__(
        self,
        shelf: Shelf,
        rules: Rules,
        n: int,
        *,
        taken: Collection[int] = (),
        own: Iterable[int] = (),
        groups: Iterable[int] = (),
    ) -> None:
        """For one list.

        Args:
            shelf: what is known of the items.
            rules: for every answer to the request.
            n: items wanted.
            taken: slots that another list of the same page shows.
            own: slots that are left out of this answer: its seeds, what the customer has or had.
            groups: codes of variants that are taken from the start: the seeds'.
        """
        self._shelf, self._rules, self._n = shelf, rules, n
        self.picks: list[Pick] = []
        self._seen = {*rules.excluded, *own, *taken}
        self._groups = set(groups)
        if rules.group_variants:
            self._groups.update([shelf.group[slot] for slot in taken])
        self._brands: dict[int, int] = {}
        self._plain = rules.plain and not (rules.listed_only and shelf.some_unlisted)

    @property
    def boosted(self) -> bool:
        """Whether scores are multiplied, so that another order may be better."""
        return bool(self._rules.boosts)

    @property
    def full(self) -> bool:
        """Whether there are n items."""
        return len(self.picks) >= self._n

    def pin(self, slots: Iterable[int]) -> None:
        """Items that come first whatever their score: a must-include list. Rules hold for them, too."""
        for slot in slots:
            if self.full:
                return
            if self._allows(slot):
                self.picks.append(Pick(slot, None, None, None, MUST_INCLUDE, MUST_INCLUDE))
                self._note(slot)

    def offer(self, rung: str, candidates: Iterable[Offer]) -> bool:
        """Take what the rules allow, best first, until there are n; whether anything was taken."""
        picks, before = self.picks, len(self.picks)
        factors: dict[int, float] = {}
        if self._rules.boosts:
            factors, candidates = self._boosted(self._rules.boosts, candidates)
        for slot, score, customers, because in self._allowed(candidates):
            label = BOOST if factors and factors[slot] != 1.0 else None
            picks.append(_tuple(Pick, (slot, score, customers, because, rung, label)))
        return len(picks) > before

    def _allowed(self, candidates: Iterable[T]) -> Iterator[T]:
        """Those of the candidates, tuples with a slot before all, that the rules allow, until there are n.

        `_allows` and `_note`, said in place: most of an answer's time would be these calls.
        """
        shelf, rules, plain = self._shelf, self._rules, self._plain
        open_ = shelf.buyable if rules.in_stock else shelf.shown
        seen, groups, group, variants = self._seen, self._groups, shelf.group, rules.group_variants
        left = self._n - len(self.picks)
        if left <= 0:
            return
        for candidate in candidates:
            slot = candidate[0]
            if not open_[slot] or slot in seen or (variants and group[slot] in groups):
                continue
            if plain:
                seen.add(slot)
                if variants:
                    groups.add(group[slot])
            elif self._allows_kind(slot):
                self._note(slot)
            else:
                continue
            yield candidate
            left -= 1
            if not left:
                return

    def _boosted(self, boosts: Boosts, candidates: Iterable[Offer]) -> tuple[dict[int, float], list[Offer]]:
        """Candidates by their score times their factor; a negative score is divided by it, so that more is better."""
        factors: dict[int, float] = {}
        out: list[Offer] = []
        for slot, score, customers, because in candidates:
            factor = factors[slot] = boosts.factor(self._shelf, slot)
            out.append((slot, score * factor if score >= 0 else score / factor, customers, because))
        if any(factor != 1.0 for factor in factors.values()):  # else the order is the rung's, which may not be by score
            out.sort(key=lambda one: -one[1])  # stable: ties stay as they were
        return factors, out

    def _allows(self, slot: int) -> bool:
        rules, shelf = self._rules, self._shelf
        if slot in self._seen or not (shelf.buyable[slot] if rules.in_stock else shelf.shown[slot]):
            return False
        if rules.group_variants and shelf.group[slot] in self._groups:
            return False
        return self._plain or self._allows_kind(slot)

    def _allows_kind(self, slot: int) -> bool:
        rules, shelf = self._rules, self._shelf
        if rules.listed_only and not shelf.listed[slot]:
            return False
        brand, categories = shelf.brand[slot], shelf.categories[slot]
        if brand in rules.excluded_brands or (rules.category is not None and rules.category not in categories):
            return False
        if rules.excluded_categories and not rules.excluded_categories.isdisjoint(categories):
            return False
        if rules.per_brand and brand and self._brands.get(brand, 0) >= rules.per_brand:
            return False
        return not rules.bounded or rules.low <= shelf.price(slot, rules.currency) <= rules.high  # NaN: False

    def _note(self, slot: int) -> None:
        """An item was taken."""
        self._seen.add(slot)
        if self._rules.per_brand:
            brand = self._shelf.brand[slot]
            self._brands[brand] = self._brands.get(brand, 0) + 1
        if self._rules.group_variants:
            self._groups.add(self._shelf.group[slot])
