"""The drill of docs/runbook.md, for real: Redis is killed and all it held is gone, twice, while nobody's request fails.

The first time it is filled from the warehouse, the second time from an export; each time the stream begins anew with
seeds and the topic is replayed, and in the end every pair and every support is what it was. The last lines say how long
each phase took (`pytest -s`).
"""

from __future__ import annotations

import gzip
import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud.pubsub_v1 import SubscriberClient

from varde.demo import pubsub
from varde.demo.redis import start_redis
from varde.settings import Settings
from varde.store.sync import Store

from .drill import Phases, Shopper, serving, similar
from .parts import differing, load, streaming
from .visits import DAY_MS, HOUR_MS, day, truth

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.usefixtures("no_settings")]

CAP = 24
PAST, TAIL = 1200, 400
"""Messages up to the midnight that Redis is filled to, and after it."""
ACK_DEADLINE_S = 10


class Drill:
    """The parts, and what each step of the runbook does to them."""

    def __init__(self, stream, redis, folder, as_of, phases):
        self.stream, self.redis, self.folder, self.phases = stream, redis, folder, phases
        self.begun = datetime.now(UTC) - timedelta(seconds=5)
        self.as_of = datetime.fromtimestamp(as_of / 1000, UTC).isoformat(timespec="milliseconds")
        self.warehouse = ("--warehouse", str(folder / "warehouse.duckdb"), "--as-of", self.as_of)

    def lose_redis(self):
        """Killed; whoever starts it again finds nothing. Nothing is written to disk, so there is nothing to wipe."""
        self.redis.child.kill()
        return time.monotonic()

    def empty_redis(self):
        self.redis = start_redis(self.redis.folder, port=_port(self.redis.url))
        with closing(Store.from_settings(self.stream.settings)) as store:
            assert store.all_items() == store.stats() == {}

    def end_stream(self, name):
        with self.phases.timed(f"{name}: end the stream"):
            self.stream.started[-1].stop()

    def go_on(self, name, messages):
        """Seeds up to the midnight, the topic from before then, and a new stream; until all is counted."""
        out = self.folder / "seeds.ndjson.gz"
        if not out.exists():  # of the same moment both times
            with self.phases.timed("seeds"):
                self.stream.varde("seeds", *self.warehouse, "--out", str(out))
        with self.phases.timed(f"{name}: replay and stream"):
            self.seek(self.begun)
            self.stream.start(out)
            with gzip.open(out) as lines:
                self.stream.settle(messages, sum(1 for _ in lines))

    def seek(self, when):
        with pubsub.subscriber(self.stream.env["PUBSUB_EMULATOR_HOST"]) as client:
            client.seek(request={"subscription": self.stream.names.subscription, "time": when})


def _port(url):
    return None if url.startswith("unix:") else int(url.rpartition(":")[2].partition("/")[0])


def retaining(stream):
    """The subscription again, with what a topic's retention gives on Google Cloud: acknowledged messages stay."""
    name = stream.names.subscription
    client: SubscriberClient
    with pubsub.subscriber(stream.env["PUBSUB_EMULATOR_HOST"]) as client:
        client.delete_subscription(subscription=name)
        pubsub.ensure_subscription(client, name, stream.names.topic, ACK_DEADLINE_S, retain=True)


def fell_back(shopper, phases, name, lost_at):
    """Lists go on: from memory at first, then, when Redis is there and empty, from what needs no counts."""
    stale = shopper.wait_for(lambda answer: answer.stale, lost_at)
    phases.note(f"{name}: first stale answer", stale.at + stale.seconds - lost_at)
    held = shopper.wait_for(lambda answer: answer.path == shopper.paths[0], stale.at)
    assert held.rung == "pairs", "a row that was asked for before is in memory"


def served_again(shopper, phases, name, lost_at, url, counts):
    """The rung is `pairs` again and nothing stale, with the customers that are counted."""
    begun = time.monotonic()
    pairs, _ = counts
    items = {item for relation, item, _ in pairs if relation == 0}
    best = max(items, key=lambda item: sum(n for (r, i, _), n in pairs.items() if (r, i) == (0, item)))
    deadline = begun + 60
    while not (shown := similar(url, best)) or any(pairs.get((0, best, item)) != n for item, n in shown.items()):
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)
    phases.note(f"{name}: until servers show it", time.monotonic() - begun)
    phases.note(f"{name}: from the loss to the end", time.monotonic() - lost_at)


