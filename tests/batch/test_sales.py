"""What a shop writes itself, sales of its stores and a catalogue, and warehouse data of every bad kind."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varde import seed
from varde.batch import nightly, seeds, tombstones
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import STORE_TABLES, TIMESTAMP
from varde.events import Mapping
from varde.history import DAY_MS, Limits, Signal
from varde.keys import customer_key
from varde.pairs import Relation

from .worlds import AS_OF, SECRET, START, loaded

UTC = datetime.UTC
ITEMS = Mapping(("sku",))


def at(ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(ms / 1000, UTC)


def bought(items: list[str], time: int = AS_OF - 50, event: str = "Order Completed", **more: Any) -> tuple[bytes, int]:
    properties = {"products": [{"sku": item} for item in items], "order_id": "o1"}
    said = {"type": "track", "event": event, "userId": "u", "timestamp": time, "properties": properties, **more}
    return orjson.dumps(said), AS_OF


def sold(warehouse: DuckDBWarehouse, rows: list[tuple[str | None, str | None, int, str | None]]) -> None:
    columns = {
        "customer_id": pa.array([row[0] for row in rows], pa.string()),
        "item": pa.array([row[1] for row in rows], pa.string()),
        "time": pa.array([at(row[2]) for row in rows], TIMESTAMP),
        "order_id": pa.array([row[3] for row in rows], pa.string()),
    }
    warehouse.load("store.sales", pa.table(columns))


def pairs(night: nightly.Night) -> dict[str, dict[str, int]]:
    return {item: dict(cells) for item, cells in night.rows(Relation.ALSO_BOUGHT)}


def test_sales_join_the_orders_of_the_user() -> None:
    with loaded([bought(["a"])], ITEMS) as warehouse:
        sold(warehouse, [("u", "b", AS_OF - 9, None), ("v", "a", AS_OF - 9, "r1"), ("v", "c", AS_OF - 9, "r1")])
        night = nightly.build(warehouse, AS_OF, Limits(), ITEMS, SECRET)
    assert pairs(night) == {"a": {"b": 1, "c": 1}, "b": {"a": 1}, "c": {"a": 1}}
    assert night.supports[Signal.PURCHASE][""] == 2
    assert not night.faults


def test_a_sale_is_returned_forgotten_and_seeded_like_an_order() -> None:
    back = bought(["b"], AS_OF - 5, "Order Refunded")
    with loaded([back], ITEMS) as warehouse:
        sold(warehouse, [("u", "b", AS_OF - 9, "o1"), ("u", "c", AS_OF - 9, "o2"), ("w", "c", AS_OF - 9, "o2")])
        tombstones.merge(warehouse, {customer_key("w", None, SECRET): AS_OF - 8})
        plan = nightly.plan(AS_OF, Limits(), ITEMS, SECRET)
        night = nightly.build(warehouse, AS_OF, Limits(), ITEMS, SECRET)
        seeded = [seed.decode(seed.encode(one), 64) for one in seeds.seeds(warehouse, plan)]
    assert night.supports[Signal.PURCHASE] == {"": 1, "c": 1}
    bought_by = [one.profile.histories.purchase for one in seeded if one.customer == customer_key("u", None, SECRET)]
    assert bought_by == [{"c": AS_OF - 9}]


@pytest.mark.parametrize(
    "kind",
    [
        pa.array([at(AS_OF - 9)], TIMESTAMP),
        pa.array([at(AS_OF - 9).replace(tzinfo=None)], pa.timestamp("us")),
        pa.array([at(START + DAY_MS).date()], pa.date32()),
        pa.array(["2026-01-01T00:00:00Z"]),
        pa.array(["2026-01-01"]),
    ],
    ids=["timestamp", "datetime", "date", "text", "text of a date"],
)
def test_the_time_may_have_any_type_of_a_date(kind: pa.Array) -> None:
    with DuckDBWarehouse() as warehouse:
        warehouse.load("store.sales", pa.table({"customer_id": [7], "item": [12], "time": kind, "order_id": [99]}))
        night = nightly.build(warehouse, AS_OF, Limits(), ITEMS)
    assert night.supports[Signal.PURCHASE] == {"": 1, "12": 1}
    assert not night.faults


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"customer_id": [None], "item": ["a"], "time": ["2026-01-01"]}, "no_customer"),
        ({"item": ["a"], "time": ["2026-01-01"]}, "no_customer"),
        ({"customer_id": ["u"], "time": ["2026-01-01"]}, "no_item"),
        ({"customer_id": ["u"], "item": ["a"]}, "bad_time"),
        ({"customer_id": ["u"], "item": ["a"], "time": [1_767_225_600]}, "bad_time"),
        ({"customer_id": ["u"], "item": ["a"], "time": [True]}, "bad_time"),
        ({"customer_id": ["u"], "item": ["a"], "time": ["2026-13-01"]}, "bad_time"),
        ({"customer_id": ["u"], "item": ["a"], "time": ["2199-01-01"]}, "after_as_of"),
        ({"customer_id": ["u"], "item": ["å" * 129], "time": ["2026-01-01"]}, "id_too_long"),
    ],
)
def test_bad_sales_are_counted(columns: dict[str, list[Any]], reason: str) -> None:
    with DuckDBWarehouse() as warehouse:
        warehouse.load("store.sales", pa.table(columns))
        night = nightly.build(warehouse, AS_OF, Limits(), ITEMS)
    assert night.faults == {("sale", reason): 1}
    assert night.customers == 0


def test_a_catalogue_of_any_types() -> None:
    day = datetime.date(2026, 1, 2)
    columns = {
        "item": [1, 2, 2], "price": [Decimal("9.50"), Decimal("1.00"), None], "stock": [0, 4, -1],
        "hidden": [False, True, False], "updated": [day, day, datetime.date(2026, 1, 3)], "title": [" å ", "", None],
        "url": ["/1", "data:x", None],
    }  # fmt: skip
    with DuckDBWarehouse() as warehouse:
        warehouse.load("store.catalogue", pa.table(columns))
        night = nightly.build(warehouse, AS_OF, Limits(), ITEMS)
        found = {row["item"]: row for row in warehouse.read("varde.catalogue").to_pylist()}
    assert night.faults == {("catalogue", "bad_url"): 1}
    one = {name: value for name, value in found["1"].items() if value is not None}
    assert one == {
        "item": "1", "title": "å", "url": "/1", "price": 9.5, "stock": 0.0, "hidden": False, "sold_out": True,
        "updated": 1_767_312_000_000,
    }  # fmt: skip
    assert found["2"]["stock"] == -1 and found["2"]["sold_out"] and found["2"]["price"] is None


anything = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.sampled_from(
        ["u", "a", "2026-01-01", "2026-01-01T99:99:99Z", "99999-01-01", "2026-01-01 BC", "infinity", "epoch"]
    ),
    st.sampled_from(["-infinity", "nan", "1e400", "0x10", "1_0", "true", "[{", "\0", "9" * 400, "-5"]),
)


@settings(max_examples=settings().max_examples // 4, deadline=None)
@given(st.lists(st.lists(anything, min_size=14, max_size=14), min_size=1, max_size=12))
def test_no_text_stops_the_night_and_every_sale_is_accounted_for(rows: list[list[str | None]]) -> None:
    with DuckDBWarehouse(None, threads=1) as warehouse:
        for table, names in STORE_TABLES.items():
            columns = {name: pa.array([row[n] for row in rows], pa.string()) for n, name in enumerate(names)}
            warehouse.load(f"store.{table}", pa.table(columns))
        night = nightly.build(warehouse, AS_OF, Limits(64, 10_000), ITEMS)
        kept = warehouse.read("varde.sales").to_pylist()
        products = warehouse.read("varde.catalogue_rows").num_rows
    assert len(kept) == len(rows), "the window holds every date that counts"
    assert sum(n for (source, _), n in night.faults.items() if source == "sale") == sum(
        row["fault"] is not None for row in kept
    )
    assert products == len(rows)


def test_malformed_data_in_segments_tables() -> None:
    """Truncated products, a price and a date as text, tables and columns that are missing, times to come, null ids."""
    moment = pa.array([at(AS_OF - 9)] * 5, TIMESTAMP)
    orders = pa.table(
        {
            "id": ["m1", "m2", None, "m4", "m5"],
            "user_id": ["u", "u", "v", None, "w"],
            "received_at": moment,
            "loaded_at": moment,
            "timestamp": pa.array([at(AS_OF - 9)] * 4 + [at(AS_OF + 10**10)], TIMESTAMP),
            "products": [
                '[{"sku": "a", "price": "12,5"}]',
                '[{"sku": "a"}, {"sk',
                '[{"sku": "b"}]',
                '[{"sku": "a"}]',
                '[{"sku": "c"}]',
            ],
        }
    )
    with DuckDBWarehouse() as warehouse:
        warehouse.load("segment.order_completed", orders)
        night = nightly.build(warehouse, AS_OF, Limits(), ITEMS)
    assert night.faults == {
        ("purchase", "products_malformed"): 1,
        ("purchase", "no_customer"): 1,
        ("purchase", "future_time"): 1,
    }
    assert night.supports[Signal.PURCHASE] == {"": 3, "a": 1, "b": 1, "c": 1}, "a time to come is the time of receipt"
