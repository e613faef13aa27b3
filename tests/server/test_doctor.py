"""`varde doctor` against real Redis servers, a Pub/Sub and a server, well and unwell: each with what to do about it."""

import dataclasses
import os
import re
import signal
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import redis
from aiohttp import web
from tests.conftest import free_port, running_cluster, running_redis

from varde import keys
from varde.cli import main
from varde.delivery import Delivery, Token
from varde.demo import emulator, pubsub
from varde.history import DAY_MS
from varde.server import doctor, doctor_queue, doctor_redis, doctor_server, doctor_store
from varde.server.doctor_findings import CHECKS, Finding, Status, ok, report, unknown, warning
from varde.settings import Settings
from varde.store.night import NightStore, Reconciled

from .conftest import VERSION

NOW = 20_400 * DAY_MS
SETTINGS = Settings(id_secret="of these tests")
DOCS = Path(__file__).parents[2] / "docs"
OK, UNKNOWN, WARNING, PROBLEM = Status.OK, Status.UNKNOWN, Status.WARNING, Status.PROBLEM


def statuses(findings):
    return {found.check: found.status for found in findings}


def judged(url, **changes):
    """check -> finding, of the Redis at a URL."""
    settings = dataclasses.replace(SETTINGS, redis_url=url, **changes)
    return {found.check: found for found in doctor.examine(settings).findings}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A Redis as docs/redis.md wants it."""
    options = ("--maxmemory", "200mb", "--maxmemory-policy", "noeviction")
    with running_redis(VERSION, *options, data=tmp_path_factory.mktemp("redis")) as server:
        yield server.url


def count_something(url, stats, items=("tent", "stove")):
    """As the stream would: items get numbers, and the counters are there."""
    with closing(NightStore.from_settings(Settings(redis_url=url), lambda: NOW)) as store:
        store.intern(items)
        store.apply(Delivery(Token("doctor", 0, 0, 0), 0, stats=stats))


def test_a_redis_that_is_well(good):
    count_something(good, {"messages": 100, "accepted": 99, "rejected:not_json": 1})
    with closing(NightStore.from_settings(Settings(redis_url=good))) as store:
        now_ms = doctor_redis.time.time_ns() // 1_000_000
        store.finish(Reconciled(now_ms // DAY_MS, "run"), [], now_ms // DAY_MS)
    found = judged(good)
    of_redis = CHECKS[CHECKS.index("redis") : CHECKS.index("topics")]
    assert {check: found[check] for check in of_redis if found[check].status is not OK} == {}
    assert all(not found[check].fix for check in of_redis)
    assert "1 of 100" in found["dead-letters"].found


def test_a_redis_as_it_comes_out_of_the_box_and_worse():
    with running_redis(VERSION, "--maxmemory-policy", "allkeys-lru") as server:
        found = judged(server.url)
    assert found["maxmemory"].status is WARNING
    assert found["maxmemory-policy"].status is PROBLEM
    assert "allkeys-lru" in found["maxmemory-policy"].found
    assert "noeviction" in found["maxmemory-policy"].fix
    assert found["appendonly"].status is PROBLEM  # the tests' servers write nothing
    assert found["schema"].status is OK
    assert [found[name].status for name in ("stream", "dead-letters", "reconcile")] == [WARNING, UNKNOWN, WARNING]


def test_a_redis_with_snapshots_alone(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("save", "3600 1")
        try:
            found = judged(redis_server.url)["appendonly"]
        finally:
            client.config_set("save", "")
    assert (found.status, found.found.partition(":")[0]) == (WARNING, "no, only snapshots")


def test_a_redis_that_is_nearly_full(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("filler", b"x" * 20_000_000)
        used = int(client.info("memory")["used_memory"])
        seen = []
        for part in (0.5, 0.8, 0.95):
            client.config_set("maxmemory", int(used / part))
            seen.append(judged(redis_server.url)["maxmemory"].status)
        client.config_set("maxmemory", 0)
    assert seen == [OK, WARNING, PROBLEM]


def test_a_replica_takes_no_writes(redis_server):
    with running_redis(VERSION) as other, redis.Redis.from_url(other.url) as client:
        client.replicaof("127.0.0.1", free_port())
        found = judged(other.url)["redis-role"]
    assert found.status is PROBLEM
    assert "primary" in found.fix


def test_keys_of_another_schema(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        newer = doctor_redis._of_version(keys.sequence(5), keys.VERSION + 1)
        client.hset(newer, "last", 1)
        found = judged(redis_server.url)["schema"]
        assert (found.status, str(keys.VERSION + 1) in found.found) == (PROBLEM, True)
        client.delete(newer)
        assert judged(redis_server.url)["schema"].status is OK


def test_items_that_find_no_number(redis_server):
    items = [item for item in map(str, range(3000)) if keys.shard_of(item) == 3]
    count_something(redis_server.url, {"messages": 1, "accepted": 1}, items[:14])
    assert judged(redis_server.url, max_items=1_000)["items"].status is WARNING
    count_something(redis_server.url, {}, items[:16])
    assert judged(redis_server.url, max_items=1_000)["items"].status is PROBLEM
    assert judged(redis_server.url)["items"].status is OK


def test_an_interrupted_night(redis_server):
    with closing(NightStore.from_settings(Settings(redis_url=redis_server.url))) as store:
        store.take_lock("host:1", 60_000)
        store.mark("run", "1:2:3")
        assert "no night" in judged(redis_server.url)["reconcile"].found, "it is under way"
        store.release_lock("host:1")
    found = judged(redis_server.url)["reconcile"]
    assert (found.status, "--resume" in found.fix) == (WARNING, True)


def test_a_cluster_has_every_node_looked_at():
    with running_cluster() as server:
        assert judged(server.url)["redis-mode"].status is PROBLEM, "VARDE_REDIS_CLUSTER is no"
        settings = dataclasses.replace(SETTINGS, redis_url=server.url, redis_cluster="yes")
        nodes = doctor_redis.nodes(settings)
        assert len({node.name for node in nodes}) == 3
        bad = [dataclasses.replace(nodes[0], policy="volatile-ttl"), *nodes[1:]]
        (found,) = [one for one in doctor_store.of_nodes(bad, settings) if one.check == "maxmemory-policy"]
        assert (found.status, found.found.startswith(nodes[0].name)) == (PROBLEM, True)
        assert judged(server.url, redis_cluster="yes")["schema"].status is OK


def test_a_redis_that_is_no_cluster(redis_server):
    (node,) = doctor_redis.nodes(Settings(redis_url=redis_server.url))
    mode = doctor_store.of_nodes([node], dataclasses.replace(SETTINGS, redis_cluster="yes"))
    assert statuses(mode)["redis-mode"] is PROBLEM


def test_a_redis_that_is_gone_or_stands_still(monkeypatch):
    found = judged("redis://:geheim@127.0.0.1:1/0")
    assert found["redis"].status is PROBLEM
    assert "geheim" not in repr(found)
    assert found["maxmemory"].status is UNKNOWN
    monkeypatch.setattr(doctor_redis, "TIMEOUT_S", 0.2)
    with running_redis(VERSION) as server:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            assert judged(server.url)["redis"].status is PROBLEM
        finally:
            os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("ahead_s", "slow_s", "status"), [(0, 0, OK), (5, 0, WARNING), (-100, 0, PROBLEM), (5, 20, OK), (100, 20, PROBLEM)]
)
def test_the_clock_is_compared_as_well_as_can_be(redis_server, ahead_s, slow_s, status):
    """A slow answer makes the comparison unsure: what may be the way of the answer is not taken for a skew."""
    calls = iter(range(1000))

    def clock():
        at = doctor_redis.time.time() + ahead_s
        return at + (slow_s / 2 if next(calls) % 2 else -slow_s / 2)

    (node,) = doctor_redis.nodes(Settings(redis_url=redis_server.url), clock)
    assert statuses(doctor_store.of_nodes([node], SETTINGS))["clock"] is status


@pytest.mark.parametrize(("days", "status"), [(0.5, OK), (2.9, OK), (3.1, WARNING), (13.9, WARNING), (14.1, PROBLEM)])
def test_how_long_ago_the_last_night_may_be(days, status):
    kept = doctor_redis.Kept(10, {}, Reconciled(20_000, "run"), "", False, (keys.VERSION,))
    found = statuses(doctor_store.of_kept(kept, SETTINGS, int((20_000 + days) * DAY_MS)))
    assert found["reconcile"] is status


def test_old_keys_beside_the_new_and_without():
    def schema(*versions):
        kept = doctor_redis.Kept(10, {}, None, "", False, versions)
        return statuses(doctor_store.of_kept(kept, SETTINGS, NOW))["schema"]

    assert schema(keys.VERSION) is schema() is OK
    assert schema(keys.VERSION - 1, keys.VERSION) is WARNING
    assert schema(keys.VERSION - 1) is schema(keys.VERSION, keys.VERSION + 1) is PROBLEM


def test_dead_letters_are_named_by_reason():
    stats = {"messages": 100, "rejected:bad_id": 7, "rejected:not_json": 2}
    kept = doctor_redis.Kept(10, stats, None, "", False, (keys.VERSION,))
    (found,) = [one for one in doctor_store.of_kept(kept, SETTINGS, NOW) if one.check == "dead-letters"]
    assert (found.status, found.found.endswith("bad_id 7, not_json 2")) == (WARNING, True)


# Pub/Sub


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    broker = emulator.start_standin(tmp_path_factory.mktemp("pubsub"))
    yield broker.host
    broker.stop()


@pytest.fixture
def names(host, monkeypatch):
    monkeypatch.setenv(emulator.VARIABLE, host)
    names = pubsub.Names()
    with pubsub.clients(host) as (publisher, subscriber):
        pubsub.ensure_topic(publisher, names.topic)
        pubsub.ensure_subscription(subscriber, names.subscription, names.topic)
    return names


def test_topics_and_subscription_that_are_there(names):
    settings = Settings(topic=names.topic)
    assert statuses(doctor_queue.topics(settings)) == {"topics": OK}
    assert statuses(doctor_queue.subscription(names.subscription, settings)) == {"subscription": OK}


def test_topics_and_subscriptions_that_are_not(names):
    settings = Settings(topic=f"{names.topic}-x", exposures_topic=names.topic)
    first, second = doctor_queue.topics(settings)
    assert (first.status, second.status) == (PROBLEM, OK)
    assert f"gcloud pubsub topics create {names.topic}-x" in first.fix
    (found,) = doctor_queue.subscription(f"{names.subscription}-x", settings)
    assert (found.status, "create" in found.fix) == (PROBLEM, True)
    (found,) = doctor_queue.subscription(names.subscription, settings)
    assert (found.status, names.topic in found.found) == (PROBLEM, True)


def test_pubsub_that_does_not_answer(monkeypatch):
    monkeypatch.setenv(emulator.VARIABLE, f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(doctor_queue, "WITHIN_S", 0.5)
    assert statuses(doctor_queue.topics(Settings(topic="projects/p/topics/abc"))) == {"topics": PROBLEM}
    assert statuses(doctor_queue.subscription("projects/p/subscriptions/abc", SETTINGS)) == {"subscription": PROBLEM}


def test_without_credentials(monkeypatch):
    monkeypatch.delenv(emulator.VARIABLE, raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    (found,) = doctor_queue.topics(Settings(topic="projects/p/topics/abc"))
    assert (found.status, "gcloud auth" in found.fix) == (PROBLEM, True)
    assert doctor_queue.lag("projects/p/subscriptions/abc", doctor_queue.authorized(), datetime.now(UTC)).status is (
        UNKNOWN
    )


AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def points(*ages):
    """An answer of Cloud Monitoring, newest first."""
    return {
        "timeSeries": [
            {
                "points": [
                    {"interval": {"endTime": f"2026-05-01T11:{59 - n}:00Z"}, "value": {"int64Value": str(age)}}
                    for n, age in enumerate(ages)
                ]
            }
        ]
    }


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (points(3, 9_000), OK),
        (points(61), WARNING),
        (points(3_600, 1), PROBLEM),
        ({}, UNKNOWN),
        ({"timeSeries": [{}]}, UNKNOWN),
        ({"timeSeries": [{"points": [{}]}]}, UNKNOWN),
        ({"timeSeries": "?"}, UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_the_lag_is_cloud_monitorings_newest_figure(told, status):
    asked = []
    found = doctor_queue.lag("projects/my-shop/subscriptions/varde", lambda url: asked.append(url) or told, AT)
    assert found.status is status
    assert asked[0].startswith("https://monitoring.googleapis.com/v3/projects/my-shop/timeSeries?filter=metric.type")
    assert "subscription_id%3D%22varde%22" in asked[0]


def test_a_monitoring_that_cannot_be_asked():
    def refused(url):
        raise OSError("403")

    assert doctor_queue.lag("projects/p/subscriptions/s", refused, AT).status is UNKNOWN


def test_a_deleted_topic_and_a_short_deadline():
    class Found:
        topic, ack_deadline_seconds = doctor_queue.DELETED, 60

    def judged_as(topic, seconds):
        Found.topic, Found.ack_deadline_seconds = topic, seconds
        return statuses(doctor_queue._subscribed("s", Found, "t"))["subscription"]

    assert [judged_as(doctor_queue.DELETED, 60), judged_as("t", 10), judged_as("t", 60)] == [PROBLEM, WARNING, OK]


# A server


async def test_a_server_that_is_ready(serve, settings):
    client = await serve(settings)
    assert [found.status for found in await doctor_server.server(str(client.make_url("")))] == [OK]


async def test_a_server_that_is_not(serve):
    client = await serve(Settings(redis_url="redis://127.0.0.1:1/0"), wait=False)
    (found,) = await doctor_server.server(str(client.make_url("")))
    assert (found.status, "not read everything" in found.found) == (WARNING, True)
    (found,) = await doctor_server.server(f"http://127.0.0.1:{free_port()}")
    assert found.status is PROBLEM


async def test_something_else_on_that_address(aiohttp_client):
    app = web.Application()

    async def readyz(request):
        return web.json_response(["?"])

    async def described(request):
        return web.json_response({"info": {"version": "0"}})

    app.router.add_get("/readyz", readyz)
    app.router.add_get("/openapi.json", described)
    client = await aiohttp_client(app)
    found = statuses(await doctor_server.server(str(client.make_url(""))))
    assert found == {"server": PROBLEM, "versions": WARNING}


# The command


@pytest.fixture
def environ(monkeypatch, good):
    for name in [name for name in os.environ if name.startswith("VARDE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VARDE_REDIS_URL", good)
    monkeypatch.setenv("VARDE_ID_SECRET", "x")
    return monkeypatch


def test_exit_codes(environ, capsys):
    assert main(["doctor"]) == 0
    assert main(["doctor", "--strict"]) == 1, "without a configuration file that is a warning"
    environ.setenv("VARDE_REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^problem +redis ", out, re.MULTILINE)
    assert out.splitlines()[-1].startswith("1 problem, ")
    for words in (["--subscription", "varde"], ["--server", "varde:8080"], ["--what"]):
        with pytest.raises(SystemExit) as ended:
            main(["doctor", *words])
        assert ended.value.code == 2


def test_json_is_one_object_with_every_check(environ, capsys):
    main(["doctor", "--json"])
    told = orjson.loads(capsys.readouterr().out)
    assert told["status"] == "warning"
    assert {found["check"] for found in told["checks"]} == set(CHECKS)
    assert all(set(found) == {"check", "status", "found", "fix"} for found in told["checks"])


def test_a_configuration_that_makes_no_sense(environ, tmp_path, capsys):
    (tmp_path / "varde.toml").write_text("[placements.x]\nwhat = 1\n")
    environ.setenv("VARDE_CONFIG", str(tmp_path / "varde.toml"))
    assert main(["doctor"]) == 1
    assert re.search(r"^problem +configuration .*line 2", capsys.readouterr().out, re.MULTILINE)


def test_settings_that_do_not_go_together():
    def found(**changes):
        return [one.status for one in doctor._settings(dataclasses.replace(SETTINGS, **changes))]

    assert found() == [OK]
    assert found(id_secret="") == [WARNING]
    assert PROBLEM in found(admin_key="k" * 20)
    assert PROBLEM in found(topic="projects/p/topics/abc", exposures_topic="projects/p/topics/abc")


def test_a_report_is_as_bad_as_its_worst():
    assert report([]).status is OK, "what is unknown is well"
    assert {found.status for found in report([]).findings} == {UNKNOWN}
    found = report([ok("redis", ""), warning("clock", "", "x"), unknown("lag", "")])
    assert found.status is WARNING
    assert tuple(one.check for one in found.findings) == CHECKS
    assert report([*found.findings, Finding("items", PROBLEM, "")]).status is PROBLEM


def test_the_runbook_explains_every_check():
    page = (DOCS / "runbook.md").read_text(encoding="utf-8").partition("\n## `varde doctor`\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE) == list(CHECKS)
