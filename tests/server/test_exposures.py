"""Exposures over a real Pub/Sub emulator: what arrives, once; what is dropped, counted; and no answer waits for it."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import free_port

from varde.assignment import Request, first
from varde.demo import emulator, pubsub
from varde.exposure import SCHEMA, Served, Shown, exposure_id, list_id, message, record, viewed
from varde.server import configured, display, exposure_line, exposure_pipe, outbox, publish
from varde.server.errors import PublishError, RefusedError
from varde.server.exposure_line import Line
from varde.server.exposure_records import Ids, Records
from varde.server.exposure_writer import Order, Told
from varde.server.outbox import Outbox
from varde.server.parts import PARTS

from .test_experiments import AB, DRAFT, UNITS, config, counted, ids, of
from .test_main import Process
from .world import NOW
from .writers import Box, Here, recorded

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
def ask(serve, settings, topic, monkeypatch):
    """Starts a server that sends exposures; `get(path, **parameters)` -> (response, body or None).

    Its exposure writer is a task, and with `real` the process that it is.
    """

    async def start(text, real=False, **changes):
        if not real:
            monkeypatch.setattr(exposure_pipe, "begun", Here)
        client = await serve(settings, config=config(text), **{"exposures_topic": topic[0], **changes})

        async def get(path="/v1/similar/tent", method="GET", headers=BROWSER, **parameters):
            response = await client.request(method, path, params=parameters, headers=headers)
            body = await response.read()
            return response, orjson.loads(body) if body else None

        get.client, get.parts = client, client.server.app[PARTS]
        return get

    return start


def children(pid):
    """Process ids of those that a process has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def results(client):
    """Result, or result and reason -> how many."""
    found = {name.partition(",")[::2]: n for name, n in counted(client, "varde_exposures").items()}
    return {",".join(filter(None, (result, reason))): n for (reason, result), n in found.items()}


async def fates(client, expected):
    """Wait until so many exposures have had their fate, and see which."""
    async with asyncio.timeout(30):
        while sum(results(client).values()) < sum(expected.values()):
            await asyncio.sleep(0.01)  # between two looks
    assert results(client) == expected


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
    await fates(get.client, {"sent": 1})


async def test_a_list_that_is_rendered_again_is_sent_once(ask, topic):
    get = await ask(AB)
    for n in (4, 4, 5, 4):
        await get(aid=UNITS[0], n=n)
    await get("/v1/similar/stove", aid=UNITS[0])
    await get(aid=UNITS[1])
    found = await topic[1](4)
    assert len(found) == len({one["list_id"] for one in found}) == 4
    assert len({one["exposure_id"] for one in found}) == 2, "one a unit and window"
    await fates(get.client, {"sent": 4, "repeated": 2})


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
    await fates(get.client, {"sent": 2})


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
    await fates(get.client, {"dropped,no_topic": 3})


async def test_without_a_topic_they_are_counted(ask):
    get = await ask(AB, exposures_topic="")
    for unit in UNITS[:3]:
        assert (await get(aid=unit))[1]["experiment"] == "pdp"
    await fates(get.client, {"dropped,no_topic": 3})


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
    await fates(get.client, {"dropped,full": 30})
    assert len(get.parts.shown.exposures) == 100
    async with asyncio.timeout(20):
        while not counted(get.client, "varde_exposure_retries").get("", 0):
            await asyncio.sleep(0.01)  # between two looks
    await get.client.close()
    await fates(get.client, {"dropped,full": 30, "dropped,unsent": 100})
    assert "somebody" not in caplog.text


async def test_what_waited_while_pubsub_was_away_arrives(ask, topic, monkeypatch):
    real, failing = publish.Publisher.publish_all, asyncio.Event()

    async def away(self, messages):
        if not failing.is_set():
            raise PublishError("away")
        await real(self, messages)

    monkeypatch.setattr(publish.Publisher, "publish_all", away)
    get = await ask(AB)
    for unit in UNITS[:5]:
        await get(aid=unit)
    async with asyncio.timeout(20):
        while not counted(get.client, "varde_exposure_retries").get("", 0):
            await asyncio.sleep(0.01)  # between two looks
    failing.set()
    assert {one["unit"] for one in await topic[1](5)} == {*UNITS[:5]}


async def test_a_fault_in_a_record_costs_that_record(ask, topic, monkeypatch, caplog):
    get = await ask(AB)
    real = exposure_line.message

    def broken(line, *rest, **more):
        if line.unit == UNITS[0]:
            raise RuntimeError(line.unit)
        return real(line, *rest, **more)

    monkeypatch.setattr(exposure_line, "message", broken)
    for unit in UNITS[:2]:
        assert (await get(aid=unit))[0].status == 200
    (found,) = await topic[1](1)
    assert found["unit"] == UNITS[1]
    await fates(get.client, {"failed,fault": 1, "sent": 1})
    assert counted(get.client, "varde_experiment_failures") == {"exposure": 1}
    assert UNITS[0] not in caplog.text and "RuntimeError" in caplog.text


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
        pids = [server._process.pid, *children(server._process.pid)]
        assert len(pids) == 2, "the server and its exposure writer"
        for pid in pids:  # as a service manager may tell all at once; the last ones were asked for a moment ago
            os.kill(pid, signal.SIGTERM)
        assert server.ended() == 0, server.err
        assert "Traceback" not in "\n".join(server.err), "\n".join(server.err)
        found = asyncio.run(topic[1](len(asked)))
        assert {one["unit"] for one in found} == {*asked}
    finally:
        server.close()


