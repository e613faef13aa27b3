"""The steps of experiments against brute force over plain lists, in worlds with every trap in them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from varde.batch import experiments, measured
from varde.batch.arguments import check
from varde.batch.exposures_loader import ExposureLoader
from varde.batch.loader import Loader
from varde.batch.measured import Measured
from varde.batch.warehouse import ddl
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.history import DAY_MS
from varde.settings import Settings

from .experiment_oracle import Oracle
from .experiment_worlds import EXPERIMENTS, NOW, World, world
from .worlds import write_raw

SETTINGS = Settings(consent_categories=("Analytics",))


@contextmanager
def opened(of: World, raw: bool = False) -> Iterator[DuckDBWarehouse]:
    """A warehouse in memory that holds a world."""
    secret = SETTINGS.id_secret.encode()
    with DuckDBWarehouse(None, check(SETTINGS, "raw_messages" if raw else None), threads=1) as warehouse:
        if raw:
            write_raw(warehouse, "segment.raw_messages", of.messages)
        else:
            loader = Loader(warehouse, SETTINGS.mapping, secret=secret)
            for data, received_at in of.messages:
                loader.add(data, received_at)
            loader.flush()
        exposures = ExposureLoader(warehouse)
        for one in of.exposures:
            exposures.add(orjson.dumps(one))
        exposures.flush()
        assert not exposures.loaded.skipped
        yield warehouse


def measure(warehouse: DuckDBWarehouse, of: World, key: str = "plain") -> Measured:
    return experiments.measure(warehouse, SETTINGS, EXPERIMENTS, key, NOW, of.views_within)


def rows(warehouse: DuckDBWarehouse, table: str) -> list[dict[str, Any]]:
    return list(warehouse.read(f"varde.experiment_{table}").to_pylist())


def key_of(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["experiment"], row["unit_kind"], row["unit"]


def same(found: dict[Any, Any], expected: dict[Any, Any]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-9), key


@pytest.mark.parametrize("seed", range(15))
def test_every_table_is_what_brute_force_says(seed: int) -> None:
    of = world(seed)
    expected = Oracle(of)
    with opened(of) as warehouse:
        found = measure(warehouse, of)
        lists = {(*key_of(row), row["list_id"]): row["time"] for row in rows(warehouse, "lists")}
        same(lists, {(*key_of(one), one["list_id"]): one["time"] for one in expected.lists})
        faults = {(row["experiment"], row["reason"]): row["exposures"] for row in rows(warehouse, "faults")}
        same(faults, dict(expected.faults))
        names = ("variation_index", "several", "first_exposure", "customer")
        units = {key_of(row): row for row in rows(warehouse, "units")}
        assert {k: [row[n] for n in names] for k, row in units.items()} == {
            k: [unit[n] for n in names] for k, unit in expected.units.items()
        }
        for name in ("pre_views", "pre_clicks", "pre_adds", "pre_orders", "pre_revenue"):
            same({k: row[name] for k, row in units.items()}, {k: unit[name] for k, unit in expected.units.items()})
        clicks = {(key_of(row), row["list_id"], row["item"]): row["time"] for row in rows(warehouse, "clicks")}
        same(clicks, {key: time for key, (time, _) in expected.clicks.items()})
        for name in ("gross", "revenue", "items", "counts"):
            orders = {row["message_id"]: row[name] for row in rows(warehouse, "orders")}
            same(orders, {key: one[name] for key, one in expected.orders.items()})
        for name in (
            "impressions",
            "lists",
            "fallback_lists",
            "clicks",
            "adds",
            "orders",
            "orders_left_out",
            "revenue",
            "items",
        ):
            days = {(key_of(row), row["day"]): row[name] for row in rows(warehouse, "unit_days")}
            same(days, {key: day[name] for key, day in expected.unit_days.items()})
        for row in rows(warehouse, "teams"):
            ours = [team for (key, _, _), (_, team) in expected.clicks.items() if key == key_of(row)]
            assert (row["first_clicks"], row["second_clicks"]) == (ours.count("left"), ours.count("right"))
        for row in rows(warehouse, "days"):
            expected_day = expected.day(row["experiment"], row["variation_index"], row["day"])
            same({name: row[name] for name in expected_day}, expected_day)
        assert found.units.several.sum() == sum(
            unit["several"] for k, unit in expected.units.items() if k[0] == "plain"
        )


def test_the_worlds_have_what_they_are_for() -> None:
    """Else the comparison could not fail."""
    every = [Oracle(world(seed)) for seed in range(15)]
    reasons = {reason for one in every for _, reason in one.faults}
    assert reasons == {
        "no_list_id", "bad_time", "no_experiment", "unknown_experiment", "no_unit", "other_version", "other_mode",
        "unknown_variation", "items_malformed", "outside_dates", "robot", "forced", "erased", "repeated",
    }  # fmt: skip
    assert sum(len(one.clicks) for one in every) > 100
    assert sum(day["orders"] for one in every for day in one.unit_days.values()) > 30
    assert sum(unit["several"] for one in every for unit in one.units.values()) > 5
    assert sum(team is not None for one in every for _, team in one.clicks.values()) > 10
    days = [(key[0][0], day) for one in every for key, day in one.unit_days.items()]
    for key in ("plain", "known"):
        left_out = sum(day["orders_left_out"] for experiment, day in days if experiment == key)
        assert left_out and any(day["revenue"] for experiment, day in days if experiment == key)
    assert any(0 < one["revenue"] < one["gross"] for of in every for one in of.orders.values())


def comparable(found: Measured) -> Any:
    """Everything but the last bits of sums."""
    arrays = [*found.units, *found.unit_days, *found.teams]
    days = [{k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()} for row in found.days.to_pylist()]
    return [np.round(one.astype(float), 6).tolist() for one in arrays], days, round(found.cap, 6)


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_order_and_copies_change_nothing(key: str) -> None:
    of = world(7)
    with opened(of) as one, opened(of.shuffled(1)) as two:
        first, second = measure(one, of, key), measure(two, of, key)
        assert len(first.unit_days.unit)
        assert comparable(first) == comparable(second)
        assert comparable(first) == comparable(measure(one, of, key)), "a repetition gives the same"
        told = first.faults.keys() | {"repeated"}
        assert {reason: 2 * first.faults[reason] for reason in first.faults if reason != "repeated"} == {
            reason: n for reason, n in second.faults.items() if reason != "repeated"
        }
        assert second.faults.keys() == told


@pytest.mark.parametrize("seed", range(3))
def test_raw_messages_give_the_same(seed: int) -> None:
    of = world(seed)
    with opened(of) as shaped, opened(of, raw=True) as raw:
        assert comparable(measure(shaped, of)) == comparable(measure(raw, of))


def test_what_is_returned() -> None:
    of = world(3)
    expected = Oracle(of)
    with opened(of) as warehouse:
        found = measure(warehouse, of)
        draft = measure(warehouse, of, "draft")
        assert not warehouse.columns("varde.experiment_events"), "ids of everybody are gone"
    ours = [(key, unit) for key, unit in expected.units.items() if key[0] == "plain"]
    index = {key: n for n, (key, _) in enumerate(ours)}
    assert found.units.first_day.tolist() == [unit["first_exposure"] // DAY_MS for _, unit in ours]
    assert found.units.variation.tolist() == [unit["variation_index"] for _, unit in ours]
    days = sorted((day, index[key]) for key, day in expected.unit_days if key in index)
    assert list(zip(found.unit_days.day.tolist(), found.unit_days.unit.tolist(), strict=True)) == days
    assert not len(found.teams.unit) and found.experiment is EXPERIMENTS["plain"] and found.as_of == NOW
    assert set(draft.units.variation.tolist()) == {measured.TEAMS}
    assert draft.teams.clicks.shape == (len(draft.units.variation), 2)
    told = {reason: n for (key, reason), n in expected.faults.items() if key in (None, "plain")}
    assert found.faults == told


def test_without_exposures_there_is_nothing() -> None:
    with opened(world(1)._replace(exposures=[])) as warehouse:
        found = experiments.measure(warehouse, SETTINGS, EXPERIMENTS, "plain", NOW)
        assert not warehouse.columns("store.exposures")
    assert not len(found.units.variation) and not found.days.num_rows and not found.faults
    assert found.cap == math.inf


def test_an_unknown_experiment() -> None:
    with opened(world(1)) as warehouse, pytest.raises(KeyError):
        experiments.measure(warehouse, SETTINGS, EXPERIMENTS, "nobody", NOW)


def test_tables_are_as_declared() -> None:
    with opened(world(2)) as warehouse:
        experiments.run(warehouse, EXPERIMENTS, experiments.plan(SETTINGS, EXPERIMENTS, NOW))
        for name, declared in ddl.tables().items():
            if name.startswith("experiment_"):
                schema = warehouse.read(f"varde.{name}").schema
                assert dict(zip(schema.names, schema.types, strict=True)) == declared.types, name


@pytest.mark.parametrize(
    ("revenue", "quantile", "expected"),
    [
        ([], 0.9, math.inf),
        ([0, 0], 0.5, math.inf),
        ([0, 1, 2, 3, 4], 1.0, math.inf),
        ([0, 1, 2, 3, 4], 0.5, 2),
        ([0, 0, 0, 4, 3, 2, 1], 0.75, 3),
        ([5], 0.01, 5),
        (list(range(1, 101)), 0.29, 29),  # .29 * 100 is a little more than 29
    ],
)
def test_cap(revenue: list[float], quantile: float, expected: float) -> None:
    assert measured.cap(np.array(revenue, dtype=float), quantile) == expected


def test_the_catalogue_bounds_coverage() -> None:
    of = world(5)
    with opened(of) as warehouse:
        items = pa.table({"item": [*"abcdefgh", "i", "j", "gone"], "hidden": [False] * 10 + [True]})
        warehouse.load("store.catalogue", items)
        found = measure(warehouse, of).days.to_pylist()
    assert found and all(row["coverage"] == row["items_shown"] / 10 for row in found)
