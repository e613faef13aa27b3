"""Segment's webhook over HTTP: who may, and that what was signed is what is published."""

import base64
import hashlib
import hmac

import pytest

from varde.demo import emulator
from varde.settings import SettingsError, from_env

from .collecting import CONFIG, NO_REDIS, watched_topic

SECRET, TOKEN = "a-shared-secret-of-tests", "and-a-second-one-of-tests"
EVENT = b'{"type":"track","messageId":"m-%d","userId":"u","receivedAt":"2024-10-04T11:00:00.000Z","n":1.0}'


@pytest.fixture
def host(broker):
    return broker.host


@pytest.fixture
def topic(host, monkeypatch):
    monkeypatch.setenv(emulator.VARIABLE, host)
    with watched_topic(host) as all_:
        yield all_


@pytest.fixture
def send(serve, topic):
    """`send(body, signed=…, token=…)` to a server with a webhook."""

    async def started(body, signed=None, headers=None, **changes):
        changes = {"topic": topic[0], "webhook_secret": SECRET, "webhook_token": TOKEN, **changes}
        client = await serve(NO_REDIS, wait=False, config=CONFIG, **changes)
        given = {"X-Signature": signature(body if signed is None else signed), **(headers or {"X-Varde-Token": TOKEN})}
        return await client.post("/v1/webhook", data=body, headers=given)

    return started


def signature(data, secret=SECRET):
    return hmac.new(secret.encode(), data, hashlib.sha1).hexdigest()


def basic(text):
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize("headers", [None, basic(f"segment:{TOKEN}"), basic(f":{TOKEN}")])
async def test_one_event_is_published_as_it_came(send, topic, headers):
    answer = await send(EVENT % 1, headers=headers)
    assert (answer.status, await answer.json()) == (200, {"success": True})
    assert await topic[1](1) == [EVENT % 1]


async def test_of_a_batch_the_first_is_signed_and_all_are_published(send, topic):
    events = [EVENT % n for n in range(3)]
    answer = await send(b"[" + b",".join(events) + b"]", signed=events[0])
    assert answer.status == 200
    assert sorted(await topic[1](3)) == events


async def test_a_large_batch(send, topic):
    events = [EVENT % n for n in range(2_000)]
    assert (await send(b"[" + b",".join(events) + b"]", signed=events[0])).status == 200
    assert len(await topic[1](2_000)) == 2_000


async def test_a_deletion_comes_through(send, topic):
    event = b'{"type":"delete","userId":"u","messageId":"m","receivedAt":"2024-10-04T11:00:00.000Z"}'
    assert (await send(event)).status == 200
    assert await topic[1](1) == [event]


@pytest.mark.parametrize(
    ("signed", "headers", "code"),
    [
        (b"other", None, "wrong_signature"),
        (EVENT % 1 + b" ", None, "wrong_signature"),
        (None, {"X-Varde-Token": "wrong"}, "wrong_token"),
        (None, {"X-Varde-Token": ""}, "wrong_token"),
        (None, {"X-Varde-Token": SECRET}, "wrong_token"),
        (None, basic(TOKEN), "wrong_token"),
        (None, {"Authorization": "Basic ???"}, "wrong_token"),
        (None, {"Authorization": f"Bearer {TOKEN}"}, "wrong_token"),
        (None, {"X-Varde-Token": TOKEN, "X-Signature": ""}, "wrong_signature"),
    ],
)
async def test_both_secrets_are_needed(send, topic, signed, headers, code):
    answer = await send(EVENT % 1, signed=signed, headers=headers)
    assert (answer.status, (await answer.json())["code"]) == (401, code)
    assert await topic[2]() == []


async def test_a_batch_whose_first_is_not_signed(send, topic):
    events = [EVENT % n for n in range(2)]
    for signed in (b"[" + b",".join(events) + b"]", events[1]):
        answer = await send(b"[" + b",".join(events) + b"]", signed=signed)
        assert (answer.status, (await answer.json())["code"]) == (401, "wrong_signature")
    assert await topic[2]() == []


async def test_an_empty_batch(send, topic):
    assert (await send(b"[]")).status == 200
    assert await topic[2]() == []


@pytest.mark.parametrize("body", [b"[", b"[1 2]", b"\xff"])
async def test_what_is_no_json(send, body):
    answer = await send(body)
    assert (answer.status, (await answer.json())["code"]) == (400, "bad_body")


async def test_without_secrets_it_is_off(send):
    answer = await send(EVENT % 1, webhook_secret="", webhook_token="")
    assert (answer.status, (await answer.json())["code"]) == (404, "webhook_off")


async def test_without_a_topic_segment_sends_again(send):
    answer = await send(EVENT % 1, topic="")
    assert (answer.status, (await answer.json())["code"]) == (503, "no_topic")


@pytest.mark.parametrize(("given", "missing"), [("SECRET", "TOKEN"), ("TOKEN", "SECRET")])
def test_one_secret_without_the_other_is_refused_at_the_start(given, missing):
    with pytest.raises(SettingsError, match=f"^VARDE_WEBHOOK_{missing}: is not set"):
        from_env({f"VARDE_WEBHOOK_{given}": SECRET})
