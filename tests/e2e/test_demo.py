"""`varde demo` as a newcomer runs it: real Redis, Pub/Sub, stream, server and shoppers, each its own process."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from varde.demo import emulator, pubsub
from varde.demo.messages import Message
from varde.demo.replay import publish
from varde.demo.simulate import Noise, shoppers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
DATA = ROOT / "../shared/data"
KEYS = {
    "events", "rejected", "erasures", "dead_letters", "customers", "items", "pairs", "pairs_compared",
    "pairs_different", "freshness_p50_s", "freshness_p99_s", "events_per_s", "exposures",
}  # fmt: skip


def varde(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VARDE_")}
    return subprocess.run(
        [sys.executable, "-m", "varde.cli", *words], env=clean | environ, capture_output=True, text=True, timeout=500
    )


def once(*words: str, **environ: str) -> dict:
    done = varde("demo", "--once", *words, **environ)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary.keys() >= KEYS
    assert summary["pairs_different"] == summary["supports_different"] == summary["answers_different"] == 0
    assert summary["pairs_compared"] == summary["pairs"] > 0
    assert summary["answers_compared"] > 0
    assert summary["dead_letters"] == summary["rejected"]
    assert summary["events"] <= summary["warehoused"]
    assert summary["agree"] is True
    return summary


# Runs that are not about Pub/Sub are lent the one of these tests (`broker`); the others start their own.


def data(name: str) -> str:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs the shared data: {path.name} is not in ../shared/data")
    return str(path)


def test_simulated_shoppers_agree_pair_by_pair_and_their_experiment_has_a_report(tmp_path):
    """The two commands of docs/experiments.md, with less traffic."""
    file, config = tmp_path / "shop.duckdb", str(ROOT / "demo/shop.toml")
    summary = once("--limit", "4000", "--visits", "1500", "--seed", "3", "--warehouse", str(file))
    assert summary["events"] == 5500
    assert summary["exposures"] > 100
    assert summary["rejected"] > 0, "the shoppers' noise reaches the dead letters"
    assert summary["customers"] > 100
    as_of = f"--as-of={time.time_ns() // 10**6}"
    done = varde("report", "what-they-bought", "--warehouse", str(file), as_of, VARDE_CONFIG=config)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert 100 < result["quality"]["counts"]["lists"] <= summary["exposures"]
    assert sum(result["units"].values()) > 50


def test_shoppers_who_delete_their_accounts_are_forgotten_in_both(tmp_path, broker):
    """A run of simulated shoppers has a few deletions; this one has dozens, and the same ones each time."""
    stream = shoppers(3, 1_785_585_600_000, 20.0, noise=Noise(erasures=0.5))
    messages = [message.data for message in itertools.islice(stream, 4000)]
    file = tmp_path / "shoppers.ndjson"
    file.write_bytes(b"\n".join(messages))
    summary = once("--data", str(file), "--format", "segment", **broker.env)
    assert summary["erasures"] > 20


def test_nothing_to_compare_is_no_success(tmp_path, broker):
    file = tmp_path / "one.ndjson"
    file.write_text('{"type":"track","event":"Product Viewed","userId":"u","properties":{"product_id":"p"}}\n')
    for lines in (file.read_text(), ""):
        file.write_text(lines)
        done = varde("demo", "--once", "--data", str(file), "--format", "segment", **broker.env)
        assert done.returncode == 1
        assert "nothing to compare" in done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["agree"] is False


def test_a_pubsub_that_runs_already_is_shared_and_left_as_it_was(tmp_path):
    """Old messages lie in every subscription of the usual names; the demo neither reads nor keeps them from anybody."""
    names = pubsub.Names()
    given = emulator.start_standin(tmp_path)
    try:
        with pubsub.clients(given.host) as (publisher, subscriber):
            pubsub.ensure(publisher, subscriber, names)
            pubsub.ensure_subscription(subscriber, names.warehouse_subscription, names.topic)
            old = [Message(b'{"type":"track","event":"Product Viewed","userId":"old","properties":{"sku":"old"}}', 0)]
            for topic in (names.topic, names.dead_letters):
                publish(old * 7, publisher, topic)
            summary = once("--limit", "600", PUBSUB_EMULATOR_HOST=given.host, VARDE_MIN_CUSTOMERS="1")
            assert summary["events"] == summary["warehoused"] == 600
            assert summary["exposures"] == 0, "nobody asked for a list"
            project = f"projects/{names.project}"
            topics = {names.topic, names.dead_letters, names.exposures}
            assert {t.name for t in publisher.list_topics(project=project)} == topics
            subscriptions = {names.subscription, names.warehouse_subscription, names.dead_letters_subscription}
            assert {s.name for s in subscriber.list_subscriptions(project=project)} == subscriptions
            for subscription in subscriptions:
                assert len(list(pubsub.drain(subscriber, subscription))) == 7
    finally:
        given.stop()


def test_the_stand_in_and_the_small_window_agree_too():
    """Without Java there is no emulator; a cap of 5 makes evictions the usual case."""
    hidden = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "java").exists())
    summary = once("--limit", "1500", "--seed", "4", PATH=hidden, VARDE_CAP="5", VARDE_MIN_CUSTOMERS="1")
    assert summary["events"] == 1500


@pytest.mark.data
def test_online_retail_agrees_pair_by_pair(broker):
    path = data("online_retail.csv.gz")
    summary = once("--data", path, "--format", "online-retail", "--limit", "3000", **broker.env)
    assert summary["pairs_compared"] > 900_000
    assert summary["items"] > 2_000


@pytest.mark.data
def test_sessions_agree_pair_by_pair(broker):
    path = data("serenade-example/train.txt.gz")
    summary = once("--data", path, "--format", "sessions", "--limit", "6000", **broker.env)
    assert summary["events"] == 6000


def test_a_file_of_segment_messages_with_bad_lines(tmp_path, broker):
    lines = [
        json.dumps({"type": "track", "event": "Product Viewed", "userId": f"u{n % 5}", "messageId": f"m{n}-{item}",
                    "timestamp": f"2026-01-01T00:{n % 60:02d}:00Z", "receivedAt": "2026-01-01T02:00:00Z",
                    "properties": {"product_id": item}})
        for n in range(60) for item in ("tent \U0001f3d5", "a:b{c}", "nul\x00")
    ]  # fmt: skip
    file = tmp_path / "messages.ndjson"
    file.write_text("\n".join([*lines, "{broken", '{"type":"track"}', "[]"]) + "\n")
    summary = once("--data", str(file), "--format", "segment", **broker.env)
    assert (summary["events"], summary["rejected"], summary["customers"]) == (183, 3, 5)
    assert (summary["items"], summary["pairs"]) == (3, 6)


AS_IT_IS = ("-m", "varde.cli")
FEWER = """
import sys
from varde import cli
from varde.demo import main
main.OPENING, main.LOG_EVERY_S = 1500, 0.5
sys.exit(cli.main())
"""
SOONER = ("-c", FEWER)
"""The same command with fewer messages to begin with, for what does not depend on them."""


class Live:
    """A running `varde demo`, its output line by line."""

    def __init__(self, program: tuple[str, ...]) -> None:
        command = [sys.executable, *program, "demo", "--port", "0", "--shop-port", "0", "--rate", "50"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VARDE_")}
        self.process = subprocess.Popen(
            command, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.lines: list[str] = []

    def until(self, pattern: str) -> re.Match[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError("".join(self.lines[-40:]))

    def descendants(self) -> set[int]:
        return _descendants(self.process.pid)


def _descendants(pid: int) -> set[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return set()
    found = {int(child) for child in children}
    return found.union(*(_descendants(child) for child in found)) if found else found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in _state(pid)}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def live(request):
    demo = Live(request.param)
    yield demo
    if demo.process.poll() is None:
        demo.process.kill()
    demo.process.wait(30)


@pytest.mark.parametrize(
    ("live", "stop"),
    [(AS_IT_IS, signal.SIGINT), (SOONER, signal.SIGTERM), (SOONER, signal.SIGKILL)],
    ids=["SIGINT", "SIGTERM", "SIGKILL"],
    indirect=["live"],
)
def test_live_shows_neighbours_with_counts_and_leaves_no_process(live, stop):
    if stop == signal.SIGINT:
        _shows_neighbours_with_counts(live)
    live.until(r"[1-9][\d,]* messages, [1-9]\d*/s")
    started = live.descendants()
    assert len(started) >= 6, "Redis, Pub/Sub, stream, server, shop, shoppers"
    live.process.send_signal(stop)
    code = live.process.wait(60)
    assert code == (-signal.SIGKILL if stop == signal.SIGKILL else 0)
    deadline = time.monotonic() + 20
    while alive(started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(started)


def _shows_neighbours_with_counts(live):
    shop = live.until(r"shop\s+(http://\S+)").group(1)
    url = live.until(r"page\s+(http://\S+)/explore").group(1)
    similar = live.until(r"curl '(http://\S+/v1/similar/\S+)'").group(1)
    tried = live.until(r"curl '(http://\S+aid=\S+)'").group(1)
    reason = live.until(r"curl '(http://\S+/v1/explain/\S+)'").group(1)
    answer = get(similar)
    assert answer["rung"] == "pairs"
    assert all(entry["customers"] >= 1 for entry in answer["items"]), "one's own visit is to be seen"
    assert answer["items"][0]["title"], "the catalogue is there"
    for path in (answer["items"][0]["url"], answer["items"][0]["image"]):
        assert path.startswith(f"{shop}/")
        with urllib.request.urlopen(path, timeout=10) as found:
            assert found.status == 200
    assert get(f"{url}/v1/projects/demo-shop/settings")["integrations"], "the shop's events are taken"
    assert get(f"{url}/v1/recommendations?placement=home")["items"], "and its server's configuration"
    assert get(f"{url}/v1/items?q=merino")["items"]
    part = get(tried)
    assert (part["experiment"], part["variation"] in ("viewed", "bought")) == ("what-they-bought", True)
    assert get(f"{tried}-else")["experiment"] == "what-they-bought"
    explained = get(reason)
    assert explained["customers"] >= 3
    assert "viewed both" in explained["text"]
    assert len(get(live.until(r"mail\s+curl '(http://\S+)'").group(1))["items"]) == 4
    with urllib.request.urlopen(live.until(r"(http://\S+/slot/1\.png\?t=\S+)").group(1), timeout=10) as card:
        assert card.read().startswith(b"\x89PNG")
    with urllib.request.urlopen(f"{url}/explore", timeout=10) as page:
        assert b"Varde" in page.read()
    asked = Counter[str]()
    for path in re.findall(r"^curl 'http://127.0.0.1:8080(/\S+)'$", (ROOT / "README.md").read_text(), re.MULTILINE):
        told, endpoint = get(url + path), path.split("/")[2].partition("?")[0]
        asked[endpoint] += 1
        if endpoint == "explain":
            assert told["customers"] >= 1, path
        elif endpoint == "stats":
            assert told["messages"] >= told["events"] > 0, path
            assert told["customer_pairs"] > 0, path
        elif endpoint == "email":
            assert (told["ok"], len(told["items"])) == (True, 3)
        else:
            assert told["items"], path
            assert endpoint == "popular" or told["rung"] == "pairs", path
    assert asked.keys() == {"popular", "similar", "recommendations", "explain", "email", "stats"}


def test_wrong_use_is_said_clearly():
    assert "--visits needs --once" in varde("demo", "--visits", "9").stderr
    assert "must be an address" in varde("simulate", "--server", "localhost:8080").stderr
    assert "--data and --format" in varde("demo", "--once", "--data", "x").stderr
    assert "No such file" in varde("demo", "--once", "--data", "nowhere", "--format", "segment").stderr
    for name, value in (
        ("VARDE_CAP", "none"),
        ("VARDE_ITEM_KEYS", "product_code,product_id"),
        ("VARDE_EVENTS", "Kit-Ordered=view,Kit Ordered=cart"),
    ):
        done = varde("demo", "--once", **{name: value})
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"varde demo: {name}: ")
    done = varde("demo", "--port", "99999")
    assert done.returncode == 2
    assert "--port: must be between 0 and 65535" in done.stderr
