"""Numbers as text, in plain loops that numba compiles (`compiled`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
POWERS = np.array([10.0**exponent for exponent in range(23)])
"""All that are exact."""
DIGITS = 9
POINT, MINUS, PLUS, ZERO, EXPONENT = b".-+0e"


def whole(out: Array, at: int, value: int) -> int:
    """Write a whole number, 0 or more; where it ends."""
    length, rest = 1, value // 10
    while rest > 0:
        length, rest = length + 1, rest // 10
    for place in range(at + length - 1, at - 1, -1):
        out[place] = ZERO + value % 10
        value //= 10
    return at + length


def scaled(value: float, shift: int) -> float:
    """A number times a power of ten, rounded once."""
    return float(value * POWERS[shift] if shift >= 0 else value / POWERS[-shift])


def significant(value: float) -> tuple[int, int]:
    """The first DIGITS digits of a number, rounded, and the exponent of the first one.

    They come from the number times a power of ten, of which one rounding makes at most 2e-7 of the last digit.

    Args:
        value: between 1e-13 and 1e30.

    Returns:
        No digits, 0, where the rounding could decide.
    """
    exponent = int(math.floor(math.log10(value)))  # noqa: RUF046 - numba's floor gives a float
    moved = scaled(value, DIGITS - 1 - exponent)
    if moved < 1e8:
        exponent -= 1
        moved = scaled(value, DIGITS - 1 - exponent)
    elif moved >= 1e9:
        exponent += 1
        moved = scaled(value, DIGITS - 1 - exponent)
    digits = int(moved)
    part = moved - digits
    if abs(part - 0.5) < 1e-5:
        return 0, 0
    if part > 0.5:
        digits += 1
    if digits == 1_000_000_000:
        return 100_000_000, exponent + 1
    return digits, exponent


def pointed(out: Array, at: int, digits: int, length: int, before: int) -> int:
    """Write digits with a point after `before` of them, which may be below 0 or above `length`; where they end."""
    if before <= 0:
        out[at], out[at + 1] = ZERO, POINT
        at += 2
        for _ in range(-before):
            out[at] = ZERO
            at += 1
        return whole(out, at, digits)
    end = whole(out, at, digits)
    if length > before:
        for place in range(end, at + before, -1):
            out[place] = out[place - 1]
        out[at + before] = POINT
        return end + 1
    for _ in range(before - length):
        out[end] = ZERO
        end += 1
    return end


def number(out: Array, at: int, value: float) -> int:
    """Write a number as `b"%.9g" % value` has it.

    Returns:
        Where it ends; -1 where that is not sure, and for numbers that no score is.
    """
    if value < 0.0:
        out[at] = MINUS
        at, value = at + 1, -value
    if not 1e-13 < value < 1e30:
        return -1
    digits, exponent = significant(value)
    if digits == 0:
        return -1
    length = DIGITS
    while digits % 10 == 0:
        digits, length = digits // 10, length - 1
    if -4 <= exponent < DIGITS:
        return pointed(out, at, digits, length, exponent + 1)
    at = pointed(out, at, digits, length, 1)
    out[at], out[at + 1] = EXPONENT, MINUS if exponent < 0 else PLUS
    at, exponent = at + 2, abs(exponent)
    if exponent < 10:
        out[at] = ZERO
        at += 1
    return whole(out, at, exponent)
