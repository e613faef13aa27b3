"""Health, metrics, errors and logs: and that the documentation names every route and metric, and no other."""

import asyncio
import logging
import os
import re
import signal
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from varde.server.access_log import SLOW_A_SECOND, AccessLog
from varde.server.errors import ApiError
from varde.server.metrics import Metrics
from varde.server.observe import BODY_BYTES
from varde.server.parts import PARTS
from varde.store.vitals import Memory, Vitals

from .world import COUNTERS

DOCS = Path(__file__).parents[2] / "docs"


async def samples(client):
    text = await (await client.get("/metrics")).text()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_health_and_readiness(serve, settings):
    client = await serve(settings)
    assert await (await client.get("/healthz")).json() == {"status": "ok"}
    assert await (await client.get("/readyz")).json() == {"status": "ready", "redis": "ok"}


async def test_readiness_is_about_being_able_to_answer(serve, settings, frail):
    client = await serve(settings, redis_url="redis://127.0.0.1:1/0", wait=False)
    response = await client.get("/readyz")
    assert (response.status, (await response.json())["error"]["code"]) == (503, "loading")
    client = await serve(settings, redis_url=frail.url, deadline_ms=200)
    os.kill(frail.pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while (await (await client.get("/readyz")).json()).get("redis") != "away":
            await client.get("/v1/similar/tent")
    assert (await client.get("/readyz")).status == 200, "it answers from memory"
    client.app[PARTS].running.draining = True
    response = await client.get("/readyz")
    assert (response.status, (await response.json())["error"]["code"]) == (503, "draining")
    assert response.headers["Connection"] == "close"
    assert (await client.get("/v1/similar/tent")).headers["Connection"] == "close"


async def test_stats_are_figures_and_the_counters_behind_them(serve, settings, everyone):
    client = await serve(settings)
    assert await (await client.get("/v1/stats")).json() == {
        "messages": 1300,
        "events": 1234,
        "ignored": 61,
        "rejected": 5,
        "customers": sum(map(bool, everyone)),
        "customer_pairs": 4880,
        "links": 70,
        "erasures": 4,
        "under_way": 5,
        "freshness_p50_s": 0.6,
        "freshness_p99_s": 1.4,
        "counters": COUNTERS,
    }


async def test_metrics_hold_every_counter_as_it_is(serve, settings):
    found = await samples(await serve(settings))
    for name, n in COUNTERS.items():
        assert found["varde_stream_total", ("counter", name)] == n
    assert found["varde_store_up",] == 1


async def test_metrics_hold_the_stream_in_forms_that_dashboards_can_use(serve, settings):
    found = await samples(await serve(settings))
    fates = {
        (dict(labels)["fate"], dict(labels)["reason"]): n
        for (name, *labels), n in found.items()
        if name == "varde_stream_messages_total"
    }
    assert fates == {
        ("accepted", ""): 1234,
        ("ignored", "event_not_mapped"): 61,
        ("rejected", "not_json"): 3,
        ("rejected", "bad_id"): 2,
    }
    assert sum(fates.values()) == COUNTERS["messages"]
    bucket = "varde_stream_freshness_seconds_bucket"
    assert [found[bucket, ("le", le)] for le in ("0.5", "0.6", "1.4", "3600.0", "+Inf")] == [0, 900, 991, 991, 992]
    assert found["varde_stream_under_way",] == 5


async def test_requests_are_counted_by_route_and_status_and_never_by_id(serve, settings):
    client = await serve(settings)
    for path in ("/v1/similar/tent", "/v1/similar/secret-item", "/v1/similar/tent?n=0", "/jane@example.org"):
        await client.get(path)
    route = ("route", "/v1/similar/{item}")
    found = await samples(client)
    assert found["varde_http_requests_total", route, ("status", "200")] == 2
    assert found["varde_http_requests_total", route, ("status", "400")] == 1
    assert found["varde_http_requests_total", ("route", "unmatched"), ("status", "404")] == 1
    seconds = {
        rung: found["varde_http_request_seconds_count", route, ("rung", rung)] for rung in ("pairs", "popular", "")
    }
    assert seconds == {"pairs": 1, "popular": 1, "": 1}
    assert found["varde_http_answers_total", route, ("rung", "pairs")] == 1
    assert found["varde_http_answers_total", route, ("rung", "popular")] == 1
    text = await (await client.get("/metrics")).text()
    assert "jane" not in text
    assert "secret-item" not in text


async def test_no_personal_id_gets_into_the_log(serve, settings, caplog):
    client = await serve(settings, access_log="all")
    with caplog.at_level(logging.INFO):
        await client.get("/v1/recommendations?uid=jane%40example.org&aid=device-1")
        await client.get("/jane@example.org")
        await client.get("/v1/recommendations?uid=" + "jane" * 100)
    lines = [record.getMessage() for record in caplog.records if record.name == "varde.server.access"]
    assert len(lines) == 3
    first = orjson.loads(lines[0])
    assert first.pop("ms") >= 0
    assert first == {
        "time": "2024-10-04T12:00:00.000+00:00",
        "method": "GET",
        "route": "/v1/recommendations",
        "status": 200,
        "request_id": "request-1",
        "rung": "pairs",
    }
    assert not re.search("jane|device", "".join(lines))


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/similar", "/v1/similar/", "/v1/similar/a/b", "/v2/similar/a", "/%00"]
)
async def test_no_route(serve, settings, path):
    client = await serve(settings)
    response = await client.get(path)
    assert response.status == 404
    assert (await response.json())["error"]["code"] == "not_found"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_only_faults_and_slow_requests_are_logged(serve, settings, caplog):
    client = await serve(settings)
    with caplog.at_level(logging.INFO):
        for path in ("/v1/similar/tent", "/v1/similar/tent?n=0", "/nowhere"):
            await client.get(path)
    lines = [orjson.loads(record.getMessage()) for record in caplog.records if record.name == "varde.server.access"]
    found = [(line["route"], line["status"]) for line in lines]
    assert found == [("/v1/similar/{item}", 400), ("unmatched", 404)]
    log = AccessLog(everything=False, deadline_s=0.15)
    assert [log.wants(200, seconds) for seconds in (0.1, 0.2)] == [False, True]


