"""Serving rows from what was read of them: exact counts merged in, scored and cut. Pure, numpy across all rows at once.

A numpy call costs a microsecond or more whatever its size, and a batch touches hundreds of rows, so the rows of a batch
lie one after the other in flat arrays; `segment` says which row an entry belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from varde import ranking
from varde.pairs import Relation, Universe, universe
from varde.rows import Row
from varde.settings import Settings
from varde.store.supports import SupportTable

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

REBUILD_EVERY = 256
"""Revisions after which a cut row is built anew: candidates that were cut may have become the better ones since."""


class Read(NamedTuple):
    """What was read of one row: the old row (None: start empty), and exact counts that replace the ones in it.

    revision: the four bytes of the row's revision, b"" when there was no row.
    neighbours: entries in the exact counts.
    columns, counts: column item numbers, distinct, and their pair counts.
    """

    relation: int
    number: int
    revision: bytes
    old: Row | None
    neighbours: int
    columns: Sequence[int]
    counts: Sequence[int]


class _Flat(NamedTuple):
    """Entries of many rows, equally shaped: the row's place in the batch, item number, pair count, support."""

    segment: NDArray[Any]
    items: NDArray[Any]
    counts: NDArray[Any]
    supports: NDArray[Any]


def merged(
    reads: Sequence[Read], table: SupportTable, settings: Settings, now: int, entropy: Callable[[], int]
) -> list[Row]:
    """The new row of each reading, candidates in the order of their numbers.

    Args:
        reads: any number of rows, of any relations.
        table: supports.
        settings: rankings, candidates.
        now: ms, noted in the rows.
        entropy: 32 random bits: the revision of a row that did not exist, so that it equals none of a former life.
    """
    if not reads:
        return []
    relations = np.array([read.relation for read in reads], dtype=np.int64)
    segment, items, counts = _union(reads)
    flat = _Flat(segment, items, counts, _supports(relations[segment], items, table, column=True))
    sums = _supports(relations, np.array([read.number for read in reads], dtype=np.int64), table, column=False)
    every = [table.total(universe(relation)) for relation in Relation]
    totals = np.array(every, dtype=np.int64)[relations]
    kept = _cut(flat, sums, totals, settings)
    segment = flat.segment[kept]
    new = _Flat(segment, *(a[kept].astype(np.uint32) for a in (flat.items, flat.counts, flat.supports)))
    ends = np.cumsum(np.bincount(segment, minlength=len(reads))).tolist()
    out = []
    start = 0
    for read, support, total, end in zip(reads, sums.tolist(), totals.tolist(), ends, strict=True):
        revision = int.from_bytes(read.revision, "little") + 1 if read.revision else entropy()
        arrays = new.items[start:end], new.counts[start:end], new.supports[start:end]
        cut = read.neighbours > end - start
        out.append(Row(*arrays, support, total, revision & 0xFFFFFFFF, now, cut, read.neighbours))
        start = end
    return out


def incomplete(row: Row, candidates: int) -> bool:
    """Whether a patched row should be built anew from all counts.

    It has lost a quarter of its candidates, or others were cut when they would now fit, or it was cut long ago.
    """
    wanted = row.neighbours if row.neighbours <= candidates else candidates - candidates // 4
    return len(row) < wanted or (row.cut and row.revision % REBUILD_EVERY == 0)


def _union(reads: Sequence[Read]) -> tuple[Ints, Ints, Ints]:
    """(segment, item, count) of old candidates with the newly read counts, sorted by both, positive counts only."""
    old = [read.old for read in reads]
    sizes = [0 if row is None else len(row) for row in old]
    there = [row for row in old if row is not None]
    items = np.concatenate([row.items for row in there]) if there else np.zeros(0, np.uint32)
    counts = np.concatenate([row.counts for row in there]).astype(np.int64) if there else np.zeros(0, np.int64)
    place = np.repeat(np.arange(len(reads)), sizes) << 32 | items
    if np.any(place[1:] <= place[:-1]):  # a row that was not written by this module
        place, first = np.unique(place, return_index=True)
        counts = counts[first]
    columns = np.array([column for read in reads for column in read.columns], dtype=np.int64)
    fresh = np.array([count for read in reads for count in read.counts], dtype=np.int64)
    fresh_place = np.repeat(np.arange(len(reads)), [len(read.columns) for read in reads]) << 32 | columns
    by_place = np.argsort(fresh_place)
    fresh_place, fresh = fresh_place[by_place], fresh[by_place]
    at = np.searchsorted(place, fresh_place)
    hit = np.zeros(len(at), dtype=bool)
    inside = at < len(place)
    hit[inside] = place[at[inside]] == fresh_place[inside]
    counts[at[hit]] = fresh[hit]
    place = np.insert(place, at[~hit], fresh_place[~hit])
    counts = np.insert(counts, at[~hit], fresh[~hit])
    positive = counts > 0
    place, counts = place[positive], np.minimum(counts[positive], 0xFFFFFFFF)
    return place >> 32, place & 0xFFFFFFFF, counts


