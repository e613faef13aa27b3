"""Exposures over a real Pub/Sub emulator: what arrives, once; what is dropped, counted; and no answer waits for it."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import free_port

from varde.assignment import Request, first
from varde.demo import emulator, pubsub
from varde.exposure import SCHEMA, exposure_id, list_id, message, record
from varde.server import display, exposure_line, outbox
from varde.server.errors import PublishError, RefusedError
from varde.server.exposure_line import Line
from varde.server.exposures import Ids, served
from varde.server.outbox import Outbox
from varde.server.parts import PARTS

from .test_experiments import AB, DRAFT, UNITS, config, counted, ids, of
from .test_main import Process
from .world import NOW

NUMBERS = itertools.count()
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


@pytest.fixture
def host(broker):
    return broker.host


@pytest.fixture
def topic(host, monkeypatch):
    """(full name of a topic, `await arrived(n)`: the next n messages as dicts)."""
    monkeypatch.setenv(emulator.VARIABLE, host)
    number = next(NUMBERS)
    names = pubsub.Names(topic_id=f"exposures-{number}", subscription_id=f"exposures-{number}")
    with pubsub.clients(host) as (publisher, subscriber):
        pubsub.ensure_topic(publisher, names.topic)
        pubsub.ensure_subscription(subscriber, names.subscription, names.topic)

        async def arrived(n):
            found = []
            deadline = time.monotonic() + 20
            while len(found) < n and time.monotonic() < deadline:
                found += await asyncio.to_thread(pubsub.pull, subscriber, names.subscription)
            return [orjson.loads(data) for data in found]

        yield names.topic, arrived


@pytest.fixture
def ask(serve, settings, topic):
    """Starts a server that sends exposures; `get(path, **parameters)` -> (status, body or None)."""

    async def start(text, **changes):
        client = await serve(settings, config=config(text), **{"exposures_topic": topic[0], **changes})

        async def get(path="/v1/similar/tent", method="GET", headers=BROWSER, **parameters):
            response = await client.request(method, path, params=parameters, headers=headers)
            body = await response.read()
            return response, orjson.loads(body) if body else None

        get.client = client
        return get

    return start


def results(client):
    """Result, or result and reason -> how many."""
    found = {name.partition(",")[::2]: n for name, n in counted(client, "varde_exposures").items()}
    return {",".join(filter(None, (result, reason))): n for (reason, result), n in found.items()}


async def told(client, result, n):
    """Wait until so many exposures have had this fate."""
    async with asyncio.timeout(20):
        while results(client).get(result, 0) < n:
            await asyncio.sleep(0.01)  # between two looks


async def test_an_exposure_says_what_was_shown(ask, topic):
    get = await ask(AB)
    unit = of("cosine")
    more = {"campaign": "spring", "send_id": "7", "n": 4, "uid": "jane"}
    _, body = await get(aid=unit, **more)
    (found,) = await topic[1](1)
    assert [*found] == [field.name for field in SCHEMA]
    expected = {
        "experiment": "pdp", "variation": "cosine", "bucket_version": 1, "mode": "ab", "unit_kind": "aid",
        "unit": unit, "anonymous_id": unit, "user_id": "jane", "forced": False, "placement": "default",
        "route": "/v1/similar/{item}", "request_id": body["request_id"], "seeds": ["tent"], "ranking": "cosine",
        "relation": "also_viewed", "rung": "pairs", "stale": False, "campaign": "spring", "send_id": "7",
        "robot": False, "served_at": "2024-10-04T12:00:00.000Z",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    items = [{"item": item, "position": n, "rung": "pairs", "team": None} for n, item in enumerate(ids(body), 1)]
    assert found["items"] == items and len(items) == 4
    assert 0 < found["latency_ms"] < 10_000
    await told(get.client, "sent", 1)


async def test_a_list_that_is_rendered_again_is_sent_once(ask, topic):
    get = await ask(AB)
    for n in (4, 4, 5, 4):
        await get(aid=UNITS[0], n=n)
    await get("/v1/similar/stove", aid=UNITS[0])
    await get(aid=UNITS[1])
    found = await topic[1](4)
    await told(get.client, "repeated", 2)
    assert len(found) == len({one["list_id"] for one in found}) == 4
    assert len({one["exposure_id"] for one in found}) == 2, "one a unit and window"
    assert results(get.client) == {"sent": 4, "repeated": 2}


async def test_what_nobody_is_shown_is_no_exposure(ask, topic):
    get = await ask(AB)
    response, _ = await get(aid=UNITS[0])
    etag = {**BROWSER, "If-None-Match": response.headers["ETag"]}
    assert (await get(aid=UNITS[0], headers=etag))[0].status == 304
    assert (await get(aid=UNITS[1], method="HEAD"))[0].status == 200
    assert (await get(aid=UNITS[1], n=0))[0].status == 400
    assert (await get())[0].status == 200
    await get(aid=UNITS[2])
    assert {one["unit"] for one in await topic[1](2)} == {UNITS[0], UNITS[2]}
    assert results(get.client) == {"sent": 2}


@pytest.mark.parametrize(
    ("agent", "robot"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("okhttp/4.12.0", False),
        ("Python/3.11 aiohttp/3.14", False),
        (BROWSER["User-Agent"], False),
    ],
)
async def test_robots_are_marked_and_the_shops_own_programs_are_not(ask, topic, agent, robot):
    get = await ask(AB)
    await get(aid=UNITS[0], headers={"User-Agent": agent})
    (found,) = await topic[1](1)
    assert found["robot"] is robot


async def test_testers_are_marked(ask, topic):
    get = await ask(AB.replace('key = "cosine"', 'key = "cosine"\nforced = ["tester"]'))
    await get(aid="tester")
    (found,) = await topic[1](1)
    assert (found["forced"], found["variation"]) == (True, "cosine")


async def test_a_draft_says_who_placed_what(ask, topic):
    get = await ask(DRAFT)
    _, body = await get(aid=UNITS[0])
    (found,) = await topic[1](1)
    assert [item["team"] for item in found["items"]] == [item["team"] for item in body["items"]]
    assert {item["team"] for item in found["items"]} == {"control", "cosine"}
    assert (found["mode"], found["ranking"], found["relation"]) == ("team_draft", None, "also_viewed")


async def test_a_page_has_an_exposure_a_list(ask, topic):
    get = await ask('[placements.cart]\nsource = "recommendations"\n' + AB)
    page = {
        "aid": UNITS[0],
        "campaign": "c",
        "placements": [{"items": ["tent"]}, {"placement": "cart", "items": ["mat"]}],
    }
    body = await (await get.client.post("/v1/placements", json=page, headers=BROWSER)).json()
    found = {one["placement"]: one for one in await topic[1](2)}
    assert {*found} == {"default", "cart"}
    assert {one["request_id"] for one in found.values()} == {body["request_id"]}
    assert [item["item"] for item in found["cart"]["items"]] == ids(body["placements"]["cart"])
    assert {(one["route"], one["campaign"]) for one in found.values()} == {("/v1/placements", "c")}


async def test_segments_own_event_once_an_exposure(ask, topic):
    text = AB.replace("[experiments.pdp]\n", "[experiments.pdp]\nemit_experiment_viewed = true\n", 1)
    get = await ask(text, exposures_topic="", topic=topic[0])
    await get(aid=UNITS[0])
    await get("/v1/similar/stove", aid=UNITS[0])
    await get(aid=UNITS[1])
    found = await topic[1](2)
    assert [(one["type"], one["event"]) for one in found] == [("track", "Experiment Viewed")] * 2
    assert {one["anonymousId"] for one in found} == {*UNITS[:2]}
    variation = first(config(text).experiments, Request(None, UNITS[0], "default", "", "", "", NOW)).variation.key
    (one,) = [one for one in found if one["anonymousId"] == UNITS[0]]
    assert one["properties"]["experiment_id"] == "pdp" and one["properties"]["variation_id"] == variation
    await told(get.client, "dropped,no_topic", 3)


async def test_without_a_topic_they_are_counted(ask):
    get = await ask(AB, exposures_topic="")
    for unit in UNITS[:3]:
        assert (await get(aid=unit))[1]["experiment"] == "pdp"
    assert results(get.client) == {"dropped,no_topic": 3}


async def test_without_pubsub_answers_are_as_ever_and_drops_are_counted(ask, monkeypatch, caplog):
    monkeypatch.setenv(emulator.VARIABLE, f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(display, "FLUSH_S", 0.1)
    get = await ask(AB, exposures_queue=100)
    slowest = 0.0
    for n in range(130):
        started = time.perf_counter()
        response, body = await get(aid=f"somebody-{n}")
        slowest = max(slowest, time.perf_counter() - started)
        assert (response.status, body["experiment"]) == (200, "pdp")
    assert slowest < 2, "a publish that fails takes seconds, and no answer waited for one"
    await told(get.client, "dropped,full", 30)
    assert results(get.client) == {"dropped,full": 30}
    assert len(get.client.server.app[PARTS].shown.exposures) == 100
    async with asyncio.timeout(20):
        while not counted(get.client, "varde_exposure_retries").get("", 0):
            await asyncio.sleep(0.01)  # between two looks
    await get.client.close()
    assert results(get.client) == {"dropped,full": 30, "dropped,unsent": 100}
    assert "somebody" not in caplog.text


async def test_what_waited_while_pubsub_was_away_arrives(ask, topic, monkeypatch):
    get = await ask(AB)
    publisher = get.client.server.app[PARTS].shown.publishers[0]
    real, failing = type(publisher).publish_all, asyncio.Event()

    async def away(self, messages):
        if not failing.is_set():
            raise PublishError("away")
        await real(self, messages)

    ours = get.client.server.app[PARTS].shown.exposures._outbox
    monkeypatch.setattr(ours, "_send", lambda messages: away(publisher, messages))
    for unit in UNITS[:5]:
        await get(aid=unit)
    async with asyncio.timeout(20):
        while not counted(get.client, "varde_exposure_retries").get("", 0):
            await asyncio.sleep(0.01)  # between two looks
    failing.set()
    assert {one["unit"] for one in await topic[1](5)} == {*UNITS[:5]}


async def test_a_fault_in_a_record_costs_that_record(ask, topic, monkeypatch):
    get = await ask(AB)
    real = exposure_line.message

    def broken(assignment, *rest):
        if assignment.unit == UNITS[0]:
            raise RuntimeError("no")
        return real(assignment, *rest)

    monkeypatch.setattr(exposure_line, "message", broken)
    for unit in UNITS[:2]:
        assert (await get(aid=unit))[0].status == 200
    (found,) = await topic[1](1)
    assert found["unit"] == UNITS[1]
    assert results(get.client) == {"failed,fault": 1, "sent": 1}


def test_sigterm_sends_what_is_queued(filled, topic, host, tmp_path):
    file = tmp_path / "varde.toml"
    file.write_text(AB)
    server = Process(
        VARDE_REDIS_URL=filled.url, VARDE_PORT="0", VARDE_DEADLINE_MS="5000", VARDE_CONFIG=str(file),
        VARDE_EXPOSURES_TOPIC=topic[0], PUBSUB_EMULATOR_HOST=host,
    )  # fmt: skip
    try:
        asked = [f"person-{n}" for n in range(60)]
        code = (
            "import sys, urllib.request\n"
            "for unit in sys.argv[2:]: urllib.request.urlopen(f'http://127.0.0.1:{sys.argv[1]}/v1/similar/tent?aid={unit}').read()"
        )
        subprocess.run([sys.executable, "-c", code, str(server.port), *asked], check=True, env={**os.environ})
        server.signal(signal.SIGTERM)  # the last ones were asked for a moment ago
        assert server.ended() == 0, server.err
        assert "Traceback" not in "".join(server.err)
        found = asyncio.run(topic[1](len(asked)))
        assert {one["unit"] for one in found} == {*asked}
    finally:
        server.close()


# The parts alone


class Topic:
    """Takes batches as told: `refuses` for good, `fails` so many times."""

    def __init__(self, fails=0, refuses=()):
        self.fails, self.refuses, self.taken = fails, {*refuses}, []

    async def __call__(self, messages):
        if self.fails:
            self.fails -= 1
            raise PublishError("away")
        if self.refuses.intersection(messages):
            raise RefusedError("no")
        self.taken += messages


@pytest.fixture
def quick(monkeypatch):
    for name in ("FIRST_PAUSE_S", "MOST_PAUSE_S", "LINGER_S"):
        monkeypatch.setattr(outbox, name, 0.001)


async def sent(topic, messages, most=1000, within_s=5.0):
    fates = {}

    def count(result, reason, n):
        fates[result, reason] = fates.get((result, reason), 0) + n

    box = Outbox(topic, most, count, lambda: None)
    box.start()
    for one in messages:
        box.put(one)
    await box.stop(within_s)
    return fates


async def test_a_message_that_is_refused_does_not_keep_the_others(quick):
    messages = [b"%d" % n for n in range(40)]
    topic = Topic(fails=3, refuses=(b"7", b"39"))
    fates = await sent(topic, messages)
    assert topic.taken == [one for one in messages if one not in topic.refuses]
    assert fates == {("sent", ""): 38, ("dropped", "refused"): 2}


async def test_every_message_has_one_fate(quick):
    fates = await sent(Topic(fails=10**9), [b"x"] * 120, most=100, within_s=0.05)
    assert fates == {("dropped", "full"): 20, ("dropped", "unsent"): 100}


async def test_batches_are_bounded(quick, monkeypatch):
    sizes = []

    async def take(messages):
        sizes.append((len(messages), sum(map(len, messages))))

    monkeypatch.setattr(outbox, "BATCH", 7)
    monkeypatch.setattr(outbox, "BATCH_BYTES", 50)
    await sent(take, [b"x" * (n % 13) for n in range(100)] + [b"y" * 60] * 3)
    assert sum(n for n, _ in sizes) == 103
    assert all(n <= 7 and (size <= 50 or n == 1) for n, size in sizes)


texts = st.text(st.characters(codec="utf-8"), max_size=8)
lines = st.lists(st.tuples(texts, st.sampled_from(["pairs", "popular"]), texts | st.none()), max_size=4).flatmap(
    lambda items: st.builds(
        Line,
        st.just([item for item, _, _ in items]),
        st.just([rung for _, rung, _ in items]),
        st.just(tuple(team for _, _, team in items)) | st.none(),
        st.lists(texts, max_size=3).map(tuple),
        ranking=texts | st.none(),
        relation=texts | st.none(),
        rung=st.sampled_from(["pairs", "none"]),
        stale=st.booleans(),
        latency_ms=st.floats(0, 10_000).map(lambda ms: round(ms, 3)),
        route=texts,
        request_id=texts,
        campaign=texts | st.none(),
        send_id=texts | st.none(),
        robot=st.booleans(),
    )
)


@given(lines, texts, st.sampled_from([*UNITS[:3], 'quo"te\\\n']), st.none() | texts, st.integers(0, 2**42))
def test_a_line_is_what_the_core_makes_of_the_record(line, placement, aid, uid, now):
    request = Request(uid, aid, placement, "", "", "", now)
    assignment = first(config(AB).experiments, request._replace(placement="default"))
    ids = exposure_id(assignment, now), list_id(exposure_id(assignment, now), placement, served(line))
    assert exposure_line.list_id(ids[0], placement, line) == ids[1]
    expected = record(assignment, request, served(line), ids)
    made = exposure_line.message(assignment, request, line, ids)
    assert [*orjson.loads(made).items()] == [*orjson.loads(message(expected)).items()]


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_ids_are_new_once_while_they_are_remembered(drawn, most):
    met, remembered = Ids(most), []
    for one in map(str, drawn):
        assert met.new(one) == (one not in remembered)
        remembered = [*(other for other in remembered if other != one), one][-most:]
