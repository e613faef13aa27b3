"""Segment's own SDKs send to the collector at the same time: every event arrives in Pub/Sub exactly once.

Where it cannot be, because an answer was lost and the SDK repeats what it believes was not taken, the copies have one
messageId, by which the stream knows them again.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from .clients import KINDS, UNREACHED, BrowserSdk, NodeSdk, PythonSdk, Sdk, Shop
from .conftest import CHROMIUM
from .parts import WRITE_KEY, Collector, Queue, Relay, until

pytestmark = pytest.mark.e2e

CLOCKS = {"timestamp", "originalTimestamp", "sentAt", "receivedAt"}
"""What the collector sets, or corrects."""
LEFT_OUT = {"options", "_metadata"}
"""What the browser's SDK keeps for itself, and what it says about its own requests."""


@pytest.fixture
def sdks(
    collector: Collector, shop: Shop, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[list[Sdk]]:
    """Those that can run here: Python's always, Node.js's with Node.js, the browser's with Chromium."""
    sdks: list[Sdk] = [PythonSdk(collector.url, monkeypatch, gzip=gzip) for gzip in (False, True)]
    if shutil.which("node") and shutil.which("npm"):
        sdks.append(NodeSdk(collector.url, request.getfixturevalue("npm_folder")))
    if CHROMIUM:
        browser = request.getfixturevalue("chromium")
        sdks += [BrowserSdk(browser, shop.url, collector.url, batching=batching) for batching in (False, True)]
    yield sdks
    for sdk in sdks:
        sdk.close()


def test_every_sdk_can_be_tried_here(npm_folder: object, chromium: object) -> None:
    """Skipped, with what is missing, where it is not so: the other tests go on with the SDKs that there are."""


def said(sdks: list[Sdk], collector: Collector) -> Callable[[], object]:
    return lambda: ([(sdk.name, sdk.accepted(), sdk.answers) for sdk in sdks], collector.log())


def all_accepted(sdks: list[Sdk], sent: int, collector: Collector) -> None:
    until(lambda: all(sdk.accepted() >= sent for sdk in sdks), said(sdks, collector))


def begin(sdks: list[Sdk], n: int, collector: Collector) -> None:
    """Send n events with each, and wait until they are taken: all connections are made by then."""
    for sdk in sdks:
        sdk.send("track", range(n))
    all_accepted(sdks, n, collector)


def told(sdk: Sdk, status: int) -> bool:
    """Whether it has been answered so by now."""
    sdk.accepted()
    return sdk.answers[status] > 0


def ids(messages: list[dict[str, Any]]) -> Counter[str]:
    return Counter(message["messageId"] for message in messages)


def arrived(queue: Queue, sdks: list[Sdk], sent: int) -> Counter[str]:
    """How often each messageId has arrived, of those of all SDKs."""
    counted = ids(queue.all())
    made = {sdk.name: ids(sdk.made()) for sdk in sdks}
    assert {name: (len(each), each.total()) for name, each in made.items()} == dict.fromkeys(made, (sent, sent))
    lost = {name: sorted(each.keys() - counted.keys()) for name, each in made.items()}
    assert lost == {name: [] for name in made}
    assert len(counted) == sent * len(sdks), "and nothing that nobody has sent"
    return counted


def repeated(counted: Counter[str], sdks: list[Sdk]) -> dict[str, int]:
    """How many events of an SDK have arrived more than once."""
    return {sdk.name: again for sdk in sdks if (again := sum(counted[one] > 1 for one in ids(sdk.made())))}


def content(message: dict[str, Any], without: set[str] = CLOCKS) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in without}


def test_what_arrives_is_what_was_made(sdks: list[Sdk], queue: Queue, collector: Collector, shop: Shop) -> None:
    for kind in KINDS:
        for sdk in sdks:
            sdk.send(kind, range(3))
    sent = 3 * len(KINDS)
    all_accepted(sdks, sent, collector)
    assert repeated(arrived(queue, sdks, sent), sdks) == {}
    taken = {message["messageId"]: message for message in queue.messages}
    for sdk in sdks:
        for made in sdk.made():
            got = taken[made["messageId"]]
            address = got["context"].pop("ip", None)
            assert address == ("127.0.0.0" if isinstance(sdk, BrowserSdk) else None), (
                "of customers, without its last part"
            )
            wanted = {name: value for name, value in content(made, CLOCKS | LEFT_OUT).items() if value is not None}
            assert {name: got.get(name) for name in wanted} == wanted, sdk.name
            assert got.keys() >= CLOCKS
            assert "writeKey" not in got
    for sdk in sdks:
        if isinstance(sdk, BrowserSdk):
            here = {url.removeprefix("http://").rstrip("/") for url in (shop.url, collector.url)}
            assert sdk.hosts == here, "it asks nobody else, not for its settings and not for its own metrics"


