"""All steps of experiments, one after another, on DuckDB and on Google's engine: every table has the same rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.batch.experiment_worlds import EXPERIMENTS, NOW, world
from tests.batch.test_experiments import SETTINGS, opened

from varde.batch import experiments, nightly
from varde.batch.arguments import check
from varde.batch.warehouse import lint, queries, source, views

from .googlesql import GoogleSql, Row
from .test_sql_chain import comparable, in_ms

QUERIES = ("experiment_unit_rows", "experiment_unit_day_rows", "experiment_team_rows")
DECIDED = {*nightly.DECIDED, "experiment_settings", "experiment_currencies"}


def read_json(rows: list[Row]) -> list[Row]:
    """Each engine has its own way to write JSON."""
    return [row | {"items": json.loads(row["items"])} if isinstance(row.get("items"), str) else row for row in rows]


@pytest.mark.parametrize("seed", [0, 11])
def test_every_step_has_the_same_rows(google: GoogleSql, seed: int) -> None:
    of = world(seed, 50, 120)
    tables = check(SETTINGS)
    with opened(of) as warehouse:
        given = experiments.plan(SETTINGS, EXPERIMENTS, NOW, of.views_within)
        there: dict[str, list[Row]] = {}
        for name in ("segment.tracks", "segment.identifies", "store.exposures", *source_tables()):
            if warehouse.columns(name):
                there[name] = in_ms(warehouse.read(name))

        def on_google(query: str, parameters: Mapping[str, Any]) -> list[Row]:
            fitted = source.fit(queries.parse(queries.text(query)), warehouse.columns, tables)
            return google.run(fitted.sql("bigquery", comments=False), parameters, there)

        for step in experiments.STEPS:
            experiments.take(warehouse, EXPERIMENTS, step, given)
            found = in_ms(warehouse.read(f"varde.{step}"))
            if step not in DECIDED:
                expected = on_google(step, given.parameters)
                assert comparable(read_json(expected)) == comparable(read_json(found)), step
            there[f"varde.{step}"] = found
        for query in ("experiment_span", "experiment_users", *QUERIES):
            asked = {**given.parameters, "experiment": "known"}
            found = in_ms(warehouse.query(query, asked))
            assert comparable(on_google(query, asked)) == comparable(found), query
        warehouse.define()
        for name, view in views.views().items():
            found = in_ms(warehouse.read(f"varde.{name}"))
            assert found and comparable(google.run(view.query.sql("bigquery"), {}, there)) == comparable(found), name
        for table in ("clicks", "orders", "unit_days", "days", "teams"):
            assert there[f"varde.experiment_{table}"], f"a world without {table} proves nothing of it"


def source_tables() -> list[str]:
    names = [name for many in check(SETTINGS).names.values() for name in many]
    return [f"segment.{name}" for name in ("segment_consent_preference_updated", *names)]


def test_lifts_are_over_the_baseline() -> None:
    of = world(0)
    with opened(of) as warehouse:
        warehouse.define()
        experiments.run(warehouse, EXPERIMENTS, experiments.plan(SETTINGS, EXPERIMENTS, NOW, of.views_within))
        rows = {
            (row["experiment"], row["variation"]): row for row in warehouse.read("varde.experiment_results").to_pylist()
        }
        by_day = warehouse.read("varde.experiment_by_day").to_pylist()
    assert {key for key, _ in rows} == set(EXPERIMENTS)
    for (experiment, _), row in rows.items():
        base = rows.get((experiment, EXPERIMENTS[experiment].variations[0].key))
        for name in ("clicks_per_unit", "conversion", "revenue_per_unit"):
            if base is None or row is base or not base[name]:
                assert row[f"{name}_lift"] is None
            else:
                assert row[f"{name}_lift"] == pytest.approx(row[name] / base[name] - 1)
        lists = sum(
            one["lists"] for one in by_day if (one["experiment"], one["variation"]) == (experiment, row["variation"])
        )
        assert lists == 0 if not row["units"] else lists > 0


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT 1", "not a view"),
        ("CREATE VIEW varde.a (b) AS SELECT x.b FROM varde.c AS x", "not a view"),
        ("CREATE OR REPLACE VIEW other.a (b) AS SELECT x.b FROM varde.c AS x", "not a view"),
        ("CREATE OR REPLACE VIEW varde.a (b) AS SELECT x.c FROM varde.c AS x", "not a view"),
        ("CREATE OR REPLACE VIEW varde.a (b) AS SELECT x.b FROM varde.c AS x", "b: no description"),
        (
            "CREATE OR REPLACE VIEW varde.a (b OPTIONS (description = 'B.')) OPTIONS (description = 'A.') AS "
            "SELECT x.b / 2 AS b FROM varde.c AS x",
            "SAFE_DIVIDE",
        ),
    ],
)
def test_bad_views_are_refused(sql: str, says: str) -> None:
    assert any(says in problem for problem in lint.view(sql)), lint.view(sql)
