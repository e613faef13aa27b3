"""`varde reconcile --bigquery`: Google's client over HTTP against the stand-in, from the command line to Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from varde.batch import main, nightly
from varde.batch.counting import There, there
from varde.batch.loader import Loader
from varde.batch.reconcile import check
from varde.batch.warehouse.bigquery import BigQueryWarehouse
from varde.batch.warehouse.bigquery_options import Options, Places
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.night import NightStore

from .bigquery_standin import LOCATION, PROJECT, StandIn
from .nights import NOW, live, load, meanings, shop
from .test_write import SET, YESTERDAY, expected

SEGMENT, OURS = f"{PROJECT}.segment_prod", f"{PROJECT}.varde_out"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION}) as running:
        yield running


def client(standin: StandIn) -> bigquery.Client:
    options = {"api_endpoint": standin.url}
    return bigquery.Client(project=PROJECT, credentials=AnonymousCredentials(), client_options=options)


def test_the_command_reads_bigquery_and_writes_redis(
    redis_url: str, standin: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(redis_url=redis_url, cap=6, window_days=30, id_secret="a secret")
    messages = [data for data in shop(7, 120) if meanings([data], settings)]
    early = [data for data in messages if meanings([data], settings)[0].time <= YESTERDAY]
    places, quiet = Places(SEGMENT, OURS), Options(storage=False)
    with BigQueryWarehouse(client(standin), places, "fill", check(settings), quiet) as warehouse:
        loader = Loader(warehouse, settings.mapping, secret=b"a secret")
        for data in messages:
            loader.add(data, NOW + 1000)
        loader.flush()
    for name in SET:
        monkeypatch.setenv(f"VARDE_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setattr("varde.batch.warehouse.bigquery_options.connect", lambda _: client(standin))
    # The Storage API has no stand-in: as if its package were not there.
    monkeypatch.setattr("varde.batch.warehouse.bigquery_options.find_spec", lambda _: None)
    words = ["--bigquery", PROJECT, "--segment", SEGMENT, "--varde", OURS, "--as-of", str(YESTERDAY)]
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
        few = There(warehouse, asked.counted.items, 0, items_read=3)
        assert list(asked.counted.items) == list(here.counted.items)
        for relation in Relation:
            rows = [(item, dict(cells)) for item, cells in here.rows(relation)]
            assert len(rows) > 3
            assert [(item, dict(cells)) for item, cells in asked.rows(relation)] == rows
            assert [(item, dict(cells)) for item, cells in few.rows(relation)] == rows


def test_both_datasets_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.command(["--bigquery", PROJECT, "--segment", SEGMENT]) == main.MISUSED
    assert "--bigquery needs --segment and --varde" in capsys.readouterr().err
