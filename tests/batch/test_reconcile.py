"""`varde reconcile` from messages to the comparison, against a real Redis filled by the core's own transitions."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from varde import keys
from varde.batch import main, report
from varde.batch.arguments import check
from varde.batch.loader import Loader
from varde.batch.reconcile import Request
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.counts import Counts
from varde.delivery import Pane, split
from varde.history import Signal
from varde.pairs import NOBODY, Histories, difference
from varde.settings import Settings, SettingsError
from varde.store.sync import Store

from .nights import run

NOW = 1_767_225_600_000
CUSTOMERS = {f"u{n}": (f"p{n % 3}", f"p{n % 5 + 3}", f"hostile\n{{{n % 2}}}") for n in range(12)}


def messages() -> list[bytes]:
    found = []
    for n, (user, items) in enumerate(CUSTOMERS.items()):
        common = {"userId": user, "timestamp": NOW + n, "type": "track"}
        found += [common | {"event": "Product Viewed", "properties": {"product_id": item}} for item in items]
        bought = {"products": [{"product_id": item} for item in items[:2]]}
        found.append(common | {"event": "Order Completed", "properties": bought})
    return [orjson.dumps(said) for said in found]


def live_counts() -> Counts:
    counts = Counts()
    for n, items in enumerate(CUSTOMERS.values()):
        held = Histories(view=dict.fromkeys(items, NOW + n), purchase=dict.fromkeys(items[:2], NOW + n))
        counts.add(difference(NOBODY, held, NOW // 86_400_000))
    return counts


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url)


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with DuckDBWarehouse(path) as opened:
        loader = Loader(opened)
        for data in messages() * 2:
            loader.add(data, NOW + 1000)
        loader.flush()
    return path


def apply(settings: Settings, counts: Counts, run: str) -> None:
    with closing(Store.from_settings(settings)) as store:
        for delivery in split(Pane(counts=counts), run, 0, 0, 1000):
            assert store.apply(delivery)


def test_the_same_messages_agree(settings: Settings, warehouse: Path) -> None:
    apply(settings, live_counts(), "live")
    steps: list[str] = []
    outcome = run(settings, warehouse, Request(NOW + 1000), steps.append)
    assert outcome.night.as_of == NOW + 1000
    figures = outcome.figures()
    assert figures["pairs_different"] == figures["supports_different"] == 0
    assert figures["pairs_compared"] > 20
    assert figures["customers"] == len(CUSTOMERS)
    assert figures["pairs"]["viewed_bought"]["compared"] > 0
    assert {"messages", "histories", "pairs", "also_viewed", "viewed_bought"} <= set(steps)
    assert outcome.night.rows_of["messages"] == len(messages()), "duplicates are gone"


def test_one_lost_customer_is_found(settings: Settings, warehouse: Path) -> None:
    counts = live_counts()
    gone = Histories(view=dict.fromkeys(("p0", "p3"), NOW))
    counts.add(difference(gone, NOBODY, NOW // 86_400_000))
    apply(settings, counts, "live")
    outcome = run(settings, warehouse, Request(NOW + 1000))
    found = outcome.drift.pairs["also_viewed"]
    assert found.different == 2
    assert {(d.item, d.other, d.nightly - d.live) for d in found.worst} == {("p0", "p3", 1), ("p3", "p0", 1)}
    assert outcome.drift.supports["view"].different == 3, "p0, p3, and the number of customers"
    assert outcome.drift.supports["any"].different == 1
    shown = report.table(outcome)
    assert 'also_viewed: "p0" "p3": live' in shown


def environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"VARDE_{name.upper()}", value)


def test_command(
    settings: Settings, warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(monkeypatch, redis_url=settings.redis_url)
    assert main.command(["--warehouse", str(warehouse), "--as-of", "2026-01-02T00:00:00Z"]) == 1
    out, progress = capsys.readouterr()
    figures: dict[str, Any] = orjson.loads(out.splitlines()[-1])
    assert figures["as_of"] == NOW + 86_400_000
    assert figures["pairs_different"] == figures["pairs_compared"] > 0, "nothing is live"
    assert "histories" in progress
    apply(settings, live_counts(), "live")
    assert noted(settings)["drift:also_viewed"] == "1.0"
    assert main.command(["--warehouse", str(warehouse), "--as-of", str(NOW + 1000)]) == 0
    assert noted(settings)["drift:also_viewed"] == "0.0"
    assert {"drift:support any", "ended", "refusals"} <= set(noted(settings))


def noted(settings: Settings) -> dict[str, str]:
    """What Redis is told of the last run."""
    with redis.Redis.from_url(settings.redis_url, decode_responses=True) as client:
        told: dict[str, str] = client.hgetall(keys.night())
        return told


def test_command_says_what_is_wrong(
    tmp_path: Path,
    warehouse: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment(monkeypatch, redis_url=settings.redis_url)
    assert main.command(["--warehouse", str(tmp_path / "none")]) == 2
    assert "no such file" in capsys.readouterr().err
    DuckDBWarehouse(tmp_path / "empty").close()
    assert main.command(["--warehouse", str(tmp_path / "empty")]) == 2
    assert "holds no messages" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main.command(["--warehouse", str(warehouse), "--as-of", "yesterday"])
    assert "--as-of: not a time" in capsys.readouterr().err
    (tmp_path / "text").write_text("this is no database\n" * 1000)
    tmp_path.joinpath("folder").mkdir()
    for name in ("text", "folder"):
        assert main.command(["--warehouse", str(tmp_path / name)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"varde reconcile: {tmp_path / name}: IO Error: ")
    environment(monkeypatch, events="Kit-Ordered=view,Kit Ordered=cart")
    with pytest.raises(SettingsError, match=r"^VARDE_EVENTS: .*kit_ordered"):
        main.command(["--warehouse", str(warehouse)])
    environment(monkeypatch, events="Kit Ordered=cart")
    environment(monkeypatch, item_keys="parent_id")
    with pytest.raises(SettingsError, match=r"^VARDE_ITEM_KEYS: .*parent_id"):
        main.command(["--warehouse", str(warehouse)])


HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_a_file_that_another_process_holds(
    warehouse: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(monkeypatch, redis_url=settings.redis_url)
    holder = [sys.executable, "-c", HOLD, str(warehouse)]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert main.command(["--warehouse", str(warehouse)]) == main.FAILED
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{warehouse}: IO Error: " in line
        assert "lock" in line
        process.communicate()


def test_own_events_and_carts_are_read(settings: Settings, tmp_path: Path) -> None:
    own = Settings(redis_url=settings.redis_url, events=(("Trail Opened", Signal.CART),))
    path = tmp_path / "own"
    with DuckDBWarehouse(path) as opened:
        loader = Loader(opened, own.mapping)
        said = {"type": "track", "event": "Trail Opened", "anonymousId": "a", "properties": {"sku": "s"}}
        loader.add(orjson.dumps(said), NOW)
        loader.flush()
    assert run(own, path, Request(NOW)).night.supports == {Signal.CART: {"": 1, "s": 1}, 3: {"": 1}}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_and_elsewhere() -> None:
    for out, shown in (
        (Terminal(), "\r\x1b[Kone 1\r\x1b[Ktwo 1\r\x1b[Ktwo 100\r\x1b[K"),
        (io.StringIO(), "one\ntwo\n"),
    ):
        progress = report.Progress(out)
        progress("one")
        for _ in range(150):
            progress("two")
        progress.done()
        assert out.getvalue() == shown


def test_a_terminal_shows_a_bar_where_the_end_is_known() -> None:
    out = Terminal()
    progress = report.Progress(out)
    progress.expect({"also_viewed": 400})
    for _ in range(200):
        progress("also_viewed")
    assert out.getvalue().endswith("\r\x1b[Kalso_viewed [############            ]  50% 200")


def test_robots_and_consent_are_told(settings: Settings, tmp_path: Path) -> None:
    shop = Settings(redis_url=settings.redis_url, consent_categories=("Analytics",))
    path = tmp_path / "consent"
    agreed = {"consent": {"categoryPreferences": {"Analytics": True}}}
    contexts = [agreed, {"consent": {}}, agreed | {"userAgent": "Googlebot/2.1"}, {}]
    with DuckDBWarehouse(path, check(shop)) as opened:
        loader = Loader(opened, shop.mapping)
        for n, context in enumerate(contexts):
            said = {"type": "track", "event": "Product Viewed", "userId": f"u{n}", "context": context}
            loader.add(orjson.dumps(said | {"properties": {"sku": f"s{n}"}}), NOW)
        loader.add(orjson.dumps({"type": "track", "event": "Order Refunded", "userId": "u", "context": agreed}), NOW)
        loader.flush()
    outcome = run(shop, path, Request(NOW))
    assert set(outcome.night.supports[0]) == {"", "s0", "s3"}
    assert outcome.figures()["faults"] == {"return.no_order_id": 1, "view.no_consent": 1, "view.robot": 1}
    assert "  return messages, no_order_id: 1" in report.table(outcome)
    denied = Settings(redis_url=settings.redis_url, consent_categories=("Analytics",), consent_default="denied")
    assert set(run(denied, path, Request(NOW)).night.supports[0]) == {"", "s0"}
    counted = Settings(redis_url=settings.redis_url, robots="count")
    assert set(run(counted, path, Request(NOW)).night.supports[0]) == {"", "s0", "s1", "s2", "s3"}