def test_a_server_that_is_slow_all_the_time_does_not_say_it_of_every_request():
    watch = iter([*[5.0] * 30, 6.0, 6.5])
    log = AccessLog(everything=False, deadline_s=0.15, clock=lambda: next(watch))
    assert sum(log.wants(200, 0.2) for _ in range(30)) == SLOW_A_SECOND
    assert all(log.wants(503, 0.2) for _ in range(50)), "faults are all said"
    assert [log.wants(200, 0.2) for _ in range(2)] == [True, True]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods(serve, settings, method):
    client = await serve(settings)
    response = await client.request(method, "/v1/similar/tent")
    assert response.status == 405
    assert (await response.json())["error"]["code"] == "method_not_allowed"
    assert "GET" in response.headers["Allow"]


async def test_a_large_body_is_refused(serve, settings):
    client = await serve(settings)
    response = await client.request("GET", "/v1/similar/tent", data=b"x" * (BODY_BYTES + 1))
    assert response.status == 413
    assert (await response.json())["error"]["code"] == "too_large"


async def test_head_answers_without_a_body(serve, settings):
    client = await serve(settings)
    response = await client.head("/v1/similar/tent")
    assert response.status == 200
    assert await response.read() == b""


async def test_a_fault_of_ours_is_500_in_json_and_tells_nothing(serve, settings, monkeypatch, caplog):
    def broken(*_):
        msg = "the inside"
        raise RuntimeError(msg)

    monkeypatch.setattr("varde.server.lists.compose", broken)
    client = await serve(settings)
    response = await client.get("/v1/similar/tent")
    assert response.status == 500
    assert "inside" not in await response.text()
    assert (await response.json())["error"]["code"] == "internal"
    assert "request request-1 failed" in caplog.text


def test_every_metric_is_documented_and_every_documented_metric_exists():
    metrics = Metrics()
    metrics.stream.values = COUNTERS
    metrics.store_up = True
    metrics.vitals.values = Vitals({"0": Memory(1, 2)}, 0, 0, 0, {"also_viewed": 0.0})
    names = set()
    for family in metrics.collect():
        if family.name.startswith("varde_"):
            names.add(family.name + ("_total" if family.type == "counter" else ""))
    section = (DOCS / "metrics.md").read_text().split("## Server")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(varde_\w+)`", section, re.MULTILINE)) == names


def test_an_error_has_one_form():
    assert ApiError(400, "bad_parameter", "no", "n").body() == {
        "error": {"code": "bad_parameter", "message": "no", "field": "n"}
    }
