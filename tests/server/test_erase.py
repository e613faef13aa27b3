"""Erasures over HTTP and from the command line: who may, what is refused, and the very message that is published."""

import asyncio
import io
import itertools
import logging
import re
import socket
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import free_port

from varde import keys
from varde.cli import main
from varde.delivery import Leave, Recent
from varde.demo import emulator, pubsub
from varde.events import Erasure, Mapping, parse
from varde.history import DAY_MS
from varde.server.erase_message import UserIdError, checked_user_id, erasure
from varde.server.errors import PublishError
from varde.server.observe import BODY_BYTES
from varde.server.parts import PARTS
from varde.server.publish import Publisher
from varde.settings import Settings
from varde.store.sync import Store, now_ms

from .world import NOW

KEY = "an-admin-key-of-these-tests"
BEARER = {"Authorization": f"Bearer {KEY}"}
NO_REDIS = Settings(redis_url="redis://127.0.0.1:1/0")
NUMBERS = itertools.count()
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    broker = emulator.start_standin(tmp_path_factory.mktemp("pubsub"))
    yield broker.host
    broker.stop()


@pytest.fixture
def topic(host, monkeypatch):
    """(full name of a topic, what it was sent so far)."""
    monkeypatch.setenv(emulator.VARIABLE, host)
    names = pubsub.Names(topic_id=f"topic-{next(NUMBERS)}", subscription_id="looks")
    with pubsub.clients(host) as (publisher, subscriber):
        pubsub.ensure_topic(publisher, names.topic)
        pubsub.ensure_subscription(subscriber, names.subscription, names.topic)
        yield names.topic, lambda: list(pubsub.drain(subscriber, names.subscription, quiet_s=0.2))
        subscriber.delete_subscription(subscription=names.subscription)


@pytest.fixture
def ask(serve, topic):
    """Starts a server with a topic and a key; what posts to it."""

    async def start(**changes):
        client = await serve(NO_REDIS, wait=False, **{"topic": topic[0], "admin_key": KEY, **changes})

        async def post(body=None, headers=BEARER, **more):
            data = {} if "data" in more else {"json": {"user_id": "jane"} if body is None else body}
            answer = await client.post("/v1/erase", headers=headers, **data, **more)
            return answer, await answer.json()

        return client, post

    return start


