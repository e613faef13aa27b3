"""Sample ratio mismatch: did the variations get the units that their weights promise? Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

ALARM = 0.001
"""Below this p nothing of the experiment is to be believed (Fabijan et al., KDD 2019)."""


def srm(units: Sequence[float], weights: Sequence[float]) -> float:
    """p of Pearson's chi-square test of the units of each variation against the weights.

    Args:
        units: of each variation.
        weights: of each variation; need not sum to 1.

    Returns:
        The p. 1 where there are no units or fewer than two weights above 0; 0 where units are in a variation of
        weight 0; NaN where a number is negative or none.

    Raises:
        ValueError: not as many units as weights.
    """
    if len(units) != len(weights):
        raise ValueError(f"{len(units)} variations have units, {len(weights)} weights")
    counts, shares = [float(count) for count in units], [float(weight) for weight in weights]
    if not all(0 <= number < math.inf for number in counts + shares):
        return math.nan
    if any(count and not share for count, share in zip(counts, shares, strict=True)):
        return 0.0
    everyone, whole = math.fsum(counts), math.fsum(shares)
    expected = [(count, share / whole * everyone) for count, share in zip(counts, shares, strict=True) if share]
    if not everyone or len(expected) < 2:
        return 1.0
    chi_square = math.fsum((count - due) * (count - due) / due for count, due in expected)
    return float(special.chdtrc(len(expected) - 1, chi_square))
