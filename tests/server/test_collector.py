"""The collector over HTTP: what SDKs send reaches Pub/Sub once and whole, and every refusal is one they understand."""

import asyncio
import base64
import gzip
import re
import zlib
from dataclasses import replace

import orjson
import pytest
from tests.conftest import free_port

from varde.collecting import Collector
from varde.demo import emulator
from varde.server import collector_body
from varde.server.collector import BODY_BYTES
from varde.server.collector_intake import INTAKE
from varde.server.collector_post import FullError
from varde.server.collector_routes import BATCHES, IGNORED, SINGLE
from varde.server.errors import PublishError
from varde.server.pixel import GIF

from .collecting import CONFIG, KEY, NO_REDIS, OTHER, basic, body_of, config, track, watched_topic

RECEIVED = "2024-10-04T12:00:00.000Z"
PLAIN = {"Content-Type": "text/plain"}
ORIGIN = {"Origin": "https://shop.example"}


@pytest.fixture
def host(broker):
    return broker.host


@pytest.fixture
def topic(host, monkeypatch):
    monkeypatch.setenv(emulator.VARIABLE, host)
    with watched_topic(host) as both:
        yield both


@pytest.fixture
def start(serve, topic):
    """Starts a collector; a client of it."""

    async def started(made=CONFIG, **changes):
        return await serve(NO_REDIS, wait=False, config=made, **{"topic": topic[0], **changes})

    return started


async def counts(client, name="messages"):
    """{values of the labels: number} of a counter of the collector."""
    text = await (await client.get("/metrics")).text()
    found = re.findall(rf"^varde_collector_{name}_total\{{(.*)\}} (\S+)$", text, re.M)
    named = [(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(n)) for labels, n in found]
    order = ("source", "result", "reason", "code")
    return {tuple(labels[name] for name in order if name in labels): n for labels, n in named}


async def taken(answer):
    assert (answer.status, await answer.json()) == (200, {"success": True}), await answer.text()


async def refused(answer, status, code):
    body = await answer.json()
    assert (answer.status, body["code"], body["error"]["code"]) == (status, code, code), body
    assert body["success"] is False
    assert body["message"] == body["error"]["message"]
    return answer


# What is taken


@pytest.mark.parametrize(("path", "type_"), SINGLE.items())
async def test_every_path_of_one_message(start, topic, path, type_):
    client = await start()
    sent = {"userId": "jane", "messageId": "m", "writeKey": KEY, "traits": {"a": 1}}
    await taken(await client.post(path, data=orjson.dumps(sent), headers=PLAIN))
    (data,) = await topic[1](1)
    found = orjson.loads(data)
    assert found.pop("context")["ip"] == "127.0.0.0"
    assert found == {
        "type": type_,
        "userId": "jane",
        "messageId": "m",
        "traits": {"a": 1},
        "timestamp": RECEIVED,
        "receivedAt": RECEIVED,
    }
    assert await counts(client) == {("collect", "taken", ""): 1}


@pytest.mark.parametrize("path", BATCHES)
async def test_every_path_of_batches(start, topic, path):
    client = await start()
    await taken(await client.post(path, data=body_of([track(n) for n in range(30)]), headers=PLAIN))
    found = [orjson.loads(data) for data in await topic[1](30)]
    assert sorted(one["messageId"] for one in found) == sorted(f"m-{n}" for n in range(30))


def chunks(data):
    async def some():
        for at in range(0, len(data), 100):
            yield data[at : at + 100]

    return some()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), (None, bytes)])
async def test_compressed_and_in_chunks(start, topic, coding, pack, chunked):
    client = await start()
    data = pack(body_of([track(n) for n in range(20)]))
    headers = PLAIN | ({"Content-Encoding": coding} if coding else {})
    await taken(await client.post("/v1/b", data=chunks(data) if chunked else data, headers=headers))
    assert len(await topic[1](20)) == 20