async def results(client):
    text = await (await client.get("/metrics")).text()
    found = re.findall(r'^varde_erasure_requests_total\{result="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {result: float(n) for result, n in found}


@pytest.mark.parametrize(("given_id", "sent"), [("jane", "jane"), (42, "42"), (" ", " "), ("æ" * 128, "æ" * 128)])
async def test_the_message_is_segments_own(ask, topic, given_id, sent):
    client, post = await ask()
    answer, body = await post({"user_id": given_id})
    assert answer.status == 202
    assert body == {
        "request_id": "request-1",
        "message_id": "varde-erase-request-1",
        "erased_up_to": "2024-10-04T12:00:00.000Z",
    }
    (data,) = topic[1]()
    assert orjson.loads(data) == {
        "type": "delete",
        "userId": sent,
        "messageId": body["message_id"],
        "timestamp": body["erased_up_to"],
        "receivedAt": body["erased_up_to"],
        "channel": "server",
    }
    assert parse(data, NOW + 5, Mapping()) == (Erasure(sent, NOW),)
    assert await results(client) == {"accepted": 1}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
        {"Authorization": "Bearer clé"},
    ],
)
async def test_without_the_key_nothing_is_done(ask, topic, headers):
    client, post = await ask()
    answer, body = await post(headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="varde"'
    assert body["error"]["code"] == "unauthorized"
    assert KEY not in str(body)
    assert topic[1]() == []
    assert await results(client) == {"unauthorized": 1}


async def test_the_scheme_is_written_as_one_likes(ask):
    _, post = await ask()
    answer, _ = await post(headers={"Authorization": f"bearer  {KEY} "})
    assert answer.status == 202


async def test_without_a_key_of_its_own_the_server_lets_nobody(ask, topic):
    client, post = await ask(admin_key="")
    for headers in (BEARER, {"Authorization": "Bearer "}, {}):
        answer, body = await post(headers=headers)
        assert (answer.status, body["error"]["code"]) == (403, "no_admin_key")
    assert topic[1]() == []
    assert await results(client) == {"no_admin_key": 3}


async def test_without_a_topic_it_says_so(ask):
    client, post = await ask(topic="")
    answer, body = await post()
    assert (answer.status, body["error"]["code"]) == (503, "no_topic")
    answer, _ = await post(headers={})
    assert answer.status == 401, "a stranger is not told"
    assert await results(client) == {"no_topic": 1, "unauthorized": 1}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "body"),
        (b"user_id=jane", "body"),
        (b'{"user_id":"jane"', "body"),
        (b'{"user_id":"\xff"}', "body"),
        (b'{"user_id":"\\ud800"}', "body"),
        (b'["jane"]', "body"),
        (b"null", "body"),
        (b"{}", "user_id"),
        (b'{"user_id":null}', "user_id"),
        (b'{"user_id":""}', "user_id"),
        (b'{"user_id":true}', "user_id"),
        (b'{"user_id":1.5}', "user_id"),
        (b'{"user_id":123456789012345678901234567890}', "user_id"),
        (b'{"user_id":["jane"]}', "user_id"),
        (b'{"user_id":"' + b"j" * 257 + b'"}', "user_id"),
        ('{"user_id":"' + "æ" * 129 + '"}', "user_id"),
        (b'{"user_id":"jane","why":"asked"}', "why"),
        (b'{"userId":"jane"}', "userId"),
    ],
)
async def test_a_bad_body_is_refused_by_the_name_of_the_field(ask, topic, data, field):
    client, post = await ask()
    answer, body = await post(data=data)
    assert answer.status == 400
    assert body["error"]["code"] == "bad_parameter"
    assert body["error"]["field"] == field
    assert "jane" not in body["error"]["message"]
    assert topic[1]() == []
    assert await results(client) == {"bad_parameter": 1}


async def test_bytes_that_are_not_packed_as_they_say_are_no_json(ask):
    _, post = await ask()
    answer, body = await post(data=b"jane", headers={**BEARER, "Content-Encoding": "gzip"})
    assert (answer.status, body["error"]["field"]) == (400, "body")


