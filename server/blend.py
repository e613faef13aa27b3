"""From serving rows to the best candidates: floor, scores, weights, order. Pure, numpy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from varde.ranking import scores
from varde.rows import Row

WEIGHTS = (1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5)
"""Weight of a seed by its place, the most recent first."""
SEEDS = len(WEIGHTS)
"""Seeds that are looked up."""


class Candidate(NamedTuple):
    """An item by number, with the weighted sum of its scores and the seed that gave most of it.

    customers: the pair count with that seed; seed: its place among the seeds.
    """

    number: int
    score: float
    customers: int
    seed: int


class Neighbour(NamedTuple):
    """A candidate with its item id."""

    id: str
    score: float
    customers: int
    seed: int


def best(rows: Sequence[Row | None], ranking: str, floor: int, n: int) -> list[Candidate]:
    """The n best candidates of up to SEEDS rows and all that tie with the last of them, best first.

    A candidate's score is the sum over the seeds of weight x score in the seed's row; a pair of fewer than `floor`
    customers adds nothing. With one row this is the row's own order.

    Args:
        rows: one row per seed, the most recent first; None where the seed has none.
        ranking: a key of ranking.RANKINGS.
        floor: fewest customers behind a pair.
        n: how many are wanted.
    """
    parts = [_weighted(place, row, ranking, floor) for place, row in enumerate(rows[:SEEDS]) if row is not None]
    if not parts or not sum(len(part[0]) for part in parts):
        return []
    numbers, weighted, counts, seeds = (np.concatenate(column) for column in zip(*parts, strict=True))
    distinct, group = np.unique(numbers, return_inverse=True)
    total = np.bincount(group, weights=weighted, minlength=len(distinct))
    by_weight = np.lexsort((seeds, -counts, -weighted, group))
    strongest = by_weight[np.searchsorted(group[by_weight], np.arange(len(distinct)))]
    customers, because = counts[strongest], seeds[strongest]
    order = np.lexsort((distinct, -customers, -total))
    if len(order) > n:
        last = order[n - 1]
        ahead = (total > total[last]) | ((total == total[last]) & (customers >= customers[last]))
        order = order[ahead[order]]
    columns = (distinct[order], total[order], customers[order], because[order])
    return [Candidate(*fields) for fields in zip(*(column.tolist() for column in columns), strict=True)]


def _weighted(place: int, row: Row, ranking: str, floor: int) -> tuple[np.ndarray, ...]:
    """Item numbers, weighted scores, pair counts and the seed's place, of the row's pairs above the floor."""
    counts = row.counts.astype(np.int64)  # unsigned numbers cannot be negated for sorting
    score = scores(ranking, counts, row.support, row.supports.astype(np.int64), row.total)
    shown = counts >= floor
    numbers = row.items.astype(np.int64)[shown]
    return numbers, WEIGHTS[place] * score[shown], counts[shown], np.full(len(numbers), place)


def named(
    candidates: Sequence[Candidate], names: Sequence[str | None], excluded: Collection[str], n: int
) -> list[Neighbour]:
    """The answer's items: by score, then customers, then item id; without excluded and nameless ones.

    Args:
        candidates: what `best` gave for at least n + len(excluded).
        names: their item ids, in the same order.
        excluded: item ids that must not appear.
        n: how many are wanted.
    """
    known = [
        Neighbour(name, candidate.score, candidate.customers, candidate.seed)
        for candidate, name in zip(candidates, names, strict=True)
        if name is not None and name not in excluded
    ]
    known.sort(key=lambda neighbour: (-neighbour.score, -neighbour.customers, neighbour.id))
    return known[:n]
