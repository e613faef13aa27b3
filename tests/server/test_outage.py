"""Redis frozen, killed, slow, back again, or holding nonsense, under load: answers in time out of memory, never 5xx."""

import asyncio
import os
import signal
import statistics
import time
from contextlib import contextmanager

import pytest
from tests.conftest import running_redis

from varde import keys
from varde.pairs import Relation
from varde.server.parts import PARTS
from varde.settings import Settings
from varde.store.sync import Store

from .conftest import VERSION
from .slow import load, slow
from .world import ITEMS, NOW, customers, fill

pytestmark = pytest.mark.alone

DEADLINE_MS = 150
AT_MOST_S = 1.5
"""Ten deadlines: what a busy machine with server, clients and proxy in one process may add to one answer."""
USUALLY_S = 0.3
"""Two deadlines: what the median may come to."""

WARM, COLD, PERSONAL = "/v1/similar/tent", "/v1/similar/mug", "/v1/recommendations?uid=jane"
PAGE = {"uid": "jane", "placements": [{"id": str(n), "items": ["tent", "mat"], "n": 2} for n in range(4)]}
REQUESTS = [
    ("GET", WARM, None),
    ("GET", "/v1/recommendations?items=tent,mat", None),
    ("GET", PERSONAL, None),
    ("GET", "/v1/similar/never-seen", None),
    ("GET", "/v1/popular", None),
    ("POST", "/v1/placements", PAGE),
]
JANE = {keys.customer_key("jane", None): {"stove": NOW - 5}}


def filled(url):
    store = Store.from_settings(Settings(redis_url=url), clock=lambda: NOW)
    fill(store, customers(100, ITEMS), "world", JANE)
    store.close()


@pytest.fixture(autouse=True)
def world(frail):
    filled(frail.url)


@pytest.fixture
async def client(serve, frail):
    """A server with the deadline under test, on a Redis that can be frozen and killed."""
    return await serve(Settings(redis_url=frail.url, deadline_ms=DEADLINE_MS))


@pytest.fixture
async def patient(serve, frail):
    """The same with a deadline that a busy machine does not miss."""
    return await serve(Settings(redis_url=frail.url, deadline_ms=20_000))


