"""Answers without a task, over raw sockets: the same as on aiohttp's usual way, in order, none lost, counted once."""

import asyncio
import dataclasses
import gc
import itertools
import logging
import os
import re
import select
import signal
import socket
import threading
import time
from contextlib import contextmanager
from urllib.parse import quote

import aiohttp
import orjson
import pytest
import uvloop
from aiohttp import web
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from varde.clients import Access, Clients
from varde.server import at_once
from varde.server.app import create_app
from varde.server.connection import Connection, _fits, _Server, hasten
from varde.server.main import connected
from varde.server.parts import PARTS
from varde.server.shortcut import RECOMMENDATIONS, SIMILAR
from varde.server.tracing import Spans
from varde.settings import Settings

from .test_access import bearer, config
from .test_main import Process
from .world import ITEMS, NOW

DEADLINE_S = 60
CHANGED = f"aiohttp {aiohttp.__version__} has changed inside: see docs/adr/0014-answers-without-a-task.md"
KNOWN = [*(f"/v1/similar/{name}" for name in ITEMS[:8]), "/v1/similar/never-seen", "/v1/recommendations?items=tent,mat"]
LISTED = "/v1/recommendations?items="
PAIR = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
"""Behind a request in the same packet it makes both go the usual way."""


class Served:
    """The application on uvloop, as a server process has it, in a thread of its own.

    `sent`: how many answers were written at once.
    """

    def __init__(self, settings, *, config=None, access_log="all", buffer=0, **runner):
        self._settings = dataclasses.replace(settings, access_log=access_log)
        self._config, self._buffer, self._runner_options = config, buffer, runner
        self._ready, self.sent, self._trouble = threading.Event(), 0, None
        self._thread = threading.Thread(target=self._main)
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)
        assert self._trouble is None, self._trouble

    def observe(self):
        """Count what is answered at once."""
        server = self.runner.server
        assert isinstance(server, _Server), CHANGED
        usual = server._immediately

        def counted(message):
            answer = usual(message)
            self.sent += answer is not None
            return answer

        server._immediately = counted

    def warm(self):
        """Have the answers to KNOWN in memory, which from then on do not age, however long a test takes."""
        guard, desk, hot = self.parts.guard, self.parts.desk, self.parts.running.memory.hot
        self.do(lambda: guard.use(Access(), Clients()))
        with Client(self.port) as client:
            for target in KNOWN:
                until(lambda target=target: client.asks(self, get(target))[1] == 1, target)
        now = hot.now()
        desk._clock = hot._clock = lambda: now
        self.do(lambda: guard.use(self.parts.config.access, self.parts.config.clients))

    def _main(self):
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self._trouble = error
            self._ready.set()
            raise

    async def _serve(self):
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        ids = (f"request-{n:05d}" for n in itertools.count(1))
        settings = self._settings
        self.app = create_app(
            settings, lambda: connected(settings), clock=lambda: NOW, new_id=lambda: next(ids), config=self._config
        )
        self.parts = self.app[PARTS]
        runner = self.runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1, **self._runner_options)
        await runner.setup()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self.parts.running.loaded.wait()
            listening = socket.create_server(("127.0.0.1", 0))
            if self._buffer:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer)
            self.port = listening.getsockname()[1]
            await web.SockSite(runner, listening).start()
            self._ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()

    def do(self, function):
        """What a function returns, called between two turns of the server's loop."""
        done = threading.Event()
        found = []

        def called():
            try:
                found.append(function())
            finally:
                done.set()

        self.loop.call_soon_threadsafe(called)
        assert done.wait(DEADLINE_S)
        return found[0]

    def settle(self):
        """Return when the server has read whatever was sent before, and its tasks have done what they can."""
        for _ in range(4):
            self.do(int)

    @property
    def connections(self):
        return self.do(lambda: self.runner.server.connections)

    def tally(self):
        """(route, status, rung) -> answers."""
        return self.do(lambda: {key: sum(one[1:]) for key, one in self.parts.metrics.tally.answers.items()})

    def close(self):
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE_S)


