"""CUPED: an outcome adjusted by what its unit did before the experiment (Deng, Xu, Kohavi, Walker, WSDM 2013). Pure.

Moments hold the outcome as y and the covariate as d. The adjusted outcome is y - theta·d; the variations' covariates
have the same mean but for chance, so the difference keeps its expectation and loses the variance that d explains.
"""

from __future__ import annotations

from .moments import NAN, Moments


def theta(a: Moments, b: Moments) -> float:
    """Slope of the outcome on the covariate over all units of both variations; 0 where the covariate says nothing."""
    both = a + b
    spread = both.swapped().variance()
    return both.covariance() / spread if spread else 0.0


def difference(a: Moments, b: Moments, slope: float) -> float:
    """Adjusted mean of b less that of a; NaN where either has no units."""
    if not (a.n and b.n):
        return NAN
    return b.mean() - a.mean() - slope * (b.swapped().mean() - a.swapped().mean())


def remaining(a: Moments, b: Moments) -> float:
    """Part of the outcome's variance that the adjustment leaves, from 0 to 1: so many of the units are still needed.

    NaN where the outcome does not vary.
    """
    both = a + b
    plain = both.variance()
    return both.variance("cuped", theta(a, b)) / plain if plain else NAN
