"""What lies in a visitor's cart, and its form in a cookie. Pure: a cookie may hold anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .shop_goods import Good, goods

MOST_LINES = 20
MOST_OF_ONE = 9
FREE_FROM = 100.0
SHIPPING = 6.9
_BETWEEN, _WITHIN = ".", "~"


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product in one size; the size is empty where there is only one."""

    good: Good
    size: str
    quantity: int

    @property
    def name(self) -> str:
        """What a form calls it."""
        return f"{self.good.id}{_WITHIN}{self.size}"

    @property
    def total(self) -> float:
        """Price of all."""
        return round(self.good.product.price * self.quantity, 2)


@dataclass(frozen=True, slots=True)
class Cart:
    """Lines in the order in which they came."""

    lines: tuple[Line, ...] = ()

    @property
    def pieces(self) -> int:
        """How many things."""
        return sum(line.quantity for line in self.lines)

    @property
    def items(self) -> tuple[str, ...]:
        """Item ids, each once."""
        return tuple(dict.fromkeys(line.good.id for line in self.lines))

    @property
    def goods_total(self) -> float:
        """Without shipping."""
        return round(sum(line.total for line in self.lines), 2)

    @property
    def shipping(self) -> float:
        """Nothing from FREE_FROM on."""
        return SHIPPING if self.lines and self.goods_total < FREE_FROM else 0.0

    @property
    def total(self) -> float:
        """What is paid."""
        return round(self.goods_total + self.shipping, 2)

    def line(self, name: str) -> Line | None:
        """The line of this name."""
        return next((line for line in self.lines if line.name == name), None)

    def added(self, good: Good, size: str, quantity: int) -> Cart:
        """With so many more; what is too much is left out."""
        new = Line(good, size, quantity)
        there = self.line(new.name)
        if there is not None:
            return self.changed(new.name, there.quantity + quantity)
        return Cart((*self.lines, replace(new, quantity=min(quantity, MOST_OF_ONE)))[:MOST_LINES])

    def changed(self, name: str, quantity: int) -> Cart:
        """With so many of one line; with none of it the line is gone."""
        changed = (
            replace(line, quantity=min(quantity, MOST_OF_ONE)) if line.name == name else line for line in self.lines
        )
        return Cart(tuple(line for line in changed if line.quantity > 0))

    def text(self) -> str:
        """As a cookie holds it."""
        return _BETWEEN.join(f"{line.name}{_WITHIN}{line.quantity}" for line in self.lines)


def read(text: str) -> Cart:
    """The cart of a cookie; what makes no sense in it is left out."""
    return Cart(tuple({line.name: line for line in _lines(text.split(_BETWEEN)[:MOST_LINES])}.values()))


def _lines(parts: Iterable[str]) -> Iterable[Line]:
    for part in parts:
        item, _, rest = part.partition(_WITHIN)
        size, _, number = rest.rpartition(_WITHIN)
        good, count = goods().get(item), quantity(number)
        if good is not None and count and sized(good, size) == size:
            yield Line(good, size, count)


def quantity(text: str) -> int:
    """A number of pieces from 1 to MOST_OF_ONE; 0 for anything else."""
    return int(text) if text in set("123456789") and int(text) <= MOST_OF_ONE else 0


def sized(good: Good, size: str) -> str:
    """The size if it is one of the product's, else its middle one."""
    if size in good.sizes or not good.sizes:
        return size if good.sizes else ""
    return good.sizes[len(good.sizes) // 2]