class Client:
    """A raw connection, and the answers that come over it."""

    def __init__(self, port, buffer=0):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self, body=True):
        """The next answer: (head, body); `body`: False for one to HEAD."""
        while b"\r\n\r\n" not in self._left:
            self._more()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        length = int(re.search(rb"\r\nContent-Length: (\d+)", head, re.IGNORECASE)[1])
        if not body or b" 304 " in head.split(b"\r\n")[0]:
            length = 0
        while len(self._left) < length:
            self._more()
        content, self._left = self._left[:length], self._left[length:]
        return head, content

    def asks(self, served, request):
        """The answer to a request, and how many answers were written at once meanwhile."""
        served.settle()  # the connection's task is back to waiting
        before = served.sent
        answer = self.send(request).answer()
        return answer, served.sent - before

    def ended(self):
        """Whether nothing comes any more."""
        return self._left == b"" and self.socket.recv(1) == b""

    def _more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError(self._left)
        self._left += data


def get(target, *lines, method=b"GET", version=b"1.1", body=b""):
    """The bytes of a request."""
    target = target.encode() if isinstance(target, str) else target
    return b"\r\n".join((method + b" " + target + b" HTTP/" + version, b"Host: x", *lines, b"", body))


def similar(item, query=""):
    return f"/v1/similar/{quote(item, safe='')}{query}"


def plain(answer):
    """An answer without what no two have in common."""
    head, body = answer
    head = re.sub(rb"\r\n(X-Request-Id|Date): [^\r]*", rb"\r\n\1: -", head)
    return sorted(head.split(b"\r\n")), re.sub(rb"request-\d{5}", b"-", body)


def status(answer):
    return int(answer[0].split(b" ")[1])


def item(answer):
    return orjson.loads(answer[1])["item"]


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


@contextmanager
def serving(settings, **options):
    served = Served(settings, **options)
    try:
        served.observe()
        served.warm()
        yield served
    finally:
        served.close()


@pytest.fixture(scope="module")
def served(filled):
    with serving(Settings(redis_url=filled.url, deadline_ms=10_000)) as served:
        yield served


# The same on both ways


ODD = ["%", "%zz", "%FF", "%C3%28", "%2F", "%252F", ".", "..", "%2e", "a" * 257, "a" * 256, "+", "a%20b", "å", ""]
ITEM = st.sampled_from([quote(one, safe="") for one in ITEMS] + ["never-seen", *ODD])
SEED = st.one_of(ITEM, st.lists(ITEM, max_size=4).map(",".join), st.just(",".join(["tent"] * 51)))
FIELD = st.one_of(
    st.tuples(st.sampled_from(["items", "item", "exclude", "cart", "%69tems"]), SEED).map("=".join),
    st.tuples(st.just("n"), st.sampled_from(["1", "5", "100", "0", "101", "x", "", "%31", "٣"])).map("=".join),
    st.sampled_from(["relation=viewed-bought", "relation=also-viewed", "relation=x", "ranking=llr", "ranking=x"]),
    st.sampled_from(["min_price=1", "max_price=x", "fill=true", "fill=perhaps", "in_stock=1", "lang=sv", "lang=*"]),
    st.sampled_from(["uid=jane", "uid=", "aid=device-1", "ui%64=jane", "uid=" + "j" * 300, "placement=x", "x=1"]),
    st.sampled_from(["", "&", "=", "n", "n=2&n=3", "%", "%ff=1", ";", "?", "#", "#a?b", "\udcff"]),
)
TARGET = st.builds(
    lambda path, fields: path + ("?" + "&".join(fields) if fields else ""),
    st.one_of(ITEM.map("/v1/similar/{}".format), st.just("/v1/recommendations"), st.just("/v1/similar/tent/x")),
    st.one_of(
        st.lists(FIELD, max_size=3),
        SEED.map(lambda seed: [f"items={seed}"]),
        st.just(["&".join("n=1" for _ in range(201))]),
    ),
)
SEEDS = st.lists(st.sampled_from(ITEMS[:8]), min_size=1, max_size=5)
GOOD = st.builds(
    lambda path, query: path + query,
    st.one_of(SEEDS.map(lambda seeds: f"/v1/similar/{seeds[0]}?"), SEEDS.map(lambda seeds: LISTED + ",".join(seeds))),
    st.sampled_from(["", "", "&n=1", "&n=3", "&exclude=tent", "&in_stock=no", "&fill=true", "&ranking=llr", "&x=1"]),
)
LINE = st.sampled_from(
    [
        "If-None-Match: *",
        'If-None-Match: "x"',
        "Origin: https://shop.example",
        "Accept-Encoding: gzip",
        "Authorization: Bearer x",
        "Authorization: Basic !",
        "X-Api-Key: \udcff",
        "Content-Length: 0",
        "Upgrade: h2c",
        "Cookie: a=b",
        "Range: bytes=0-1",
        "traceparent: x",
    ]
)


