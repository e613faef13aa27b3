"""The steps of experiments through Google's client over HTTP, against the stand-in."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from varde.batch import cost, experiments
from varde.batch.arguments import check
from varde.batch.loader import Loader
from varde.batch.warehouse import ddl
from varde.batch.warehouse.bigquery_options import Places

from .bigquery_standin import LOCATION, PROJECT, StandIn
from .bigquery_standin import opened as on
from .experiment_worlds import EXPERIMENTS, NOW, World, world
from .test_experiments import SETTINGS, comparable, measure, opened

PLACES = Places(f"{PROJECT}.segment_prod", f"{PROJECT}.varde_out", f"{PROJECT}.shop")


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION, "shop": LOCATION}) as running:
        yield running


def write_exposures(standin: StandIn, rows: pa.Table) -> None:
    """What a subscription of Pub/Sub's does: no load job writes this table."""
    standin.connection.register("exposures", rows)
    standin.connection.execute("CREATE TABLE shop.exposures AS SELECT * FROM exposures")


def test_bigquery_gives_what_duckdb_gives(standin: StandIn) -> None:
    of: World = world(7, 40, 100)
    with opened(of) as small, on(standin, "r1", PLACES, check(SETTINGS)) as big:
        expected = measure(small, of)
        assert len(expected.unit_days.unit)
        loader = Loader(big, SETTINGS.mapping, secret=SETTINGS.id_secret.encode())
        for data, received_at in of.messages:
            loader.add(data, received_at)
        loader.flush()
        write_exposures(standin, small.read("store.exposures"))
        big.define()
        given = experiments.plan(SETTINGS, EXPERIMENTS, NOW, of.views_within)
        assert cost.estimate(big, given, cost.of_report(True)).read
        found = experiments.measure(big, SETTINGS, EXPERIMENTS, "plain", NOW, of.views_within)
        assert comparable(found) == comparable(expected)
        assert found.faults == expected.faults
        names = [table for table in ddl.tables() if table.startswith("experiment_")]
        assert all(big.columns(f"varde.{name}") == set(ddl.tables()[name].columns) for name in names)
        assert not any(big.columns(f"varde.{name}") for name in experiments.DROPPED)
