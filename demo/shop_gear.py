"""How tents, bags, packs and what one cooks with look: one function a kind, on a canvas of 100 by 100."""

from __future__ import annotations

import random
from collections.abc import Callable

from .shop_canvas import Canvas, Colour, curve, darker, lighter

Drawing = Callable[[Canvas, Colour, Colour, random.Random], None]
"""(canvas, colour of the brand, its second colour, chance: the same each time for one product)"""
STEEL, RUBBER, DARK, SAND = (176, 182, 188), (58, 60, 66), (44, 48, 56), (206, 180, 140)


def _dome_tent(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    high = 27 + rng.uniform(-3, 3)
    c.shadow(8, 92, 79)
    c.shape(
        curve([(8, 78), (17, 55), (33, high + 8), (50, high), (67, high + 8), (83, 55), (92, 78)], closed=False), one
    )
    side = curve([(50, high), (67, high + 8), (83, 55), (92, 78)], closed=False)
    c.shape([*side, (66, 78), (60, 50)], darker(one, 0.16))
    c.shape([(50, high), (40, 52), (35, 78), (63, 78), (59, 52)], two)
    c.shape([(50, high + 12), (44, 56), (41, 78), (57, 78), (55, 56)], darker(two, 0.55))
    c.line([(50, high), (39, 52), (34, 78)], lighter(one, 0.4), 0.9, smooth=True)
    c.line([(50, high), (61, 52), (66, 78)], lighter(one, 0.4), 0.9, smooth=True)
    for x, far in ((8, 2), (92, 98)):
        c.line([(x, 78), (far, 82)], DARK, 0.5)


def _tunnel_tent(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(5, 95, 76)
    low = 60 + rng.uniform(-3, 2)
    c.shape(curve([(30, 76), (30, 48), (40, 36), (52, 36), (78, 44), (92, low), (95, 76)], closed=False), one)
    c.shape(curve([(5, 76), (7, 52), (17, 37), (30, 34), (42, 38), (51, 52), (53, 76)], closed=False), darker(one, 0.1))
    c.shape(curve([(13, 76), (15, 55), (22, 44), (30, 41), (38, 45), (44, 56), (46, 76)], closed=False), two)
    c.shape(curve([(22, 76), (24, 57), (30, 50), (36, 57), (38, 76)], closed=False), darker(two, 0.55))
    for x, top in ((64, 40), (80, 46)):
        c.line([(x - 3, 76), (x - 2, 56), (x, top)], lighter(one, 0.4), 0.9, smooth=True)
    c.block(56, 54, 68, 62, 2, lighter(one, 0.5))


def _ridge_tent(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(6, 94, 79)
    top = 29 + rng.uniform(-2, 3)
    c.shape([(36, top), (80, top + 6), (95, 76), (62, 78)], one)
    c.shape([(36, top), (6, 78), (62, 78)], lighter(two, 0.12))
    c.shape([(36, top + 8), (24, 78), (48, 78)], darker(two, 0.55))
    c.shape([(36, top + 8), (24, 78), (29, 78), (36.4, top + 22)], two)
    c.line([(36, top - 3), (36, 78)], DARK, 0.9)
    c.line([(80, top + 6), (97, 66)], DARK, 0.4)
    c.line([(36, top), (2, 66)], DARK, 0.4)


def _tarp(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(14, 86, 82)
    c.line([(24, 24), (24, 82)], STEEL, 1.4)
    c.line([(80, 34), (80, 80)], STEEL, 1.4)
    sag = 38 + rng.uniform(-3, 3)
    c.shape([(24, 24), (50, sag), (80, 34), (96, 60), (60, 55), (6, 64)], one)
    c.shape([(24, 24), (50, sag), (60, 55), (6, 64)], lighter(one, 0.18))
    c.line([(24, 24), (50, sag), (80, 34)], two, 1.0, smooth=True)
    for a, b in (((6, 64), (2, 82)), ((96, 60), (99, 78)), ((60, 55), (62, 80))):
        c.line([a, b], DARK, 0.4)


def _hammock(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(26, 74, 84)
    deep = 70 + rng.uniform(-3, 3)
    c.block(6, 10, 12, 86, 2, (124, 98, 74))
    c.block(88, 10, 94, 86, 2, (112, 88, 66))
    c.line([(10, 28), (22, 40)], DARK, 0.8)
    c.line([(90, 28), (78, 40)], DARK, 0.8)
    c.shape([(22, 39), (36, deep - 12), (50, deep - 8), (64, deep - 12), (78, 39), (66, deep), (50, deep + 5),
             (34, deep)], one, smooth=True)  # fmt: skip
    c.line([(24, 43), (37, deep - 5), (50, deep - 1), (63, deep - 5), (76, 43)], two, 1.6, smooth=True)


def _sleeping_bag(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(14, 88, 82)
    c.shape([(8, 60), (14, 44), (28, 38), (60, 46), (90, 56), (94, 68), (88, 79), (56, 80), (22, 80), (10, 74)], one,
            smooth=True)  # fmt: skip
    for x in range(38, 90, 9):
        c.line([(x, 42 + (x - 30) * 0.24), (x + 1.5, 62), (x - 1, 79)], darker(one, 0.18), 0.7, smooth=True)
    c.shape([(9, 61), (15, 46), (28, 41), (38, 50), (38, 70), (28, 78), (14, 75)], two, smooth=True)
    c.oval(15, 50, 34, 73, darker(two, 0.5))
    c.oval(17, 56, 32, 73, lighter(one, 0.45))
    c.line([(36, 76), (88, 74)], lighter(two, 0.3 + rng.uniform(0, 0.2)), 0.8)


def _air_mat(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(8, 92, 78)
    c.shape([(6, 70), (26, 42), (94, 42), (92, 50), (78, 78), (8, 77)], darker(one, 0.3))
    c.shape([(6, 68), (26, 38), (94, 38), (78, 72)], one)
    rows = rng.choice((5, 6, 7))
    for row in range(1, rows):
        part = row / rows
        c.line([(6 + 20 * part, 68 - 30 * part), (78 + 16 * part, 72 - 34 * part)], darker(one, 0.2), 1.1)
    c.shape([(10, 62.5), (15, 55), (85.5, 58), (82, 65)], two)
    c.oval(83, 40, 88, 44, lighter(two, 0.3))


def _foam_mat(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(14, 88, 76)
    c.shape([(16, 72), (84, 72), (96, 78), (28, 79)], darker(one, 0.1))
    c.block(14, 40, 84, 74, 16, one)
    for x in range(24, 80, rng.choice((7, 8, 9))):
        c.line([(x, 41), (x, 73)], darker(one, 0.14), 0.6)
    c.oval(10, 40, 32, 74, darker(one, 0.22))
    c.oval(13, 45, 29, 69, lighter(one, 0.12))
    c.oval(16, 50, 26, 64, darker(one, 0.3))
    for x in (44, 66):
        c.block(x, 39, x + 4, 75, 1, two)


def _trekking_pack(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(24, 76, 90)
    c.shape([(24, 50), (20, 74), (28, 84), (34, 60)], darker(one, 0.3), smooth=True)
    c.shape([(76, 50), (80, 74), (72, 84), (66, 60)], darker(one, 0.3), smooth=True)
    c.block(27, 24, 73, 90, 11, one)
    c.block(31, 52, 69, 84, 7, darker(one, 0.14))
    c.block(25, 12, 75, 34, 10, two)
    c.line([(28, 29), (72, 29)], darker(two, 0.3), 0.9)
    for x in (38, 60):
        c.block(x, 30, x + 3, 56, 1, DARK)
        c.block(x - 1.5, 41, x + 4.5, 46, 1, STEEL)
    c.line([(36, 61 + rng.uniform(0, 4)), (64, 61)], lighter(one, 0.4), 0.9)
    c.block(45, 17, 55, 23, 1.5, lighter(two, 0.5))
    c.shape([(29, 84), (71, 84), (68, 90), (32, 90)], darker(one, 0.4))


def _day_pack(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(26, 74, 86)
    c.line([(42, 22), (42, 13), (50, 10), (58, 13), (58, 22)], DARK, 2.2, smooth=True)
    c.shape([(28, 84), (25, 46), (34, 22), (50, 16), (66, 22), (75, 46), (72, 84), (50, 88)], one, smooth=True)
    c.shape([(31, 80), (31, 60), (50, 55), (69, 60), (69, 80), (50, 84)], two, smooth=True)
    c.line([(29, 52), (34, 31), (50, 23), (66, 31), (71, 52)], darker(one, 0.28), 1.2, smooth=True)
    c.line([(36, 64), (64, 64)], darker(two, 0.35), 1.0)
    c.line([(64, 64), (66, 70 + rng.uniform(0, 3))], lighter(two, 0.5), 1.2)
    c.block(45, 35, 55, 42, 1.5, lighter(one, 0.5))


def _stove(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(26, 74, 86)
    c.block(32, 62, 68, 86, 9, one)
    c.oval(32, 58, 68, 68, lighter(one, 0.25))
    c.block(36, 72, 64, 80, 2, two)
    c.block(46, 44, 54, 62, 1.5, STEEL)
    c.block(54, 49, 72, 52, 1.5, DARK)
    c.block(38, 38, 62, 45, 3, DARK)
    tall = 24 + rng.uniform(-3, 3)
    for x, colour in ((42, (88, 150, 228)), (50, (108, 172, 240)), (58, (88, 150, 228))):
        c.shape([(x - 4, 38), (x - 2.5, tall + 8), (x, tall), (x + 2.5, tall + 8), (x + 4, 38)], colour, smooth=True)
    for x, far in ((39, 26), (61, 74)):
        c.line([(x, 44), (far, 36), (far, 33)], STEEL, 1.6)


def _spirit_stove(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(20, 80, 82)
    c.shape([(26, 50), (74, 50), (69, 82), (31, 82)], STEEL)
    c.oval(26, 46, 74, 55, DARK)
    for x in range(34, 68, 8):
        c.oval(x, 70, x + 4, 75, darker(STEEL, 0.5))
    tall = 30 + rng.uniform(-3, 3)
    c.shape([(38, 50), (42, tall + 8), (50, tall), (58, tall + 8), (62, 50)], (244, 172, 84), smooth=True)
    c.shape([(44, 50), (46, tall + 14), (50, tall + 9), (54, tall + 14), (56, 50)], (252, 226, 150), smooth=True)
    c.block(30, 58, 70, 64, 2, one)
    c.block(72, 57, 92, 61, 2, two)


def _petrol_stove(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(8, 92, 82)
    c.block(66, 30, 88, 82, 7, one)
    c.block(66, 46, 88, 62, 0, two)
    c.block(72, 22, 82, 31, 2, DARK)
    c.line([(77, 24), (56, 30), (52, 60), (40, 66)], STEEL, 1.2, smooth=True)
    c.block(14, 64, 46, 70, 3, DARK)
    for x in (16, 30, 43):
        c.line([(x, 68), (x - (30 - x) * 0.25, 82)], STEEL, 1.8)
    tall = 44 + rng.uniform(-3, 3)
    for x in (22, 30, 38):
        c.shape(
            [(x - 4, 64), (x - 2, tall + 8), (x, tall), (x + 2, tall + 8), (x + 4, 64)], (100, 164, 236), smooth=True
        )


def _pot_set(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(16, 84, 82)
    c.line([(28, 48), (30, 20), (50, 13), (70, 20), (72, 48)], STEEL, 1.3, smooth=True)
    c.block(24, 42, 76, 82, 9, STEEL)
    c.block(24, 56, 76, 64, 0, one)
    c.oval(23, 36, 77, 50, lighter(STEEL, 0.35))
    c.oval(29, 38, 71, 46, darker(STEEL, 0.1))
    c.block(45, 32, 55, 39, 3, two)
    c.line([(33, 66), (33, 76)], lighter(STEEL, 0.7), 1.2 + rng.uniform(0, 0.6))


def _mug(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(24, 84, 82)
    c.line([(66, 42), (84, 42), (85, 64), (66, 68)], darker(one, 0.12), 4.2, smooth=True)
    c.block(24, 30, 70, 82, 8, one)
    c.oval(24, 25, 70, 37, lighter(one, 0.5))
    c.oval(27, 26.5, 67, 35.5, darker(two, 0.6))
    peak = 46 + rng.uniform(-2, 4)
    c.shape([(30, 72), (42, peak + 6), (47, peak + 11), (54, peak), (65, 72)], lighter(one, 0.75), light=0.02)
    c.block(24, 76, 70, 79, 0, two)


def _canister(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(22, 78, 82)
    c.block(44, 24, 56, 36, 2, STEEL)
    c.shape([(26, 48), (32, 38), (50, 34), (68, 38), (74, 48), (74, 76), (68, 82), (32, 82), (26, 76)], one)
    c.block(26, 54, 74, 70, 0, two)
    c.shape([(44, 68), (44, 62), (50, 55 + rng.uniform(0, 2)), (56, 62), (56, 68)], lighter(two, 0.7), smooth=True)
    c.line([(31, 47), (31, 76)], lighter(one, 0.5), 1.6)


def _fire_steel(c: Canvas, one: Colour, two: Colour, rng: random.Random) -> None:
    c.shadow(16, 86, 78)
    c.shape([(18, 66), (22, 58), (50, 46), (54, 56), (26, 74)], one, smooth=True)
    c.shape([(49, 48), (84, 32), (87, 37), (52, 55)], DARK)
    c.line([(20, 70), (10, 56), (22, 46), (40, 38)], two, 1.4, smooth=True)
    c.shape([(38, 34), (62, 22), (65, 28), (41, 41)], STEEL)
    for x, y in ((86, 22), (92, 30), (80, 18), (90, 42)):
        c.line([(x, y), (x + 3, y - 3 + rng.uniform(-1, 1))], (246, 196, 84), 1.0)


GEAR: dict[str, Drawing] = {
    "Dome Tent": _dome_tent, "Tunnel Tent": _tunnel_tent, "Ridge Tent": _ridge_tent, "Tarp": _tarp,
    "Hammock": _hammock, "Down Sleeping Bag": _sleeping_bag, "Summer Sleeping Bag": _sleeping_bag,
    "Air Mat": _air_mat, "Foam Mat": _foam_mat, "Trekking Pack": _trekking_pack, "Day Pack": _day_pack,
    "Gas Stove": _stove, "Spirit Stove": _spirit_stove, "Petrol Stove": _petrol_stove, "Pot Set": _pot_set,
    "Mug": _mug, "Gas Canister": _canister, "Fire Steel": _fire_steel,
}  # fmt: skip
"""Kind of product -> how it is drawn."""
