"""Pairs read back in ranges: all of them, in order, and no more at once than a bound."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.batch.ranges import ranges, rows
from varde.batch.warehouse import Parameters, Warehouse, ddl
from varde.batch.warehouse.bigquery_options import Places
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.counts import Cells
from varde.pairs import Relation

from .bigquery_standin import LOCATION, PROJECT, StandIn, opened

ITEMS = ["", "Z", "a", "å", "\U0001f600", "\uffff", "10", "9"]
sizes = st.dictionaries(st.sampled_from(ITEMS), st.integers(1, 9), max_size=8).map(lambda found: sorted(found.items()))


@given(sizes, st.integers(1, 20))
def test_ranges_hold_every_item_once_and_no_more_than_they_may(sizes: list[tuple[str, int]], cells: int) -> None:
    found = list(ranges(sizes, cells))
    held = [[(item, n) for item, n in sizes if first <= item <= last] for first, last in found]
    assert [one for some in held for one in some] == sizes
    assert all(len(some) == 1 or sum(n for _, n in some) <= cells for some in held)
    for some, after in pairwise(held):
        assert sum(n for _, n in some) + after[0][1] > cells, "no range is smaller than it need be"


class Watched:
    """A warehouse that notes how many pairs are read together."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.read: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._warehouse, name)

    def query(self, name: str, parameters: Parameters) -> pa.Table:
        found = self._warehouse.query(name, parameters)
        if name == "pair_rows":
            self.read.append(found.num_rows)
        return found


@pytest.fixture(params=["duckdb", "bigquery"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    if request.param == "duckdb":
        with DuckDBWarehouse() as small:
            yield small
    else:
        places = Places(f"{PROJECT}.segment_prod", f"{PROJECT}.varde_out")
        with (
            StandIn({"segment_prod": LOCATION, "varde_out": LOCATION}) as standin,
            opened(standin, "r1", places) as big,
        ):
            yield big


def pair_counts(found: dict[tuple[int, str], Cells]) -> pa.Table:
    """Rows in an order of no meaning."""
    lines = sorted(
        ((n, other, relation, item) for (relation, item), cells in found.items() for other, n in cells.items())
    )
    values = ([line[place] for line in lines] for place in (2, 3, 1, 0))
    types = ddl.tables()["pair_counts"].types
    return pa.table({name: pa.array(v, types[name]) for name, v in zip(types, values, strict=True)})


def test_rows_of_each_relation_in_order_and_bounded(warehouse: Warehouse) -> None:
    wanted: dict[tuple[int, str], Cells] = {
        (relation, item): {other: 1 + (n * m + relation) % 5 for m, other in enumerate(ITEMS[:n]) if other != item}
        for relation in (Relation.ALSO_VIEWED, Relation.VIEWED_BOUGHT)
        for n, item in enumerate(ITEMS)
        if n > 1
    }
    warehouse.replace("varde.pair_counts", pair_counts(wanted))
    for cells in (1, 5, 1000):
        watched = Watched(warehouse)
        for relation in Relation:
            found = list(rows(watched, relation, cells))  # type: ignore[arg-type]  # the rest is passed on
            assert [item for item, _ in found] == sorted(item for r, item in wanted if r == relation)
            assert all(mine == wanted[relation, item] for item, mine in found)
        assert max(watched.read) <= max(cells, len(ITEMS) - 1)
    assert len(watched.read) == 2, "a relation without pairs is not asked for"
