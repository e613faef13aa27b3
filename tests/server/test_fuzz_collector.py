"""Mutated requests by the thousand to a real collector: no fault but the deliberate ones, nothing accepted and lost.

COLLECTOR_REQUESTS is how many, COLLECTOR_SEED which; `make fuzz-collector` sends 100,000.
"""

import asyncio
import os
import random
import re
from collections import Counter
from urllib.request import urlopen

import orjson
import pytest

from . import fuzz_collector
from .collecting import TOML, watched_topic
from .test_main import DEADLINE_S, Process

REQUESTS = int(os.environ.get("COLLECTOR_REQUESTS", "2000"))
SEED = int(os.environ.get("COLLECTOR_SEED", "7"))
AT_ONCE = 2_000
"""Requests until what has arrived is looked at."""
DELIBERATE = {"no_topic", "not_published"}
"""The codes of a 503; their messages may have arrived all the same."""


@pytest.fixture
def host(broker):
    return broker.host


@pytest.fixture
def process(host, tmp_path, monkeypatch):
    """(a server's process, what arrives at its topic)."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    file = tmp_path / "varde.toml"
    file.write_text(TOML, encoding="utf-8")
    with watched_topic(host) as (topic, arrived, rest):
        ours = Process(
            VARDE_REDIS_URL="redis://127.0.0.1:1/0",
            VARDE_PORT="0",
            VARDE_CONFIG=str(file),
            VARDE_TOPIC=topic,
            PUBSUB_EMULATOR_HOST=host,
        )
        yield ours, arrived, rest
        ours.close()


def taken(port):
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=DEADLINE_S) as answer:
        text = answer.read().decode()
    found = re.findall(r'^varde_collector_messages_total\{.*result="taken".*\} (\S+)$', text, re.M)
    return int(sum(map(float, found)))


@pytest.mark.timeout(7200)
async def test_no_fault_and_nothing_accepted_is_lost(process, record_property):
    server, arrived, rest = process
    port = await asyncio.to_thread(lambda: server.port)
    statuses: Counter[int] = Counter()
    before = 0
    for first in range(0, REQUESTS, AT_ONCE):
        seed = SEED + first
        done = await fuzz_collector.fuzz(port, seed, min(AT_ONCE, REQUESTS - first))
        statuses.update(one.status for one in done)
        for one in done:
            assert one.status < 500 or deliberate(one), (seed, one)
            assert one.status or not one.whole, (seed, one)
        counted = await asyncio.to_thread(taken, port)
        found = Counter(orjson.loads(data)["messageId"] for data in [*await arrived(counted - before), *await rest()])
        if not statuses[503]:
            assert found.total() == counted - before, seed
        before = counted
        for one in done:
            if one.status == 200:
                assert all(found[name] == 1 for name in one.sound), (seed, one)
            elif one.status not in (503, 0):  # 0: taken, perhaps, and the answer lost
                assert not any(found[name] for name in one.ids), (seed, one)
    record_property("answers", dict(statuses))
    print(dict(statuses), before, "messages taken")
    assert statuses[200] > REQUESTS // 3
    assert statuses[400] > REQUESTS // 50
    assert before > REQUESTS
    assert not [line for line in server.err if "Traceback" in line or "Unhandled" in line], server.err[-5:]


def deliberate(one):
    body = orjson.loads(one.answer.partition(b"\r\n\r\n")[2])
    return one.status == 503 and body["code"] in DELIBERATE


def test_the_requests_are_of_every_kind():
    chance = random.Random(SEED)
    made = [fuzz_collector.request(chance, number) for number in range(2000)]
    paths = {one.raw.split(b" ")[1].split(b"?")[0] for one in made if one.sound}
    assert {b"/v1/b", b"/v1/batch", b"/v1/track", b"/v1/t", b"/v1/pixel/track"} <= paths
    assert 0.2 < sum(not one.sound for one in made) / len(made) < 0.9
