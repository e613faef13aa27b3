"""Power of the sequential rule: how likely the estimate has left its boundary by the last of some looks. Pure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from . import sequential


def crossing(drift: float, ripeness: float = 1.0, looks: int = 28, alpha: float = 0.05) -> float:
    """Probability that the sequential interval excludes 0 at one of equally spaced looks at least.

    The estimate's path is a Brownian motion with drift (central limit theorem). The density of the paths that have
    crossed nothing yet is carried from look to look by numerical integration (Armitage, McPherson and Rowe 1969).

    Args:
        drift: the effect in standard errors at the last look.
        ripeness: units at the last look by the units that the interval is tuned to.
        looks: at equal distances, the last at the end.
        alpha: one less the confidence.
    """
    step = 1 / looks
    times = [look * step for look in range(1, looks + 1)]
    edges = [min(boundary(time, ripeness, alpha), farthest(time, drift)) for time in times]
    if all(edge == farthest(time, drift) for edge, time in zip(edges, times, strict=True)):
        return 0.0
    points, weights = np.polynomial.legendre.leggauss(nodes(max(edges), looks))
    place: NDArray[np.float64] = np.zeros(1)
    mass: NDArray[np.float64] = np.ones(1)
    for edge in edges:
        here = points * edge
        away = (here[:, None] - place - drift * step) / math.sqrt(step)
        density = np.exp(-away * away / 2) @ mass / math.sqrt(2 * math.pi * step)
        place, mass = here, density * weights * edge
    return min(max(1 - float(mass.sum()), 0.0), 1.0)


def boundary(time: float, ripeness: float, alpha: float) -> float:
    """Where the path leaves the interval at a time from 0 to 1, in standard deviations of the path at time 1."""
    return sequential.critical(ripeness * time, 1, alpha) * math.sqrt(time)


def farthest(time: float, drift: float) -> float:
    """Beyond this no path is found, to 16 digits; a boundary farther out needs no more nodes."""
    return abs(drift) * time + 9 * math.sqrt(time)


def nodes(edge: float, looks: int) -> int:
    """Points of Gauss-Legendre quadrature, close enough to follow one step's density; twice as many change nothing."""
    return 33 + math.ceil(2.7 * edge * math.sqrt(looks))