# The exposure writer as a process


async def writing(get):
    """Wait for an exposure writer; its process id."""
    async with asyncio.timeout(60):
        while get.parts.shown.pipe.pid is None:
            await asyncio.sleep(0.02)  # between two looks
    return get.parts.shown.pipe.pid


async def test_one_that_is_killed_costs_what_it_had_and_has_a_successor(ask, topic, caplog):
    get = await ask(AB, real=True)
    first = await writing(get)
    await get(aid=UNITS[0])
    assert [one["unit"] for one in await topic[1](1)] == [UNITS[0]]
    await fates(get.client, {"sent": 1})
    os.kill(first, signal.SIGSTOP)  # what it is given now stays with it
    for unit in UNITS[1:4]:
        assert (await get(aid=unit))[1]["experiment"] == "pdp"
    async with asyncio.timeout(20):
        while get.parts.shown.exposures.here:
            await asyncio.sleep(0.01)  # between two looks
    os.kill(first, signal.SIGKILL)
    await fates(get.client, {"sent": 1, "dropped,lost": 3})
    await get(aid=UNITS[4])
    assert [one["unit"] for one in await topic[1](1)] == [UNITS[4]]
    await fates(get.client, {"sent": 2, "dropped,lost": 3})
    assert await writing(get) != first
    assert f"the exposure writer {first} has ended with {-signal.SIGKILL}" in caplog.text


async def test_one_that_does_not_read_costs_neither_time_nor_memory(ask, topic, monkeypatch):
    """Nor does a signal end it that is meant for the server: the socket's end is its order."""
    get = await ask(AB, real=True, exposures_queue=300)
    pid = await writing(get)
    await get(aid=UNITS[0])
    assert len(await topic[1](1)) == 1, "it is ready"
    await fates(get.client, {"sent": 1})
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGSTOP):
        os.kill(pid, number)
    slowest, exposures = 0.0, get.parts.shown.exposures
    for n in range(400):
        started = time.perf_counter()
        assert (await get(aid=f"somebody-{n}"))[0].status == 200
        slowest = max(slowest, time.perf_counter() - started)
    assert slowest < 2
    assert len(exposures) == 300, "here, in the socket and over there"
    assert results(get.client) == {"sent": 1, "dropped,full": 100}
    os.kill(pid, signal.SIGCONT)
    await fates(get.client, {"sent": 301, "dropped,full": 100})
    assert len(exposures) == 0
    assert get.parts.shown.pipe.pid == pid


async def test_there_is_none_until_an_experiment_wants_it(ask, topic, monkeypatch):
    monkeypatch.setattr(exposure_pipe, "LOOK_S", 0.01)
    stopped = AB.replace("[experiments.pdp]\n", '[experiments.pdp]\nstopped = "cosine"\n', 1)
    for text in ("", stopped):
        get = await ask(text)
        await get(aid=UNITS[0])
        for _ in range(20):
            await asyncio.sleep(0.01)  # it looks many times
        assert get.parts.shown.pipe.pid is None
    configured.use(get.parts, config(AB))  # as a new file does
    await writing(get)
    await get(aid=UNITS[0])
    assert [one["unit"] for one in await topic[1](1)] == [UNITS[0]]


def test_one_whose_server_is_killed_sends_what_it_has(topic):
    order = Order(topic[0], "", 100, 20.0, "INFO")
    lines = [[*line(unit)] for unit in UNITS[:3]]
    ours, theirs = socket.socketpair()
    with theirs:
        process = exposure_pipe.begun(theirs)
    for number in (signal.SIGTERM, signal.SIGINT):  # at once: it may not have begun to ignore them
        process.send_signal(number)
    try:
        ours.sendall(b"".join(orjson.dumps(one) + b"\n" for one in (asdict(order), lines[:2], lines[2:])))
        ours.sendall(b'[["half a li')
        ours.close()
        found = asyncio.run(topic[1](3))
        assert {one["unit"] for one in found} == {*UNITS[:3]}
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


# The parts alone


def line(unit, **more):
    """What the server tells of a list that a unit was shown."""
    experiment, variation = ("pdp", 1, "ab", 30, True), "control"
    made = (["a", "b"], None, None, ["tent"], "llr", "also_viewed", "pairs", False, 1.0, "/v1/similar/{item}")
    whole = Line(*experiment, variation, "aid", unit, False, None, unit, "default", NOW, *made, "r", None, None, "")
    return whole._replace(**more)


