"""Pure ranking on numpy: pair counts and supports -> scores, top n, and which candidates a serving row keeps.

Symbols: k = customers with both items, a = support of the row item, b = supports of the column items, n = customers in
the relation's universe. All scores are "higher is better"; ties are broken by the pair count, then the smaller number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Score = Callable[[Floats, Floats, Floats, Floats, float], Floats]
"""(k, a, b, n, shrinkage) -> scores; the arrays broadcast."""

SHRINKAGE = 20.0
"""Pseudo-customers of `cosine`: pairs seen by few people are held back."""
MOST_SHRINKAGE = 1_000_000
MOST_DISCOUNT = 4
_DECIMALS = 6
_FORMULA = re.compile(r"([a-z]+)(?:@([0-9]+(?:\.[0-9]+)?))?(?:\^([0-9]+(?:\.[0-9]+)?))?", re.ASCII)
_TINY = np.finfo(np.float64).tiny


def _xlogx(x: Floats) -> Floats:
    return np.asarray(x * np.log(np.maximum(x, _TINY)))


def llr(k: Floats, a: Floats, b: Floats, n: Floats, shrinkage: float = 0.0) -> Floats:
    """Log-likelihood ratio G² of the 2×2 table, negative where the pair is rarer than chance.

    Dunning, "Accurate Methods for the Statistics of Surprise and Coincidence", 1993.
    """
    k = np.minimum(k, np.minimum(a, b))  # supports in a row may be older than its counts
    everyone = np.maximum(n, a + b - k)
    rows = np.broadcast_to(a, k.shape)
    cells = _xlogx(k) + _xlogx(rows - k) + _xlogx(b - k) + _xlogx(everyone - rows - b + k)
    margins = _xlogx(rows) + _xlogx(everyone - rows) + _xlogx(b) + _xlogx(everyone - b)
    g2 = np.maximum(2.0 * (cells + _xlogx(everyone) - margins), 0.0)
    return np.where(k * everyone >= rows * b, g2, -g2)


def cosine(k: Floats, a: Floats, b: Floats, n: Floats, shrinkage: float = SHRINKAGE) -> Floats:
    """k / sqrt(a b), shrunk by k / (k + shrinkage)."""
    return np.asarray(k / np.sqrt(np.maximum(a * b, 1.0)) * (k / np.maximum(k + shrinkage, _TINY)))


def count(k: Floats, a: Floats, b: Floats, n: Floats, shrinkage: float = 0.0) -> Floats:
    """The number of customers itself."""
    return k


def jaccard(k: Floats, a: Floats, b: Floats, n: Floats, shrinkage: float = 0.0) -> Floats:
    """k / customers with either item."""
    return np.asarray(k / np.maximum(a + b - k, 1.0))


RANKINGS: dict[str, Score] = {"llr": llr, "cosine": cosine, "count": count, "jaccard": jaccard}
"""The scores a formula may use. Lift is absent on purpose: it is an explanation, never an order."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A score, how `cosine` is shrunk, and how far popular candidates are held back.

    score: a key of RANKINGS. shrinkage: pseudo-customers, of `cosine` alone. discount: d >= 0; a score is divided by
    b ** d, a negative one is left alone, since the division would make it better.

    Raises:
        ValueError: there is no such formula, and why.
    """

    score: str
    shrinkage: float = SHRINKAGE
    discount: float = 0.0

    def __post_init__(self) -> None:
        if self.score not in RANKINGS:
            msg = f"unknown ranking {self.score!r}; there are {', '.join(sorted(RANKINGS))}"
            raise ValueError(msg)
        if self.score != "cosine" and self.shrinkage != SHRINKAGE:
            msg = f"only cosine has a shrinkage (@), not {self.score}"
            raise ValueError(msg)
        for name, value, most in (
            ("shrinkage", self.shrinkage, MOST_SHRINKAGE),
            ("discount", self.discount, MOST_DISCOUNT),
        ):
            if not 0 <= value <= most or round(value, _DECIMALS) != value:
                msg = f"a {name} is between 0 and {most:,}, with at most {_DECIMALS} decimals"
                raise ValueError(msg)

    def __str__(self) -> str:
        """The canonical text, which `formula` reads: `llr`, `cosine@50^0.3`."""
        shrunk = f"@{_decimal(self.shrinkage)}" if self.shrinkage != SHRINKAGE else ""
        return f"{self.score}{shrunk}{f'^{_decimal(self.discount)}' if self.discount else ''}"

    def of(self, k: Floats, a: Floats, b: Floats, n: Floats) -> Floats:
        """Scores of a table that could be: k <= a and b <= n, all >= 0. Shapes broadcast to that of k."""
        score = RANKINGS[self.score](k, a, b, n, self.shrinkage)
        if not self.discount:
            return score
        return np.where(score > 0, score / np.maximum(b, 1.0) ** self.discount, score)


def _decimal(value: float) -> str:
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")


@lru_cache(maxsize=256)
def formula(text: str) -> Formula:
    """A formula from its text: SCORE[@SHRINKAGE][^DISCOUNT].

    Raises:
        ValueError: not of that form, or no such formula, and why.
    """
    found = _FORMULA.fullmatch(text) if len(text) <= 40 else None
    if not found:
        msg = f"unknown ranking {text[:40]!r}; a formula is SCORE[@SHRINKAGE][^DISCOUNT], such as llr^0.5 or cosine@50"
        raise ValueError(msg)
    score, shrinkage, discount = found.groups()
    if shrinkage is not None and score in RANKINGS and score != "cosine":
        msg = f"only cosine has a shrinkage (@), not {score}"
        raise ValueError(msg)
    return Formula(score, SHRINKAGE if shrinkage is None else float(shrinkage), float(discount or 0))


Numbers = Sequence[int] | Ints | NDArray[np.uint32]
Named = Formula | str
"""A formula or its text."""


def _table(counts: Numbers, support: int, supports: Numbers, total: int) -> tuple[Floats, Floats, Floats, Floats]:
    """k, a, b, n of a row as floats. Supports in a row may be older than its counts: they are at least as large."""
    k = np.asarray(counts, dtype=np.float64)
    b = np.maximum(np.asarray(supports, dtype=np.float64), k)
    a = max(float(support), float(k.max(initial=0.0)))
    n = max(float(total), a, float(b.max(initial=0.0)))
    return k, np.float64(a), b, np.float64(n)  # type: ignore[return-value] # numpy's scalars broadcast like arrays


def scores(ranking: Named, counts: Numbers, support: int, supports: Numbers, total: int) -> Floats:
    """Scores of all candidates of one row under a formula.

    Args:
        ranking: a formula or its text.
        counts: pair counts, shape (m,).
        support: the row item's support.
        supports: the column items' supports, shape (m,).
        total: customers in the relation's universe.

    Raises:
        ValueError: no such formula.
    """
    chosen = formula(ranking) if isinstance(ranking, str) else ranking
    return chosen.of(*_table(counts, support, supports, total))


def everything(
    counts: Numbers, support: int, supports: Numbers, total: int, also: Iterable[Named] = ()
) -> dict[str, Floats]:
    """Every score by its name, and `lift`; for explanations.

    Lift, k n / (a b), says how many times more customers did both than if the two had nothing to do with each other;
    NaN where an item has no customer. It is never an order: it is highest where a single customer met two rare items.

    Args:
        counts, support, supports, total: as those of `scores`.
        also: further formulas, under their canonical texts.
    """
    table = _table(counts, support, supports, total)
    wanted = dict.fromkeys([*map(formula, RANKINGS), *(formula(f) if isinstance(f, str) else f for f in also)])
    k, expected = table[0], float(support) * np.asarray(supports, dtype=np.float64)
    lift = np.divide(k * float(total), expected, out=np.full(k.shape, np.nan), where=expected > 0)
    return {str(f): f.of(*table) for f in wanted} | {"lift": lift}


def order(score: Floats, counts: Ints, numbers: Ints) -> Ints:
    """Indices from best to worst: by score, then pair count, then the smaller item number."""
    return np.lexsort((numbers, -counts, -score))


def keep(
    rankings: Sequence[Named], counts: Ints, support: int, supports: Ints, total: int, numbers: Ints, size: int
) -> Ints:
    """Indices of the `size` candidates a serving row keeps: those with the best place in any of the rankings.

    So the best size // len(rankings) of each are among them. A cut by count alone would lose up to a third of the true
    LLR top 10 on real data.
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