async def test_the_batchs_context_is_every_messages(start, topic):
    client = await start()
    body = body_of(
        [track(1, context={"page": {"path": "/a"}}), track(2)],
        context={"library": {"name": "x"}, "page": {"path": "/b"}},
        integrations={"All": False},
        sentAt="2024-10-04T11:59:50.000Z",
    )
    await taken(await client.post("/v1/batch", data=body))
    first, second = sorted((orjson.loads(one) for one in await topic[1](2)), key=lambda one: one["messageId"])
    assert first["context"] == {"library": {"name": "x"}, "page": {"path": "/a"}}
    assert second["context"] == {"library": {"name": "x"}, "page": {"path": "/b"}}
    assert first["integrations"] == second["integrations"] == {"All": False}
    assert first["sentAt"] == second["sentAt"] == "2024-10-04T11:59:50.000Z"


async def test_requests_of_one_message_share_a_call(start, topic):
    client = await start()
    await taken(await client.post("/v1/t", json={**track(0), "writeKey": KEY}))  # the connection is there
    before = (await counts(client, "calls"))["taken",]
    asks = [client.post("/v1/t", json={**track(n), "writeKey": KEY}) for n in range(1, 200)]
    for answer in await asyncio.gather(*asks):
        await taken(answer)
    found = [orjson.loads(one)["messageId"] for one in await topic[1](200)]
    assert sorted(found) == sorted(f"m-{n}" for n in range(200))
    assert (await counts(client, "calls"))["taken",] - before < 100


# Who sends


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        (basic(KEY), None),
        (basic(KEY, colon=False), None),
        (basic(KEY), "unknown"),
        (basic("unknown"), KEY),
        (basic(""), KEY),
        ({"Authorization": "Basic ???"}, KEY),
        ({"Authorization": "Bearer of-an-oauth-server"}, KEY),
        ({"Authorization": f"Bearer {KEY}"}, None),
        ({}, OTHER),
    ],
)
async def test_write_keys_in_every_place(start, topic, headers, key):
    client = await start()
    await taken(await client.post("/v1/batch", data=body_of([track()], key), headers=headers))
    await taken(await client.post("/v1/track", json={**track(), "writeKey": key}, headers=headers))
    assert b"writeKey" not in b"".join(await topic[1](2))


async def test_messages_may_show_the_key_themselves(start, topic):
    client = await start()
    items = [track(1, writeKey=KEY), track(2), track(3, writeKey="unknown"), track(4, writeKey=OTHER)]
    await taken(await client.post("/v1/batch", data=body_of(items, None)))
    assert sorted(orjson.loads(one)["messageId"] for one in await topic[1](2)) == ["m-1", "m-4"]
    assert await counts(client) == {("collect", "taken", ""): 2, ("collect", "dropped", "unknown_key"): 2}


@pytest.mark.parametrize("headers", [{}, basic("unknown"), {"Authorization": "Bearer x"}, basic("", KEY)])
@pytest.mark.parametrize("key", [None, "unknown", 5, ["x"]])
async def test_without_a_key_nothing_is_taken(start, topic, headers, key):
    client = await start()
    answer = await client.post("/v1/batch", data=body_of([track()], key), headers=headers)
    await refused(answer, 401, "unknown_write_key")
    assert await topic[2]() == []
    assert await counts(client, "refused") == {("collect", "unknown_write_key"): 1}


async def test_without_write_keys_it_is_off(start):
    client = await start(replace(CONFIG, collector=Collector()))
    for path in (*SINGLE, *BATCHES, IGNORED):
        await refused(await client.post(path, json={**track(), "writeKey": KEY}), 404, "collector_off")
    await refused(await client.get("/v1/pixel/track"), 404, "collector_off")
    await refused(await client.get(f"/v1/projects/{KEY}/settings"), 404, "collector_off")


async def test_without_a_topic_sdks_keep_their_messages(start):
    client = await start(topic="")
    answer = await refused(await client.post("/v1/track", json={**track(), "writeKey": KEY}), 503, "no_topic")
    assert int(answer.headers["Retry-After"]) > 0


# What is left out or refused


