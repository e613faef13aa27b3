"""What a cluster of three real nodes adds: pipelines over several, scripts that one does not know, a node that dies."""

from __future__ import annotations

import dataclasses
import os
import signal

import pytest
import redis
from tests.conftest import running_cluster

from varde import keys
from varde.history import Signal
from varde.pairs import Histories
from varde.settings import Settings, SettingsError, from_env
from varde.store import aio, connection, sync

from .conftest import async_store, sync_store
from .world import NOW, clock, fill, row_counts

ITEMS = [f"item {n}" for n in range(20)]
WORLD = [Histories(view=dict.fromkeys(ITEMS, NOW))] * 2


def settings_of(server):
    return from_env({"VARDE_REDIS_URL": server.url, "VARDE_REDIS_CLUSTER": "yes"})


def nodes(server):
    """A client of each node by itself."""
    with server.client() as client:
        return [redis.Redis(host=node.host, port=node.port) for node in client.get_primaries()]


async def test_writes_and_readings_are_spread_over_all_nodes(redis_cluster):
    with sync_store(redis_cluster) as store:
        fill(store, WORLD)
        expected = {(0, i, j): 2 for i in ITEMS for j in ITEMS if i != j}
        assert row_counts(store) == expected
        assert store.ping()
    async with async_store(redis_cluster) as reader:
        rows = await reader.rows(0, ITEMS)
        assert [len(row) for row in rows] == [len(ITEMS) - 1] * len(ITEMS)
        assert await reader.popular(Signal.VIEW, 3) == []
        assert await reader.ping()
    for node in nodes(redis_cluster):
        with node:
            assert node.dbsize() > 10


def test_a_node_that_knows_no_script_is_taught_and_no_node_is_asked_for_keys(redis_cluster):
    with sync_store(redis_cluster) as store:
        fill(store, WORLD)
        every = nodes(redis_cluster)
        every[1].script_flush()
        for node in every:
            node.config_resetstat()
        fill(store, WORLD, run="again")
        assert store.counts(0, ITEMS[0]) == dict.fromkeys(ITEMS[1:], 4)
        done = [node.info("commandstats") for node in every]
        assert ["cmdstat_eval" in stats for stats in done] == [False, True, False]
        assert not any("getkeys" in command for stats in done for command in stats)
        for node in every:
            node.close()


async def test_a_new_connection_to_any_node_empties_the_cache(redis_cluster):
    """As `from_settings` connects."""
    writer = sync.Store.from_settings(settings_of(redis_cluster), clock)
    reader = aio.Store.from_settings(settings_of(redis_cluster))
    numbers = writer.intern(ITEMS)
    assert await reader.numbers(ITEMS) == numbers
    with redis_cluster.client() as client:
        client.flushall()
    for node in nodes(redis_cluster):
        with node:
            node.client_kill_filter(_type="normal", skipme=True)
    assert writer.recents("00") == writer.recents("11") == writer.recents("22") == []  # whichever node they are on
    assert writer.stats() == await reader.stats() == {}
    assert writer.numbers(ITEMS) == await reader.numbers(ITEMS) == [None] * len(ITEMS)
    writer.close()
    await reader.close()


async def test_a_node_that_died_is_an_error_of_the_connection(monkeypatch):
    """As with one node: a RedisError, which the stream tries again and the server answers without."""
    monkeypatch.setattr(connection, "RETRIES", 2)
    with running_cluster() as server:
        writer = sync.Store.from_settings(settings_of(server), clock)
        reader = aio.Store.from_settings(settings_of(server))
        fill(writer, WORLD)
        assert await reader.ping()
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            writer.stats()
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            await reader.stats()
        customers = [keys.customer_key(f"u{n}", None) for n in range(30)]
        fates = set()
        for customer in customers:  # the other nodes answer on
            try:
                fates.add(bool(await reader.recents(customer)))
            except redis.RedisError as error:
                fates.add(type(error))
        assert False in fates and len(fates) > 1
        writer.close()
        await reader.close()


async def test_no_cluster_at_all_is_an_error_of_the_connection(monkeypatch):
    monkeypatch.setattr(connection, "RETRIES", 2)
    nobody = from_env({"VARDE_REDIS_URL": "redis://127.0.0.1:1", "VARDE_REDIS_CLUSTER": "yes"})
    writer, reader = sync.Store.from_settings(nobody), aio.Store.from_settings(nobody)  # nothing is sent yet
    with pytest.raises(redis.ConnectionError):
        writer.ping()
    with pytest.raises(redis.ConnectionError):
        await reader.ping()
    writer.close()
    await reader.close()


@pytest.mark.parametrize("url", ["unix:///tmp/redis.sock", "redis://h:1/3", "redis://h:1?db=2"])
def test_an_address_that_no_node_has_is_refused(url):
    with pytest.raises(SettingsError, match=r"^VARDE_REDIS_CLUSTER: "):
        from_env({"VARDE_REDIS_URL": url, "VARDE_REDIS_CLUSTER": "yes"})
    assert not from_env({"VARDE_REDIS_URL": url}).clustered
    assert dataclasses.replace(Settings(), redis_cluster="yes").clustered
