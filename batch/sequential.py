"""Always-valid inference: an interval that may be looked at daily and acted on at any look. Pure.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (arXiv 2103.06476): Robbins'
normal mixture boundary, with the estimated variance in place of the known one. With x = units·ρ² the interval is the
estimate ± critical standard errors; over all looks together it misses the truth with probability alpha at most.
"""

from __future__ import annotations

import math


def rho_squared(planned: float, alpha: float) -> float:
    """ρ² that makes the interval about as narrow as it can be at `planned` units."""
    doubled = -2 * math.log(alpha)
    return (doubled + math.log(doubled + 1)) / planned


def critical(units: float, planned: float, alpha: float) -> float:
    """Half width of the interval in standard errors of the estimate, after so many units; infinite at none."""
    x = units * rho_squared(planned, alpha)
    return math.sqrt(2 * (1 + 1 / x) * (math.log1p(x) / 2 - math.log(alpha))) if x > 0 else math.inf


def p_value(z: float, units: float, planned: float, alpha: float) -> float:
    """Always-valid p of an estimate of z standard errors; below alpha just where the interval leaves out 0.

    alpha only tunes the boundary: p may be compared with any level, and is sharpest at this one.
    """
    x = units * rho_squared(planned, alpha)
    return math.exp(min(0.0, math.log1p(x) / 2 - x * z * z / (2 * (1 + x))))