async def test_too_large_a_body_is_refused_also_when_it_comes_in_pieces(ask):
    client, post = await ask()
    answer, body = await post(data=b" " * (BODY_BYTES + 1))
    assert (answer.status, body["error"]["code"]) == (413, "too_large")

    async def pieces():
        for _ in range(BODY_BYTES // 1024 + 1):
            yield b" " * 1024

    answer, body = await post(data=pieces())
    assert (answer.status, body["error"]["code"]) == (413, "too_large")
    assert await results(client) == {"too_large": 1}, "what announces it is refused before"


async def test_only_post(ask):
    client, _ = await ask()
    answer = await client.get("/v1/erase", headers=BEARER)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_no_pubsub_is_503_in_time_and_holds_nobody_up(ask, monkeypatch, caplog):
    monkeypatch.setenv(emulator.VARIABLE, f"127.0.0.1:{free_port()}")
    client, post = await ask()
    client.app[PARTS].publisher = Publisher("projects/p/topics/t", within_s=3.0)
    asked = asyncio.create_task(post())
    while not client.app[PARTS].publisher._client:  # until it is on its way
        assert (await client.get("/healthz")).status == 200
    assert (await client.get("/healthz")).status == 200
    assert not asked.done(), "the loop was held up"
    answer, body = await asked
    assert (answer.status, body["error"]["code"]) == (503, "not_published")
    assert await results(client) == {"not_published": 1}
    (said,) = [record.getMessage() for record in caplog.records if "not published" in record.getMessage()]
    assert re.match(r"request request-\d+: the erasure was not published: ", said)
    assert "jane" not in said


async def test_a_pubsub_that_takes_the_connection_and_says_nothing_is_given_up(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv(emulator.VARIABLE, f"127.0.0.1:{silent.getsockname()[1]}")
        publisher = Publisher("projects/p/topics/t", within_s=0.3)
        with pytest.raises(PublishError):
            await asyncio.wait_for(publisher.publish(b"{}"), 10)
        await publisher.close()


async def test_a_topic_that_is_not_there_is_503_at_once(ask, host):
    _, post = await ask(topic="projects/varde-local/topics/nowhere")
    answer, body = await post()
    assert (answer.status, body["error"]["code"]) == (503, "not_published")


async def test_no_credentials_are_503_and_no_fault(ask, monkeypatch, caplog):
    monkeypatch.delenv(emulator.VARIABLE)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    _, post = await ask()
    answer, body = await post()
    assert (answer.status, body["error"]["code"]) == (503, "not_published")
    assert "DefaultCredentialsError" in caplog.text


async def test_no_id_gets_into_logs_and_metrics(ask, caplog):
    client, post = await ask(access_log="all")
    with caplog.at_level(logging.DEBUG, "varde"):
        await post({"user_id": "jane@example.org"})
        await post({"jane@example.org": 1})
        await post({"user_id": "jane@example.org" * 20})
        await post({"user_id": "jane@example.org"}, headers={"Authorization": "Bearer jane@example.org"})
    text = await (await client.get("/metrics")).text()
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("varde"))
    assert ours.count('"route":"/v1/erase"') == 4
    assert "jane" not in ours + text
    assert KEY not in ours + text
    assert await results(client) == {"accepted": 1, "bad_parameter": 2, "unauthorized": 1}


VALUES = st.one_of(
    st.text(max_size=300), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.none(), st.booleans(),
    st.lists(st.text(max_size=3), max_size=2), st.sampled_from(["a" * 256, "a" * 257, "æ" * 128, "æ" * 129]),
)  # fmt: skip


@given(VALUES, st.integers(1_700_000_000_000, 4_000_000_000_000))
def test_an_id_is_what_the_stream_takes_for_one(value, now):
    theirs = parse(orjson.dumps({"type": "delete", "userId": value, "timestamp": now}), now, Mapping())
    try:
        user = checked_user_id(value)
    except UserIdError:
        assert not isinstance(theirs, tuple)
    else:
        assert theirs == (Erasure(user, now),)
        assert parse(erasure(user, "m", now).data, now + 7, Mapping()) == theirs
        assert parse(erasure(user, "m", now).data, now + 7 * DAY_MS, Mapping()) == theirs


# The command


@pytest.fixture
def run(topic, monkeypatch, capsys):
    """Words, standard input and settings -> exit code, the lines printed, what was said on standard error."""

    def erase(*words, stdin=b"", **environ):
        for name, value in {"TOPIC": topic[0], **environ}.items():
            monkeypatch.setenv(f"VARDE_{name}", value)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            code = main(["erase", *words])
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return code, [orjson.loads(line) for line in said.out.splitlines()], said.err

    return erase


def test_the_command_sends_the_same_message(run, topic):
    before = now_ms()
    code, (line,), _ = run("--user", "jane", ID_SECRET="secret")
    assert code == 0
    assert list(line) == ["customer", "message_id", "erased_up_to"]
    assert line["customer"] == keys.customer_key("jane", None, b"secret")
    (data,) = topic[1]()
    sent = orjson.loads(data)
    assert sent == orjson.loads(
        erasure("jane", line["message_id"], before).data.replace(
            erasure("jane", "", before).up_to.encode(), line["erased_up_to"].encode()
        )
    )
    (event,) = parse(data, now_ms(), Mapping())
    assert event.user_id == "jane"
    assert before <= event.time <= now_ms()


def test_ids_come_one_a_line(run, topic):
    ids = [f"user {n} " for n in range(1200)] + ["-", "æ"]
    code, lines, _ = run("--user", "-", stdin="\r\n".join([*ids[:3], "", *ids[3:]]).encode() + b"\n\n")
    assert code == 0
    assert [line["customer"] for line in lines] == [keys.customer_key(user, None) for user in ids]
    assert len({line["message_id"] for line in lines}) == len(ids)
    sent = [orjson.loads(data) for data in topic[1]()]
    assert sorted(message["userId"] for message in sent) == sorted(ids)
    assert {m["messageId"] for m in sent} == {line["message_id"] for line in lines}


def test_the_option_goes_before_the_variable(run, topic):
    code, _, _ = run("--user", "jane", "--topic", topic[0], TOPIC="projects/varde-local/topics/nowhere")
    assert code == 0
    assert len(topic[1]()) == 1


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        ([], b"", "the following arguments are required: --user"),
        (["--user", ""], b"", "--user: must have 1 to 256 bytes"),
        (["--user", "x" * 257], b"", "--user: must have 1 to 256 bytes"),
        (["--user", "\udcff"], b"", "--user: is not UTF-8"),
        (["--user", "-"], b"\n\r\n", "--user: standard input holds no id"),
        (["--user", "-"], b"jane\n\xff\n", "--user: line 2 is not UTF-8"),
        (["--user", "-"], b"jane\n" + b"x" * 257, "--user: line 2 must have 1 to 256 bytes"),
        (["--user", "jane", "--topic", "topics/t"], b"", "must look like projects/PROJECT/topics/NAME"),
        (["--user", "jane", "--topic", ""], b"", "no topic: give --topic"),
        (["--user", "jane", "--wait", "0"], b"", "must be a whole number from 1 to 86400"),
        (["--user", "jane", "more"], b"", "unrecognized arguments: more"),
    ],
)
def test_wrong_use_is_said_and_nothing_is_sent(run, topic, words, stdin, said):
    code, lines, err = run(*words, stdin=stdin)
    assert code == 2
    assert said in err.splitlines()[-1]
    assert lines == []
    assert topic[1]() == []


