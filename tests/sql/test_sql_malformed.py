"""Warehouse data of every bad kind, from tables to counts: what can be read counts, the rest is counted by its reason.

Values of Segment's columns that a case leaves out are those of one sound view of item `a` and order of item `b`.
"""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa
import pytest

from varde.batch import nightly
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import TIMESTAMP
from varde.events import Mapping
from varde.history import DAY_MS, Limits, Signal

DAY = 20_454  # 2026-01-01
AS_OF = DAY * DAY_MS + 3_600_000
MAPPING = Mapping(("sku",))


def at(ms: int | None) -> datetime.datetime | None:
    return None if ms is None else datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)


def times(*ms: int | None) -> pa.Array:
    return pa.array([at(one) for one in ms], TIMESTAMP)


SOUND: dict[str, pa.Array] = {
    "id": pa.array(["m"]),
    "user_id": pa.array(["u"]),
    "received_at": times(AS_OF - 50),
    "loaded_at": times(AS_OF - 40),
    "timestamp": times(AS_OF - 60),
}


def night(views: dict[str, pa.Array] | None, orders: dict[str, pa.Array] | None) -> nightly.Night:
    """Of tables with these columns in the place of sound ones; None where there is no table, or no such column."""
    sound = {"product_viewed": {"sku": pa.array(["a"])}, "order_completed": {"products": pa.array(['[{"sku": "b"}]'])}}
    with DuckDBWarehouse(None, threads=1) as warehouse:
        for table, given in (("product_viewed", views), ("order_completed", orders)):
            if given is not None:
                columns = {**SOUND, **sound[table], **given}
                rows = max(len(column) for column in columns.values() if column is not None)
                full = {n: pa.concat_arrays([c] * (rows // len(c))) for n, c in columns.items() if c is not None}
                warehouse.load(f"segment.{table}", pa.table(full))
        return nightly.build(warehouse, AS_OF, Limits(), MAPPING)


def test_the_sound_tables_count() -> None:
    found = night({}, {})
    assert found.supports == {
        Signal.VIEW: {"": 1, "a": 1},
        Signal.PURCHASE: {"": 1, "b": 1},
        3: {"": 1},
    }
    assert found.faults == {}


MISSING: Any = None


@pytest.mark.parametrize(
    ("views", "faults"),
    [
        ({"user_id": pa.array([None], pa.string())}, {("view", "no_customer"): 1}),
        ({"user_id": pa.array([""])}, {("view", "no_customer"): 1}),
        ({"user_id": MISSING}, {("view", "no_customer"): 1}),
        ({"user_id": pa.array(["x" * 257])}, {("view", "id_too_long"): 1}),
        ({"sku": pa.array([None], pa.string())}, {("view", "no_item"): 1}),
        ({"sku": MISSING}, {("view", "no_item"): 1}),
        ({"sku": pa.array(["å" * 129])}, {("view", "no_item"): 1}),
    ],
)
def test_a_view_that_cannot_count_is_counted(views: dict[str, Any], faults: dict[Any, int]) -> None:
    found = night(views, {})
    assert found.faults == faults
    assert Signal.VIEW not in found.supports
    assert found.supports[Signal.PURCHASE] == {"": 1, "b": 1}, "the order is none the worse"


@pytest.mark.parametrize(
    ("products", "reason"),
    [
        (['[{"sku": "b"}, {"sk'], "products_malformed"),
        (["[507f1, 505bd]"], "products_malformed"),
        (["null"], "products_malformed"),
        (["7"], "products_malformed"),
        ([""], "products_missing"),
        ([None], "products_missing"),
        (MISSING, "products_missing"),
        (["[]"], "no_item"),
        (['[null, 5, "text", [], {"sku": ""}, {"sku": 1.5}, {"sku": {"a": 1}}]'], "no_item"),
    ],
)
def test_an_order_that_cannot_count_is_counted(products: list[str | None] | None, reason: str) -> None:
    found = night({}, {"products": None if products is None else pa.array(products, pa.string())})
    assert found.faults == {("purchase", reason): 1}
    assert Signal.PURCHASE not in found.supports


def test_what_is_readable_of_an_order_counts() -> None:
    """A price as text, a product that is none, an item as a number: the others are items all the same."""
    products = '[{"sku": "b", "price": "12,50"}, {"sku": 7, "price": null}, {"price": 3}, {"sku": "c", "price": []}]'
    found = night({}, {"products": pa.array([products])})
    assert found.supports[Signal.PURCHASE] == {"": 1, "b": 1, "7": 1, "c": 1}
    assert found.faults == {}


@pytest.mark.parametrize(
    ("views", "customers", "items"),
    [
        # Segment gives a column the type of its first value.
        ({"user_id": pa.array([12], pa.int64())}, 1, {"a"}),
        ({"sku": pa.array([12], pa.int64())}, 1, {"12"}),
        ({"id": pa.array([1], pa.int64()), "anonymous_id": pa.array([5], pa.int64())}, 1, {"a"}),
        ({"sku": pa.array([True])}, 1, {"true"}),
        ({"context_user_agent": pa.array([7], pa.int64())}, 1, {"a"}),
        # Without an id nothing can be told to be a copy; the same interaction counts once all the same.
        ({"id": pa.array([None, None], pa.string())}, 1, {"a"}),
        ({"id": pa.array([None, None], pa.string()), "user_id": pa.array(["u", "v"])}, 2, {"a"}),
        # No time is the time of the receipt.
        ({"timestamp": times(None)}, 1, {"a"}),
        ({"timestamp": MISSING}, 1, {"a"}),
        # Received after @as_of: not yet.
        ({"timestamp": times(AS_OF + 10**10), "received_at": times(AS_OF + 10**10)}, 0, set()),
        # A column that nobody asks for.
        ({"price": pa.array(["12,50"]), "_weird": pa.array([None], pa.string())}, 1, {"a"}),
    ],
)
def test_odd_types_and_times_are_read(views: dict[str, Any], customers: int, items: set[str]) -> None:
    found = night(views, None)
    assert found.supports.get(Signal.VIEW, {}).get("", 0) == customers
    assert set(found.supports.get(Signal.VIEW, {})) - {""} == items
    assert found.faults == {}


@pytest.mark.parametrize(
    ("views", "reason", "counts"),
    [
        ({"timestamp": times(AS_OF + 10**10)}, "future_time", True),  # it counts at its receipt
        ({"loaded_at": times(None)}, "no_loaded_at", True),
        ({"loaded_at": MISSING}, "no_loaded_at", True),
        ({"received_at": times(None)}, "no_received_at", False),
        ({"received_at": MISSING}, "no_received_at", False),
        ({"received_at": times(None), "loaded_at": times(None), "id": pa.array([None], pa.string())},
         "no_received_at", False),
        ({"received_at": MISSING, "loaded_at": MISSING, "id": MISSING}, "no_received_at", False),
    ],
)  # fmt: skip
def test_a_time_that_is_missing_or_ahead_is_counted(views: dict[str, Any], reason: str, counts: bool) -> None:
    found = night(views, {})
    assert found.faults == {("view", reason): 1}
    assert found.volumes == {"view": 1, "purchase": 1}, "counted in or not, there is one of each"
    assert (Signal.VIEW in found.supports) is counts
    assert found.supports[Signal.PURCHASE] == {"": 1, "b": 1}, "the order is none the worse"


def test_links_without_a_time_of_receipt_are_counted() -> None:
    with DuckDBWarehouse(None, threads=1) as warehouse:
        row = SOUND | {"received_at": times(None), "anonymous_id": pa.array(["a"])}
        warehouse.load("segment.identifies", pa.table(row))
        found = nightly.build(warehouse, AS_OF, Limits(), MAPPING)
        assert found.faults == {("link", "no_received_at"): 1}
        assert found.rows_of["identity"] == 0


def test_no_table_is_no_fault() -> None:
    found = night(None, None)
    assert found.customers == 0
    assert found.faults == {}