@settings(max_examples=600)
@given(st.one_of(GOOD, TARGET), st.lists(LINE, max_size=2, unique_by=lambda line: line.split(":")[0]), st.booleans())
@example("/v1/similar/tent", [], True)
@example("/v1/recommendations?items=tent,stove", [], True)
@example("/v1/recommendations?items=tent,,stove", [], False)
def test_an_answer_is_the_same_on_both_ways(served, target, lines, first):
    lines = [line.encode("utf-8", "surrogateescape") for line in lines]
    request = get(target.encode("utf-8", "surrogateescape"), *lines)
    with Client(served.port) as one, Client(served.port) as other:
        served.settle()
        found = {}
        for way in (True, False) if first else (False, True):
            found[way] = plain((one if way else other).send(request if way else request + PAIR).answer())
    assert found[True] == found[False]


def test_what_the_property_compares_is_answered_at_once(served):
    answers = {}
    with Client(served.port) as client:
        for target in KNOWN:
            answers[target], n = client.asks(served, get(target))
            assert (status(answers[target]), n) == (200, 1), target
            assert client.asks(served, get(target) + PAIR)[1] == 0
            assert status(client.answer()) == 200
            etag = re.search(rb"\r\n(ETag: [^\r]+)", answers[target][0])[1].removeprefix(b"ETag: ")
            for value in (etag, b"*", b'"a", ' + etag):
                request = get(target, b"If-None-Match: " + value)
                found, n = client.asks(served, request)
                assert (status(found), found[1], n) == (304, b"", 1)
                assert plain(found) == plain(client.send(request + PAIR).answer())
                assert status(client.answer()) == 200


