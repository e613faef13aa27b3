"""How many units an experiment needs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from scipy import optimize, special

from .crossing import crossing

Rule = Literal["fixed", "sequential"]
EVEN = (0.5, 0.5)
MOST_DRIFT = 50.0
"""Effect in standard errors; an interval that does not show one as large is tuned to something else altogether."""
MOST_LOOKS = 400


class Plan(NamedTuple):
    """Units of each variation, in the order of the weights, and of all together."""

    units: tuple[int, ...]
    total: int


def required_units(
    mean: float,
    lift: float,
    variance: float | None = None,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    weights: Sequence[float] = EVEN,
    rule: Rule = "sequential",
    looks: int = 28,
    planned: float | None = None,
) -> Plan | None:
    """Units with which a true lift is found with probability `power`, in every comparison with the baseline.

    Args:
        mean: of the baseline per unit, above 0; for a ratio metric the ratio.
        lift: relative, the least that is to be found; 0.05 is 5 % more.
        variance: of one unit's outcome (Moments.variance); None: the mean is a rate, whose variance follows from it.
            With CUPED the adjusted one.
        alpha: two-sided level.
        power: probability to find the lift.
        weights: of all variations, the baseline first; need not sum to 1.
        rule: one look at the end, or the sequential interval seen at `looks` equally spaced times.
        looks: of the sequential rule, 1 to 400.
        planned: units of both variations that the sequential interval is tuned to; None: to the answer itself.

    Returns:
        None where the question makes no sense: numbers out of range, no numbers, an interval tuned to thousands of
        times what is needed.
    """
    if not sensible(mean, lift, variance, alpha, power, weights, looks, planned):
        return None
    whole = math.fsum(weights)
    shares = [weight / whole for weight in weights]
    totals = []
    for share in shares[1:]:
        pair = shares[0] + share
        spread = unit_variance(mean, lift, variance, shares[0] / pair, share / pair, rule)
        totals.append(units_of_pair(spread / lift / lift, alpha, power, rule, looks, planned) / pair)
    total = max(totals)
    if not 0 < total < math.inf:
        return None
    units = tuple(max(2, math.ceil(total * share)) for share in shares)
    return Plan(units, sum(units))


def sensible(
    mean: float,
    lift: float,
    variance: float | None,
    alpha: float,
    power: float,
    weights: Sequence[float],
    looks: int,
    planned: float | None,
) -> bool:
    """Whether there is an answer. Comparisons with NaN are false."""
    return (
        0 < mean < math.inf
        and -1 <= lift < math.inf
        and lift != 0
        and (0 < mean < 1 and 0 < mean * (1 + lift) < 1 if variance is None else 0 < variance < math.inf)
        and 0 < alpha < power < 1
        and len(weights) > 1
        and all(0 < weight < math.inf for weight in weights)
        and 0 < looks <= MOST_LOOKS
        and (planned is None or 0 < planned < math.inf)
    )


def unit_variance(
    mean: float, lift: float, variance: float | None, share_a: float, share_b: float, rule: Rule
) -> float:
    """Variance of the estimated lift times the units of both, as effects.effect has it when the lift is as supposed."""
    other = mean * (1 + lift)
    one, two = (mean * (1 - mean), other * (1 - other)) if variance is None else (variance, variance)
    growth = (1 + lift) * (1 + lift)
    # The sequential rule is as cautious about losses; assumed here for all of them, whatever the size.
    growth = max(1.0, growth) if rule == "sequential" else growth
    return (two / share_b + one * growth / share_a) / mean / mean


def units_of_pair(scale: float, alpha: float, power: float, rule: Rule, looks: int, planned: float | None) -> float:
    """Units of both variations; infinite where there is no answer. scale: units at which the lift is a standard error.

    fixed: (z of 1 - alpha/2 plus z of power)² times the scale. sequential: the drift, in standard errors at the last
    look, whose crossing has the power, found by root finding; its square times the scale.
    """
    fixed = float(special.ndtri(1 - alpha / 2) + special.ndtri(power))
    if rule == "fixed" or not scale < math.inf:
        return fixed * fixed * scale

    def missing(drift: float) -> float:
        return crossing(drift, 1.0 if planned is None else drift * drift * (scale / planned), looks, alpha) - power

    high = fixed
    while missing(high) < 0:
        high *= 1.3
        if high > MOST_DRIFT:
            return math.inf
    # One look at the end, at the same level, is the most powerful test there is: less than its drift does not do.
    drift = float(optimize.brentq(missing, fixed / 2, high, rtol=1e-6))
    return drift * drift * scale
