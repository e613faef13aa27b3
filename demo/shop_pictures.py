"""The picture of a product: drawn, not photographed, and the same each time. Shape by kind, colours by brand."""

from __future__ import annotations

import random

from .catalogue import BRANDS, BY_SLUG, Product
from .shop_canvas import Canvas, Colour, darker, lighter, mixed
from .shop_gear import GEAR
from .shop_tools import TOOLS
from .shop_wear import WEAR

WIDTHS = (160, 320, 480, 800)
"""Widths in pixels that there are; others would fill the cache."""
DRAWINGS = GEAR | WEAR | TOOLS
_COLOURS: tuple[tuple[Colour, Colour], ...] = (
    ((52, 98, 84), (226, 168, 82)), ((178, 74, 56), (60, 66, 84)), ((54, 90, 138), (224, 196, 120)),
    ((122, 130, 72), (70, 58, 50)), ((60, 72, 98), (208, 92, 66)), ((204, 142, 56), (56, 72, 78)),
    ((94, 84, 128), (214, 186, 132)), ((140, 62, 78), (222, 196, 168)), ((62, 128, 142), (240, 196, 92)),
    ((86, 104, 64), (206, 116, 62)), ((70, 76, 82), (118, 176, 160)), ((160, 98, 60), (64, 88, 112)),
)  # fmt: skip
"""Of each brand, in the order of BRANDS: the main colour and the second one."""
_PAPER = (243, 241, 234)


def kind_of(product: Product) -> str:
    """What it is: the last words of its name, one of its category's kinds."""
    return max((kind for kind in BY_SLUG[product.category].kinds if product.name.endswith(kind)), key=len)


def picture(product: Product, width: int) -> bytes:
    """PNG, square.

    Args:
        product: of the assortment.
        width: in pixels.
    """
    rng = random.Random(f"picture:{product.id}:{product.name}")  # noqa: S311 - the same each time, nothing secret
    one, two = _COLOURS[BRANDS.index(product.brand)]
    if rng.random() < 0.3:
        one, two = two, one
    change = rng.uniform(-0.14, 0.2)
    one = lighter(one, change) if change > 0 else darker(one, -change)
    canvas = Canvas(width, mixed(_PAPER, lighter(one, 0.6), 0.3))
    DRAWINGS[kind_of(product)](canvas, one, two, rng)
    return canvas.png()
