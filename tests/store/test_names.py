"""Item numbers: cached, bounded, and never given away twice, even by a server that lost its newest writes."""

import os
import signal

import pytest
import redis
from tests.conftest import redis_binary, running_redis

from varde import keys
from varde.settings import Settings
from varde.store.names import Names
from varde.store.sync import Store

from .conftest import sync_store
from .test_rows import directed
from .world import clock, row_counts

NEWEST = "7" if redis_binary("7") else "6.2"


def test_a_full_cache_is_emptied_and_still_right():
    names = Names(limit=3)
    for number in range(64, 80):
        names.learn([(f"item {number}", number)])
        assert names.number(f"item {number}") == number
        assert names.name(number) == f"item {number}"
        assert (names.number(""), names.name(0)) == (0, "")
        assert len(names.numbers) <= 5


def test_a_store_with_a_tiny_cache_reads_and_writes_right(redis_server):
    ids = [f"item {n}" for n in range(50)]
    with sync_store(redis_server, names=Names(limit=2)) as store:
        numbers = store.intern(ids)
        assert store.numbers(ids) == numbers == store.intern(ids)
        assert store.names(numbers) == ids
        delivery = directed("a", dict.fromkeys(ids, 1), 0)
        store.apply(delivery)
        store.refresh(delivery)
        assert row_counts(store) == {(2, "a", item): 1 for item in ids}
        assert store.counts(2, "a") == dict.fromkeys(ids, 1)


def test_an_id_given_twice_in_one_call_gets_one_number(store):
    assert len(set(store.intern(["a", "b", "a"]))) == 2


def test_no_number_is_left_is_an_error_that_changes_nothing(redis_server, store):
    shard = keys.shard_of("a")
    with redis_server.client() as client:
        client.hset(keys.sequence(shard), "last", 2**26 - 1)
        with pytest.raises(redis.ResponseError, match="no item number is left"):
            store.intern(["a"])
        assert client.dbsize() == 1


def test_a_lost_number_is_not_given_to_another_item():
    """A server without its newest writes: the process that knew them may go on using the numbers it had learnt."""
    ids = [item for item in (f"item {n}" for n in range(2000)) if keys.shard_of(item) == 5]
    with running_redis(NEWEST) as before, sync_store(before) as store:
        store.intern(ids[:2])
        with before.client() as client:
            saved = {key: client.dump(key) for key in client.scan_iter()}
        lost = store.intern(ids[2:6])
    with running_redis(NEWEST) as after, sync_store(after) as store:
        with after.client() as client:
            for key, value in saved.items():
                client.restore(key, 0, value)
        assert store.numbers(ids[:2]) == [5 + 64, 5 + 128]
        new = store.intern(ids[6:])
        assert not set(new) & set(lost)
        assert new[1] - new[0] == keys.SHARDS


def test_a_new_connection_forgets_what_the_old_server_said(redis_server):
    store = Store.from_settings(Settings(redis_url=redis_server.url), clock)
    store.intern(["a", "b"])
    with redis_server.client() as client:
        client.flushall()
        client.client_kill_filter(_type="normal", skipme=True)
    assert store.ping()
    assert store.numbers(["a", "b"]) == [None, None]
    numbers = store.intern(["b", "a"])
    assert store.all_items() == dict(zip(["b", "a"], numbers, strict=True))
    store.close()


def test_a_batch_never_uses_the_numbers_of_another_life_of_the_server():
    """Redis comes back empty, other items take the numbers, and a writer that slept through it goes on."""
    shard = [item for item in (f"item {n}" for n in range(2000)) if keys.shard_of(item) == keys.shard_of("a")]
    with running_redis(NEWEST) as first, sync_store(first) as store:
        for index in range(2):
            delivery = directed("a", dict.fromkeys(shard[:5], 1), index)
            assert store.apply(delivery)
            store.refresh(delivery)
        with running_redis(NEWEST) as second:
            with sync_store(second) as other:
                other.intern(shard[5:])
            store._client.close()
            store._client = second.client()  # the address is the same, the server another
            delivery = directed("a", dict.fromkeys(shard[:5], 1), 2)
            assert store.apply(delivery)
            store.refresh(delivery)
            assert row_counts(store) == {(2, "a", item): 1 for item in shard[:5]}
        store.close()


def test_a_redis_killed_at_any_moment_keeps_what_it_acknowledged(tmp_path):
    """kill -9 with appendfsync always; the stream goes on with the same store object and tries again."""
    deliveries = [directed("a", {f"b{n}": 1, "c": 1}, n) for n in range(20)]
    with running_redis(NEWEST, data=tmp_path) as server:
        store = Store.from_settings(Settings(redis_url=server.url), clock)
        for delivery in deliveries[:10]:
            assert store.apply(delivery)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(redis.ConnectionError):
            store.apply(deliveries[10])
        store.close()
    with running_redis(NEWEST, data=tmp_path) as server:
        store = Store.from_settings(Settings(redis_url=server.url), clock)
        for number, delivery in enumerate(deliveries):
            assert store.apply(delivery) == (number >= 10)
            store.refresh(delivery)
        assert store.pair_count(2, "a", "c") == 20
        assert row_counts(store) == {(2, "a", f"b{n}"): 1 for n in range(20)} | {(2, "a", "c"): 20}
        store.close()
