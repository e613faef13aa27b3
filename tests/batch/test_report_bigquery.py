"""`varde report` and `varde experiment plan` from the command line with Google's client, against the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson
import pytest

from varde.batch import arguments, experiment_command, experiment_report
from varde.batch.exposures_loader import ExposureLoader
from varde.batch.loader import Loader
from varde.batch.warehouse.bigquery import PRIVATE
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse

from .bigquery_standin import LOCATION, PROJECT, Fault, StandIn, client, opened
from .test_experiment_report import AS_OF, VISITORS, iso, visits
from .test_experiments_bigquery import PLACES, write_exposures
from .trials import text

NAMED = [
    *("--bigquery", PROJECT, "--segment", PLACES.segment, "--varde", PLACES.varde, "--store", str(PLACES.store)),
    *("--max-bytes", str(10**12)),
]
FEW = 60


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The same visits in BigQuery and in the file `w`, both named by the configuration and by Google's client."""
    (tmp_path / "shop.toml").write_text(text(f"planned_units = {VISITORS}\nguardrails = ['revenue_per_unit']"))
    monkeypatch.setenv("VARDE_CONFIG", str(tmp_path / "shop.toml"))
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION, "shop": LOCATION}) as running:
        monkeypatch.setattr("varde.batch.warehouse.bigquery_options.connect", lambda _: client(running))
        # The Storage API has no stand-in: as if its package were not there.
        monkeypatch.setattr("varde.batch.warehouse.bigquery_options.find_spec", lambda _: None)
        with DuckDBWarehouse(tmp_path / "w") as small, opened(running, "fill", PLACES) as big:
            exposures, loaders = ExposureLoader(small), (Loader(small), Loader(big))
            for exposure, deeds in islice(visits(), 0, VISITORS, VISITORS // FEW):
                exposures.add(orjson.dumps(exposure))
                for loader in loaders:
                    for deed in deeds:
                        loader.add(orjson.dumps(deed), AS_OF)
            exposures.flush()
            for loader in loaders:
                loader.flush()
            write_exposures(running, small.read("store.exposures"))
        yield running


def test_reports_and_plans_from_bigquery_are_those_from_a_file(
    standin: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, list[tuple[str, str]]] = {"here": [], "there": []}
    for where, words in (("here", ["--warehouse", str(tmp_path / "w")]), ("there", NAMED)):
        page = tmp_path / f"{where}.html"
        # Without --as-of: how fresh the warehouse is, is asked of it, too.
        assert experiment_report.command(["pdp", *words, "--html", str(page)]) == experiment_report.MADE
        out, progress = capsys.readouterr()
        assert ("BigQuery will read about" in progress) == (where == "there")
        said[where].append((out, page.read_text()))
        assert experiment_command.command(["plan", "--from", "pdp", *words, "--lift", "10%"]) == 0
        said[where].append((capsys.readouterr().out, ""))
    assert said["there"] == said["here"]
    assert sum(orjson.loads(said["here"][0][0].splitlines()[-1])["units"].values()) > FEW // 2
    tables = standin.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert not [name for (name,) in tables if name.startswith(PRIVATE)], "each run takes its own tables away"


@pytest.mark.parametrize("command", ["report", "plan"])
@pytest.mark.parametrize(
    ("status", "reason", "code", "says"),
    [
        (403, "accessDenied", arguments.MISUSED, "BigQuery Job User"),
        (403, "quotaExceeded", arguments.FAILED, "run again later"),
    ],
)
def test_the_exit_code_says_whether_to_run_it_again(
    standin: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    status: int,
    reason: str,
    code: int,
    says: str,
) -> None:
    monkeypatch.setattr("varde.batch.warehouse.bigquery_jobs.AGAIN", frozenset())
    monkeypatch.setattr("varde.batch.cost.estimate", lambda *_: "")
    standin.faults.append(Fault("POST .*/jobs$", times=99, status=status, reason=reason, in_job=True))
    words = [*NAMED, "--as-of", iso(AS_OF)]
    if command == "report":
        assert experiment_report.command(["pdp", *words]) == code
    else:
        assert experiment_command.command(["plan", "--from", "pdp", *words, "--lift", "10%"]) == code
    assert says in capsys.readouterr().err.splitlines()[-1]
