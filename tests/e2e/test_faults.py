"""docs/faults.md, row by row: what each fault may do, and what holds at once. FAULT_SEED repeats random faults."""

from __future__ import annotations

import gzip
import re
import signal
import time
from pathlib import Path

import pytest
from tests.streaming.play import in_bundles, play_stream
from tests.streaming.world import clock, live, shop
from tests.streaming.world import truth as truth_of_shop

from varde import progress
from varde.demo.redis import start_redis
from varde.settings import Settings
from varde.store.connection import connect
from varde.store.names import Names
from varde.store.sync import Store
from varde.streaming import parse, profiles, write
from varde.streaming.options import StreamParameters

from .faults import Bundles, FaultyClient
from .parts import differing, load, nightly_run, streaming
from .visits import DAY_MS, HOUR_MS, day, delivered, folded, truth

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("no_settings")]

CAP = 24
MESSAGES = 2500
"""Distinct messages; each is delivered three times. All copies fit into what the stream reads ahead, so none waits."""
ACK_DEADLINE_S = 10
"""Pub/Sub's shortest: so long it keeps from a new process what the dead one had asked for."""


@pytest.fixture
def now():
    return time.time_ns() // 1_000_000


@pytest.fixture
def parameters(redis_url):
    write._store.cache_clear()  # the server was emptied: numbers of items that a store remembers are gone
    settings = Settings(redis_url=redis_url, cap=8, window_days=10)
    return StreamParameters(settings=settings, run_id="testrun", lanes=3, batch_updates=50)


def test_the_page_names_the_tests():
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    mine = {name for name in globals() if name.startswith("test_")} - {"test_the_page_names_the_tests"}
    assert set(re.findall(r"`(test_\w+)`", page)) == mine


def faulty_store(monkeypatch, parameters, bundles):
    """The sink's store, over a client that may raise before and after every call; and a reader without faults."""
    names = Names()
    client = FaultyClient(connect(parameters.settings.redis_url, names.clear), bundles)
    store = Store(client, parameters.settings, clock, names)
    monkeypatch.setattr(write, "_store", lambda *_: store)
    return Store.from_settings(parameters.settings)


def test_a_sink_that_raises_around_any_script_counts_exactly(parameters, rng, monkeypatch):
    """Before a script, between two, or after one, when its reply is lost: the bundle is tried again."""
    bundles = Bundles(rng, 0.02, [write.ApplyDeliveries], monkeypatch)
    reader = faulty_store(monkeypatch, parameters, bundles)
    messages = shop(rng.getrandbits(32), 400)
    play_stream(in_bundles(messages, 37), parameters)
    assert bundles.faults.keys() >= {"before a call", "after a call"}, bundles.faults
    assert live(reader) == truth_of_shop(messages, parameters.settings.limits)
    assert progress.settled(reader.stats(), len(messages))
    pairs, _ = live(reader)
    for relation, item in {(relation, item) for relation, item, _ in pairs}:  # the rows that are served are right, too
        row = reader.row(relation, item)
        shown = dict(zip(reader.names(row.items.tolist()), row.counts.tolist(), strict=True))
        assert shown == reader.counts(relation, item)
    reader.close()


def test_a_bundle_of_any_step_that_is_tried_again_counts_once(parameters, rng, monkeypatch):
    """The step has done all its work, state and writes included, and dies before the runner commits."""
    steps = [parse.ParseMessage, profiles.AnonymousProfiles, profiles.KnownProfiles, write.ApplyDeliveries]
    bundles = Bundles(rng, 0.5, steps, monkeypatch)
    messages = shop(rng.getrandbits(32), 400)
    play_stream(in_bundles(messages, 37), parameters)
    assert bundles.faults.keys() >= {step.__name__ for step in steps}, bundles.faults
    reader = Store.from_settings(parameters.settings)
    assert live(reader) == truth_of_shop(messages, parameters.settings.limits)
    assert progress.settled(reader.stats(), len(messages))
    reader.close()