def _supports(relations: Ints, items: Ints, table: SupportTable, *, column: bool) -> Ints:
    """The support of each item as a column item, or as a row item, of its relation."""
    out = np.zeros(len(items), dtype=np.int64)
    for relation in Relation:
        chosen = relations == relation
        if chosen.any():
            signal = relation.column_signal if column else relation.row_signal
            out[chosen] = table.of(Universe(signal), items[chosen])
    return out


def _cut(flat: _Flat, sums: Ints, totals: Ints, settings: Settings) -> Mask:
    """Which entries stay when each row keeps its `candidates` best: ranking.keep for every row."""
    size, rankings = settings.candidates, settings.rankings
    kept = np.ones(len(flat.items), dtype=bool)
    sizes = np.bincount(flat.segment, minlength=len(sums))
    starts = np.cumsum(sizes) - sizes
    for row in np.flatnonzero(sizes > 2 * size):  # built anew: padding the others to their length would cost more
        span = slice(starts[row], starts[row] + sizes[row])
        counts, supports, items = flat.counts[span], flat.supports[span], flat.items[span]
        kept[span] = False
        best = ranking.keep(rankings, counts, int(sums[row]), supports, int(totals[row]), items, size)
        kept[starts[row] + best] = True
    some = np.flatnonzero((sizes > size) & (sizes <= 2 * size))
    if len(some):
        columns = np.arange(sizes[some].max())
        real = columns < sizes[some, None]
        entry = starts[some, None] + np.where(real, columns, 0)
        wide = _Flat(flat.segment[entry], flat.items[entry], flat.counts[entry], flat.supports[entry])
        chosen = keep_rows(rankings, wide.counts, sums[some], wide.supports, totals[some], wide.items, real, size)
        kept[entry[real]] = chosen[real]
    return kept


def keep_rows(
    rankings: Sequence[str],
    counts: Ints,
    support: NDArray[Any],
    supports: Ints,
    total: NDArray[Any],
    numbers: Ints,
    real: Mask,
    size: int,
) -> Mask:
    """ranking.keep for many rows at once.

    Args:
        rankings: texts of formulas.
        counts, supports, numbers: shape (rows, width), padded; counts below 2³¹, numbers below 2³².
        support, total: shape (rows,).
        real: shape (rows, width), False for padding; every row has more than `size` real entries.
        size: entries kept a row.

    Returns:
        Shape (rows, width): True for what each row keeps.
    """
    # All orders break ties by count, then number: put the entries in that order once, and sort stably from there on.
    base = np.argsort(
        np.where(real, (0x7FFFFFFF - counts) << 32 | numbers, np.iinfo(np.int64).max), axis=1, kind="stable"
    )
    real = np.take_along_axis(real, base, axis=1)
    k = np.where(real, np.take_along_axis(counts, base, axis=1), 0).astype(np.float64)
    b = np.maximum(np.where(real, np.take_along_axis(supports, base, axis=1), 0), k)
    a = np.maximum(support[:, None].astype(np.float64), k.max(axis=1, keepdims=True))
    n = np.maximum(np.maximum(total[:, None].astype(np.float64), a), b.max(axis=1, keepdims=True))
    scores = [np.where(real, ranking.formula(text).of(k, a, b, n), -np.inf) for text in rankings]
    winners = _best(scores)[:, :size]
    kept = np.zeros(counts.shape, dtype=bool)
    np.put_along_axis(kept, np.take_along_axis(base, winners, axis=1), True, axis=1)
    return kept


def _best(scores: Sequence[NDArray[np.float64]]) -> Ints:
    """Columns of each row in the order of their best place in any of the scores; ties as they stand."""
    shape = scores[0].shape
    places = np.broadcast_to(np.arange(shape[1]), shape)
    best = np.full(shape, shape[1], dtype=np.int64)
    place = np.empty(shape, dtype=np.int64)
    for score in scores:
        np.put_along_axis(place, np.argsort(-score, axis=1, kind="stable"), places, axis=1)
        np.minimum(best, place, out=best)
    return np.argsort(best, axis=1, kind="stable")
