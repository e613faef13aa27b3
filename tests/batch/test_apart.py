"""Runs beside each other in one warehouse: each gives what it gives alone, and leaves nothing of its own behind."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from varde.batch import experiments, nightly, seeds
from varde.batch.arguments import check
from varde.batch.exposures_loader import ExposureLoader
from varde.batch.loader import Loader
from varde.batch.warehouse import MissingError, Shared, WarehouseError, ddl
from varde.batch.warehouse.apart import Apart
from varde.batch.warehouse.bigquery import LIFE_S, PRIVATE
from varde.batch.warehouse.bigquery_options import Places
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.history import DAY_MS
from varde.pairs import Relation

from .bigquery_standin import LOCATION, PROJECT, Fault, StandIn
from .bigquery_standin import opened as on
from .experiment_worlds import EXPERIMENTS, NOW, world
from .test_experiments import SETTINGS, comparable

EARLIER = NOW - 3 * DAY_MS
Job = Callable[[Shared, nightly.Tick], Any]


class Turns:
    """Lets threads go on one step at a time, each in its turn: whatever two of them share, they get it mixed up."""

    def __init__(self, parties: int) -> None:
        self._alive = list(range(parties))
        self._now = 0
        self._changed = threading.Condition()
        self.steps: list[int] = []

    def tick(self, party: int) -> None:
        """The party's step is done; wait until all others have taken one."""
        with self._changed:
            self.steps.append(party)
            self._pass_on(party)
            assert self._changed.wait_for(lambda: self._now == party, 120)

    def wait(self, party: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._now == party, 120)

    def leave(self, party: int) -> None:
        with self._changed:
            self._pass_on(party)
            self._alive.remove(party)

    def _pass_on(self, party: int) -> None:
        self._now = self._alive[(self._alive.index(party) + 1) % len(self._alive)]
        self._changed.notify_all()


def report(as_of: int, key: str) -> Job:
    def made(warehouse: Shared, tick: nightly.Tick) -> Any:
        found = experiments.measure(warehouse, SETTINGS, EXPERIMENTS, key, as_of, 0, tick)
        return comparable(found), found.faults

    return made


def night(warehouse: Shared, tick: nightly.Tick) -> Any:
    secret = SETTINGS.id_secret.encode()
    found = nightly.build(warehouse, NOW - DAY_MS, SETTINGS.limits, SETTINGS.mapping, secret, tick)
    rows = {relation: [(item, dict(cells)) for item, cells in found.rows(relation)] for relation in Relation}
    assert any(rows.values())
    return rows, found.supports, found.faults, found.volumes, found.rows_of


