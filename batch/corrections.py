"""Many metrics at once: p adjusted so that few of the findings are chance. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def benjamini_hochberg(p: Sequence[float], q: float = 0.05) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    """Control the false discovery rate (Benjamini and Hochberg 1995): of what is found, q is chance on average.

    Args:
        p: of each metric; NaN where there is no estimate, which then counts as no test.
        q: the rate.

    Returns:
        The adjusted p (NaN stays NaN), and whether each is found: adjusted p at most q. In the order of `p`.

    Raises:
        ValueError: a p is below 0 or above 1.
    """
    given = np.asarray(p, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    known = ~np.isnan(given)
    if known.any():
        adjusted[known] = stats.false_discovery_control(given[known])
    return tuple(adjusted.tolist()), tuple((adjusted <= q).tolist())