def test_what_cannot_be_sent_is_said_of_each_id(run, monkeypatch):
    monkeypatch.setattr("varde.server.erase_command.TOGETHER", 2)
    code, lines, _ = run("--user", "-", stdin=b"a\nb\nc\n", TOPIC="projects/varde-local/topics/nowhere")
    assert code == 1
    assert [line["customer"] for line in lines] == [keys.customer_key(user, None) for user in "abc"]
    assert lines[0]["error"].startswith("NotFound: ")
    assert lines[2]["error"] == "not sent: one before it failed"


def test_waiting_ends_when_the_tombstone_is_there(run, redis_url):
    store = Store.from_settings(Settings(redis_url=redis_url))
    try:
        for user in "ab":
            late = now_ms() + DAY_MS  # the stream's own would come after the message
            store.remember([Recent(keys.customer_key(user, None), {}, late, Leave.TOMBSTONE)])
        store.remember([Recent(keys.customer_key("early", None), {}, now_ms() - 1000, Leave.TOMBSTONE)])
    finally:
        store.close()
    code, lines, err = run("--user", "-", "--wait", stdin=b"a\nb\n", REDIS_URL=redis_url)
    assert (code, err) == (0, "")
    assert [line["done"] for line in lines] == [True, True]
    code, lines, err = run("--user", "-", "--wait", "1", stdin=b"a\nearly\nb\n", REDIS_URL=redis_url)
    assert code == 1
    assert [line["done"] for line in lines] == [True, False, True]
    assert err.startswith("varde erase: not done within 1 s; is the stream running?")


def test_waiting_without_redis_is_said(run, topic):
    code, (line,), err = run("--user", "jane", "--wait", "1", REDIS_URL=NO_REDIS.redis_url)
    assert (code, line["done"]) == (1, False)
    assert "Redis: ConnectionError" in err
    assert len(topic[1]()) == 1, "it was sent all the same"


# The documents


async def test_the_documented_example_has_the_shape_of_the_answer(ask):
    text = (DOCS / "http-api.md").read_text()
    section = text.split("## POST /v1/erase\n")[1].split("\n## ")[0]
    _, post = await ask()
    _, body = await post()
    assert list(orjson.loads(section.split("```json\n")[1].split("```")[0])) == list(body)