def seeding(out: Path) -> Job:
    def made(warehouse: Shared, tick: nightly.Tick) -> Any:
        return seeds.write(warehouse, SETTINGS, out, EARLIER, tick), out.read_bytes()

    return made


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A DuckDB file that holds a world, with our tables in it."""
    of = world(11, 120, 400)
    with DuckDBWarehouse(tmp_path / "w", check(SETTINGS)) as warehouse:
        loader = Loader(warehouse, SETTINGS.mapping, secret=SETTINGS.id_secret.encode())
        for data, received_at in of.messages:
            loader.add(data, received_at)
        loader.flush()
        exposures = ExposureLoader(warehouse)
        for one in of.exposures:
            exposures.add(orjson.dumps(one))
        exposures.flush()
        warehouse.define()
    return tmp_path / "w"


def alone(path: Path, job: Job) -> Any:
    copy = path.with_name("alone")
    shutil.copy(path, copy)
    with DuckDBWarehouse(copy, check(SETTINGS)) as warehouse:
        return job(warehouse, lambda _: None)


def together(path: Path, jobs: Sequence[Job]) -> tuple[list[Any], Turns]:
    """What each gives when all take their steps in turn, each on a connection of its own to one file."""
    turns = Turns(len(jobs))
    opened = [DuckDBWarehouse(path, check(SETTINGS)) for _ in jobs]

    def run(party: int) -> Any:
        turns.wait(party)
        try:
            return jobs[party](opened[party], lambda _: turns.tick(party))
        finally:
            turns.leave(party)

    try:
        with ThreadPoolExecutor(len(jobs)) as threads:
            return list(threads.map(run, range(len(jobs)))), turns
    finally:
        for warehouse in opened:
            warehouse.close()


def test_reports_seeds_and_the_night_at_once_are_what_each_is_alone(filled: Path, tmp_path: Path) -> None:
    jobs = [night, report(NOW, "plain"), report(EARLIER, "known"), seeding(tmp_path / "seeds")]
    expected = [alone(filled, job) for job in jobs]
    found, turns = together(filled, jobs)
    assert found == expected
    first = min(len([step for step in turns.steps if step == party]) for party in range(len(jobs)))
    assert turns.steps[: 4 * first] == [0, 1, 2, 3] * first, "they did take turns"
    with DuckDBWarehouse(filled, check(SETTINGS)) as warehouse:
        ended = experiments.PUBLISHED
        assert all(warehouse.columns(f"varde.{name}") == set(ddl.tables()[name].columns) for name in ended)
        # Ids of everybody are in no table that stays, and the night's tables are those of the night.
        assert not any(warehouse.columns(f"varde.{name}") for name in experiments.DROPPED)
        assert warehouse.read("varde.identity").num_rows == expected[0][-1]["identity"]


def test_without_it_they_would_not_be(filled: Path) -> None:
    """The test above can fail: what shares its tables is mixed up."""

    def shared(warehouse: Shared, tick: nightly.Tick) -> Any:
        given = nightly.plan(EARLIER, SETTINGS.limits, SETTINGS.mapping, SETTINGS.id_secret.encode())
        return nightly.run(warehouse, given, tick)

    jobs = [night, shared]
    expected = [alone(filled, job) for job in jobs]
    try:
        found, _ = together(filled, jobs)
    except WarehouseError:
        return
    assert found != expected


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION}) as running:
        yield running


def own_tables(standin: StandIn) -> list[str]:
    found = standin.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return sorted(name for (name,) in found if name.startswith(PRIVATE))


AGENTS = pa.table({"user_agent": ["a robot"]})
PLACES = Places(f"{PROJECT}.segment_prod", f"{PROJECT}.varde_out")


def test_in_bigquery_tables_of_a_run_end_with_it_or_within_a_day(standin: StandIn) -> None:
    with on(standin, "r-1", PLACES, now=lambda: 1_800_000_000.0) as one, on(standin, "r2", PLACES) as two:
        one.define()
        two.replace("varde.robots", pa.table({"user_agent": ["another"]}))
        with Apart(one) as own:
            own.replace("varde.robots", AGENTS)
            own.replace(
                "varde.erasures", pa.table({"user_id": pa.array([], pa.string()), "time": pa.array([], pa.int64())})
            )
            assert own.read("varde.robots").to_pylist() == AGENTS.to_pylist()
            assert two.read("varde.robots").to_pylist() == [{"user_agent": "another"}]
            names = [f"{PRIVATE}r_1_{name}" for name in ("erasures", "robots")]
            assert own_tables(standin) == names
            ends = {standin.tables["varde_out", name]["expirationTime"] for name in names}
            assert ends == {str((1_800_000_000 + LIFE_S) * 1000)}
            own.publish(["varde.robots"])
            assert two.read("varde.robots").to_pylist() == AGENTS.to_pylist()
            own.drop("varde.erasures")
            assert own_tables(standin) == names[1:]
        assert not own_tables(standin)
        declared = ddl.tables()["robots"]
        there = standin.tables["varde_out", "robots"]
        assert there["description"] == declared.description
        assert set(standin.described("varde_out", "robots")) == set(declared.columns)
        assert "expirationTime" not in there


def test_what_cannot_be_dropped_is_no_reason_to_fail(standin: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    with on(standin, "r1", PLACES) as warehouse:
        with Apart(warehouse) as own:
            own.replace("varde.robots", AGENTS)
            standin.faults.append(Fault("DELETE", status=403, reason="accessDenied"))
        assert "left behind" in caplog.text
        assert own_tables(standin)


def test_what_a_run_has_not_made_is_everybodys(standin: StandIn) -> None:
    with on(standin, "r1", PLACES) as warehouse, Apart(warehouse) as own:
        own.load("varde.tombstones", pa.table({"customer": ["c"], "erased_at": [7]}))
        own.drop("varde.tombstones")
        assert own.columns("varde.tombstones") == {"customer", "erased_at"}
        assert warehouse.read("varde.tombstones").num_rows == 1
        assert not own_tables(standin)
        with pytest.raises(KeyError):
            own.publish(["varde.tombstones"])
    with DuckDBWarehouse() as small, Apart(small) as own:
        with pytest.raises(MissingError):
            own.materialize("volumes", {"as_of": 0, "window_start": 0})
        own.replace("varde.robots", AGENTS)
        assert not small.columns("varde.robots")
        assert own.columns("varde.robots") == {"user_agent"}