async def test_what_is_left_out_is_counted_and_the_rest_arrives(start, topic):
    client = await start()
    items = [
        track(1),
        track(2, properties={"x": "y" * 56_000}),  # the Node SDK does not look
        "text",
        {**track(3), "type": "delete"},
        {**track(4), "type": None},
        track(6),
    ]
    deep = b'{"type":"track","properties":' + b'{"a":' * 500 + b"1" + b"}" * 501
    body = body_of(items).replace(b'"batch":[', b'"batch":[' + deep + b",")
    await taken(await client.post("/v1/batch", data=body))
    assert sorted(orjson.loads(one)["messageId"] for one in await topic[1](2)) == ["m-1", "m-6"]
    assert await counts(client) == {
        ("collect", "taken", ""): 2,
        ("collect", "dropped", "too_large"): 1,
        ("collect", "dropped", "not_an_object"): 1,
        ("collect", "dropped", "unknown_type"): 2,
        ("collect", "dropped", "too_deep"): 1,
    }


async def test_a_write_key_erases_nobody(start, topic):
    client = await start()
    await taken(await client.post("/v1/track", json={**track(), "type": "delete", "writeKey": KEY}))
    (data,) = await topic[1](1)
    assert orjson.loads(data)["type"] == "track"


async def test_more_than_a_batch_may_hold(start, topic):
    client = await start()
    items = [{"type": "track", "userId": "u"} for _ in range(2_600)]
    await taken(await client.post("/v1/batch", data=body_of(items)))
    assert len(await topic[1](2_500)) == 2_500
    assert await counts(client) == {("collect", "taken", ""): 2_500, ("collect", "dropped", "too_many"): 100}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"5", b'"x"', b"\xff", b'{"batch":{}}', b"{}", b'{"batch":[1]} x', b"[" * 100_000],
    ids=lambda body: body[:8].decode(errors="replace"),
)
async def test_what_is_no_batch(start, body):
    client = await start()
    await refused(await client.post("/v1/batch", data=body, headers=basic(KEY)), 400, "bad_body")
    assert await counts(client, "refused") == {("collect", "bad_body"): 1}


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
async def test_pythons_numbers_that_are_no_json_cost_no_batch(start, topic, number):
    client = await start()
    body = body_of([track(1), track(2, properties={"price": 0.5})]).replace(b"0.5", number)
    await taken(await client.post("/v1/batch", data=body))
    found = sorted((orjson.loads(one) for one in await topic[1](2)), key=lambda one: one["messageId"])
    assert found[1]["properties"] == {"price": None}


async def test_half_an_emoji_costs_no_message(start, topic):
    client = await start()
    body = orjson.dumps({**track(1, name="NAME"), "writeKey": KEY}).replace(b"NAME", rb"\ud83d tent \ud83c\udfd5")
    await taken(await client.post("/v1/t", data=body, headers=PLAIN))
    (data,) = await topic[1](1)
    assert orjson.loads(data)["name"] == "\ufffd tent \N{CAMPING}"


@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_too_large(start, topic, chunked):
    client = await start()
    for size, code in ((BODY_BYTES, 400), (BODY_BYTES + 1, 413)):
        data = b" " * size
        answer = await client.post("/v1/b", data=chunks(data) if chunked else data, headers=basic(KEY))
        await refused(answer, code, "bad_body" if code == 400 else "body_too_large")
    assert await topic[2]() == []


async def test_a_bomb_is_refused_and_not_unpacked(start):
    client = await start()
    bomb = gzip.compress(b" " * 50_000_000, 1)
    assert len(bomb) < BODY_BYTES
    headers = {**PLAIN, "Content-Encoding": "gzip"}
    await refused(await client.post("/v1/b", data=bomb, headers=headers), 413, "body_too_large")
    assert client.app[INTAKE].bodies._left == collector_body.MOST_BYTES


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b"{}" * 500, mtime=0)[:20], b"\x1f\x8b"])
async def test_what_cannot_be_unpacked(start, data):
    client = await start()
    answer = await client.post("/v1/b", data=data, headers={**PLAIN, "Content-Encoding": "gzip"})
    await refused(answer, 400, "bad_body")
    assert client.app[INTAKE].bodies._left == collector_body.MOST_BYTES


