"""All steps of a night, one after another, on DuckDB and on Google's engine: every table has the same rows."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.batch.worlds import AS_OF, MAPPING, WINDOW_DAYS, world, write_raw

from varde.batch import nightly
from varde.batch.loader import Loader
from varde.batch.warehouse import queries, source
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import TIMESTAMP, event_tables
from varde.history import Limits

from .googlesql import GoogleSql, Row

STEPS = (*nightly.STEPS, "pair_counts", "pasts", "item_supports", "neighbours")


def in_ms(table: pa.Table) -> list[Row]:
    for n, name in enumerate(table.column_names):
        if table.schema.field(name).type == TIMESTAMP:
            column = table[name].cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
            table = table.set_column(n, name, column)
    return list(table.to_pylist())


def comparable(rows: list[Row]) -> list[str]:
    rounded = [{k: round(v, 9) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    return sorted(json.dumps(row, sort_keys=True) for row in rounded)


# A step costs what it costs, whatever the number of rows: few large worlds instead of many small ones.
few = settings(
    max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip

SALES = pa.table(
    {
        "customer_id": ["u1", "u2", "", "u1"],
        "item": ["a", "b", "a", "till"],
        "time": ["2025-12-31 10:00:00+00", "2026-01-01", "2026-01-01", "never"],
        "order_id": ["o1", None, "o1", "o1"],
    }
)
CATALOGUE = pa.table(
    {"item": ["a", "a", None], "price": ["1.5", "x", "2"], "updated": ["2026-01-01", None, "2026-01-01"]}
)


@pytest.mark.parametrize("raw", [False, True], ids=["segment", "raw"])
@few
@given(messages=world(40, 75))
def test_every_step_has_the_same_rows(google: GoogleSql, raw: bool, messages: list[tuple[bytes, int]]) -> None:
    raw_table = "raw_messages" if raw else None
    tables = event_tables(MAPPING.custom_events, MAPPING.consent, MAPPING.consent_default, raw_table)
    plan = nightly.plan(AS_OF, Limits(3, WINDOW_DAYS), replace(MAPPING, item_keys=("sku", "product_id", "id")), b"key")
    given_ = {**plan.parameters, "top": 2}
    with DuckDBWarehouse(None, tables, threads=1) as warehouse:
        if raw:
            loaded = ["segment.raw_messages"]
            write_raw(warehouse, loaded[0], messages)
        else:
            loader = Loader(warehouse, MAPPING, secret=b"key")
            for data, received_at in messages:
                loader.add(data, received_at)
            loader.flush()
            loaded = list(loader.loaded.rows)
        warehouse.load("store.sales", SALES)
        warehouse.load("store.catalogue", CATALOGUE)
        there = {name: in_ms(warehouse.read(name)) for name in (*loaded, "store.sales", "store.catalogue")}
        for step in STEPS:
            if step in nightly.DECIDED:
                nightly.take(warehouse, step, plan)
                there[f"varde.{step}"] = in_ms(warehouse.read(f"varde.{step}"))
                continue
            fitted = source.fit(queries.parse(queries.text(step)), warehouse.columns, tables)
            on_google = google.run(fitted.sql("bigquery", comments=False), given_, there)
            warehouse.materialize(step, given_)
            on_duckdb = in_ms(warehouse.read(f"varde.{step}"))
            assert comparable(on_google) == comparable(on_duckdb), step
            there[f"varde.{step}"] = on_duckdb