def test_redis_is_lost_and_comes_back_from_the_warehouse_and_from_an_export(broker, rng, tmp_path, record_property):
    midnight = (time.time_ns() // 1_000_000 // DAY_MS - 1) * DAY_MS
    past = day(rng.getrandbits(32), PAST, midnight - HOUR_MS)
    tail = day(rng.getrandbits(32), TAIL, midnight + DAY_MS)
    phases = Phases()
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = start_redis(folder)
    settings = Settings(redis_url=redis.url, cap=CAP)
    expected = truth([*past, *tail], settings.limits, midnight + DAY_MS)
    drill = None
    try:
        with streaming(broker, settings, tmp_path, ACK_DEADLINE_S) as stream:
            retaining(stream)
            drill = Drill(stream, redis, tmp_path, midnight - 1, phases)
            load(tmp_path / "warehouse.duckdb", [*past, *tail], settings)
            stream.start()
            file = str(tmp_path / "varde.export")
            with serving(stream.children, stream.env, tmp_path / "varde.toml") as url:
                stream.publish(past)
                stream.settle(PAST)
                with phases.timed("export"):
                    assert stream.varde("export", file)["quiet"] is True
                stream.publish(tail)
                stream.settle(PAST + TAIL)
                before = stream.counts()
                assert differing(before, expected) == []
                item = max(stream.store.all_items(), key=lambda one: len(stream.store.counts(0, one)))
                paths = [f"/v1/similar/{item}", "/v1/recommendations?uid=user-1", "/v1/popular", "/v1/similar/unknown"]
                with Shopper(url, paths) as shopper:
                    shopper.wait_for(lambda answer: answer.rung == "pairs", 0.0)
                    from_warehouse(drill, shopper, url, before)
                    from_export(drill, shopper, url, before, file)
        answers = shopper.answers
        assert {answer.status for answer in answers} == {200}
        empty = {(answer.path, answer.rung) for answer in answers if not answer.items}
        assert {path for path, _ in empty} <= {"/v1/popular"}, empty  # it tells what is counted, and has no fallback
        slowest = max(answer.seconds for answer in answers)
        told = {"answers": len(answers), "slowest_s": round(slowest, 2), "phases_s": phases.seconds}
        record_property("drill", told)
        print(json.dumps(told, indent=1))
    finally:
        (drill.redis if drill else redis).stop()


def from_warehouse(drill, shopper, url, before):
    name = "warehouse"
    lost_at = drill.lose_redis()
    fell_back(shopper, drill.phases, name, lost_at)
    drill.end_stream(name)
    drill.empty_redis()
    empty_at = time.monotonic()
    found = shopper.wait_for(lambda one: one.path == shopper.paths[0] and one.rung != "pairs", empty_at)
    drill.phases.note(f"{name}: until an empty Redis is noticed", found.at - empty_at)
    with drill.phases.timed(f"{name}: reconcile --apply"):
        done = drill.stream.varde("reconcile", *drill.warehouse, "--apply")
    assert done["applied"] and done["refusals"] == []
    drill.go_on(name, PAST + TAIL)
    assert differing(drill.stream.counts(), before) == []
    served_again(shopper, drill.phases, name, lost_at, url, before)


def from_export(drill, shopper, url, before, file):
    name = "export"
    lost_at = drill.lose_redis()
    fell_back(shopper, drill.phases, name, lost_at)
    drill.end_stream(name)
    drill.empty_redis()
    with drill.phases.timed(f"{name}: import"):
        done = drill.stream.varde("import", file)
    assert done["rows"] > 0
    drill.go_on(name, PAST + PAST + TAIL)  # the counters came back, too
    assert differing(drill.stream.counts(), before) == []
    served_again(shopper, drill.phases, name, lost_at, url, before)
