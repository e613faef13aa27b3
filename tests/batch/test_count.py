"""The sparse product against counting pair by pair; its blocks stay in their bound."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from varde.batch import count
from varde.history import Signal
from varde.pairs import Relation

Histories = frozenset[tuple[str, int, str]]
"""(customer, signal, item)."""

ids = st.sampled_from(["a", "b", "Z", "å", "\U0001f600", "a\0", "aa", "~", "10", "9"])
worlds = st.frozensets(st.tuples(st.sampled_from(["u:1", "u:2", "u:3", "a:1", "a:2"]), st.sampled_from([0, 1, 2]), ids))


def table(histories: Histories, order: int = 0) -> pa.Table:
    listed = sorted(histories)
    random.Random(order).shuffle(listed)
    customers, signals, items = zip(*listed, strict=True) if listed else ((), (), ())
    return pa.table(
        {
            "customer": pa.array(customers, pa.string()),
            "signal": pa.array(signals, pa.int64()),
            "item": pa.array(items, pa.string()),
        }
    )


def pair_by_pair(histories: Histories, relation: Relation) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for (one, first, i), (other, second, j) in itertools.product(histories, histories):
        if one == other and i != j and (first, second) == (relation.row_signal, relation.column_signal):
            found[i, j] += 1
    return dict(found)


@given(worlds, st.sampled_from(Relation), st.integers(1, 40), st.integers(0, 3))
@example(frozenset(), Relation.ALSO_VIEWED, 1, 0)
@example(frozenset({("u:1", 0, "a")}), Relation.ALSO_VIEWED, 1, 0)
def test_counts_are_those_of_pairs(histories: Histories, relation: Relation, cells: int, order: int) -> None:
    who = count.incidence(table(histories, order))
    found = list(count.rows(who, relation, cells))
    assert {(i, j): n for i, row in found for j, n in row.items()} == pair_by_pair(histories, relation)
    assert [i for i, _ in found] == sorted({i for i, _ in found}, key=str.encode), "once each, in byte order"
    assert all(list(row) == sorted(row, key=str.encode) for _, row in found)
    assert found == list(count.rows(count.incidence(table(histories, order + 1)), relation)), "repeatable"


def many(customers: int, items: int, each: int) -> pa.Table:
    rows = {(f"u:{n}", s, f"i{n * n * (k + 1) % items}") for n in range(customers) for k in range(each) for s in (0, 2)}
    return table(frozenset(rows))


@pytest.mark.parametrize("cells", [1, 100, 5_000, 10**9])
def test_a_block_holds_no_more_than_it_may(cells: int) -> None:
    who = count.incidence(many(300, 97, 9))
    for relation in Relation:
        found = list(count.blocks(who, relation, cells))
        assert all(b.counts.nnz <= cells or b.counts.shape[0] == 1 for b in found)
        covered = [n for b in found for n in range(b.start, b.start + b.counts.shape[0])]
        assert covered == sorted(set(covered))
        assert sum(b.counts.nnz for b in found) == sum(b.counts.nnz for b in count.blocks(who, relation))
        assert (len(found) == 1) == (cells == 10**9)


def test_a_signal_that_nobody_has_gives_no_rows() -> None:
    who = count.incidence(table(frozenset({("u:1", Signal.VIEW, "a"), ("u:1", Signal.VIEW, "b")})))
    assert dict(count.rows(who, Relation.ALSO_VIEWED)) == {"a": {"b": 1}, "b": {"a": 1}}
    assert list(count.rows(who, Relation.ALSO_BOUGHT)) == list(count.rows(who, Relation.VIEWED_BOUGHT)) == []