@pytest.mark.parametrize(
    ("request_", "own"),
    [
        (get(similar("tent"), b"Connection: close"), [b"Connection: close"]),
        (get(similar("tent"), version=b"1.0"), [b"Connection: close"]),
        (get(similar("tent"), b"Connection: keep-alive", version=b"1.0"), [b"Connection: keep-alive"]),
        (get(similar("tent"), b"Expect: 100-continue"), []),
        (get(similar("tent"), b"Connection: Upgrade", b"Upgrade: websocket"), []),
        (get(similar("tent"), b"Content-Length: 3", body=b"abc"), []),
        (get(similar("tent"), b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"), []),
        (get(similar("tent"), method=b"HEAD"), []),
    ],
    ids=["close", "1.0", "1.0 kept", "expect", "upgrade", "body", "chunked", "head"],
)
def test_what_is_unusual_takes_the_usual_way_and_says_the_same(served, request_, own):
    with Client(served.port) as client:
        usual = plain(client.send(get(similar("tent"))).answer())
        before = served.sent
        head, body = plain(client.send(request_).answer(body=b"HEAD" not in request_))
        assert served.sent == before
        assert head == sorted(usual[0] + own)
        assert body == (b"" if b"HEAD" in request_ else usual[1])
        if b"Connection: close" in own:
            assert client.ended()
        else:
            assert client.asks(served, get(similar("mat")))[1] == 1, "and goes on"


# Many on one connection


@pytest.mark.parametrize("n", [2, 20, 40, 200])
def test_a_packet_of_many_is_answered_in_order(served, n):
    names = [ITEMS[place % 8] for place in range(n)]
    with Client(served.port) as client:
        client.send(b"".join(get(similar(name)) for name in names))
        assert [item(client.answer()) for _ in names] == names
        assert client.asks(served, get(similar("tent")))[1] == 1


def test_a_request_in_two_packets(served):
    request = get(similar("tent"), b"If-None-Match: x")
    with Client(served.port) as client:
        for place in range(1, len(request)):
            client.send(request[:place])
            served.settle()
            answer, n = client.asks(served, request[place:])
            assert (item(answer), n) == ("tent", 1), place


def test_a_request_and_a_part_of_the_next(served):
    first, second = get(similar("tent")), get(similar("mat"))
    with Client(served.port) as client:
        for place in range(1, len(second), 7):
            answer, n = client.asks(served, first + second[:place])
            assert (item(answer), n) == ("tent", 1)
            answer, n = client.asks(served, second[place:])
            assert (item(answer), n) == ("mat", 1)


def test_what_is_no_http_after_a_request_is_refused_as_ever(served):
    with Client(served.port) as client:
        assert client.asks(served, get(similar("tent")))[1] == 1
        assert status(client.send(b"\x16\x03\r\n\r\n").answer()) == 400
        assert client.ended()


def test_kept_and_then_closed(served):
    with Client(served.port) as client:
        for _ in range(3):
            assert client.asks(served, get(similar("tent")))[1] == 1
        head, _ = client.send(get(similar("tent"), b"Connection: close")).answer()
        assert b"\r\nConnection: close" in head
        assert client.ended()


def test_no_answer_overtakes_one_that_waits_for_redis(served, filled):
    """Redis holds still; what comes behind waits, on this connection and on no other."""
    with Client(served.port) as client, Client(served.port) as other:
        os.kill(filled.pid, signal.SIGSTOP)
        try:
            before = served.sent
            client.send(get("/v1/recommendations?uid=jane"))
            until(lambda: any(one._request_in_progress for one in served.connections), "it waits")
            for name in ("tent", "mat"):
                client.send(get(similar(name)))
                served.settle()  # so that each is a packet of its own
            assert served.sent == before
            assert other.asks(served, get(similar("mat")))[1] == 1
        finally:
            os.kill(filled.pid, signal.SIGCONT)
        assert "item" not in orjson.loads(client.answer()[1])
        assert [item(client.answer()) for _ in range(2)] == ["tent", "mat"]


def test_a_client_that_goes_away_leaves_nothing_behind(served):
    """Not even for the collector of cycles, which a server process seldom runs."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            with Client(served.port) as client:
                assert client.asks(served, get(similar("tent")))[1] == 1
                client.send(get("/v1/recommendations?uid=jane"))
        until(lambda: not served.connections, "closed")
        until(lambda: not any(type(one) is Connection for one in served.do(gc.get_objects)), "freed")
    finally:
        gc.enable()


def test_one_who_does_not_read_costs_a_bounded_memory(filled):
    """Answers are written at once until the transport has enough; requests are sent until neither side takes more."""
    names = itertools.cycle(ITEMS[:8])
    with serving(Settings(redis_url=filled.url), buffer=4096) as served, Client(served.port, buffer=4096) as client:
        served.settle()
        (one,) = served.connections
        asked, warm = [], served.sent

        def more():
            asked.append(next(names))
            return get(similar(asked[-1]))

        while not served.do(lambda: one.writing_paused):
            client.send(more())
            served.settle()
            assert len(asked) < 2000
        quick, left = len(asked), b""
        assert served.sent == warm + quick

        def stuck():
            nonlocal left
            sent = 0
            while len(asked) < 20_000 and select.select([], [client.socket], [], 0)[1]:
                left = left or more()
                n = client.socket.send(left, socket.MSG_DONTWAIT)
                sent, left = sent + n, left[n:]
            served.settle()
            return sent == 0 and served.do(lambda: not one.transport.is_reading())

        until(stuck, "both sides wait")
        assert served.sent == warm + quick, "from then on by the usual way, which waits"
        buffered, waiting = served.do(lambda: (one.transport.get_write_buffer_size(), len(one._messages)))
        assert buffered < 65_536 + 2 * 4096, "what a transport takes before it says stop, and an answer of each way"
        assert waiting <= 40
        rest = threading.Thread(target=client.send, args=(left,))
        rest.start()
        assert [item(client.answer()) for _ in asked] == asked
        rest.join()
        assert client.asks(served, get(similar("tent")))[1] == 1, "and goes on"


# The time of a connection


def test_an_idle_connection_is_closed_and_one_in_use_is_not(filled):
    with (
        serving(Settings(redis_url=filled.url), keepalive_timeout=1.5) as served,
        Client(served.port) as idle,
        Client(served.port) as used,
    ):
        assert idle.asks(served, get(similar("tent")))[1] == 1
        asked = time.monotonic()
        while select.select([idle.socket], [], [], 0.05)[0] == []:
            assert used.asks(served, get(similar("tent")))[1] == 1
            assert time.monotonic() - asked < DEADLINE_S
        assert time.monotonic() - asked > 1.4
        assert idle.ended()
        assert used.asks(served, get(similar("tent")))[1] == 1


def test_each_kept_connection_is_closed_by_its_next_answer_when_the_server_ends(filled):
    process = Process(VARDE_REDIS_URL=filled.url, VARDE_PORT="0", VARDE_DEADLINE_MS="5000", VARDE_ACCESS_LOG="all")
    try:
        clients = [Client(process.port) for _ in range(20)]
        for client in clients:
            assert b"\r\nConnection:" not in client.send(get(similar("tent"))).answer()[0]
        process.signal(signal.SIGTERM)
        until(lambda: any("draining" in line for line in process.err), "draining")
        for client in clients:
            client.send(get(similar("mat")))
        for client in clients:
            head, body = client.answer()
            assert b"\r\nConnection: close" in head
            assert item((head, body)) == "mat"
            assert client.ended()
            client.socket.close()
        assert process.ended() == 0
        assert len(process.out) == 40, "a line each"
        assert "Traceback" not in "".join(process.err)
    finally:
        process.close()


# What is counted


def test_a_request_is_counted_logged_and_traced_once_on_both_ways(served, caplog):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    requests = [get(similar("tent")), get(similar("tent"), b"If-None-Match: *"), get(KNOWN[-1])]
    requests += [get(similar("tent", "?n=0")), get("/v1/recommendations?uid=jane"), get(KNOWN[-2])]
    seen = {}
    with Client(served.port) as client, caplog.at_level(logging.INFO, "varde.server.access"):
        for request in requests:
            assert status(client.send(request).answer()) in (200, 304, 400), "known from now on"
        served.parts.spans = Spans(provider)
        try:
            for way, behind in (("at once", b""), ("usual", PAIR)):
                exporter.clear()
                caplog.clear()
                before, sent = served.tally(), served.sent
                memory = served.do(lambda: (served.parts.desk.hits, served.parts.desk.misses))
                for request in requests:
                    client.asks(served, request + behind)
                    if behind:
                        client.answer()
                after = served.tally()
                assert served.sent - sent == (4 if way == "at once" else 0)
                lines = [orjson.loads(one.getMessage()) for one in caplog.records if "access" in one.name]
                spans = exporter.get_finished_spans()
                assert [line["request_id"] for line in lines] == [span.attributes["varde.request_id"] for span in spans]
                kept = [{k: v for k, v in line.items() if k not in ("ms", "request_id")} for line in lines]
                attributes = [(span.name, dict(span.attributes)) for span in spans]
                for _, one in attributes:
                    del one["varde.request_id"]
                hits = served.do(lambda: (served.parts.desk.hits, served.parts.desk.misses))
                seen[way] = (
                    {key: after[key] - before.get(key, 0) for key in after if key[0] in (SIMILAR, RECOMMENDATIONS)},
                    [line for line in kept if line["route"] != "/healthz"],
                    [one for one in attributes if one[0] != "GET /healthz"],
                    tuple(b - a for a, b in zip(memory, hits, strict=True)),
                )
        finally:
            served.parts.spans = None
    assert seen["at once"] == seen["usual"]
    assert sum(seen["usual"][0].values()) == len(seen["usual"][1]) == len(seen["usual"][2]) == len(requests)


@pytest.mark.parametrize("public", ["[]", '["read"]'])
def test_keys_count_alike_on_both_ways(settings_of, public):
    """401, 403 and 429; a token a request, whether it is answered at once, waits for Redis or is wrong."""
    origins = '["https://shop.example"]'
    rated = config(public, origins, "rate = 0.5\nburst = 6")
    targets = [similar("tent"), "/v1/recommendations?uid=jane", similar("tent", "?n=0"), similar("mat")] * 2
    shop, other = b"Origin: https://shop.example", b"Origin: https://other.example"
    found = []
    for behind in (b"", PAIR):
        with serving(settings_of, config=rated) as served, Client(served.port) as client:
            served.parts.guard._clock = lambda: 100.0
            answers, warm, sent = [], served.tally(), served.sent
            for target in targets:
                key = f"Authorization: {bearer('shop')['Authorization']}".encode()
                answers.append(client.asks(served, get(target, key, shop) + behind)[0])
                if behind:
                    client.answer()
            assert [status(one) for one in answers] == [200, 200, 400, 200, 200, 200, 429, 429]
            wrong = [b"X-Api-Key: wrong", b"X-Api-Key: boss-key", b"Authorization: Nothing", b"Accept: x"]
            before = served.do(lambda: (served.parts.desk.hits, served.parts.desk.misses))
            for line in wrong:
                answers.append(client.asks(served, get(similar("tent"), line, other) + behind)[0])
                if behind:
                    client.answer()
            passed = [status(one) for one in answers[len(targets) :]].count(200)
            hits = served.do(lambda: (served.parts.desk.hits, served.parts.desk.misses))
            assert sum(hits) - sum(before) == passed, "nothing is made for who is refused"
            refused = served.parts.metrics._refused
            counts = {
                tuple(sample.labels.items()): sample.value
                for family in refused.collect()
                for sample in family.samples
                if sample.name.endswith("_total")
            }
            tally = {key: n - warm.get(key, 0) for key, n in served.tally().items() if key[0] != "/healthz"}
            found.append(([plain(one) for one in answers], counts, tally))
            assert served.sent - sent == (0 if behind else 3 + passed)
            assert [status(one) for one in answers[len(targets) :]] == (
                [401, 403, 401, 401] if public == "[]" else [401, 200, 401, 200]
            )
            assert sum(counts.values()) == 2 + 4 - passed
    assert found[0] == found[1]


@pytest.fixture
def settings_of(filled):
    return Settings(redis_url=filled.url, deadline_ms=10_000)


def test_a_fault_is_answered_and_counted_once(served, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("out of order")

    before = served.tally()
    with Client(served.port) as client:
        with monkeypatch.context() as patch:
            patch.setattr(at_once, "similar", broken)
            answer, n = client.asks(served, get(similar("tent")))
        assert (status(answer), n) == (500, 0)
        assert orjson.loads(answer[1])["error"]["code"] == "internal"
        assert client.asks(served, get(similar("tent")))[1] == 1, "and goes on"
    after = served.tally()
    assert after[SIMILAR, 500, ""] - before.get((SIMILAR, 500, ""), 0) == 1
    assert len([one for one in caplog.records if one.exc_info]) == 1


# aiohttp's inner parts


def application(immediately):
    async def usual(request):
        return web.Response(text="usual")

    app = web.Application()
    app.router.add_get("/", usual)
    hasten(app, immediately)
    return app


async def asked(aiohttp_client, immediately):
    client = await aiohttp_client(application(immediately))
    return client, await (await client.get("/")).text()


WRITTEN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nat once"


async def test_this_aiohttp_has_the_parts_that_a_connection_relies_on():
    runner = web.AppRunner(application(lambda _: WRITTEN))
    await runner.setup()
    assert isinstance(runner.server, _Server), CHANGED
    assert _fits(runner.server), CHANGED
    await runner.cleanup()


async def test_it_is_asked_first(aiohttp_client):
    assert (await asked(aiohttp_client, lambda _: WRITTEN))[1] == "at once"
    assert (await asked(aiohttp_client, lambda _: None))[1] == "usual"


def _renamed(self):
    raise AttributeError("_waiter")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("idle", property(_renamed)),
        ("idle", property(lambda self: False)),
        ("send", lambda self, response: self.transport.write(response)),
        ("send", lambda self, response: None),
        ("_waiter", property(_renamed)),
    ],
    ids=["a name is gone", "never idle", "no timer", "not written", "no waiter"],
)
async def test_with_another_aiohttp_everything_takes_the_usual_way(aiohttp_client, monkeypatch, caplog, name, changed):
    monkeypatch.setattr(Connection, name, changed, raising=False)
    client, text = await asked(aiohttp_client, lambda _: WRITTEN)
    assert text == "usual"
    assert not isinstance(client.server.runner.server, _Server)
    assert f"aiohttp {aiohttp.__version__} has changed inside" in caplog.text
