"""Sums over an experiment's units, from which every statistic follows. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Kind = Literal["mean", "ratio", "cuped"]
"""mean: y per unit. ratio: sum of y by sum of d. cuped: y per unit, adjusted by what d says of it."""
ROUNDING = 1e-13
"""A sum of squares that is left of others this much larger is their rounding."""
NAN = math.nan


@dataclass(frozen=True, slots=True)
class Moments:
    """What is kept of the units of one variation. Sums add up over days and disjoint groups of units.

    n: units. y, yy: sum of the outcome and of its square. d, dd: the same of the denominator (ratio) or of the
    covariate (CUPED). yd: sum of outcome times d. A count that is no number is no units; other values that are
    none make the statistics NaN.
    """

    n: int
    y: float
    yy: float
    d: float = 0.0
    dd: float = 0.0
    yd: float = 0.0

    def __post_init__(self) -> None:
        # Python's floats overflow and turn into NaN without a warning; numpy's scalars do not.
        for name in ("y", "yy", "d", "dd", "yd"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "n", max(int(self.n), 0) if math.isfinite(self.n) else 0)

    @classmethod
    def of(cls, y: ArrayLike, d: ArrayLike | None = None) -> Moments:
        """Sum up one value a unit; d in the order of y.

        Raises:
            ValueError: y and d are not of one length.
        """
        outcome = np.asarray(y, dtype=np.float64).ravel()
        other = np.zeros_like(outcome) if d is None else np.asarray(d, dtype=np.float64).ravel()
        if outcome.shape != other.shape:
            raise ValueError(f"{outcome.size} outcomes, {other.size} denominators")
        with np.errstate(over="ignore", invalid="ignore"):
            squares = [float((one * two).sum()) for one, two in ((outcome, outcome), (other, other), (outcome, other))]
            return cls(outcome.size, float(outcome.sum()), squares[0], float(other.sum()), squares[1], squares[2])

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.n + other.n,
            self.y + other.y,
            self.yy + other.yy,
            self.d + other.d,
            self.dd + other.dd,
            self.yd + other.yd,
        )

    def mean(self, kind: Kind = "mean") -> float:
        """y per unit, or by d; NaN where there is nothing to divide by. Not adjusted for "cuped"."""
        return divided(self.y, self.d if kind == "ratio" else self.n)

    def variance(self, kind: Kind = "mean", theta: float = 0.0) -> float:
        """Variance of one unit's outcome, whose n-th part is the variance of the mean; NaN with fewer than two units.

        ratio: by the delta method (Deng et al. 2018, arXiv 1803.06336): vy/d² - 2 cov y/d³ + vd y²/d⁴ with means y, d.
        This is the variance of the residual y - r·d at the ratio r, by d², which is how it is computed: residuals
        sum to 0, so nothing cancels. cuped: variance of y - theta·d.
        """
        if self.n < 2:
            return NAN
        if kind == "ratio":
            slope, centred, unit = self.mean("ratio"), False, divided(self.d, self.n)
        else:
            slope, centred, unit = (theta if kind == "cuped" else 0.0), True, 1.0
        squares = self.yy - 2 * slope * self.yd + slope * slope * self.dd
        size = self.yy + 2 * abs(slope * self.yd) + slope * slope * self.dd
        rest = self.y - slope * self.d
        left = squares - rest * rest / self.n if centred else squares
        return divided(0.0 if left <= ROUNDING * size else left, (self.n - 1) * unit * unit)

    def covariance(self) -> float:
        """Covariance of y and d over the units; NaN with fewer than two."""
        return divided(self.yd - self.y * divided(self.d, self.n), self.n - 1) if self.n > 1 else NAN

    def swapped(self) -> Moments:
        """The same units with y and d exchanged."""
        return Moments(self.n, self.d, self.dd, self.y, self.yy, self.yd)


def divided(above: float, below: float) -> float:
    """The quotient; NaN where the divisor is 0."""
    return above / below if below else NAN
