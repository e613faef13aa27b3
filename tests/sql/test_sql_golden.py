"""sql/*.sql, case by case, on DuckDB and on Google's own engine.

A case is a YAML file in the folder of its query: `params`, `tables` (rows; columns that no row names do not exist on
DuckDB), `expect` (rows in any order; columns left out are NULL), and `custom_events`, `consent` (required categories)
and `consent_default` where the shop has some, `raw_table` where messages are read from there.
Floats are compared to nine decimals, those that are next to nothing to nine digits.
Dates stand for ms since the epoch, but in the shop's own tables, which hold text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from varde import timestamps
from varde.batch.warehouse import queries, source
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import TIMESTAMP, event_tables
from varde.history import Signal

from .googlesql import GoogleSql, Row, columns_of

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*.yaml"))
DATES = (
    "time",
    "window_start",
    "as_of",
    "links_since",
    "received_at",
    "loaded_at",
    "timestamp",
    "publish_time",
    "updated",
    "until",
    "newest",
    "missing",
    "served_at",
    "start_time",
    "end_time",
    "first_exposure",
    "counts_until",
    "exposed_since",
    "events_since",
)
TEXT = ("store.sales", "store.catalogue")
"""Tables that hold dates as text."""


class Loader(yaml.SafeLoader):
    """YAML without its own dates: they would lose the zone."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def in_ms(entry: dict[str, Any]) -> Row:
    return {k: timestamps.read(v) if k in DATES and isinstance(v, str) else v for k, v in entry.items()}


class Case:
    def __init__(self, path: Path) -> None:
        read = yaml.load(path.read_text(encoding="utf-8"), Loader)
        self.query = path.parent.name
        self.params = in_ms(read.pop("params"))
        self.tables: dict[str, list[Row]] = {
            table: [row if table in TEXT else in_ms(row) for row in rows] for table, rows in read.pop("tables").items()
        }
        self.expect = [in_ms(row) for row in read.pop("expect")]
        events = tuple((name, Signal[signal.upper()]) for name, signal in read.pop("custom_events", {}).items())
        consent = tuple(read.pop("consent", ()))
        raw_table = read.pop("raw_table", None)
        self.event_tables = event_tables(events, consent, read.pop("consent_default", True), raw_table)
        others = {name for names in self.event_tables.names.values() for name in names} - set(self.event_tables.names)
        there = {table.partition(".")[2] for table in self.tables}
        self.as_written = not consent and not others & there and raw_table is None and self.query != "raw"
        assert not read, f"{path}: unknown entries {sorted(read)}"


def arrow(table: str, rows: list[Row]) -> pa.Table:
    declared = columns_of(table, rows)
    names = [name for name in declared if any(name in row for row in rows) or table.startswith("varde.")]
    assert all(row.keys() <= set(names) for row in rows), f"{table}: a column that is not declared"
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        if declared[name] == TIMESTAMP:
            columns.append(pa.array(values, pa.timestamp("ms", tz="UTC")).cast(TIMESTAMP))
        else:
            columns.append(pa.array(values, declared[name]))
    return pa.table(columns, names=names)


def _rounded(value: float) -> float:
    """To nine decimals; what is far smaller than what rounding leaves of a zero, to nine digits."""
    return float(f"{value:.8e}") if 0 < abs(value) < 1e-100 else round(value, 9)


def comparable(rows: list[Row]) -> list[str]:
    return sorted(
        json.dumps(
            {k: _rounded(v) if isinstance(v, float) else v for k, v in row.items() if v is not None}, sort_keys=True
        )
        for row in rows
    )


@pytest.fixture(params=CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_on_duckdb(case: Case) -> None:
    with DuckDBWarehouse(None, case.event_tables) as warehouse:
        for table, rows in case.tables.items():
            warehouse.load(table, arrow(table, rows))
        found = warehouse.query(case.query, case.params)
        assert comparable(found.to_pylist()) == comparable(case.expect)
        assert warehouse.materialize(case.query, case.params) == len(case.expect)


def test_on_googlesql(case: Case, google: GoogleSql) -> None:
    if case.as_written:
        found = google.run(queries.text(case.query), case.params, case.tables)
        assert comparable(found) == comparable(case.expect), "as written"
    fitted = source.fit(
        queries.parse(queries.text(case.query)),
        lambda name: frozenset(c for row in case.tables.get(name, []) for c in row),
        case.event_tables,
    )
    found = google.run(fitted.sql("bigquery", comments=False), case.params, case.tables)
    assert comparable(found) == comparable(case.expect), "fitted to the tables that there are"


def test_every_query_has_a_case() -> None:
    assert {path.parent.name for path in CASES} == set(queries.names())
