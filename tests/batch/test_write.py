"""`varde reconcile --apply` from a warehouse file into a real Redis: what it writes, refuses, and survives."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.property import oracle

from varde import keys
from varde.batch import guard, main, nightly, reconcile, report
from varde.batch.arguments import check
from varde.batch.counting import here, there
from varde.batch.reconcile import NotAtMidnightError, Request
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import TIMESTAMP
from varde.history import DAY_MS
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.night import NightStore

from .nights import NOW, TODAY, live, load, meanings, run, shop, stream

KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("FAULT_SEED", str(random.SystemRandom().randrange(2**32))))
YESTERDAY = TODAY * DAY_MS - 1
OPENED = NightStore.from_settings
SET = ("redis_url", "cap", "window_days", "id_secret")


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, cap=6, window_days=30, id_secret="a secret")


@pytest.fixture
def store(settings: Settings):
    with closing(NightStore.from_settings(settings, lambda: NOW)) as opened:
        yield opened


def arguments(path: Path, *more: str) -> list[str]:
    # The messages are of a fixed date, so the warehouse always looks old.
    return ["--warehouse", str(path), "--as-of", str(YESTERDAY), "--max-stale-hours", "1e9", *more]


def command(monkeypatch: pytest.MonkeyPatch, settings: Settings, *words: str) -> int:
    for name in SET:
        monkeypatch.setenv(f"VARDE_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setattr(NightStore, "from_settings", lambda given: OPENED(given, lambda: NOW))
    return main.command(list(words))


def apply(
    path: Path, settings: Settings, store: NightStore, force: bool = False, resume: bool = False
) -> reconcile.Outcome:
    request = Request(YESTERDAY, apply=True, force=force, resume=resume)
    with DuckDBWarehouse(path, check(settings)) as warehouse:
        return reconcile.reconcile(warehouse, store, settings, request, now=lambda: NOW)


def expected(messages: list[bytes], settings: Settings) -> oracle.Totals:
    return oracle.arrival(meanings(messages, settings), settings.limits, NOW)


@examples(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), lost=st.integers(0, 5))
def test_live_counts_become_the_warehouses_and_keep_what_came_since(
    redis_server, settings: Settings, store: NightStore, tmp_path_factory: pytest.TempPathFactory, seed: int, lost: int
) -> None:
    """Also when the stream has lost messages of the days before."""
    with redis_server.client() as client:
        client.flushall()
    store._names.clear()
    store._table.forget()
    messages = shop(seed, 160)
    events = meanings(messages, settings)
    rng = random.Random(seed)
    early = [e for e in events if e.time <= YESTERDAY]
    gone = {id(e) for e in rng.sample(early, min(lost, len(early)))}
    stream(store, [e for e in events if id(e) not in gone], settings, "stream")
    path = tmp_path_factory.mktemp("night") / "w.duckdb"
    load(path, messages, settings)
    outcome = apply(path, settings, store, force=True)
    if not lost:
        assert outcome.drift.pairs_different == 0
        assert live(store) == expected(messages, settings)
    assert outcome.after is not None
    assert outcome.after.pairs_different == outcome.after.supports_different == 0


def test_an_empty_redis_is_filled_in_one_run(settings: Settings, store: NightStore, tmp_path: Path) -> None:
    messages = [data for data in shop(1, 400) if orjson.loads(data)["timestamp"] <= YESTERDAY]
    load(tmp_path / "w", [*messages, _late()], settings)
    outcome = apply(tmp_path / "w", settings, store)
    assert outcome.refusals == ()
    assert live(store) == oracle.arrival(meanings(messages, settings), settings.limits, NOW)
    assert store.popular(0, 3)
    known = store.customer([keys.customer_key(f"u{n}", None, b"a secret") for n in range(12)])
    assert any(one.views for one in known) and any(one.bought for one in known)
    assert any(store.row(0, item) for item in store.all_items())


def test_what_is_not_believed_is_not_written(
    settings: Settings,
    store: NightStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = replace(settings, cap=30)  # with fewer items the sums are too small to judge by
    messages = shop(2, 1000)
    stream(store, meanings(messages, settings), settings, "stream")
    before = live(store)
    load(tmp_path / "w", [*messages[:100], _late()], settings)
    assert command(monkeypatch, settings, *arguments(tmp_path / "w", "--apply")) == main.REFUSED
    out = capsys.readouterr().out
    assert "refused: drop: pairs of also_viewed would fall" in out
    assert orjson.loads(out.splitlines()[-1])["applied"] is False
    assert live(store) == before
    assert command(monkeypatch, settings, *arguments(tmp_path / "w", "--apply", "--force")) == main.AGREES
    assert orjson.loads(capsys.readouterr().out.splitlines()[-1])["pairs_different_after"] == 0
    assert live(store) != before
    assert command(monkeypatch, settings, *arguments(tmp_path / "w")) == main.AGREES


def test_only_the_end_of_a_day_is_written(settings: Settings, tmp_path: Path) -> None:
    load(tmp_path / "w", shop(3, 40), settings)
    with pytest.raises(NotAtMidnightError):
        run(settings, tmp_path / "w", Request(YESTERDAY - 1, apply=True))


def test_the_day_that_the_table_behind_most_has_whole_is_taken(
    settings: Settings, store: NightStore, tmp_path: Path
) -> None:
    """Without a time: `tracks` knows all of yesterday, the table of the views lacks its last hours."""
    load(tmp_path / "w", [*shop(4, 200), _late()], settings)
    with DuckDBWarehouse(tmp_path / "w", check(settings)) as warehouse:
        whole = reconcile.reconcile(warehouse, store, settings, now=lambda: NOW)
        views = warehouse.read("segment.product_viewed")
        bound = pa.scalar((YESTERDAY - 7_200_000) * 1000, TIMESTAMP)
        warehouse.replace("segment.product_viewed", views.filter(pc.less(views["received_at"], bound)))
        lagging = reconcile.reconcile(warehouse, store, settings, now=lambda: NOW)
        asked = Request(YESTERDAY, apply=True)
        refused = reconcile.reconcile(warehouse, store, settings, asked, now=lambda: NOW)
    assert (whole.night.as_of, whole.figures()["decided_by"]) == (YESTERDAY, "tracks")
    figures = lagging.figures()
    assert (figures["as_of"], figures["decided_by"]) == (YESTERDAY - DAY_MS, "product_viewed")
    assert figures["complete_until"] == figures["behind"]["product_viewed"] - 1 > YESTERDAY - 7_200_000
    assert "tracks has rows since then that product_viewed lacks" in report.table(lagging)
    (why,) = refused.refusals
    assert why.startswith("incomplete: the table product_viewed has not all messages")


REPORTS = ("item_supports", "neighbours", "runs")


def reports(warehouse: DuckDBWarehouse) -> dict[str, list[str]]:
    return {table: sorted(map(repr, warehouse.read(f"varde.{table}").to_pylist())) for table in REPORTS}


def test_only_a_night_that_is_written_replaces_what_reports_read(
    settings: Settings, store: NightStore, tmp_path: Path
) -> None:
    messages = shop(9, 400)
    load(tmp_path / "w", messages, settings)
    apply(tmp_path / "w", settings, store, force=True)
    load(tmp_path / "few", [*messages[:60], _late()], settings)
    with DuckDBWarehouse(tmp_path / "w", check(settings)) as warehouse:
        before = reports(warehouse)
        assert all(before.values())
        with DuckDBWarehouse(tmp_path / "few", check(settings)) as few:
            for table in ("tracks", "product_viewed", "order_completed"):
                warehouse.replace(f"segment.{table}", few.read(f"segment.{table}"))
        strict = guard.Thresholds(max_drop=0.0, min_sum=1, max_stale_hours=1e9)
        compared = Request(YESTERDAY, counter=there)
        assert reconcile.reconcile(warehouse, store, settings, compared, now=lambda: NOW).drift.pairs_different
        assert reports(warehouse) == before
        refused = Request(YESTERDAY, apply=True, thresholds=strict, counter=there)
        outcome = reconcile.reconcile(warehouse, store, settings, refused, now=lambda: NOW)
        assert any(why.startswith("drop") for why in outcome.refusals)
        after = reports(warehouse)
        runs = {row["applied"]: row["pairs"] for row in warehouse.read("varde.runs").to_pylist()}
        assert runs[False] == warehouse.materialize("pair_counts", {}) < runs[True], "a refused run is noted"
    assert {table: after[table] for table in REPORTS[:2]} == {table: before[table] for table in REPORTS[:2]}


def test_pairs_for_reports_are_written_in_parts_of_the_size_that_is_asked_for(
    settings: Settings, store: NightStore, tmp_path: Path
) -> None:
    parts: list[int] = []

    class Noting(DuckDBWarehouse):
        def load(self, table: str, rows: pa.Table) -> int:
            if table == "varde.pair_counts":
                parts.append(rows.num_rows)
            return super().load(table, rows)

    load(tmp_path / "w", shop(10, 200), settings)
    with Noting(tmp_path / "w", check(settings)) as warehouse:
        for cells, most in ((5, 15), (10**6, 10**6)):
            asked = Request(YESTERDAY, apply=True, force=True, counter=here(cells))
            reconcile.reconcile(warehouse, store, settings, asked, now=lambda: NOW)
            assert max(parts) <= most, "one row has up to fourteen other items"
            parts.clear() if cells == 5 else None
    assert len(parts) == 3, "a relation at once"


def test_a_night_is_known_by_all_that_it_comes_from(settings: Settings, tmp_path: Path) -> None:
    messages = shop(11, 120)
    with _loaded(tmp_path / "w", messages, settings) as warehouse:
        first = _name(warehouse, settings)
        assert _name(warehouse, settings) == first, "the same night again"
        others = [
            replace(settings, cap=5),
            replace(settings, window_days=29),
            replace(settings, item_keys=("product_id",)),
            replace(settings, robots="count"),
        ]
        names = {first, *(_name(warehouse, other) for other in others)}
        assert len(names) == len(others) + 1
    swapped = [data.replace(b'"item 0"', b'"item 99"') for data in messages]
    with _loaded(tmp_path / "v", swapped, settings) as warehouse:
        assert _name(warehouse, settings) not in names, "as many rows, of other items"


def _loaded(path: Path, messages: list[bytes], settings: Settings) -> DuckDBWarehouse:
    load(path, messages, settings)
    return DuckDBWarehouse(path, check(settings))


def _name(warehouse: DuckDBWarehouse, settings: Settings) -> str:
    night = nightly.build(warehouse, YESTERDAY, settings.limits, settings.mapping)
    return reconcile.name(night, settings.limits, settings.mapping)


@pytest.mark.e2e
@pytest.mark.timeout(1200)
def test_a_run_that_is_killed_anywhere_is_gone_on_with(
    redis_server, settings: Settings, store: NightStore, tmp_path: Path
) -> None:
    """SIGKILL at a random command, then `--resume`: the same as without."""
    print(f"FAULT_SEED={SEED}")
    rng = random.Random(SEED)
    messages = shop(SEED, 300)
    events = meanings(messages, settings)
    load(tmp_path / "w", messages, settings)
    environ = dict(os.environ) | {f"VARDE_{name.upper()}": str(getattr(settings, name)) for name in SET}
    killed, last = 0, 0
    for kill in range(-1, KILLS):  # the first one lives, to say how far the others may come
        with redis_server.client() as client:
            client.flushall()
        store._names.clear()
        store._table.forget()
        some = rng.sample(events, len(events) * 9 // 10)  # the stream has lost a tenth, and the order
        stream(store, some, settings, f"stream{kill}")
        # From the comparison on: what is before it only reads.
        when = [str(rng.randint(last // 5, last) if last else 10**9), rng.choice(["before", "after"])]
        words = [*when, *arguments(tmp_path / "w", "--apply", "--force")]
        died = subprocess.run(
            [sys.executable, "-m", "tests.batch.killed", *words], env=environ, capture_output=True, check=False
        )
        assert died.returncode in (-signal.SIGKILL, 0), died.stderr.decode()
        killed += died.returncode != 0
        last = last or int(died.stdout.split()[-1])
        print("KILLED", died.returncode, when, last)
        with redis_server.client() as client:
            client.delete(keys.lock())  # it would have run out by itself
        outcome = apply(tmp_path / "w", settings, store, force=True, resume=True)
        assert outcome.after is not None
        assert outcome.after.pairs_different == outcome.after.supports_different == 0
        positive = {pair: n for pair, n in live(store)[0].items() if n > 0}  # what was lost leaves less than nothing
        assert rows_of(store) == positive, "and so do the serving rows"
    assert killed == KILLS


def rows_of(store: NightStore) -> dict[tuple[int, str, str], int]:
    """The counts in the serving rows."""
    out: dict[tuple[int, str, str], int] = {}
    for relation in Relation:
        for item in store.all_items():
            row = store.row(relation, item)
            if row is not None:
                names = store.names(row.items.tolist())
                out |= {(int(relation), item, str(n)): c for n, c in zip(names, row.counts.tolist(), strict=True)}
    return out


def _late() -> bytes:
    """A message of today, so that yesterday is known to be whole."""
    said = {"type": "track", "event": "Other", "userId": "x", "timestamp": NOW, "receivedAt": NOW}
    return orjson.dumps(said)
