"""How clothes and shoes look: one function a kind, on a canvas of 100 by 100."""

from __future__ import annotations

import random

from .shop_canvas import Canvas, Colour, darker, lighter
from .shop_gear import DARK, RUBBER, SAND, STEEL, Drawing


def _boots(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    top = 22 + rng.uniform(-2, 3)
    c.shadow(12, 90, 84)
    c.shape([(26, top), (50, top - 2), (54, 44), (62, 54), (84, 62), (89, 74), (88, 80), (18, 80), (20, 60)], one)
    c.shape([(26, top), (50, top - 2), (51, top + 6), (25, top + 8)], two)
    c.shape([(68, 56), (84, 62), (89, 74), (88, 80), (66, 80), (63, 70)], darker(one, 0.28))
    c.shape([(18, 80), (20, 62), (32, 66), (34, 80)], darker(one, 0.22))
    c.shape([(15, 78), (90, 78), (91, 84), (86, 87), (18, 87)], RUBBER)
    c.block(15, 76.5, 90.5, 80, 1.5, two)
    for place in range(5):
        x, y = 45 + place * 4.2, top + 9 + place * 7.2
        c.line([(x - 3, y + 2.5), (x + 8, y)], lighter(two, 0.55), 1.3)
    for x in range(20, 88, 8):
        c.block(x, 85, x + 4.5, 89, 0.6, RUBBER)


def _shoes(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(8, 94, 76)
    c.shape([(14, 46), (20, 41), (33, 45), (44, 41), (54, 48), (72, 57), (88, 62), (93, 70), (90, 74), (12, 73),
             (11, 58)], one)  # fmt: skip
    c.shape([(15, 47), (20, 42), (32, 46), (43, 43), (45, 46), (32, 51), (18, 52)], darker(two, 0.5))
    c.shape([(74, 58), (88, 62), (93, 70), (90, 74), (70, 74)], darker(one, 0.3))
    c.shape([(24, 72), (36, 56), (44, 56), (36, 72)], two)
    c.shape([(40, 72), (52, 58), (58, 60), (50, 72)], lighter(two, 0.3))
    c.shape([(9, 70), (94, 71), (94, 76), (87, 81), (12, 80)], lighter(SAND, 0.5))
    c.shape([(10, 76), (94, 76), (87, 82), (13, 82)], RUBBER)
    for place in range(4):
        x, y = 47 + place * 5.4, 45 + place * 3.4
        c.line([(x - 2, y + 4 + rng.uniform(0, 1)), (x + 5, y)], lighter(two, 0.6), 1.2)


def _socks(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(20, 92, 84)
    for by, colour in ((14, darker(one, 0.2)), (0, one)):
        c.shape([(24 + by, 14), (44 + by, 14), (45 + by, 52), (56 + by, 66), (72 + by, 72), (74 + by, 80),
                 (66 + by, 84), (44 + by, 82), (26 + by, 68)], colour)  # fmt: skip
        c.shape([(24 + by, 14), (44 + by, 14), (44.2 + by, 22), (24.3 + by, 22)], darker(two, 0.05))
        c.shape([(60 + by, 67.5), (72 + by, 72), (74 + by, 80), (66 + by, 84), (58 + by, 83)], two, smooth=True)
        c.shape([(26.6 + by, 62), (33 + by, 60), (38 + by, 70), (34 + by, 76), (26.2 + by, 68)], two)
    first = 28 + rng.uniform(0, 4)
    for y in (first, first + 6):
        c.line([(25, y), (44, y)], lighter(two, 0.3), 1.6)


def _gaiters(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(12, 88, 86)
    for by in (0, 36):
        c.shape([(18 + by, 16), (44 + by, 16), (40 + by, 50), (48 + by, 82), (12 + by, 82), (20 + by, 50)], one)
        c.shape([(29 + by, 16), (33 + by, 16), (33 + by, 82), (27 + by, 82)], darker(one, 0.3))
        c.block(18 + by, 20, 44 + by, 24.5, 1, two)
        c.shape([(14 + by, 70), (46 + by, 70), (48 + by, 82), (12 + by, 82)], darker(two, 0.2))
        for y in (34 + rng.uniform(-1, 1), 46, 58):
            c.oval(34 + by, y, 37 + by, y + 3, STEEL)
        c.line([(14 + by, 82), (30 + by, 88), (46 + by, 82)], DARK, 1.0, smooth=True)


def _sleeves(c: Canvas, colour: Colour, cuff: Colour) -> None:
    c.shape([(33, 25), (22, 33), (9, 74), (20, 79), (33, 50)], colour)
    c.shape([(67, 25), (78, 33), (91, 74), (80, 79), (67, 50)], colour)
    c.shape([(11, 69), (9, 74), (20, 79), (22, 73)], cuff)
    c.shape([(89, 69), (91, 74), (80, 79), (78, 73)], cuff)


def _jacket(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(22, 78, 89)
    _sleeves(c, darker(one, 0.08), darker(two, 0.1))
    c.shape([(33, 24), (50, 29), (67, 24), (70, 50), (71, 86), (29, 86), (30, 50)], one)
    c.shape([(33, 24), (50, 29), (67, 24), (69, 42), (31, 42)], two)
    c.shape([(34, 26), (35, 12), (50, 5), (65, 12), (66, 26), (50, 31)], two, smooth=True)
    c.shape([(40, 25), (41, 16), (50, 11), (59, 16), (60, 25), (50, 30)], darker(one, 0.55), smooth=True)
    c.line([(50, 30), (50, 85)], darker(one, 0.5), 1.2)
    c.line([(50, 30), (50, 38 + rng.uniform(0, 6))], lighter(two, 0.6), 1.2)
    for a, b in (((35, 70), (40, 58)), ((65, 70), (60, 58))):
        c.line([a, b], darker(one, 0.4), 1.1)
    c.block(58, 45, 64, 48.5, 0.8, lighter(two, 0.5))


def _fleece(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(22, 78, 88)
    _sleeves(c, one, darker(one, 0.25))
    c.shape([(33, 24), (67, 24), (70, 50), (70, 85), (30, 85), (30, 50)], one)
    c.block(40, 14, 60, 30, 5, darker(one, 0.12))
    for _ in range(70):
        x, y = rng.uniform(32, 68), rng.uniform(28, 83)
        c.oval(x, y, x + 1.6, y + 1.2, lighter(one, 0.22), light=0)
    c.line([(50, 15), (50, 85)], two, 1.6)
    c.block(55, 36, 66, 49, 1.5, two)
    c.block(30, 82, 70, 86, 1, darker(one, 0.3))


def _down_jacket(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(20, 80, 89)
    _sleeves(c, darker(one, 0.06), two)
    step = rng.choice((8, 9, 10))
    c.block(39, 11, 61, 27, 6, darker(one, 0.15))
    for y in range(22, 84, step):
        wide = 20 + min(3, (y - 22) / 12)
        c.block(50 - wide, y, 50 + wide, min(y + step + 1.5, 87), 4, one, light=0.24)
    for row in range(5):
        y = 36 + row * 8
        c.line([(29 - row * 3.2, y), (33 - row * 2.2, y + 3)], darker(one, 0.25), 0.8)
        c.line([(71 + row * 3.2, y), (67 + row * 2.2, y + 3)], darker(one, 0.25), 0.8)
    c.line([(50, 13), (50, 86)], two, 1.6)


def _trousers(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(26, 74, 91)
    c.shape([(33, 10), (67, 10), (74, 88), (57, 89), (50, 40), (43, 89), (26, 88)], one)
    c.shape([(67, 10), (74, 88), (57, 89), (50, 40), (50, 14)], darker(one, 0.13))
    c.block(32.5, 8, 67.5, 14, 1.5, two)
    c.block(46, 8.5, 54, 13.5, 1, STEEL)
    for x, far in ((36, 33), (64, 67)):
        c.line([(x, 17), (far, 27)], darker(one, 0.4), 1.0)
    low = 52 + rng.uniform(-2, 3)
    c.block(30, low, 41, low + 14, 2, two)
    c.line([(31, low + 3.5), (40, low + 3.5)], darker(two, 0.35), 0.8)
    for x in (35, 65):
        c.block(x - 8.5, 84, x + 8.2, 89, 1, darker(one, 0.3))


def _tights(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(30, 70, 91)
    c.shape([(35, 10), (65, 10), (67, 50), (64, 89), (55, 89), (50, 40), (45, 89), (36, 89), (33, 50)], one)
    c.shape([(65, 10), (67, 50), (64, 89), (55, 89), (50, 40), (50, 14)], darker(one, 0.12))
    c.block(34.5, 8, 65.5, 15, 1.5, two)
    for y in (62 + rng.uniform(0, 3), 68, 74):
        c.line([(36, y), (44.5, y)], two, 1.1)
        c.line([(55.5, y), (64, y)], two, 1.1)


def _shorts(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(20, 80, 78)
    c.shape([(28, 24), (72, 24), (82, 74), (55, 76), (50, 50), (45, 76), (18, 74)], one)
    c.shape([(72, 24), (82, 74), (55, 76), (50, 50), (50, 28)], darker(one, 0.13))
    c.block(27.5, 21, 72.5, 29, 2, two)
    c.line([(47, 29), (45, 38 + rng.uniform(0, 3))], lighter(two, 0.5), 0.9)
    c.line([(53, 29), (55, 39)], lighter(two, 0.5), 0.9)
    c.line([(32, 32), (28, 44)], darker(one, 0.4), 1.0)
    c.line([(68, 32), (72, 44)], darker(one, 0.4), 1.0)
    c.shape([(19, 70), (45.5, 72), (45, 76), (18, 74)], two)
    c.shape([(81, 70), (54.5, 72), (55, 76), (82, 74)], darker(two, 0.1))


def _shirt(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(26, 74, 86)
    c.shape([(34, 22), (16, 34), (22, 50), (34, 44)], darker(one, 0.1))
    c.shape([(66, 22), (84, 34), (78, 50), (66, 44)], darker(one, 0.1))
    c.shape([(34, 22), (42, 21), (50, 27), (58, 21), (66, 22), (68, 50), (68, 84), (32, 84), (32, 50)], one)
    c.line([(42, 21), (50, 28), (58, 21)], two, 2.0, smooth=True)
    peak = 46 + rng.uniform(-2, 3)
    c.shape([(37, 64), (45, peak + 5), (49, peak + 9), (55, peak), (63, 64)], two, light=0.05)
    c.block(32, 81, 68, 84.5, 1, darker(one, 0.2))


def _base_top(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(24, 76, 88)
    _sleeves(c, darker(one, 0.08), two)
    c.shape([(33, 24), (42, 22), (50, 27), (58, 22), (67, 24), (68, 50), (67, 86), (33, 86), (32, 50)], one)
    c.block(41, 16, 59, 27, 4, two)
    c.line([(50, 17), (50, 40 + rng.uniform(0, 4))], lighter(two, 0.5), 1.1)
    c.line([(34, 27), (38, 50), (35, 84)], two, 0.9, smooth=True)
    c.line([(66, 27), (62, 50), (65, 84)], two, 0.9, smooth=True)


def _wool_hat(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(20, 80, 82)
    if rng.random() < 0.6:
        c.oval(41, 8, 59, 25, lighter(two, 0.25))
    c.shape([(22, 66), (24, 42), (36, 25), (50, 21), (64, 25), (76, 42), (78, 66)], one, smooth=True)
    first = 42 + rng.uniform(-2, 2)
    c.line([(26, first + 4), (50, first), (74, first + 4)], two, 3.4, smooth=True)
    c.block(18, 58, 82, 80, 6, darker(one, 0.18))
    for x in range(22, 82, 5):
        c.line([(x, 60), (x, 78)], darker(one, 0.32), 0.7)
    c.block(56, 64, 68, 74, 1.2, two)


def _gloves(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(14, 86, 86)
    for by, colour, side in ((0, darker(one, 0.15), 1), (34, one, -1)):

        def at(x: float, side: int = side, by: int = by) -> float:
            return (x if side > 0 else 66 - x) + by

        c.shape([(at(14), 52), (at(6), 44), (at(4), 38), (at(9), 36), (at(17), 44)], colour, smooth=True)
        c.shape([(at(16), 82), (at(14), 46), (at(18), 22), (at(27), 15), (at(37), 19), (at(42), 34), (at(40), 82)],
                colour, smooth=True)  # fmt: skip
        for x in (22.5, 29, 35):
            c.line([(at(x), 20), (at(x), 40)], darker(colour, 0.3), 0.8)
        c.block(min(at(13), at(43)), 68, max(at(13), at(43)), 84, 3, two)
        c.line([(at(15), 73), (at(41), 73 + rng.uniform(-0.5, 0.5))], darker(two, 0.35), 1.2)


WEAR: dict[str, Drawing] = {
    "Leather Boots": _boots, "Mid Boots": _boots, "Trail Shoes": _shoes, "Approach Shoes": _shoes,
    "Merino Socks": _socks, "Liner Socks": _socks, "Gaiters": _gaiters, "Snow Gaiters": _gaiters,
    "Shell Jacket": _jacket, "Rain Jacket": _jacket, "Fleece": _fleece, "Down Jacket": _down_jacket,
    "Trekking Trousers": _trousers, "Shell Trousers": _trousers, "Shorts": _shorts, "Trail Shirt": _shirt,
    "Merino Top": _base_top, "Merino Tights": _tights, "Wool Hat": _wool_hat, "Gloves": _gloves,
}  # fmt: skip
"""Kind of product -> how it is drawn."""
