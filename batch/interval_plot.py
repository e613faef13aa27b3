"""How a lift and its intervals went, a look a day: a static SVG picture, coloured by the page's style. Pure.

No script and nothing from elsewhere; everything in it is a number or escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from .wording import day, number, percent

WIDTH, HEIGHT = 440, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 30
"""Edges of the plot within the picture; its labels stand between."""


class Look(NamedTuple):
    """One look at one variation and outcome: the end of a UTC day (days since the epoch).

    units: of both variations. lift: relative. low, high: sequential interval; fixed_low, fixed_high: the one that only
    holds where it is looked at once. All of them NaN where there is none.
    """

    day: int
    units: int
    lift: float
    low: float
    high: float
    fixed_low: float
    fixed_high: float


def plot(looks: Sequence[Look], name: str, title: str, relative: bool = True) -> str:
    """An `<svg>`.

    Args:
        looks: by day.
        name: of no other picture of the page: letters, digits and -.
        title: what it shows.
        relative: lifts are parts of the first variation's mean, shown as per cent; otherwise plain differences.
    """
    shown = [look for look in looks if all(map(math.isfinite, look[2:]))]
    if not shown:
        return '<p class="none">Too few units for an interval yet.</p>'
    top, bottom = _range(shown)
    x, y = _scales(shown, top, bottom)
    last = shown[-1]
    say = _percent if relative else number
    said = f"{title}. On {day(last.day)}: {say(last.lift)}, interval {say(last.low)} to {say(last.high)}."
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-t">',
        f'<title id="{name}-t">{escape(said)}</title>',
        f'<clipPath id="{name}-c"><rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{HEIGHT - TOP - BOTTOM}"/></clipPath>',
        *_grid([value for value in _ticks(bottom, top) if value], y, say),
        f'<g clip-path="url(#{name}-c)">',
        _band("wide", [(x(at.day), y(at.low), y(at.high)) for at in shown]),
        _band("narrow", [(x(at.day), y(at.fixed_low), y(at.fixed_high)) for at in shown]),
        "</g>",
        *_grid([0.0], y, say),
        f'<g clip-path="url(#{name}-c)">',
        f'<polyline class="lift" points="{_points([(x(at.day), y(at.lift)) for at in shown])}"/>',
        f'<circle class="last" cx="{x(last.day):.1f}" cy="{y(last.lift):.1f}" r="3.5"/></g>',
        *_dates(shown, x),
        "</svg>",
    ]
    return "".join(parts)


def _percent(part: float) -> str:
    return f"{percent(part)} %"


def _range(looks: Sequence[Look]) -> tuple[float, float]:
    """Top and bottom. The first looks know so little that they would flatten all later ones: they are cut off."""
    last = looks[-1]
    most = 3 * max(abs(last.low), abs(last.high), 1e-6)
    top = min(most, max(max(look.high, look.fixed_high, 0.0) for look in looks))
    bottom = max(-most, min(min(look.low, look.fixed_low, 0.0) for look in looks))
    room = 0.06 * (top - bottom) or 1e-6
    return top + room, bottom - room


def _scales(
    looks: Sequence[Look], top: float, bottom: float
) -> tuple[Callable[[float], float], Callable[[float], float]]:
    first, last = looks[0].day, looks[-1].day
    wide = (WIDTH - LEFT - RIGHT - 12) / max(1, last - first)
    high = (HEIGHT - TOP - BOTTOM) / (top - bottom)
    start = LEFT + 6 if last > first else (LEFT + WIDTH - RIGHT) / 2

    def clamped(value: float) -> float:
        return min(max(TOP + (top - value) * high, -HEIGHT), 2 * HEIGHT)

    return lambda at: start + (at - first) * wide, clamped


def _band(kind: str, edges: Sequence[tuple[float, float, float]]) -> str:
    """Between low and high; of a single look a bar."""
    if len(edges) == 1:
        ((at, low, high),) = edges
        edges = [(at - 6, low, high), (at + 6, low, high)]
    upper = [(at, high) for at, _, high in edges]
    lower = [(at, low) for at, low, _ in reversed(edges)]
    return f'<polygon class="{kind}" points="{_points([*upper, *lower])}"/>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _grid(values: Sequence[float], y: Callable[[float], float], say: Callable[[float], str]) -> list[str]:
    """Lines at these figures, with their names; that of no difference is strong, and goes over the bands."""
    parts = []
    for value in values:
        kind = "line" if value else "zero"
        parts.append(f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{say(value)}</text>')
    return parts


def _ticks(bottom: float, top: float) -> list[float]:
    """Four to eight multiples of a round step."""
    rough = (top - bottom) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(times * size for times in (1, 2, 2.5, 5, 10) if times * size >= rough * 0.999)
    return [place * step for place in range(math.ceil(bottom / step), math.floor(top / step) + 1)]


def _dates(looks: Sequence[Look], x: Callable[[float], float]) -> list[str]:
    """First and last day, and those between that have room."""
    first, last = looks[0].day, looks[-1].day
    if first == last:
        return [_date(first, x(first), "middle")]
    parts = [_date(first, x(first) - 6, "start"), _date(last, x(last) + 6, "end")]
    between = [first + (last - first) * part // 4 for part in (0, 2, 4)]
    if all(b - a >= 2 for a, b in pairwise(between)):
        parts.append(_date(between[1], x(between[1]), "middle"))
    return parts


def _date(days: int, at: float, anchor: str) -> str:
    return f'<text x="{at:.1f}" y="{HEIGHT - 10}" text-anchor="{anchor}">{day(days)[5:]}</text>'