def test_none_is_lost_or_repeated_when_the_collector_is_told_to_end(
    sdks: list[Sdk], queue: Queue, collector: Collector, relay: Relay
) -> None:
    """SIGTERM while it waits for Pub/Sub: that is finished and answered, what comes later goes to its successor."""
    first, before, sent = 1, 40, 60
    begin(sdks, first, collector)
    relay.hold()
    for sdk in sdks:
        sdk.send("track", range(first, before))
    until(lambda: relay.held, collector.log)
    collector.tell()
    until(collector.refuses, collector.log)
    relay.mend()
    collector.ended()
    finished = sum(sdk.accepted() - first for sdk in sdks)
    for sdk in sdks:
        sdk.send("track", range(before, sent))
    assert len(queue.look()) > finished > 0
    collector.start()
    all_accepted(sdks, sent, collector)
    assert all(told(sdk, UNREACHED) for sdk in sdks), "each has tried while there was no collector"
    assert repeated(arrived(queue, sdks, sent), sdks) == {}


def test_none_is_lost_when_the_collector_is_killed(
    sdks: list[Sdk], queue: Queue, collector: Collector, relay: Relay
) -> None:
    """It dies between Pub/Sub's answer and its own, so that the SDKs send again what Pub/Sub has."""
    first, before, sent = 1, 40, 60
    begin(sdks, first, collector)
    relay.mute()
    for sdk in sdks:
        sdk.send("track", range(first, before))
    until(lambda: len(queue.look()) > first * len(sdks), collector.log)
    collector.kill()
    relay.cut()
    for sdk in sdks:
        sdk.send("track", range(before, sent))
    relay.mend()
    collector.start()
    all_accepted(sdks, sent, collector)
    assert repeated(arrived(queue, sdks, sent), sdks) != {}, "or nothing was tried"
    assert_copies_agree(queue)


@pytest.mark.parametrize("environ", [{"VARDE_COLLECTOR_QUEUE": "100"}])
def test_none_is_lost_or_repeated_when_too_many_wait(
    sdks: list[Sdk], queue: Queue, collector: Collector, relay: Relay
) -> None:
    """The collector answers 429, and every SDK waits as long as it is told to, then sends again."""
    first, sent = 1, 20
    begin(sdks, first, collector)
    relay.hold()
    with ThreadPoolExecutor(1) as beside:
        full = beside.submit(fill, collector, 100)
        until(lambda: relay.held, collector.log)
        for sdk in sdks:
            sdk.send("track", range(first, sent))
        until(lambda: all(told(sdk, 429) for sdk in sdks), said(sdks, collector))
        relay.mend()
        assert full.result() == 200
    all_accepted(sdks, sent, collector)
    queue.all()
    queue.messages = [message for message in queue.messages if message["userId"] != "somebody"]
    assert repeated(arrived(queue, sdks, sent), sdks) == {}


def fill(collector: Collector, n: int) -> int:
    """Send a batch of n messages; the answer's status."""
    batch = [{"type": "track", "event": "Asked", "userId": "somebody"}] * n
    return requests.post(f"{collector.url}/v1/b", json={"writeKey": WRITE_KEY, "batch": batch}, timeout=30).status_code


def test_none_is_lost_or_repeated_while_pubsub_cannot_be_reached(
    sdks: list[Sdk], queue: Queue, collector: Collector, relay: Relay
) -> None:
    """The collector answers 503, and every SDK sends again."""
    before, sent = 20, 60
    begin(sdks, before, collector)
    relay.cut()
    for sdk in sdks:
        sdk.send("track", range(before, sent))
    until(lambda: all(told(sdk, 503) for sdk in sdks), said(sdks, collector))
    assert ids(queue.look()).total() <= before * len(sdks)
    relay.mend()
    all_accepted(sdks, sent, collector)
    assert repeated(arrived(queue, sdks, sent), sdks) == {}


def test_an_event_whose_answer_is_lost_comes_again_under_the_same_id(
    sdks: list[Sdk], queue: Queue, collector: Collector, relay: Relay
) -> None:
    """Pub/Sub has taken it and the collector cannot know: 503, so twice rather than never."""
    before, sent = 20, 40
    begin(sdks, before, collector)
    relay.mute()
    for sdk in sdks:
        sdk.send("track", range(before, sent))
    until(lambda: len(ids(queue.look())) > before * len(sdks), collector.log)
    relay.cut()
    until(lambda: any(told(sdk, 503) for sdk in sdks), said(sdks, collector))
    relay.mend()
    all_accepted(sdks, sent, collector)
    assert repeated(arrived(queue, sdks, sent), sdks) != {}, "or nothing was tried"
    assert_copies_agree(queue)


def assert_copies_agree(queue: Queue) -> None:
    """Copies differ at most in the clocks, which each request has of its own, and in what is said of the request."""
    first: dict[str, dict[str, Any]] = {}
    for message in queue.messages:
        one = content(message, CLOCKS | LEFT_OUT)
        assert first.setdefault(message["messageId"], one) == one
