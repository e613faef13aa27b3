"""How lamps, poles, bottles and knives look: one function a kind, on a canvas of 100 by 100."""

from __future__ import annotations

import math
import random

from .shop_canvas import Canvas, Colour, darker, lighter
from .shop_gear import DARK, STEEL, Drawing

GLOW = (255, 236, 176)
WOOD = (164, 116, 76)


def _head_torch(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(24, 76, 84)
    c.line([(30, 58), (18, 40), (26, 22), (50, 15), (74, 22), (82, 40), (70, 58)], one, 6.5, smooth=True)
    c.line([(30, 58), (18, 40), (26, 22), (50, 15), (74, 22), (82, 40), (70, 58)], two, 1.4, smooth=True)
    c.block(27, 46, 73, 80, 11, DARK)
    c.block(31, 50, 69, 76, 8, darker(one, 0.35))
    c.oval(36, 50, 64, 78, STEEL)
    c.oval(39.5, 53.5, 60.5, 74.5, GLOW, light=0.3)
    c.oval(45, 57 + rng.uniform(-1, 1), 53, 64, (255, 252, 236), light=0)
    c.block(62, 42, 69, 48, 2, two)


def _lantern(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(24, 76, 90)
    c.line([(32, 34), (34, 14), (50, 8), (66, 14), (68, 34)], STEEL, 1.6, smooth=True)
    c.shape([(30, 34), (36, 24), (64, 24), (70, 34)], one)
    c.block(31, 34, 69, 72, 5, GLOW, light=0.3)
    c.shape([(44, 66), (45, 54), (50, 42 + rng.uniform(-2, 2)), (55, 54), (56, 66)], (250, 190, 90), smooth=True)
    for x in (31, 43.6, 55.4, 67):
        c.line([(x + 1, 34), (x + 1, 72)], darker(one, 0.3), 1.1)
    c.block(26, 71, 74, 90, 5, one)
    c.oval(45, 76, 55, 86, two)


def _poles(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(16, 84, 91)
    for top, low in ((28, 68), (72, 32)):

        def at(part: float, top: int = top, low: int = low) -> tuple[float, float]:
            return top + (low - top) * part, 12 + 78 * part

        c.line([at(0), at(1)], STEEL, 1.3)
        c.line([at(0.2), at(0.58)], one, 2.3)
        c.line([at(0.58), at(0.64)], two, 2.9)
        c.line([at(0), at(0.2 + rng.uniform(-0.02, 0.02))], DARK, 4.0)
        c.oval(at(0.92)[0] - 5, at(0.92)[1] - 1.8, at(0.92)[0] + 5, at(0.92)[1] + 1.8, two)
        c.line([at(0.02), (at(0.1)[0] + (9 if top < 50 else -9), 26), at(0.17)], one, 1.1, smooth=True)


def _compass(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(18, 82, 86)
    c.line([(50, 20), (44, 8), (56, 6), (52, 20)], two, 1.6, smooth=True)
    c.oval(16, 18, 84, 86, one)
    c.oval(22, 24, 78, 80, (246, 244, 236), light=0.03)
    for place in range(24):
        angle = place * math.pi / 12
        far, near = 25.5, 21.5 if place % 6 == 0 else 23.5
        c.line([(50 + far * math.sin(angle), 52 + far * math.cos(angle)),
                (50 + near * math.sin(angle), 52 + near * math.cos(angle))], DARK, 0.7)  # fmt: skip
    angle = rng.uniform(0.2, 1.2)
    x, y = 20 * math.sin(angle), -20 * math.cos(angle)
    c.shape([(50 + x, 52 + y), (50 + y * 0.2, 52 - x * 0.2), (50 - y * 0.2, 52 + x * 0.2)], (204, 62, 50))
    c.shape([(50 - x, 52 - y), (50 + y * 0.2, 52 - x * 0.2), (50 - y * 0.2, 52 + x * 0.2)], darker(two, 0.4))
    c.oval(47.5, 49.5, 52.5, 54.5, STEEL)


def _bottle(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(30, 74, 90)
    c.line([(56, 16), (66, 12), (68, 24)], DARK, 1.6, smooth=True)
    c.block(40, 8, 60, 22, 3, DARK)
    c.shape([(41, 22), (59, 22), (61, 28), (68, 34), (68, 86), (64, 90), (36, 90), (32, 86), (32, 34), (39, 28)], one)
    c.block(32, 52, 68, 72, 0, two)
    peak = 56 + rng.uniform(-1, 2)
    c.shape([(37, 69), (45, peak + 4), (49, peak + 7), (54, peak), (63, 69)], lighter(two, 0.75), light=0.02)
    c.line([(37, 36), (37, 84)], lighter(one, 0.5), 1.5)


def _water_filter(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(22, 80, 90)
    c.shape([(28, 10), (72, 10), (74, 30), (66, 50), (34, 50), (26, 30)], lighter(one, 0.4), smooth=True)
    c.shape(
        [(29, 24 + rng.uniform(-2, 2)), (72, 24), (73, 31), (66, 49), (34, 49), (27, 31)], (150, 196, 222), smooth=True
    )
    c.block(36, 48, 64, 58, 3, DARK)
    c.block(39, 57, 61, 80, 4, one)
    c.block(39, 64, 61, 70, 0, two)
    c.block(45, 80, 55, 87, 2, DARK)
    c.oval(47.6, 89, 52.4, 95, (126, 182, 216))


def _knife(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(12, 90, 78)
    c.shape([(44, 52), (82, 26), (93, 16), (89, 32), (54, 64)], STEEL)
    c.shape([(50, 57), (89, 30), (93, 16), (89, 32), (54, 64)], lighter(STEEL, 0.55))
    c.shape(
        [(9, 76), (15, 66), (42, 47), (55, 62), (28, 82), (13, 84)], one if rng.random() < 0.5 else WOOD, smooth=True
    )
    c.line([(42, 48), (54, 64)], two, 3.0)
    for x, y in ((23, 73), (33, 66)):
        c.oval(x, y, x + 4, y + 4, STEEL)


def _saw(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(8, 92, 78)
    teeth = []
    for place in range(19):
        teeth += [(46 + place * 2.5, 60.5 - place * 1.5), (47.6 + place * 2.5, 62.5 - place * 1.5)]
    c.shape([(42, 52), (88, 24), (94, 29), *reversed(teeth)], STEEL)
    c.shape([(8, 76), (14, 66), (40, 48), (50, 58), (28, 74), (14, 84)], one, smooth=True)
    c.shape([(14, 74), (38, 56), (42, 60 + rng.uniform(-1, 1)), (20, 77)], two, smooth=True)
    c.oval(40, 50, 46, 56, DARK)


TOOLS: dict[str, Drawing] = {
    "Head Torch": _head_torch, "Camp Lantern": _lantern, "Trekking Poles": _poles, "Compass": _compass,
    "Bottle": _bottle, "Water Filter": _water_filter, "Knife": _knife, "Folding Saw": _saw,
}  # fmt: skip
"""Kind of product -> how it is drawn."""