def test_each_line_has_one_fate():
    fates, faults, box, announced = Counter(), [], None, Box()

    def count(result, reason, n):
        fates[f"{result},{reason}"] += n

    box = Box(count)
    records = Records(box, announced, count, faults.append)
    sound = [line("a"), line("b"), line("a"), line("a", items=["c"]), line("t", announced=False, forced=True)]
    for one in [*sound, line("c", now="when"), [1, 2]]:
        records.take([*one])
    assert fates == {"sent,": 4, "repeated,": 1, "failed,fault": 2} and len(faults) == 2
    assert [one["unit"] for one in box.messages] == ["a", "b", "a", "t"]
    assert [one["anonymousId"] for one in announced.messages] == ["a", "b"], "once an exposure"


async def test_a_text_that_is_no_unicode_costs_its_list_alone(ask):
    """None can come in a request; here it is the name of an item."""
    get = await ask(AB, topic="", exposures_topic="")
    messages, exposures = recorded(get.parts), get.parts.shown.exposures
    exposures.wake = None
    await get(aid=UNITS[0])
    exposures._lines.append(tuple("\ud800" if field == UNITS[0] else field for field in exposures._lines[0]))
    exposures._room -= 1
    taken = exposures.handed()
    assert len(orjson.loads(taken)) == 1
    assert (len(exposures), exposures.out) == (1, 1)
    assert results(get.client) == {"failed,fault": 1} and messages == []


async def test_what_a_busy_server_is_told_waits_for_it():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for end in (ours, theirs):
            end.setblocking(False)
        told, found, rest = Told(ours), Counter(), b""
        for n in range(3000):
            told.fate("sent" if n % 3 else "repeated", "", 1)
            told.tell()  # far more than the socket takes
        telling = asyncio.create_task(told.tell_all(30))
        while found.total() < 3000:
            rest += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(theirs, 65536), 30)
            *lines, rest = rest.split(b"\n")
            for fates, retries, faults in map(orjson.loads, lines):
                found.update({result: n for result, _, n in fates})
                assert (retries, faults) == (0, 0)
        assert found == {"sent": 2000, "repeated": 1000}
        await telling


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
    lambda items: st.fixed_dictionaries(
        {
            "items": st.just([item for item, _, _ in items]),
            "rungs": st.just([rung for _, rung, _ in items]) | st.none(),
            "teams": st.just([team for _, _, team in items]) | st.none(),
            "seeds": st.lists(texts, max_size=3),
            "ranking": texts | st.none(),
            "relation": texts | st.none(),
            "rung": st.sampled_from(["pairs", "none"]),
            "stale": st.booleans(),
            "latency_ms": st.floats(0, 10_000),
            "route": texts,
            "request_id": texts,
            "campaign": texts | st.none(),
            "send_id": texts | st.none(),
            "placement": texts,
            "user_id": st.none() | texts,
            "now": st.integers(0, 2**42),
            "agent": st.just(""),
        }
    )
)


def served(line, *, robot):
    """A line as `varde.exposure` takes it."""
    teams, rungs = line.teams or [None] * len(line.items), line.rungs or [line.rung] * len(line.items)
    every = zip(line.items, rungs, teams, strict=True)
    return Served(
        [Shown(item, n, rung, team) for n, (item, rung, team) in enumerate(every, 1)],
        line.seeds, line.ranking, line.relation, line.rung, line.stale, round(line.latency_ms, 3), line.route,
        line.request_id, line.campaign, line.send_id, robot,
    )  # fmt: skip


@given(lines, st.sampled_from([*UNITS[:3], 'quo"te\\\n']), st.booleans())
def test_a_line_is_what_the_core_makes_of_the_record(more, aid, robot):
    request = Request(more["user_id"], aid, "default", "", "", "", more["now"])
    found = first(config(AB).experiments, request)
    request = request._replace(placement=more["placement"])
    one = found.experiment
    dealt = (one.key, one.bucket_version, one.mode, one.window_minutes, True, found.variation.key)
    line = Line(*dealt, found.unit_kind, found.unit, found.forced, anonymous_id=aid, **more)
    line = Line._make(orjson.loads(orjson.dumps([*line])))  # as it comes out of the socket
    ids = exposure_line.exposure_id(line), exposure_line.list_id(exposure_line.exposure_id(line), line)
    whole = served(line, robot=robot)
    assert ids == (exposure_id(found, line.now, line.send_id), list_id(ids[0], line.placement, whole))
    expected = record(found, request, whole)
    made = exposure_line.message(line, ids, robot=robot)
    assert made == message(expected)
    assert orjson.loads(exposure_line.viewed(line, ids[0])) == orjson.loads(orjson.dumps(viewed(expected)))


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_ids_are_new_once_while_they_are_remembered(drawn, most):
    met, remembered = Ids(most), []
    for one in map(str, drawn):
        assert met.new(one) == (one not in remembered)
        remembered = [*(other for other in remembered if other != one), one][-most:]
