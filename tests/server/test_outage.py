"""Redis frozen, killed, back again, or holding nonsense: lists answer within the deadline, never 5xx."""

import asyncio
import os
import signal
import time

import pytest
from tests.conftest import running_redis

from varde import keys
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.sync import Store

from .conftest import VERSION
from .world import ITEMS, NOW, customers, fill

DEADLINE_MS = 150
AT_MOST_S = 1.5
"""Ten deadlines: what a busy machine may add; far below any timeout of a client."""

LISTS = ["/v1/similar/tent", "/v1/recommendations?items=tent,mat", "/v1/recommendations?uid=jane"]


@pytest.fixture
async def client(serve, frail):
    """A server with the deadline under test, on a Redis that can be frozen and killed."""
    return await serve(Settings(redis_url=frail.url, deadline_ms=DEADLINE_MS))


@pytest.fixture
async def patient(serve, frail):
    """The same with a deadline that a busy machine does not miss."""
    return await serve(Settings(redis_url=frail.url, deadline_ms=20_000))


@pytest.fixture(autouse=True)
def world(frail):
    store = Store.from_settings(Settings(redis_url=frail.url), clock=lambda: NOW)
    fill(store, customers(100, ITEMS), "world")
    store.close()


async def eventually(check, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


async def rung(client, path="/v1/similar/tent"):
    return (await (await client.get(path)).json())["rung"]


async def lists_give_nothing_in_time(client):
    for path in LISTS:
        started = time.monotonic()
        response = await client.get(path)
        assert time.monotonic() - started < AT_MOST_S
        assert response.status == 200
        body = await response.json()
        assert (body["rung"], body["stale"], body["items"]) == ("none", True, [])
    body = await (await client.get("/v1/popular")).json()
    assert (body["stale"], body["items"]) == (True, [])


async def the_rest_says_so(client):
    for path in ("/v1/explain/tent/mat", "/v1/stats", "/readyz"):
        started = time.monotonic()
        response = await client.get(path)
        assert time.monotonic() - started < AT_MOST_S
        assert response.status == 503, path
        assert (await response.json())["error"]["code"] == "store_unavailable"
    assert (await client.get("/healthz")).status == 200
    text = await (await client.get("/metrics")).text()
    assert "varde_store_up 0.0" in text
    assert "varde_stream_total" not in text.replace("# HELP varde_stream_total", "").replace(
        "# TYPE varde_stream_total", ""
    )


async def test_a_frozen_redis_costs_the_deadline_and_no_more(client, frail):
    async def answers():
        return await rung(client) == "pairs" and (await client.get("/readyz")).status == 200

    await eventually(answers, "pairs at first")
    os.kill(frail.pid, signal.SIGSTOP)
    try:
        await lists_give_nothing_in_time(client)
        await the_rest_says_so(client)
    finally:
        os.kill(frail.pid, signal.SIGCONT)
    await eventually(answers, "pairs again after Redis continued")


async def test_many_requests_on_a_frozen_redis_all_end_in_time(client, frail):
    os.kill(frail.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        rungs = await asyncio.gather(*(rung(client) for _ in range(300)))
        assert time.monotonic() - started < 2 * AT_MOST_S
        assert rungs == ["none"] * 300
    finally:
        os.kill(frail.pid, signal.SIGCONT)


async def test_a_killed_redis_is_noticed_at_once_and_its_successor_used(serve, tmp_path):
    """The address is a symbolic link, so that another server can take it over."""
    address = tmp_path / "redis"
    with running_redis(VERSION) as first:
        address.symlink_to(first.url.removeprefix("unix://"))
        client = await serve(Settings(redis_url=f"unix://{address}", deadline_ms=DEADLINE_MS))

        async def ready():
            return (await client.get("/readyz")).status == 200

        await eventually(ready, "ready at first")
        os.kill(first.pid, signal.SIGKILL)
        await lists_give_nothing_in_time(client)
        await the_rest_says_so(client)
    with running_redis(VERSION) as second:
        address.unlink()
        address.symlink_to(second.url.removeprefix("unix://"))
        await eventually(ready, "ready again with another Redis")

        async def empty():
            body = await (await client.get("/v1/similar/tent")).json()
            return (body["rung"], body["stale"]) == ("none", False)

        await eventually(empty, "the answers of the other, empty Redis")


async def test_a_server_starts_without_redis(serve, tmp_path):
    client = await serve(Settings(redis_url=f"unix://{tmp_path}/nobody", deadline_ms=DEADLINE_MS))
    await lists_give_nothing_in_time(client)
    await the_rest_says_so(client)


@pytest.mark.parametrize("nonsense", [b"", b"not a row", b"\2" + b"\0" * 27, None])
async def test_a_value_that_is_no_row_costs_that_answer_only(patient, frail, nonsense):
    redis = frail.client()
    (number,) = numbers_of(frail, ["tent"])
    key = keys.row(Relation.ALSO_VIEWED, number)
    redis.delete(key)
    if nonsense is None:
        redis.rpush(key, "a list")  # WRONGTYPE
    else:
        redis.set(key, nonsense)
    body = await (await patient.get("/v1/similar/tent")).json()
    assert (body["rung"], body["stale"]) == ("none", True)
    assert await rung(patient, "/v1/similar/stove") == "pairs"
    assert 'varde_store_failures_total{reason="answer"} 1.0' in await (await patient.get("/metrics")).text()


def numbers_of(server, items):
    store = Store.from_settings(Settings(redis_url=server.url))
    numbers = store.numbers(items)
    store.close()
    return numbers


async def test_more_requests_at_once_than_a_pool_has_connections(patient):
    """redis-py refuses the 101st connection; the server makes requests wait for their turn instead."""
    rungs = await asyncio.gather(*(rung(patient) for _ in range(300)))
    assert rungs == ["pairs"] * 300