@pytest.mark.e2e
def test_a_redis_that_is_killed_and_comes_back_counts_exactly(broker, rng, now, tmp_path):
    """AOF with appendfsync always: a reply means that it is on disk. The stream waits and tries again."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = start_redis(folder, appendonly=True)
    try:
        settings = Settings(redis_url=server.url, cap=CAP)
        sent = delivered(day(rng.getrandbits(32), MESSAGES, now), rng)
        kills = sorted(rng.randrange(len(sent)) for _ in range(3))
        with streaming(broker, settings, tmp_path) as stream:
            stream.start()
            stream.publish(sent)
            for after in kills:
                stream.wait_until(lambda stats, after=after: stats.get("messages", 0) >= after)
                server.child.kill()
                server = start_redis(folder, port=_port(server.url), appendonly=True)
            stream.settle(len(sent))
            assert differing(stream.counts(), truth(sent, settings.limits, now)) == []
    finally:
        server.stop()


def _port(url: str) -> int | None:
    return None if url.startswith("unix:") else int(url.rpartition(":")[2].partition("/")[0])


@pytest.mark.e2e
def test_a_queue_that_delivers_everything_again_changes_nothing(broker, redis_url, rng, now, tmp_path):
    settings = Settings(redis_url=redis_url, cap=CAP)
    messages = day(rng.getrandbits(32), MESSAGES, now)
    with streaming(broker, settings, tmp_path) as stream:
        stream.start()
        once = stream.publish(delivered(messages, rng, copies=1))
        stream.settle(once)
        before = stream.counts()
        stream.settle(once + stream.publish(delivered(messages, rng, copies=2)))
        assert stream.counts() == before == truth(messages, settings.limits, now)


def divided(rng, now):
    """The messages before a restart and those after it, as they are delivered."""
    messages = day(rng.getrandbits(32), MESSAGES, now)
    cut = rng.randrange(len(messages) // 3, 2 * len(messages) // 3)
    return delivered(messages[:cut], rng), delivered(messages[cut:], rng)


def seeds_of(stream, messages, folder):
    """The file that `varde seeds` makes of a warehouse with these messages, and the number of its lines."""
    out = folder / "seeds.ndjson.gz"
    warehouse = load(folder / "warehouse.duckdb", messages, stream.settings)
    stream.varde("seeds", "--warehouse", str(warehouse), "--out", str(out))
    with gzip.open(out) as lines:
        return out, sum(1 for _ in lines)


@pytest.mark.e2e
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_between_messages_with_seeds_equals_no_restart(stop, broker, redis_url, rng, now, tmp_path):
    """Settled, ended, started with the past as seeds: the counts are those of a stream that was never ended."""
    settings = Settings(redis_url=redis_url, cap=CAP)
    first, second = divided(rng, now)
    with streaming(broker, settings, tmp_path, ACK_DEADLINE_S) as stream:
        child = stream.start()
        stream.publish(first)
        stream.settle(len(first))
        child.kill() if stop == signal.SIGKILL else child.stop()
        assert child.exit_code == (-stop if stop == signal.SIGKILL else 0)
        file, seeds = seeds_of(stream, first, tmp_path)
        stream.start(file)
        stream.publish(second)
        stream.settle(len(first) + len(second), seeds)
        assert differing(stream.counts(), truth([*first, *second], settings.limits, now)) == []


@pytest.mark.e2e
def test_a_stream_that_is_killed_at_work_loses_only_what_it_had_taken(broker, redis_url, rng, tmp_path):
    """The local runner acknowledges first, so what it had taken and not applied is missing until the nightly run.

    What was applied stays as it was, and all that is sent after the restart counts exactly relative to the seeds:
    counts = those at the restart + f(seeds and new messages) - f(seeds). What Pub/Sub delivers again adds nothing.
    """
    today = time.time_ns() // 1_000_000 // DAY_MS
    now = today * DAY_MS - HOUR_MS  # the night that follows covers all of it
    settings = Settings(redis_url=redis_url, cap=CAP)
    first, second = divided(rng, now)
    past = folded(first, settings.limits, now)
    with streaming(broker, settings, tmp_path, ACK_DEADLINE_S) as stream:
        child = stream.start()
        stream.publish(first)
        after = rng.randrange(len(first))
        stream.wait_until(lambda stats: stats.get("messages", 0) >= after)
        child.kill()
        left = stream.counts()
        stream.start(seeds_of(stream, first, tmp_path)[0])
        stream.publish(second)
        both = folded([*first, *second], settings.limits, now).total
        expected = plus(left, minus(both.totals(), past.total.totals()))
        # Nobody can tell how many messages come again, so there is no number of them to wait for.
        deadline = time.monotonic() + 120
        while differing(stream.counts(), expected) and time.monotonic() < deadline:
            stream.started[-1].check()
            time.sleep(0.2)
        assert differing(stream.counts(), expected) == []
        missing = differing(expected, both.totals())
        print(f"after {after} of {len(first)}: {len(missing)} pairs and supports are missing until the night")
        nightly_run(tmp_path / "night.duckdb", [*first, *second], settings, today)
        assert differing(stream.counts(), truth([*first, *second], settings.limits, now)) == []


def plus(a, b, sign=1):
    """a + sign x b, pair by pair and support by support, without zeros."""
    sums = [
        {key: mine.get(key, 0) + sign * theirs.get(key, 0) for key in mine.keys() | theirs.keys()}
        for mine, theirs in zip(a, b, strict=True)
    ]
    return tuple({key: n for key, n in some.items() if n} for some in sums)


def minus(a, b):
    return plus(a, b, -1)
