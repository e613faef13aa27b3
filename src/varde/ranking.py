"""Pure ranking on numpy: pair counts and supports -> scores, top n, and which candidates a serving row keeps.

Symbols: k = customers with both items, a = support of the row item, b = supports of the column items, n = customers in
the relation's universe. All scores are "higher is better"; ties are broken by the pair count, then the smaller number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Score = Callable[[Floats, float, Floats, float], Floats]

SHRINKAGE = 20.0
"""Pseudo-customers of `cosine`: pairs seen by few people are held back."""


def _xlogx(x: Floats) -> Floats:
    return np.asarray(x * np.log(np.where(x > 0, x, 1.0)))


def llr(k: Floats, a: float, b: Floats, n: float) -> Floats:
    """Log-likelihood ratio G² of the 2×2 table, negative where the pair is rarer than chance.

    Dunning, "Accurate Methods for the Statistics of Surprise and Coincidence", 1993.
    """
    k = np.minimum(k, np.minimum(a, b))  # supports in a row may be older than its counts
    everyone = np.maximum(n, a + b - k)
    rows = np.full_like(k, a)
    cells = _xlogx(k) + _xlogx(rows - k) + _xlogx(b - k) + _xlogx(everyone - rows - b + k)
    margins = _xlogx(rows) + _xlogx(everyone - rows) + _xlogx(b) + _xlogx(everyone - b)
    g2 = np.maximum(2.0 * (cells + _xlogx(everyone) - margins), 0.0)
    return np.where(k * everyone >= rows * b, g2, -g2)


def cosine(k: Floats, a: float, b: Floats, n: float) -> Floats:
    """k / sqrt(a b), shrunk by k / (k + SHRINKAGE)."""
    return k / np.sqrt(np.maximum(a * b, 1.0)) * (k / (k + SHRINKAGE))


def count(k: Floats, a: float, b: Floats, n: float) -> Floats:
    """The number of customers itself."""
    return k


def jaccard(k: Floats, a: float, b: Floats, n: float) -> Floats:
    """k / customers with either item."""
    return k / np.maximum(a + b - k, 1.0)


RANKINGS: dict[str, Score] = {"llr": llr, "cosine": cosine, "count": count, "jaccard": jaccard}
"""The orders a list may have. Lift is absent on purpose: it is an explanation, never an order."""


Numbers = Sequence[int] | Ints | NDArray[np.uint32]


def scores(ranking: str, counts: Numbers, support: int, supports: Numbers, total: int) -> Floats:
    """Scores of all candidates of one row under a named ranking.

    Args:
        ranking: a key of RANKINGS.
        counts: pair counts, shape (m,).
        support: the row item's support.
        supports: the column items' supports, shape (m,).
        total: customers in the relation's universe.

    Raises:
        KeyError: no such ranking.
    """
    k = np.asarray(counts, dtype=np.float64)
    b = np.maximum(np.asarray(supports, dtype=np.float64), k)
    a = max(float(support), float(k.max(initial=0.0)))
    n = max(float(total), a, float(b.max(initial=0.0)))
    return RANKINGS[ranking](k, a, b, n)


def order(score: Floats, counts: Ints, numbers: Ints) -> Ints:
    """Indices from best to worst: by score, then pair count, then the smaller item number."""
    return np.lexsort((numbers, -counts, -score))


def keep(
    rankings: Sequence[str], counts: Ints, support: int, supports: Ints, total: int, numbers: Ints, size: int
) -> Ints:
    """Indices of the `size` candidates a serving row keeps: those with the best place in any of the rankings.

    A cut by count alone would lose up to a third of the true LLR top 10 on real data.
    """
    if len(counts) <= size:
        return np.arange(len(counts))
    best = np.full(len(counts), len(counts), dtype=np.int64)
    places = np.arange(len(counts))
    for ranking in rankings:
        place = np.empty(len(counts), dtype=np.int64)
        place[order(scores(ranking, counts, support, supports, total), counts, numbers)] = places
        np.minimum(best, place, out=best)
    return np.sort(np.lexsort((numbers, -counts, best))[:size])
