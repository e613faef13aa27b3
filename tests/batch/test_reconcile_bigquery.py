"""`varde reconcile --bigquery`: Google's client over HTTP against the stand-in, from the command line to Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from varde.batch import main, nightly, seeds
from varde.batch.arguments import check
from varde.batch.counting import There, there
from varde.batch.loader import Loader
from varde.batch.warehouse.bigquery_options import Places
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.night import NightStore

from .bigquery_standin import LOCATION, PROJECT, Fault, StandIn, client, opened
from .nights import NOW, live, load, meanings, shop
from .test_write import SET, YESTERDAY, expected

SEGMENT, OURS = f"{PROJECT}.segment_prod", f"{PROJECT}.varde_out"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION}) as running:
        yield running


NAMED = ["--bigquery", PROJECT, "--segment", SEGMENT, "--varde", OURS]


def fill(standin: StandIn, messages: list[bytes], settings: Settings) -> None:
    with opened(standin, "fill", Places(SEGMENT, OURS), check(settings)) as warehouse:
        loader = Loader(warehouse, settings.mapping, secret=settings.id_secret.encode())
        for data in messages:
            loader.add(data, NOW + 1000)
        loader.flush()


def environment(standin: StandIn, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings as variables, and a client that asks the stand-in and gives up soon."""
    for name in SET:
        monkeypatch.setenv(f"VARDE_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setattr("varde.batch.warehouse.bigquery_options.connect", lambda _: client(standin))
    # The Storage API has no stand-in: as if its package were not there.
    monkeypatch.setattr("varde.batch.warehouse.bigquery_options.find_spec", lambda _: None)


def test_the_command_reads_bigquery_and_writes_redis(
    redis_url: str, standin: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(redis_url=redis_url, cap=6, window_days=30, id_secret="a secret")
    messages = [data for data in shop(7, 120) if meanings([data], settings)]
    early = [data for data in messages if meanings([data], settings)[0].time <= YESTERDAY]
    fill(standin, messages, settings)
    environment(standin, settings, monkeypatch)
    words = [*NAMED, "--as-of", str(YESTERDAY)]
    assert main.command([*words, "--apply", "--force", "--max-bytes", str(10**12)]) == main.AGREES
    out, progress = capsys.readouterr()
    assert "BigQuery will read about" in progress
    assert orjson.loads(out.splitlines()[-1])["pairs_different_after"] == 0
    with closing(NightStore.from_settings(settings, lambda: NOW)) as store:
        assert live(store) == expected(early, settings)
    assert main.command(words) == main.AGREES
    assert main.command([*words, "--count-here"]) == main.AGREES


def test_pairs_counted_there_are_those_counted_here(tmp_path: Path) -> None:
    settings = Settings(cap=6, window_days=30)
    load(tmp_path / "w", shop(8, 200), settings)
    with DuckDBWarehouse(tmp_path / "w", check(settings)) as warehouse:
        here = nightly.build(warehouse, YESTERDAY, settings.limits, settings.mapping)
        asked = nightly.build(warehouse, YESTERDAY, settings.limits, settings.mapping, counter=there)
        few = There(warehouse, asked.counted.items, cells=3)
        assert list(asked.counted.items) == list(here.counted.items)
        for relation in Relation:
            rows = [(item, dict(cells)) for item, cells in here.rows(relation)]
            assert len(rows) > 3
            assert [(item, dict(cells)) for item, cells in asked.rows(relation)] == rows
            assert [(item, dict(cells)) for item, cells in few.rows(relation)] == rows


def test_both_datasets_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.command(["--bigquery", PROJECT, "--segment", SEGMENT]) == main.MISUSED
    assert "--bigquery needs --segment and --varde" in capsys.readouterr().err


def test_seeds_are_the_same_from_bigquery(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(cap=6, window_days=30, id_secret="a secret")
    messages = shop(7, 80)
    fill(standin, messages, settings)
    load(tmp_path / "w", messages, settings)
    environment(standin, settings, monkeypatch)
    for where, out in ((NAMED, "there"), (["--warehouse", str(tmp_path / "w")], "here")):
        assert seeds.command([*where, "--as-of", str(YESTERDAY), "--out", str(tmp_path / out)]) == 0
        assert ("BigQuery will read about" in capsys.readouterr().err) == (out == "there")
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes() != b""


@pytest.mark.parametrize("command", ["reconcile", "seeds"])
@pytest.mark.parametrize(
    ("status", "reason", "code", "says"),
    [
        (403, "accessDenied", main.MISUSED, "BigQuery Job User"),
        (400, "jobBackendError", main.FAILED, "on purpose; run it again later"),
        (403, "quotaExceeded", main.FAILED, "run again later"),
    ],
)
def test_the_exit_code_says_whether_to_run_it_again(
    redis_url: str,
    standin: StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    status: int,
    reason: str,
    code: int,
    says: str,
) -> None:
    environment(standin, Settings(redis_url=redis_url), monkeypatch)
    monkeypatch.setattr("varde.batch.warehouse.bigquery_jobs.AGAIN", frozenset())
    standin.faults.append(Fault("POST .*/jobs$", times=99, status=status, reason=reason, in_job=True))
    monkeypatch.setattr("varde.batch.cost.estimate", lambda *_: "")
    words = [*NAMED, "--as-of", str(YESTERDAY)]
    assert (
        main.command(words) if command == "reconcile" else seeds.command([*words, "--out", str(tmp_path / "out")])
    ) == code
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"varde {command}: {PROJECT}: ")
    assert says in line
