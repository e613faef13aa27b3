"""The batched patch arithmetic against the plain one, row by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from varde import keys, ranking
from varde.pairs import Universe
from varde.rows import Row
from varde.settings import Settings
from varde.store.merge import REBUILD_EVERY, Read, incomplete, keep_rows, merged
from varde.store.supports import SupportTable

SIZE = 10
NUMBERS = st.integers(64, 300) | st.integers(2**32 - 100, 2**32 - 1)
ROW = st.dictionaries(NUMBERS, st.tuples(st.integers(1, 30), st.integers(0, 60)), min_size=SIZE + 1, max_size=40)


@given(rows=st.lists(st.tuples(ROW, st.integers(0, 80), st.integers(0, 500)), min_size=1, max_size=5))
@hypothesis_settings(deadline=None)
def test_many_rows_are_cut_as_each_alone(rows):
    width = max(len(row) for row, _, _ in rows)
    counts, supports, numbers = (np.zeros((len(rows), width), dtype=np.int64) for _ in range(3))
    real = np.zeros((len(rows), width), dtype=bool)
    for i, (row, _, _) in enumerate(rows):
        real[i, : len(row)] = True
        numbers[i, : len(row)] = sorted(row)
        counts[i, : len(row)] = [row[n][0] for n in sorted(row)]
        supports[i, : len(row)] = [row[n][1] for n in sorted(row)]
    names = (*ranking.RANKINGS, "cosine@50^0.3", "llr^0.5")
    support, total = (np.array([row[k] for row in rows]) for k in (1, 2))
    kept = keep_rows(names, counts, support, supports, total, numbers, real, SIZE)
    for i, (row, a, n) in enumerate(rows):
        m = len(row)
        alone = ranking.keep(names, counts[i, :m], a, supports[i, :m], n, numbers[i, :m], SIZE)
        assert np.flatnonzero(kept[i]).tolist() == alone.tolist()


def table(supports):
    """A support table of the given column supports (universe -> number -> n) that never asks Redis."""
    out = SupportTable(lambda commands: [{} for _ in commands], lambda: 0)
    out.learn((where, number, n) for where, some in supports.items() for number, n in some.items())
    return out


CHANGE = st.dictionaries(NUMBERS, st.integers(-2, 30), max_size=30)
OLD = st.none() | st.dictionaries(NUMBERS, st.integers(1, 30), max_size=25)


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), OLD, CHANGE), max_size=6),
    supports=st.dictionaries(NUMBERS, st.integers(0, 60), max_size=20),
    disorder=st.booleans(),
)
@hypothesis_settings(deadline=None)
def test_merging_many_rows_is_merging_each(rows, supports, disorder):
    known = table({Universe.VIEW: supports, Universe.PURCHASE: {n: 2 * k for n, k in supports.items()}})
    reads = []
    for number, (relation, old, change) in enumerate(rows):
        items = list(old or {})
        items.sort(reverse=disorder)
        columns = np.array(items, dtype=np.uint32), np.array([(old or {})[i] for i in items], dtype=np.uint32)
        row = None if old is None else Row(*columns, columns[0] * 0, 0, 0)
        revision = b"" if old is None else (2**32 - 1).to_bytes(4, "little")
        reads.append(Read(relation, 64 + number, revision, row, 1000, list(change), list(change.values())))
    wanted = Settings(candidates=SIZE)
    for (relation, old, change), row, read in zip(
        rows, merged(reads, known, wanted, 77, lambda: 5), reads, strict=True
    ):
        truth = {n: k for n, k in ((old or {}) | change).items() if k > 0}
        numbers = np.array(sorted(truth), dtype=np.int64)
        counts = np.array([truth[n] for n in sorted(truth)], dtype=np.int64)
        b = np.array([supports.get(n, 0) * (1 if relation == 0 else 2) for n in sorted(truth)], dtype=np.int64)
        a = supports.get(read.number, 0) * (2 if relation == 1 else 1)
        kept = ranking.keep(wanted.rankings, counts, a, b, 0, numbers, SIZE)
        assert row.items.tolist() == numbers[kept].tolist()
        assert row.counts.tolist() == counts[kept].tolist()
        assert row.supports.tolist() == b[kept].tolist()
        assert (row.support, row.total, row.written_at, row.neighbours, row.cut) == (a, 0, 77, 1000, True)
        assert row.revision == (5 if old is None else 0)


def test_no_rows_give_none():
    assert merged([], table({}), Settings(), 0, lambda: 0) == []


@pytest.mark.parametrize(
    ("held", "neighbours", "revision", "expected"),
    [
        (5, 5, 1, False),
        (4, 5, 1, True),
        (128, 500, 1, False),
        (96, 500, 1, False),
        (95, 500, 1, True),
        (96, 128, 1, True),
        (128, 500, REBUILD_EVERY, True),
        (5, 5, REBUILD_EVERY, False),
        (0, 0, 0, False),
    ],
)
def test_when_a_row_is_built_anew(held, neighbours, revision, expected):
    array = np.arange(held, dtype=np.uint32)
    row = Row(array, array, array, 0, 0, revision, 0, neighbours > held, neighbours)
    assert incomplete(row, 128) is expected


@given(st.lists(st.tuples(st.integers(0, 3), NUMBERS, st.integers(-3, 2**33)), max_size=40))
def test_the_support_table_holds_what_it_learns(entries):
    known = table({})
    known.learn(entries)
    truth = {(where, number): min(max(n, 0), 2**32 - 1) for where, number, n in entries}
    for where in Universe:
        numbers = np.arange(64, 301)
        assert known.of(where, numbers).tolist() == [truth.get((where, n), 0) for n in numbers.tolist()]
        numbers = np.arange(2**32 - 100, 2**32)
        assert known.of(where, numbers).tolist() == [truth.get((where, n), 0) for n in numbers.tolist()]


def test_the_support_table_reads_each_shard_again_when_it_is_old():
    now, asked = 0, []
    answers = {}

    def send(commands):
        asked.extend(command.keys[0] for command in commands)
        return [answers.get(command.keys[0], []) for command in commands]

    known = SupportTable(send, lambda: now, max_age=30.0)
    key = keys.supports(Universe.VIEW, 3)
    answers[key] = [b"67", b"5", b"131", b"-2"]
    known.refresh()
    assert len(asked) == 4 * keys.SHARDS
    assert known.of(Universe.VIEW, np.array([67, 131, 195])).tolist() == [5, 0, 0]
    known.learn([(Universe.VIEW, 67, 6), (Universe.VIEW, 68, 9)])
    answers[key] = {b"131": b"4"}
    for _ in range(31):
        asked.clear()
        now += 1000
        known.refresh()
        assert len(asked) <= 4 * 3
    assert known.of(Universe.VIEW, np.array([67, 131, 68])).tolist() == [0, 4, 0]
