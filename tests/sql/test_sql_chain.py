"""All steps of a night, one after another, on DuckDB and on Google's engine: every table has the same rows."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from tests.batch.worlds import AS_OF, MAPPING, WINDOW_DAYS, world

from varde.batch import nightly
from varde.batch.loader import Loader
from varde.batch.warehouse import queries, source
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import TIMESTAMP, event_tables
from varde.history import Limits

from .googlesql import GoogleSql, Row

STEPS = (*nightly.STEPS, "pair_counts", "pasts")


def in_ms(table: pa.Table) -> list[Row]:
    for n, name in enumerate(table.column_names):
        if table.schema.field(name).type == TIMESTAMP:
            column = table[name].cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
            table = table.set_column(n, name, column)
    return list(table.to_pylist())


def comparable(rows: list[Row]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@settings(
    max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(world())
def test_every_step_has_the_same_rows(google: GoogleSql, messages: list[tuple[bytes, int]]) -> None:
    tables = event_tables(MAPPING.custom_events, MAPPING.consent, MAPPING.consent_default)
    plan = nightly.plan(AS_OF, Limits(3, WINDOW_DAYS), replace(MAPPING, item_keys=("sku", "product_id", "id")), b"key")
    with DuckDBWarehouse(None, tables, threads=1) as warehouse:
        loader = Loader(warehouse, MAPPING, secret=b"key")
        for data, received_at in messages:
            loader.add(data, received_at)
        loader.flush()
        there = {name: in_ms(warehouse.read(name)) for name in loader.loaded.rows}
        for step in STEPS:
            if step in nightly.DECIDED:
                nightly.take(warehouse, step, plan)
                there[f"varde.{step}"] = in_ms(warehouse.read(f"varde.{step}"))
                continue
            fitted = source.fit(
                queries.parse(queries.text(step)), lambda name: warehouse.columns(f"segment.{name}"), tables
            )
            on_google = google.run(fitted.sql("bigquery", comments=False), plan.parameters, there)
            warehouse.materialize(step, plan.parameters)
            on_duckdb = in_ms(warehouse.read(f"varde.{step}"))
            assert comparable(on_google) == comparable(on_duckdb), step
            there[f"varde.{step}"] = on_duckdb
