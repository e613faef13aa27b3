"""The effect of a variation: its lift over the baseline, with a fixed and an always-valid interval. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import special

from . import cuped, sequential
from .moments import NAN, Kind, Moments, divided

__all__ = ["SPARSE", "Effect", "Kind", "Moments", "effect"]

SPARSE = 0.03
"""Relative standard error of the baseline's mean above which the delta method flatters losses (docs/experiments.md)."""
NO_INTERVAL = (NAN, NAN)


class Effect(NamedTuple):
    """Variation b against the baseline a. NaN: no estimate.

    mean_a, mean_b: plain means (ratios for "ratio"), never adjusted.
    lift: (mean_b - mean_a) / mean_a, adjusted for "cuped"; without `relative` the difference itself.
    variance: of the lift. n: units of both.
    interval, p: fixed horizon, Welch's t; right at one look only.
    sequential, sequential_p: right at every look; this decides. Never narrower, never smaller than the fixed ones.
    """

    mean_a: float
    mean_b: float
    lift: float
    variance: float
    n: int
    interval: tuple[float, float] = NO_INTERVAL
    p: float = NAN
    sequential: tuple[float, float] = NO_INTERVAL
    sequential_p: float = NAN

    @property
    def known(self) -> bool:
        """Whether there is an estimate with an interval."""
        return not math.isnan(self.sequential_p)


class Spread(NamedTuple):
    """Variances of the two means, as differences and as what the lift makes of them. `sparse` widens losses."""

    a: float
    b: float
    lift: float
    cautious: float


def effect(
    a: Moments,
    b: Moments,
    kind: Kind = "mean",
    alpha: float = 0.05,
    planned: float = 5000,
    relative: bool = True,
) -> Effect:
    """Estimate the effect of b against the baseline a.

    Args:
        a: sums over the baseline's units; d is the denominator (ratio) or the covariate (cuped).
        b: sums over the variation's units.
        kind: what the outcome is.
        alpha: one less the confidence of the intervals.
        planned: units of both at which the sequential interval is to be narrowest.
        relative: lift over the baseline's mean; otherwise the difference.

    Returns:
        An effect of NaN where there is nothing to say: a variation with fewer than two units, no variance in either,
        values that are no numbers, and, for a relative lift, a baseline's mean of 0 or below.

    Raises:
        ValueError: alpha is not between 0 and 1, or planned not above 0.
    """
    if not (0 < alpha < 1 and planned > 0):
        raise ValueError(f"alpha {alpha}, planned {planned}")
    slope = cuped.theta(a, b) if kind == "cuped" else 0.0
    base, other = a.mean(kind), b.mean(kind)
    gain = cuped.difference(a, b, slope) if kind == "cuped" else other - base
    unit = (base if base > 0 else NAN) if relative else 1.0
    lift = gain / unit
    spread = spread_of(a, b, kind, slope, unit, divided(other, base) if relative else 1.0)
    found = Effect(base, other, lift, spread.lift, a.n + b.n)
    if not (math.isfinite(lift) and 0 < spread.lift < math.inf and spread.cautious < math.inf):
        return found._replace(lift=lift if math.isfinite(lift) else NAN, variance=NAN)
    return with_intervals(found, spread, freedom(a, b, spread), alpha, planned)


def spread_of(a: Moments, b: Moments, kind: Kind, slope: float, unit: float, growth: float) -> Spread:
    """Variances of the means and of the lift.

    The lift's is the delta method's for a quotient of two means. Below a growth of 1 it shrinks with the variation's
    mean, since it trusts the baseline's; where few events make up that mean, chance alone looks like a sure loss. So
    the sequential rule takes the variance under no effect there. A variation in which all units are alike (nobody
    bought) gets the variance of both together, as in the pooled test of two proportions, lest a variation that broke
    everything gets no verdict.
    """
    one, two = a.variance(kind, slope), b.variance(kind, slope)
    pooled = one == 0 or two == 0
    if pooled:
        one = two = (a + b).variance(kind, slope)
    one, two = divided(one, a.n), divided(two, b.n)
    cautious = (two + one * max(1.0, growth * growth)) / unit / unit
    if pooled:
        return Spread(one, two, cautious, cautious)
    delta = (two + one * growth * growth) / unit / unit
    return Spread(one, two, delta, cautious if one > SPARSE * SPARSE * unit * unit else delta)


def freedom(a: Moments, b: Moments, spread: Spread) -> float:
    """Welch's and Satterthwaite's degrees of freedom."""
    share = spread.a / (spread.a + spread.b)
    return 1 / (share * share / (a.n - 1) + (1 - share) * (1 - share) / (b.n - 1))


def with_intervals(found: Effect, spread: Spread, degrees: float, alpha: float, planned: float) -> Effect:
    """The same effect with its intervals and p."""
    lift, error, cautious = found.lift, math.sqrt(spread.lift), math.sqrt(spread.cautious)
    half = error * float(special.stdtrit(degrees, 1 - alpha / 2))
    p = 2 * float(special.stdtr(degrees, -abs(lift) / error))
    # With a handful of units Student's t is the wider: the always-valid interval is not yet that.
    wide = max(half, cautious * sequential.critical(found.n, planned, alpha))
    valid = max(p, sequential.p_value(lift / cautious, found.n, planned, alpha))
    return found._replace(
        interval=(lift - half, lift + half),
        p=p,
        sequential=(lift - wide, lift + wide),
        sequential_p=valid,
    )