@contextmanager
def frozen(server):
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def eventually(check, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


async def body_of(client, path):
    response = await client.get(path)
    assert response.status == 200, await response.text()
    return await response.json()


async def rung(client, path=WARM):
    body = await body_of(client, path)
    return body["rung"], body["stale"]


async def well(client):
    """Whether everything comes from Redis as it is now."""
    answers = [await rung(client, path) for path in (WARM, PERSONAL, "/v1/recommendations?items=tent,mat")]
    return answers == [("pairs", False)] * 3


def of(answers, path):
    return [body for asked, _, _, body in answers if asked == path]


async def until(running, enough, what, seconds=20):
    """Answers under load until `enough` says so of the latest of them, all good and in time."""
    deadline, every = time.monotonic() + seconds, []
    while True:
        await asyncio.sleep(0.05)
        some = running.taken()
        every += some
        if some and enough(some):
            break
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
    assert {status for _, status, _, _ in every} == {200}
    took = [seconds for _, _, seconds, _ in every]
    assert max(took) < AT_MOST_S
    assert statistics.median(took) < USUALLY_S
    return every


def out_of_memory(some):
    """Every answer says that it may be old; the pairs that were in memory are there; nothing is empty."""
    lists = [body for *_, body in some if "placements" not in body]
    lists += [one for *_, body in some for one in body.get("placements", {}).values()]
    assert all(body["items"] for body in lists)
    return (
        all(body["stale"] for body in lists)
        and {body["rung"] for body in of(some, WARM)} <= {"pairs"}
        and {body["rung"] for body in of(some, PERSONAL)} <= {"popular"}
        and len(some) > 5
    )


def up_to_date(some):
    lists = [body for *_, body in some if "placements" not in body]
    lists += [one for *_, body in some for one in body.get("placements", {}).values()]
    return not any(body["stale"] for body in lists) and {body["rung"] for body in of(some, PERSONAL)} == {"pairs"}


async def outage(client, running, begin, end):
    """Redis goes and comes again, and what the answers say meanwhile."""
    circuit = client.app[PARTS].running.circuit
    await until(running, up_to_date, "all is well at first")
    begin()
    await until(running, out_of_memory, "answers out of memory")
    await eventually(lambda: settled(circuit.open), "the circuit is open")
    assert (await rung(client, COLD))[0] in ("popular", "category", "pairs")
    assert (await rung(client, COLD))[1] is True
    await the_rest_says_so(client)
    end()
    await until(running, up_to_date, "up to date again without a restart")
    await eventually(lambda: settled(not circuit.open), "the circuit is closed")
    assert (await (await client.get("/readyz")).json())["redis"] == "ok"


async def settled(value):
    return value


async def the_rest_says_so(client):
    for path in ("/v1/explain/tent/mat", "/v1/stats"):
        started = time.monotonic()
        response = await client.get(path)
        assert time.monotonic() - started < AT_MOST_S
        assert response.status == 503, path
        assert (await response.json())["error"]["code"] == "store_unavailable"
    assert (await client.get("/healthz")).status == 200
    assert (await (await client.get("/readyz")).json()) == {"status": "ready", "redis": "away"}
    text = await (await client.get("/metrics")).text()
    assert "varde_store_up 0.0" in text
    assert "varde_stream_total" not in text.replace("# HELP varde_stream_total", "").replace(
        "# TYPE varde_stream_total", ""
    )


async def test_a_frozen_redis_under_load(client, frail):
    await eventually(lambda: well(client), "pairs at first")
    try:
        async with load(client, REQUESTS) as running:
            stop = [lambda n=n: os.kill(frail.pid, n) for n in (signal.SIGSTOP, signal.SIGCONT)]
            await outage(client, running, *stop)
    finally:
        os.kill(frail.pid, signal.SIGCONT)


async def test_a_slow_redis_under_load(serve, frail):
    """Slower than the deadline: as if it were not there. Slower than usual, but in time: used, and nothing is stale."""
    async with slow(frail) as proxy:
        client = await serve(Settings(redis_url=proxy.url, deadline_ms=DEADLINE_MS))
        await eventually(lambda: well(client), "pairs at first")

        def delay(seconds):
            proxy.delay_s = seconds

        async with load(client, REQUESTS) as running:
            await outage(client, running, lambda: delay(0.25), lambda: delay(0.0))
            delay(0.02)  # 40 ms there and back
            await until(running, lambda some: up_to_date(some) and slowly(some), "a slow Redis is used")
            delay(0.0)


def slowly(some):
    """Whether it was Redis that these waited for."""
    took = [seconds for path, _, seconds, _ in some if path == PERSONAL]
    return bool(took) and min(took) >= 0.04


async def test_a_killed_redis_under_load_and_its_successor(serve, tmp_path):
    """The address is a symbolic link, so that another server can take it over."""
    address = tmp_path / "redis"
    with running_redis(VERSION) as first, running_redis(VERSION) as second:
        filled(first.url)
        filled(second.url)
        address.symlink_to(first.url.removeprefix("unix://"))
        client = await serve(Settings(redis_url=f"unix://{address}", deadline_ms=DEADLINE_MS))
        await eventually(lambda: well(client), "pairs at first")

        def successor():
            address.unlink()
            address.symlink_to(second.url.removeprefix("unix://"))

        async with load(client, REQUESTS) as running:
            await outage(client, running, lambda: os.kill(first.pid, signal.SIGKILL), successor)


async def test_an_empty_successor_is_believed(serve, tmp_path):
    address = tmp_path / "redis"
    with running_redis(VERSION) as first, running_redis(VERSION) as second:
        filled(first.url)
        address.symlink_to(first.url.removeprefix("unix://"))
        client = await serve(Settings(redis_url=f"unix://{address}", deadline_ms=DEADLINE_MS))
        await eventually(lambda: well(client), "pairs at first")
        os.kill(first.pid, signal.SIGKILL)
        address.unlink()
        address.symlink_to(second.url.removeprefix("unix://"))

        async def empty():
            return await rung(client) == ("none", False)

        await eventually(empty, "the answers of the other, empty Redis")
        filled(second.url)  # the same numbers, and perhaps other ones, are given out again
        await eventually(lambda: well(client), "what it has been told since")


async def test_many_requests_on_a_frozen_redis_all_end_in_time(client, frail):
    with frozen(frail):
        started = time.monotonic()
        rungs = await asyncio.gather(*(rung(client, f"/v1/similar/{item}") for item in ["mat", "mug"] * 150))
        assert time.monotonic() - started < 2 * AT_MOST_S
        assert {*rungs} == {("popular", True)}


async def test_a_page_of_many_lists_has_one_deadline(client, frail):
    lists = [{"id": str(n), "items": ITEMS[n % 5 : n % 5 + 6], "n": 1} for n in range(20)]
    with frozen(frail):
        started = time.monotonic()
        response = await client.post("/v1/placements", json={"uid": "jane", "aid": "other", "placements": lists})
        assert time.monotonic() - started < 3 * DEADLINE_MS / 1000 + 0.5
        assert response.status == 200
        assert all(one["stale"] for one in (await response.json())["placements"].values())


async def test_a_server_starts_without_redis(serve, tmp_path):
    address = tmp_path / "redis"
    settings = Settings(redis_url=f"unix://{address}", deadline_ms=DEADLINE_MS)
    client = await serve(settings, wait=False)
    for path in (WARM, PERSONAL):
        assert await rung(client, path) == ("none", True)
    assert (await body_of(client, "/v1/popular"))["stale"] is True
    assert (await client.get("/readyz")).status == 503
    with running_redis(VERSION) as late:
        filled(late.url)
        address.symlink_to(late.url.removeprefix("unix://"))
        await eventually(lambda: well(client), "pairs once Redis is there")
        assert (await client.get("/readyz")).status == 200


@pytest.mark.parametrize("nonsense", [b"", b"not a row", b"\2" + b"\0" * 27])
async def test_a_value_that_is_no_row_costs_that_answer_only(patient, frail, nonsense):
    (number,) = numbers_of(frail, ["tent"])
    frail.client().set(keys.row(Relation.ALSO_VIEWED, number), nonsense)
    paths = [WARM, *(f"/v1/similar/{item}" for item in ("stove", "mat", "lamp"))]
    readable = nonsense.startswith(b"\2")  # a row without candidates
    rungs = await asyncio.gather(*(rung(patient, path) for path in paths))  # one trip
    assert rungs == [("popular", not readable), *[("pairs", False)] * 3]
    counted = 'varde_store_failures_total{reason="answer"} 1.0' in await (await patient.get("/metrics")).text()
    assert counted is not readable


async def test_a_key_of_another_type_is_no_row(patient, frail):
    (number,) = numbers_of(frail, ["tent"])
    key = keys.row(Relation.ALSO_VIEWED, number)
    frail.client().delete(key)
    frail.client().rpush(key, "a list")
    rungs = await asyncio.gather(*(rung(patient, f"/v1/similar/{item}") for item in ("tent", "stove")))
    assert rungs == [("popular", False), ("pairs", False)]


async def test_a_customer_who_makes_no_sense_costs_nobody_else_anything(patient, frail):
    frail.client().set(keys.recents(keys.customer_key("broken", None), 0), "no set")
    paths = ["/v1/recommendations?uid=broken", PERSONAL, "/v1/recommendations?uid=new"]
    rungs = await asyncio.gather(*(rung(patient, path) for path in paths))
    assert rungs == [("popular", True), ("pairs", False), ("popular", False)]


def numbers_of(server, items):
    store = Store.from_settings(Settings(redis_url=server.url))
    numbers = store.numbers(items)
    store.close()
    return numbers


async def test_more_requests_at_once_than_a_pool_has_connections(patient):
    """redis-py refuses the 101st connection; the server makes requests wait for their turn instead."""
    rungs = await asyncio.gather(*(rung(patient, f"/v1/recommendations?uid=u{n}&items=tent") for n in range(250)))
    assert {*rungs} == {("pairs", False)}


async def test_a_fault_of_ours_ends_no_task(client, frail):
    """Whatever goes wrong in following, it is tried again: a server that follows no more would show what is hidden."""
    running = client.app[PARTS].running
    store, sequences = running.stores.tasks, running.stores.tasks.sequences
    tried = asyncio.Event()

    async def faulty():
        tried.set()
        raise RuntimeError("the handler is closed")  # of uvloop

    store.sequences = faulty
    async with asyncio.timeout(10):
        await tried.wait()
    store.sequences = sequences
    other = Store.from_settings(Settings(redis_url=frail.url))
    other.intern(["kayak"])
    other.close()

    async def learned():
        return "kayak" in running.memory.shelf.slots

    await eventually(learned, "the names are followed again")
