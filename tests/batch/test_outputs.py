"""What a night leaves in the warehouse for reports, on DuckDB and on Google's client against the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varde import ranking
from varde.batch import count, drift, nightly, outputs
from varde.batch.warehouse import Warehouse, ddl, lint, queries
from varde.batch.warehouse.bigquery import BigQueryWarehouse
from varde.batch.warehouse.bigquery_options import Places
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.events import Mapping
from varde.history import Limits
from varde.pairs import ANY_ITEM, Relation, universe

from .bigquery_standin import LOCATION, PROJECT, StandIn, opened

AS_OF = 1_767_312_000_000
PLACES = Places(f"{PROJECT}.segment_prod", f"{PROJECT}.varde_out")


def on(standin: StandIn, run: str, places: Places = PLACES) -> BigQueryWarehouse:
    return opened(standin, run, places)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION, "shop": LOCATION}) as running:
        yield running


@pytest.fixture(params=["duckdb", "bigquery"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    if request.param == "duckdb":
        with DuckDBWarehouse() as small:
            yield small
    else:
        with on(request.getfixturevalue("standin"), "r1") as big:
            yield big


def histories(rows: list[tuple[str, int, str]]) -> pa.Table:
    columns = {
        "customer": pa.array([customer for customer, _, _ in rows], pa.string()),
        "signal": pa.array([signal for _, signal, _ in rows], pa.int64()),
        "item": pa.array([item for _, _, item in rows], pa.string()),
        "time": pa.array([1] * len(rows), pa.int64()),
    }
    return pa.table(columns)


def publish(warehouse: Warehouse, who: count.Incidence | None = None, top: int = outputs.TOP) -> dict[str, int]:
    """Pairs, counted here or by the warehouse, and what follows from them."""
    pairs = warehouse.materialize("pair_counts", {}) if who is None else outputs.fill_pairs(warehouse, who)
    return {"pair_counts": pairs} | outputs.publish(warehouse, top)


def filled(warehouse: Warehouse, rows: list[tuple[str, int, str]]) -> count.Incidence:
    warehouse.replace("varde.histories", histories(rows))
    warehouse.materialize("supports", {})
    return count.incidence(warehouse.read("varde.histories"))


SOME = [(f"u:{n % 13}", n % 3, f"i{n * n % 17}") for n in range(90)]
SOME = sorted(set(SOME))

triples = st.tuples(
    st.integers(0, 12).map(lambda n: f"u:{n}"),
    st.integers(0, 2),
    st.sampled_from(["a", "b", "Z", "å", "\U0001f600", "c", "10", "9"]),
)


def expected(who: count.Incidence, supports: dict[tuple[int, str], int], top: int) -> dict[tuple[str, str, str], Any]:
    """The neighbours by varde.ranking: score and rank under each."""
    found = {}
    for relation in Relation:
        for item, cells in count.rows(who, relation):
            names = sorted(cells, key=lambda name: name.encode())
            counts = np.array([cells[name] for name in names])
            a = supports[relation.row_signal, item]
            b = np.array([supports[relation.column_signal, name] for name in names])
            total = supports[universe(relation), ANY_ITEM]
            places: dict[str, list[int]] = {}
            scores: dict[str, Any] = {}
            for name in ranking.RANKINGS:
                scores[name] = ranking.scores(name, counts, a, b, total)
                rounded = np.round(scores[name], 9)
                order = ranking.order(rounded, counts, np.arange(len(names)))
                places[name] = [0] * len(names)
                for place, index in enumerate(order):
                    places[name][index] = place + 1
            for n, name in enumerate(names):
                if min(places[kind][n] for kind in places) <= top:
                    sizes = (int(counts[n]), a, int(b[n]), total)
                    found[relation.label, item, name] = (
                        sizes,
                        {kind: float(scores[kind][n]) for kind in ("llr", "cosine", "jaccard")},
                        {kind: places[kind][n] for kind in places},
                    )
    return found


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(st.sets(triples, min_size=2, max_size=60), st.integers(1, 4))
def test_neighbours_are_those_of_the_ranking(rows: set[tuple[str, int, str]], top: int) -> None:
    with DuckDBWarehouse(None, threads=1) as warehouse:
        who = filled(warehouse, sorted(rows))
        publish(warehouse, who, top)
        supports = {(r["universe"], r["item"]): r["customers"] for r in warehouse.read("varde.supports").to_pylist()}
        found = warehouse.read("varde.neighbours").to_pylist()
    wanted = expected(who, supports, top)
    assert {(r["relation"], r["item"], r["neighbour"]) for r in found} == set(wanted)
    assert len(found) == len(wanted)
    for row in found:
        sizes, scores, places = wanted[row["relation"], row["item"], row["neighbour"]]
        assert tuple(row[f"{name}customers"] for name in ("", "item_", "other_", "total_")) == sizes
        for name, score in scores.items():
            assert row[name] == pytest.approx(score, rel=1e-9, abs=1e-9)
        for name, place in places.items():
            assert row[f"{name}_rank"] == place, (name, row)


def test_scores_of_large_counts_agree() -> None:
    counts = np.array([1, 50, 3_000, 200_000, 0 + 7])
    b = np.array([1, 900_000, 3_000, 400_000, 70_000])
    a, total = 500_000, 3_000_000
    items = [f"i{n}" for n in range(len(counts))]
    with DuckDBWarehouse() as warehouse:
        universes = [("", total), ("x", a), *zip(items, b.tolist(), strict=True)]
        warehouse.load(
            "varde.supports",
            pa.table(
                {
                    "universe": [0] * len(universes),
                    "item": [i for i, _ in universes],
                    "customers": [n for _, n in universes],
                }
            ),
        )
        pairs = {
            "relation": [0] * len(items),
            "row_item": ["x"] * len(items),
            "column_item": items,
            "customers": counts,
        }
        warehouse.load("varde.pair_counts", pa.table(pairs))
        found = {row["neighbour"]: row for row in warehouse.query("neighbours", {"top": 9}).to_pylist()}
    for name in ("llr", "cosine", "jaccard"):
        scores = ranking.scores(name, counts, a, b, total)
        for item, score in zip(items, scores, strict=True):
            assert found[item][name] == pytest.approx(score, rel=1e-9, abs=1e-6), (name, item)


@pytest.mark.parametrize("cells", [1, 7, 10**6])
def test_pairs_counted_here_are_those_of_the_query(warehouse: Warehouse, cells: int) -> None:
    who = filled(warehouse, SOME)
    outputs.fill_pairs(warehouse, who, cells)
    here = sorted(map(repr, warehouse.read("varde.pair_counts").to_pylist()))
    assert warehouse.materialize("pair_counts", {}) == len(here)
    assert here == sorted(map(repr, warehouse.read("varde.pair_counts").to_pylist()))


def test_a_repetition_replaces(warehouse: Warehouse) -> None:
    first = publish(warehouse, filled(warehouse, SOME))
    assert all(first.values())
    assert publish(warehouse, filled(warehouse, SOME)) == first
    assert publish(warehouse, None) == first, "counted by the warehouse"
    assert publish(warehouse, filled(warehouse, [])) == dict.fromkeys(first, 0)


def summary() -> drift.Summary:
    worst = (drift.Difference("a", "b", 3, 5),)
    totals = (drift.Difference("", "", 1, 0), drift.Difference("", "x", 0, 1))
    return drift.Summary(
        {"also_viewed": drift.Drift(9, 8, 1, worst, 2, 40, 42), "also_bought": drift.Drift(0, 0, 0)},
        {"view": drift.Drift(4, 2, 2, totals, 2, 7, 7)},
    )


COUNTED = outputs.Counted(AS_OF, AS_OF - 5, 10, 4, 9, {("view", "robot"): 3, ("message", "not_json"): 1})


def test_runs_are_kept(warehouse: Warehouse) -> None:
    warehouse.define()
    outputs.record(
        warehouse, outputs.Run("r1", AS_OF + 7, 1.5, "0.1", ("stale: old", "incomplete")), COUNTED, summary()
    )
    nothing = drift.Summary({"also_viewed": drift.Drift(0, 0, 0)}, {})
    outputs.record(
        warehouse, outputs.Run("r2", AS_OF + 9, 2.5, "0.1", (), True), outputs.Counted(AS_OF, 0, 0, 0, 0, {}), nothing
    )
    runs = sorted(warehouse.read("varde.runs").to_pylist(), key=lambda row: str(row["run_id"]))
    assert [row["run_id"] for row in runs] == ["r1", "r2"]
    first = runs[0]
    assert round(first.pop("started").timestamp() * 1000) == AS_OF + 7
    assert round(first.pop("as_of").timestamp() * 1000) == AS_OF
    assert round(first.pop("window_start").timestamp() * 1000) == AS_OF - 5
    assert first == {
        "run_id": "r1", "version": "0.1", "seconds": 1.5, "customers": 10, "items": 4, "pairs": 9, "pairs_compared": 9,
        "pairs_different": 1, "supports_different": 2, "refusals": "stale: old\nincomplete", "applied": False,
    }  # fmt: skip
    assert runs[1]["refusals"] is None and runs[1]["applied"]
    drifts = warehouse.read("varde.drift").to_pylist()
    assert sorted((row["run_id"], row["kind"], row["name"], row["different"]) for row in drifts) == [
        ("r1", "pairs", "also_bought", 0),
        ("r1", "pairs", "also_viewed", 1),
        ("r1", "supports", "view", 2),
        ("r2", "pairs", "also_viewed", 0),
    ]
    assert next(row for row in drifts if row["apart"] and row["kind"] == "pairs")["relative"] == pytest.approx(2 / 42)
    items = warehouse.read("varde.drift_items").to_pylist()
    assert sorted((str(row["item"]), str(row["other"]), row["live"], row["nightly"]) for row in items) == [
        ("None", "None", 1, 0),
        ("None", "x", 0, 1),
        ("a", "b", 3, 5),
    ]
    quality = warehouse.read("varde.data_quality").to_pylist()
    assert sorted((row["source"], row["reason"], row["messages"]) for row in quality) == [
        ("message", "not_json", 1),
        ("view", "robot", 3),
    ]


# Declarations


def test_declarations_are_sound() -> None:
    assert len(ddl.tables()) > 15
    for name, declared in ddl.tables().items():
        assert declared.description and declared.columns, name
        for column, (type_, description) in declared.columns.items():
            assert type_ in ddl.ARROW and description.endswith("."), (name, column)
        assert set(declared.clustered) <= set(declared.columns)
        assert bool(declared.days) == (name in ("runs", "drift", "drift_items", "data_quality"))
        assert lint.declaration(declared.statement.sql("bigquery")) == []


def test_every_table_of_a_night_is_declared_as_it_is_made() -> None:
    with DuckDBWarehouse() as warehouse:
        nightly.build(warehouse, AS_OF, Limits(), Mapping())
        warehouse.materialize("pair_counts", {})
        publish(warehouse)
        made = set(nightly.STEPS) - set(nightly.NAMED) | {"pair_counts", "item_supports", "neighbours"}
        assert made <= set(ddl.tables())
        for name in made:
            arrow = warehouse.read(f"varde.{name}").schema
            declared = ddl.tables()[name].columns
            assert arrow.names == list(declared), name
            for column, (type_, _) in declared.items():
                kind = arrow.field(column).type
                if type_ == "INT64":
                    assert pa.types.is_integer(kind) or pa.types.is_decimal(kind), (name, column, kind)
                else:
                    assert kind == ddl.ARROW[type_], (name, column, kind)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("CREATE TABLE varde.a (x INT64)", "one CREATE TABLE IF NOT EXISTS"),
        ("CREATE TABLE IF NOT EXISTS other.a (x INT64)", "one CREATE TABLE IF NOT EXISTS"),
        ("DROP TABLE varde.a", "one CREATE TABLE IF NOT EXISTS"),
        ("CREATE TABLE IF NOT EXISTS varde.a (x INT64)", "no description"),
        ("CREATE TABLE IF NOT EXISTS varde.a (x INT64 OPTIONS (description = 'X.'))", "a: no description"),
        ("CREATE TABLE IF NOT EXISTS varde.a (x ARRAY<INT64> OPTIONS (description = 'X.'))", "ARRAY<INT64>"),
        (
            "CREATE TABLE IF NOT EXISTS varde.a (started TIMESTAMP OPTIONS (description = 'X.')) "
            "PARTITION BY DATE(started) OPTIONS (description = 'A.')",
            "never expires",
        ),
    ],
)
def test_declarations_that_are_refused(sql: str, says: str) -> None:
    assert any(says in problem for problem in lint.declaration(sql)), lint.declaration(sql)


def test_bigquery_keeps_partitions_clusters_and_descriptions(standin: StandIn) -> None:
    with on(standin, "r1") as warehouse:
        for _ in range(2):
            warehouse.define()
            publish(warehouse, filled(warehouse, SOME))
        made = standin.tables["varde_out", "neighbours"]
        assert made["clustering"] == {"fields": ["relation", "item"]}
        wanted = {name: text for name, (_, text) in ddl.tables()["neighbours"].columns.items()}
        assert made["described"] == wanted
        assert standin.tables["varde_out", "runs"]["timePartitioning"]["field"] == "started"
        (first, *_) = [job for job in standin.sent("query") if "CREATE TABLE" in job["configuration"]["query"]["query"]]
        text = first["configuration"]["query"]["query"]
        assert "`shop-project`.`varde_out`.runs" in text
        assert "partition_expiration_days=400" in text.replace(" = ", "=")
        assert queries.PACKAGE not in text


def test_a_dataset_of_the_shops_own(standin: StandIn) -> None:
    sale = pa.table({"customer_id": ["u"], "item": ["a"], "time": ["2026-01-01"], "order_id": ["o"]})
    places = Places(PLACES.segment, PLACES.varde, f"{PROJECT}.shop")
    given_ = {"window_start": 0, "as_of": AS_OF}
    with on(standin, "r1") as without:
        assert without.query("sales", given_).num_rows == 0
    with on(standin, "r2", places) as warehouse:
        assert warehouse.query("sales", given_).num_rows == 0
        warehouse.load("store.sales", sale)
        assert warehouse.query("sales", given_)["item"].to_pylist() == ["a"]
