"""GET /v1/status over a real Redis: counters as the stream writes them, Redis' loss and return, who may ask."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import closing

import pytest
from tests.conftest import running_redis

from varde.config import read
from varde.delivery import Pane, split
from varde.server import status
from varde.server.metrics import Metrics
from varde.server.snapshots import Sample
from varde.server.status_answer import answer
from varde.server.status_readings import latency, later, of_server, slower
from varde.server.status_seen import Seen
from varde.server.tally import Tally
from varde.settings import Settings
from varde.store.night import NightStore, Reconciled
from varde.store.sync import Store

from .conftest import VERSION
from .status_world import hour
from .world import COUNTERS, NOW

WITHIN_S = 30
TEXT = """
[access]
public = ["read", "explain"]
[experiments.pdp]
end = 2024-10-18
[[experiments.pdp.variations]]
key = "control"
[[experiments.pdp.variations]]
key = "cosine"
ranking = "cosine"
[experiments.old]
end = 2024-01-01
[[experiments.old.variations]]
key = "a"
[[experiments.old.variations]]
key = "b"
"""


def stream(store, run, stats):
    """Counters into Redis, as the stream counts them: in batches on several shards."""
    for lane in range(3):
        part = {name: n // 3 + (n % 3 if lane == 0 else 0) for name, n in stats.items()}
        for delivery in split(Pane(stats=part), run, lane=lane, index=0, size=1000):
            assert store.apply(delivery)


@pytest.fixture
def often(monkeypatch):
    """A look every fifth of a second."""
    monkeypatch.setattr(status, "EVERY_S", 0.2)


async def get(client, minutes=15):
    response = await client.get(f"/v1/status?minutes={minutes}")
    assert response.status == 200
    return await response.json()


async def until(client, well, what):
    """The first answer that is so."""
    async with asyncio.timeout(WITHIN_S):
        while not well(found := await get(client)):
            await asyncio.sleep(0.05)
        return found
    raise AssertionError(what)


async def test_figures_are_those_of_the_streams_counters(serve, frail, often):
    settings = Settings(redis_url=frail.url, deadline_ms=5000)
    with (
        closing(Store.from_settings(settings, clock=lambda: NOW)) as store,
        closing(NightStore.from_settings(settings)) as night,
    ):
        stream(store, "before", COUNTERS)
        client = await serve(settings)
        first = await until(client, lambda one: one["redis"]["up"], "a first look")
        assert first["state"] == "warning", "a Redis without a bound"
        assert [one["alert"] for one in first["findings"]] == ["RedisMemoryUnbounded"]
        assert first["now"]["newest_counted_s"] is None, "what was counted before is of no known age"
        assert first["now"]["under_way"] == 5
        assert {one["reason"]: one["total"] for one in first["dead_letters"]} == {"not_json": 3, "bad_id": 2}
        assert [one["last_hour"] for one in first["dead_letters"]] == [0, 0]
        assert first["night"]["ended"] is None
        more = {"messages": 60, "accepted": 57, "rejected:not_json": 3, "freshness_ms:600": 45, "freshness_ms:1400": 12}
        stream(store, "after", more | {"pairs_added": 300, "pairs_removed": 30})
        night.finish(Reconciled(NOW // 86_400_000, "run"), [], NOW // 86_400_000)
        night.note_night(NOW - 3_600_000, 1, {"also_viewed": 0.025})
        found = await until(client, lambda one: sum(each["last_hour"] for each in one["dead_letters"]) == 3, "counted")
    now = found["now"]
    assert now["events_per_s"] > 0
    assert now["changes_per_s"] == pytest.approx(now["events_per_s"] * 330 / 57, rel=0.01)
    assert now["dead_letters_per_s"] == pytest.approx(now["events_per_s"] * 3 / 57, rel=0.01)
    assert (now["freshness_p50_s"], now["freshness_p99_s"]) == (0.6, 1.4)
    assert now["newest_counted_s"] is not None
    assert {one["reason"]: one["total"] for one in found["dead_letters"]} == {"not_json": 6, "bad_id": 2}
    assert found["night"] == {
        "reconciled_until": "2024-10-04T00:00:00.000Z",
        "ended": "2024-10-04T11:00:00.000Z",
        "refusals": 1,
        "drift": [{"of": "also_viewed", "part": 0.025}],
    }
    assert {"NightRefused", "DriftHigh"} <= {one["alert"] for one in found["findings"]}


async def test_redis_goes_and_comes_again(serve, tmp_path, often):
    """The address is a symbolic link, so that another server can take it over."""
    address = tmp_path / "redis"
    with running_redis(VERSION) as first, running_redis(VERSION) as second:
        for one in (first, second):
            with closing(Store.from_settings(Settings(redis_url=one.url), clock=lambda: NOW)) as store:
                stream(store, "world", COUNTERS)
        address.symlink_to(first.url.removeprefix("unix://"))
        client = await serve(Settings(redis_url=f"unix://{address}", deadline_ms=500))
        well = await until(client, lambda one: one["redis"]["up"], "well")
        os.kill(first.pid, signal.SIGKILL)
        away = await until(client, lambda one: not one["redis"]["up"], "away")
        assert away["redis"]["away_since"] == "2024-10-04T12:00:00.000Z"
        assert away["state"] == "problem"
        assert away["findings"][0]["text"].startswith("Redis away since 12:00:00 UTC.")
        assert away["findings"][0]["runbook"] == "docs/runbook.md#redisdown"
        assert away["dead_letters"] == well["dead_letters"], "totals as they were last told"
        address.unlink()
        address.symlink_to(second.url.removeprefix("unix://"))
        back = await until(client, lambda one: one["redis"]["up"], "back")
        assert back["redis"]["away_since"] is None
        assert "RedisDown" not in {one["alert"] for one in back["findings"]}


async def test_without_redis_from_the_start_it_says_so(serve, often):
    client = await serve(Settings(redis_url="redis://127.0.0.1:1/0"), wait=False)
    found = await until(client, lambda one: one["state"] != "starting", "a look")
    assert (found["state"], found["redis"]["up"], found["stale"]) == ("problem", False, True)
    assert found["now"]["events_per_s"] is None
    assert set(found["plots"]["series"]["events_per_s"]) == {None}


async def test_before_the_first_look_it_is_starting(serve, settings):
    found = answer(Seen(), [], 60, "0")
    assert found["state"] == "starting"
    assert not found["redis"]["up"]
    assert found["findings"] == []


async def test_experiments_with_the_lists_that_were_shown(serve, settings, often):
    rankings = ("llr", "cosine")
    client = await serve(settings, config=read(TEXT, rankings), rankings=rankings)
    for n in range(40):
        assert (await client.get(f"/v1/similar/tent?aid=device-{n}")).status == 200

    def shown(one):
        return sum(each["lists"] for each in one["experiments"][0]["variations"]) == 40

    running, old = (await until(client, shown, "counted"))["experiments"]
    assert (running["key"], running["state"], running["end"]) == ("pdp", "running", "2024-10-18T00:00:00.000Z")
    assert [(each["key"], each["weight"]) for each in running["variations"]] == [("control", 0.5), ("cosine", 0.5)]
    assert all(each["lists"] > 0 for each in running["variations"])
    assert (old["key"], old["state"]) == ("old", "ended")
    text = await (await client.get("/metrics")).text()
    assert 'varde_experiment_lists_total{experiment="pdp",variation="control"}' in text


@pytest.mark.parametrize(("query", "field"), [("minutes=5", "minutes"), ("minutes=", "minutes"), ("n=1", "n")])
async def test_other_parameters_are_refused(serve, settings, query, field):
    response = await (await serve(settings)).get(f"/v1/status?{query}")
    assert (response.status, (await response.json())["error"]["field"]) == (400, field)


async def test_figures_need_a_key_where_a_configuration_does_not_say_otherwise(serve, settings):
    client = await serve(settings, config=read('[access]\npublic = ["read"]\n', ("llr",)))
    response = await client.get("/v1/status")
    assert response.status == 401
    assert (await client.get("/status")).status == 200, "the page itself holds no figures"


async def test_an_answer_is_kept_by_nobody_and_made_once_a_look(serve, settings):
    client = await serve(settings)
    response = await client.get("/v1/status")
    assert response.headers["Cache-Control"] == "no-store"
    told = client.app[status.TOLD]
    assert told.body(15) is told.body(15)
    assert told.body(15) is not told.body(60)


async def test_a_look_that_fails_is_logged_once_and_not_the_last(serve, settings, often, monkeypatch, caplog):
    client = await serve(settings)
    watch = client.app[status.TOLD]._watch
    await until(client, lambda one: one["redis"]["up"], "a first look")
    before = watch._counted
    tried = []

    def broken():
        tried.append(1)
        raise OSError

    monkeypatch.setattr(watch, "_counted", broken)
    await until(client, lambda one: len(tried) > 2, "looks that fail")
    monkeypatch.setattr(watch, "_counted", before)
    looks = watch.seen.looks
    await until(client, lambda one: watch.seen.looks > looks, "a look again")
    assert len([one for one in caplog.records if "a look failed" in one.getMessage()]) == 1


def test_plots_have_a_point_for_every_step():
    for minutes, step in status.STEPS_S.items():
        found = answer(hour(), [], minutes, "0")["plots"]
        assert {len(line) for line in found["series"].values()} == {minutes * 60 // step}
    gaps = [value is None for value in found["series"]["events_per_s"]]
    assert 4 <= sum(gaps) <= 7, "two and a half minutes without an answer"
    assert None not in found["series"]["requests_per_s"]


def test_requests_are_those_of_all_processes(tmp_path):
    """Whoever is asked says the sum, and how many live."""
    several = [Metrics(str(place), tmp_path) for place in range(3)]
    for place, metrics in enumerate(several):
        for _ in range(10 * (place + 1)):
            metrics.tally.add("/v1/similar/{item}", 200, "pairs", 0.003)
        metrics.tally.add("/v1/similar/{item}", 200, "popular", 0.2)
        metrics.tally.add("/v1/stats", 500, "", 0.1)
        metrics.tally.add("/metrics", 200, "", 0.1)
        metrics.gauges = lambda: [Sample("varde_draining", {}, 0.0)]
        metrics.leave()
    for metrics in several:
        tally, counts, gauges = metrics.summed()
        found = of_server(tally, counts)
        assert {name: found[name] for name in ("requests", "faults", "lists", "fallbacks")} == {
            "requests": 66,
            "faults": 3,
            "lists": 63,
            "fallbacks": 3,
        }
        assert Seen(gauges=gauges).processes == 3


def test_quantiles_of_lists():
    tally = Tally()
    for _ in range(98):
        tally.add("/v1/popular", 200, "popular", 0.0015)
    for _ in range(2):
        tally.add("/v1/popular", 200, "popular", 0.12)
    grown = of_server(tally, [])
    assert (latency(grown, 0.5), latency(grown, 0.99), slower(grown, 0.1)) == (0.002, 0.15, 2)
    assert latency({}, 0.5) is None
    tally.add("/v1/popular", 200, "popular", 60.0)
    assert latency(of_server(tally, []), 1.0) is None, "slower than the last bound"
    assert later({"freshness_ms:5000": 7, "freshness_ms:7500": 2, "freshness_ms:inf": 1}, 5.0) == 3
