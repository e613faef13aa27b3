"""Which of two interleaved rankings a unit's clicks prefer: the user-level test of team-draft interleaving. Pure.

Chapelle, Joachims, Radlinski and Yue, "Large-scale validation and analysis of interleaved search evaluation" (2012).
Clicks of one unit hang together, so the unit is the observation: its clicks on items of b less those on items of a.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from . import sequential
from .moments import NAN, Moments, divided


class Preference(NamedTuple):
    """Ranking b against the baseline a. NaN: no estimate.

    units: all, also those without a click. for_a, for_b: units with more credited clicks for that ranking.
    share: part of all credited clicks that went to b; 0.5 is no preference.
    difference: credited clicks per unit, b less a. interval, p: fixed horizon, Student's t.
    sign_p: exact sign test over the units that prefer one, fixed horizon.
    sequential, sequential_p: right at every look; this decides.
    """

    units: int
    for_a: int
    for_b: int
    share: float
    difference: float
    interval: tuple[float, float] = (NAN, NAN)
    p: float = NAN
    sign_p: float = NAN
    sequential: tuple[float, float] = (NAN, NAN)
    sequential_p: float = NAN


def preference(a: ArrayLike, b: ArrayLike, alpha: float = 0.05, planned: float = 5000) -> Preference:
    """Compare the clicks credited to two rankings.

    Args:
        a: clicks credited to the baseline's items, one number a unit.
        b: the same for the other ranking, in the same order of units.
        alpha: one less the confidence of the intervals.
        planned: units at which the sequential interval is to be narrowest.

    Returns:
        NaN in the tests where there are fewer than two units, no variance, or values that are no numbers.

    Raises:
        ValueError: a and b are not of one length, alpha is not between 0 and 1, or planned not above 0.
    """
    if not (0 < alpha < 1 and planned > 0):
        raise ValueError(f"alpha {alpha}, planned {planned}")
    ours, theirs = np.asarray(b, dtype=np.float64).ravel(), np.asarray(a, dtype=np.float64).ravel()
    if ours.shape != theirs.shape:
        raise ValueError(f"{theirs.size} units of a, {ours.size} of b")
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return Preference(ours.size, 0, 0, NAN, NAN)
    more = ours - theirs
    for_a, for_b = int((more < 0).sum()), int((more > 0).sum())
    credited, whole = float(ours.sum()), float(ours.sum() + theirs.sum())
    moments = Moments.of(more)
    found = Preference(
        ours.size, for_a, for_b, divided(credited, whole), moments.mean(), sign_p=sign_test(for_a, for_b)
    )
    variance = divided(moments.variance(), moments.n)
    return with_intervals(found, math.sqrt(variance), alpha, planned) if 0 < variance < math.inf else found


def with_intervals(found: Preference, error: float, alpha: float, planned: float) -> Preference:
    """The same preference with the intervals and p of its difference, whose standard error is given."""
    mean, degrees = found.difference, found.units - 1
    half = error * float(special.stdtrit(degrees, 1 - alpha / 2))
    p = 2 * float(special.stdtr(degrees, -abs(mean) / error))
    wide = max(half, error * sequential.critical(found.units, planned, alpha))
    valid = max(p, sequential.p_value(mean / error, found.units, planned, alpha))
    return found._replace(
        interval=(mean - half, mean + half), p=p, sequential=(mean - wide, mean + wide), sequential_p=valid
    )


def sign_test(for_a: int, for_b: int) -> float:
    """Exact two-sided p that units prefer either side alike; NaN where none prefers any."""
    if not for_a + for_b:
        return NAN
    return min(1.0, 2 * float(special.bdtr(min(for_a, for_b), for_a + for_b, 0.5)))