async def test_a_body_that_does_not_come(start, monkeypatch):
    monkeypatch.setattr(collector_body, "READ_WITHIN_S", 0.2)
    client = await start()

    async def endless():
        yield b"{"
        await asyncio.sleep(60)

    async with asyncio.timeout(30):
        answer = await client.post("/v1/b", data=endless())
        await refused(answer, 408, "slow_body")
    assert client.app[INTAKE].bodies._left == collector_body.MOST_BYTES


async def test_the_memory_of_bodies_is_bounded(start):
    client = await start()
    client.app[INTAKE].bodies._left = 10
    answer = await refused(await client.post("/v1/b", data=body_of([track()])), 429, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert client.app[INTAKE].bodies._left == 10


async def test_what_announces_more_than_lists_may_have_is_still_refused_there(start):
    client = await start()
    answer = await client.post("/v1/placements", data=b" " * 20_000)
    assert (answer.status, (await answer.json())["error"]["code"]) == (413, "too_large")


# Pub/Sub


async def test_without_pubsub_the_sdk_keeps_its_messages(start, monkeypatch):
    monkeypatch.setenv(emulator.VARIABLE, f"127.0.0.1:{free_port()}")
    client = await start()
    answer = await client.post("/v1/t", json={**track(), "writeKey": KEY})
    await refused(answer, 503, "not_published")
    assert int(answer.headers["Retry-After"]) > 0
    assert await counts(client) == {("collect", "not_taken", "not_published"): 1}
    assert client.app[INTAKE].post is not None
    assert len(client.app[INTAKE].post) == 0


@pytest.mark.parametrize(("error", "status", "code"), [(FullError, 429, "busy"), (PublishError, 503, "not_published")])
async def test_no_room_and_not_taken(start, topic, monkeypatch, error, status, code):
    client = await start()

    async def deliver(messages):
        raise error

    intake = client.app[INTAKE]
    with monkeypatch.context() as patched:
        patched.setattr(type(intake.post), "deliver", lambda self, messages: deliver(messages))
        answer = await refused(await client.post("/v1/b", data=body_of([track(1), track(2)])), status, code)
    assert int(answer.headers["Retry-After"]) > 0
    assert await counts(client) == {("collect", "not_taken", code): 2}
    await taken(await client.post("/v1/b", data=body_of([track(1), track(2)])))
    assert len(await topic[1](2)) == 2


# Pages


POSTS = [(path, "POST") for path in (*SINGLE, *BATCHES, IGNORED)]
GETS = [("/v1/pixel/track", "GET"), (f"/v1/projects/{KEY}/settings", "GET")]


@pytest.mark.parametrize(("path", "method"), [*POSTS, *GETS])
async def test_the_preflight_lets_the_browsers_sdk_through(start, path, method):
    client = await start()
    asked = {
        **ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,x-retry-count",
    }
    answer = await client.options(path, headers=asked)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type, x-retry-count"
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert int(answer.headers["Access-Control-Max-Age"]) >= 600


async def test_only_pages_of_the_shop_may_read_answers(start):
    made = config("")
    made = replace(made, access=replace(made.access, origins=("https://shop.example",)))
    client = await start(made)
    for origin, allowed in (("https://shop.example", "https://shop.example"), ("https://other.example", None)):
        for answer in (
            await client.options("/v1/t", headers={"Origin": origin}),
            await client.post("/v1/t", json={**track(), "writeKey": KEY}, headers={"Origin": origin}),
            await client.post("/v1/t", json=track(), headers={"Origin": origin}),
        ):
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed
            assert answer.headers["Vary"] == "Origin"
            assert ("Access-Control-Expose-Headers" in answer.headers) == (allowed is not None)


async def test_other_methods(start):
    client = await start()
    for path, allowed in (("/v1/track", "POST"), ("/v1/pixel/track", "GET, HEAD"), ("/v1/webhook", "POST")):
        answer = await client.put(path, data=b"")
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


async def test_what_the_sdk_counts_about_itself_is_ignored(start, topic):
    client = await start()
    await taken(await client.post("/v1/m", data=b'{"series":[]}', headers=PLAIN))
    assert await topic[2]() == []


# Settings


@pytest.mark.parametrize(
    ("more", "headers", "protocol", "address"),
    [
        ("", {"Host": "collect.shop.example"}, "http", "collect.shop.example"),
        ("", {"Host": "[::1]:8080", "X-Forwarded-Proto": "https"}, "http", "[::1]:8080"),
        ("proxies = 1", {"Host": "a.example", "X-Forwarded-Proto": "https"}, "https", "a.example"),
        ("proxies = 1", {"Host": "a.example", "X-Forwarded-Proto": "gopher"}, "http", "a.example"),
        ('public_url = "https://b.example/events"', {"Host": "a.example"}, "https", "b.example/events"),
    ],
)
async def test_settings_say_where_to_send(start, more, headers, protocol, address):
    client = await start(config(more))
    answer = await client.get(f"/v1/projects/{KEY}/settings", headers={**headers, **ORIGIN})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert await answer.json() == {
        "integrations": {"Segment.io": {"apiKey": KEY, "apiHost": f"{address}/v1", "protocol": protocol}},
        "metrics": {"host": f"{address}/v1", "sampleRate": 0},
    }


async def test_settings_of_an_unknown_source(start):
    client = await start()
    await refused(await client.get("/v1/projects/unknown/settings"), 404, "no_such_source")
    answer = await client.get(f"/v1/projects/{KEY}/settings", headers={"Host": "a b<script>"})
    await refused(answer, 400, "bad_host")


# Pixel


URL_SAFE = str.maketrans("+/", "-_")


def encoded(message):
    return base64.b64encode(orjson.dumps(message)).decode()


async def is_the_dot(answer):
    assert (answer.status, answer.content_type, await answer.read()) == (200, "image/gif", GIF)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("quoted", [str, lambda text: text.rstrip("="), lambda text: text.translate(URL_SAFE)])
async def test_the_pixel_takes_base64(start, topic, quoted):
    client = await start()
    sent = {"writeKey": KEY, "userId": "u>>>???", "event": "Email Opened", "properties": {"n": 1}}
    url = "/v1/pixel/track"
    await is_the_dot(await client.get(url, params={"data": quoted(encoded(sent))}, headers={"User-Agent": "Mail"}))
    found = orjson.loads((await topic[1](1))[0])
    assert (found["type"], found["userId"], found["properties"]) == ("track", "u>>>???", {"n": 1})
    assert found["context"] == {"ip": "127.0.0.0", "userAgent": "Mail"}
    assert found["messageId"].startswith("varde-")


async def test_the_pixel_takes_names_with_dots(start, topic):
    client = await start()
    query = {"writeKey": KEY, "userId": "u", "event": "E", "properties.a.b": "1", "context.campaign.name": "spring"}
    await is_the_dot(await client.get("/v1/pixel/track", params=query))
    found = orjson.loads((await topic[1](1))[0])
    assert (found["properties"], found["context"]["campaign"]) == ({"a": {"b": "1"}}, {"name": "spring"})


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("track", {}),
        ("track", {"data": "???"}),
        ("track", {"data": "e30"}),
        ("track", {"data": base64.b64encode(b"[]").decode()}),
        ("track", {"writeKey": "unknown", "userId": "u"}),
        ("track", {"a": "1", "a.b": "2", "writeKey": KEY}),
        ("delete", {"writeKey": KEY, "userId": "u"}),
    ],
)
async def test_the_pixel_is_always_the_dot(start, topic, path, query):
    client = await start()
    await is_the_dot(await client.get(f"/v1/pixel/{path}", params=query))
    assert await topic[2]() == []
    assert sum((await counts(client)).values()) + sum((await counts(client, "refused")).values()) == 1


async def test_a_look_at_the_pixel_is_no_message(start, topic):
    client = await start()
    answer = await client.head("/v1/pixel/track", params={"writeKey": KEY, "userId": "u"})
    assert answer.status == 200
    assert await topic[2]() == []


async def test_the_pixel_is_the_dot_without_a_topic(start):
    client = await start(topic="")
    await is_the_dot(await client.get("/v1/pixel/track", params={"writeKey": KEY, "userId": "u"}))
    assert await counts(client, "refused") == {("pixel", "no_topic"): 1}
