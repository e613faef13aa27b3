"""Figures in words, the same on the terminal, on the page and in a verdict."""

from __future__ import annotations

import math
from datetime import UTC, datetime

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""
INFINITE = "\N{INFINITY}"

VISITORS = {"aid": "visitor", "uid": "customer"}
"""Unit of an experiment -> what a manager calls it."""


def outcome(name: str, unit: str = "aid") -> str:
    """An outcome's name for people: `clicks_per_unit` is `clicks per visitor`, or per customer."""
    return name.replace("_", " ").replace("per unit", f"per {VISITORS.get(unit, 'unit')}")


def number(value: float | None) -> str:
    """A figure with about four digits: `12,345`, `1.235`, `0.0004`; a dash for none."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return MINUS * (value < 0) + INFINITE
    if float(value).is_integer():
        return f"{value:,.0f}".replace("-", MINUS)
    size = abs(value)
    places = 0 if size >= 10_000 else max(0, 3 - math.floor(math.log10(size)))
    text = f"{value:,.{min(places, 8)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", MINUS)


def short(value: float | None) -> str:
    """A figure with two digits, for a sentence: `0.0077`, `0.21`, `12`."""
    if value is None or not math.isfinite(value) or abs(value) >= 100:
        return number(value)
    return number(float(f"{value:.2g}"))


def percent(part: float | None, signed: bool = True) -> str:
    """A part as per cent, without the sign of per cent: `+6.5`, `12`, `-0.031`; never rounded to zero.

    Args:
        part: 0.065 for 6.5 %; a dash for none.
        signed: with a plus too.
    """
    if part is None or math.isnan(part):
        return NOTHING
    sign = MINUS if part < 0 else "+" if signed and part > 0 else ""
    if math.isinf(part):
        return sign + INFINITE
    size = abs(100 * part)
    if size >= 9.95 or not size:
        return f"{sign}{size:,.0f}"
    places = 1 if size >= 0.995 else min(9, 1 - math.floor(math.log10(size)))
    return sign + f"{size:.{places}f}".removesuffix(".0")


def interval(low: float | None, high: float | None) -> str:
    """`1 to 12 %`."""
    return f"{percent(low, signed=False)} to {percent(high, signed=False)} %"


def probability(p: float | None) -> str:
    """`0.23`, `0.004`, `< 1e-12`; a dash for none."""
    if p is None or math.isnan(p):
        return NOTHING
    if p < 1e-12:
        return "< 1e-12"
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_is(p: float | None) -> str:
    """`p = 0.23`, `p < 1e-12`."""
    said = probability(p)
    return f"p {said}" if said.startswith("<") else f"p = {said}"


def roughly(value: float) -> str:
    """A count that is an estimate itself, with two digits: `114,166` is `110,000`."""
    digits = max(0, len(str(int(value))) - 2)
    return f"{round(value, -digits):,.0f}"


def day(days: int) -> str:
    """A UTC date of days since the epoch: `2026-11-22`."""
    return datetime.fromtimestamp(days * 86_400, UTC).strftime("%Y-%m-%d")


def moment(ms: int | None) -> str:
    """`2026-11-22 17:15 UTC`; a dash for none."""
    return NOTHING if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def printable(text: str) -> str:
    """A name of somebody else's for a terminal: control characters as Python writes them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
