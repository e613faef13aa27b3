"""What the shop says about its goods (shop/texts.toml): a sentence a category, facts drawn for each product."""

from __future__ import annotations

import random
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from .catalogue import Product

_MADE_IN = ("Norway", "Portugal", "Estonia", "Vietnam", "Latvia", "Sweden")


@cache
def _texts() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files(__package__).joinpath("shop", "texts.toml").read_text("utf-8"))


def about(category: str) -> str:
    """A sentence or two about everything in a category."""
    return str(_texts()[category]["about"])


def sizes(category: str) -> tuple[str, ...]:
    """The sizes that products of a category come in; none where there is only one."""
    return tuple(_texts()[category].get("sizes", ()))


def facts(product: Product) -> tuple[tuple[str, str], ...]:
    """(name, value) of what a product page lists."""
    rng = random.Random(f"facts:{product.id}")  # noqa: S311 - the same each time, nothing secret
    own = _texts()[product.category]
    return (
        (own["fact"], rng.choice(own["values"])),
        ("Made in", rng.choice(_MADE_IN)),
        ("Guarantee", f"{rng.choice((3, 5, 10))} years, and repairs after that"),
        ("Article", product.id),
    )
