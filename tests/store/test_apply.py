"""Deliveries in any order, any number of times, equal the counts of the world."""

from collections import Counter

import msgpack
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varde import keys
from varde.counts import count
from varde.delivery import Delivery, Pane, Token, split
from varde.history import DAY_MS, Limits
from varde.pairs import Universe
from varde.settings import Settings
from varde.store import packing
from varde.store.scripts import APPLY, call

from .conftest import SETTINGS, sync_store
from .world import NOW, changes_of, deliveries_of, events, live_totals, row_counts

TODAY = NOW // DAY_MS
PROPERTY = settings(
    max_examples=settings().max_examples // 4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LIMITS = Limits(cap=4, window_days=90)


def batches_of(changes, draw_index, n):
    batches = [[] for _ in range(n)]
    for change in changes:
        batches[draw_index(n)].append(change)
    return batches


@given(data=st.data(), sequence=events(), n=st.integers(1, 5), size=st.sampled_from([1, 3, 1000]))
@PROPERTY
def test_any_order_and_repeats_equal_brute_force(every_redis, data, sequence, n, size):
    with every_redis.client() as client:
        client.flushall()
    changes, world = changes_of(sequence, LIMITS)
    batches = batches_of(changes, lambda n: data.draw(st.integers(0, n - 1)), n)
    once = deliveries_of(batches, size=size)
    tried = data.draw(st.permutations(once + data.draw(st.lists(st.sampled_from(once), max_size=5)) if once else []))
    with sync_store(every_redis) as store:
        seen = set()
        for delivery in tried:
            name = (delivery.token, delivery.shard)
            assert store.apply(delivery) == (name not in seen)
            seen.add(name)
            store.refresh(delivery)
        pairs, supports = count(world).totals()
        assert live_totals(store) == (pairs, supports)
        assert row_counts(store) == pairs


@given(sequence=events(days=13.0), n=st.integers(1, 3))
@PROPERTY
def test_dated_differences_sum_to_the_totals(redis_server, sequence, n):
    with redis_server.client() as client:
        client.flushall()
        changes, world = changes_of(sequence, LIMITS)
        with sync_store(redis_server) as store:
            for delivery in deliveries_of([changes[i::n] for i in range(n)]):
                store.apply(delivery)
            numbers = store.all_items()
        pairs, supports = count(world).totals()
        names = {number: item for item, number in numbers.items()} | {0: ""}
        dated = Counter()
        for key in client.scan_iter(match="varde:1:*:pairs:*:*:*"):
            _, _, _, _, relation, number, day = key.decode().split(":")
            assert TODAY - 14 <= int(day) <= TODAY
            for column, difference in client.hgetall(key).items():
                assert int(difference) != 0
                dated[int(relation), names[int(number)], names[int(column)]] += int(difference)
        assert {pair: n for pair, n in dated.items() if n} == pairs
        dated = Counter()
        for key in client.scan_iter(match="varde:1:*:supports:*:*"):
            universe = int(key.decode().split(":")[4])
            for number, difference in client.hgetall(key).items():
                assert int(difference) != 0
                dated[universe, names[int(number)]] += int(difference)
        assert {support: n for support, n in dated.items() if n} == supports


def directed(day, item, cells, token):
    return Delivery(token, keys.shard_of(item), rows=[(2, day, item, cells)])


def test_days_are_kept_as_long_as_they_are_live(redis_server, store):
    for index, day in enumerate([TODAY - 15, TODAY - 14, TODAY - 1, TODAY, TODAY + 1, TODAY + 40]):
        assert store.apply(directed(day, "a", {"b": 1}, Token("run", 0, index, 0)))
        assert store.apply(
            Delivery(Token("run", 1, index, 0), keys.shard_of("a"), supports=[(Universe.VIEW, day, {"a": 1})])
        )
    (number,) = store.numbers(["a"])
    shard = keys.shard_of("a")
    assert store.pair_count(2, "a", "b") == 6
    assert store.supports(Universe.VIEW, ["a"]) == [6]
    left = -NOW // 1000
    with redis_server.client() as client:
        for day, seconds in [
            (TODAY - 15, -2),
            (TODAY - 14, (TODAY + 1) * 86_400 + left),
            (TODAY, (TODAY + 15) * 86_400 + left),
            (TODAY + 1, (TODAY + 16) * 86_400 + left),
            (TODAY + 40, 16 * 86_400),
        ]:
            for key in (keys.pairs_day(2, number, day), keys.supports_day(Universe.VIEW, shard, day)):
                assert seconds - 60 <= client.ttl(key) <= seconds + 1
        assert client.ttl(keys.pairs(2, number)) == -1
        assert client.ttl(keys.supports(Universe.VIEW, shard)) == -1


def test_sums_that_come_to_zero_leave_nothing(redis_server, store):
    item, cells = "a", {"b": 2, "c": -1}
    store.apply(directed(TODAY, item, cells, Token("run", 0, 0, 0)))
    assert store.counts(2, item) == cells
    assert store.row(2, item) is None  # not refreshed
    back = {"b": -2, "c": 1}
    delivery = directed(TODAY, item, back, Token("run", 0, 1, 0))
    store.apply(delivery)
    store.refresh(delivery)
    assert store.counts(2, item) == {}
    (number,) = store.numbers([item])
    with redis_server.client() as client:
        assert not client.exists(keys.pairs(2, number), keys.pairs_day(2, number, TODAY))


def test_tokens_differ_by_run_lane_index_part_and_shard(redis_server, store):
    tokens = [
        Token(run, lane, index, part)
        for run in ("r", "s")
        for lane in (0, 1)
        for index in (0, 7, 4095, 4096, 9000)
        for part in (0, 1)
    ]
    for token in tokens:
        assert store.apply(directed(TODAY, "a", {"b": 1}, token))
    for token in reversed(tokens):
        assert not store.apply(directed(TODAY, "a", {"b": 1, "c": 5}, token))
        other_shard = next(x for x in "cdefgh" if keys.shard_of(x) != keys.shard_of("a"))
        assert store.apply(directed(TODAY, other_shard, {"b": 1}, token))
    assert store.counts(2, "a") == {"b": len(tokens)}
    with redis_server.client() as client:
        bitmaps = list(client.scan_iter(match="varde:*:applied:*"))
        assert len(bitmaps) == 2 * 2 * 2 * 3 * 2
        for key in bitmaps:
            assert client.strlen(key) <= 512
            assert 7 * 86_400 - 60 <= client.ttl(key) <= 7 * 86_400


def test_an_item_of_another_shard_is_refused_before_anything_is_sent(store, redis_server):
    strayed = directed(TODAY, "a", {"b": 1}, Token("run", 0, 0, 0))
    strayed.shard = (strayed.shard + 1) % keys.SHARDS
    with pytest.raises(ValueError, match="not of shard"):
        store.apply(strayed)
    with redis_server.client() as client:
        assert not list(client.scan_iter(match="*:pairs:*"))


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", b"\x93\x01", msgpack.packb(([[0, 0, "64", 1.5]], [])), msgpack.packb(([[0, 0, "64"]], [])),
     msgpack.packb(([[2, 0, "64", 1]], [])), msgpack.packb(([[0, 0, "64", "x"]], [])),
     msgpack.packb(([], [[64, float("nan")]])), msgpack.packb(([], [[64, "1"]])),
     msgpack.packb(([], [])), msgpack.packb(5), msgpack.packb(([[1, 60, "64", 1]], []))],
)  # fmt: skip
def test_a_malformed_batch_is_refused_whole(every_redis, payload):
    with sync_store(every_redis) as store, every_redis.client() as client:
        command = call(APPLY, [keys.applied(0, "r", 0, 0, 0), keys.pairs(0, 64)], [0, 60, 0, payload, ""])
        with pytest.raises(redis.ResponseError):
            store._send([command])
        assert client.dbsize() == 0


def test_a_full_redis_refuses_the_batch_whole(every_redis):
    """maxmemory without eviction: the first write of the script fails, so nothing is half applied."""
    delivery = directed(TODAY, "a", {f"b{i}": 1 for i in range(50)}, Token("run", 0, 0, 0))
    with sync_store(every_redis) as store, every_redis.client() as client:
        store.intern(packing.items_of(delivery))
        before = client.dbsize()
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(redis.ResponseError):
                store.apply(delivery)
            assert client.dbsize() == before
        finally:
            client.config_set("maxmemory", 0)
        assert store.apply(delivery)


def test_split_and_apply_a_pane_larger_than_a_batch(store):
    cells = {f"item {i}": 1 for i in range(2500)}
    pane = Pane()
    pane.counts.rows[2, TODAY] = {"a": cells}
    deliveries = list(split(pane, "run", 0, 0, 1000))
    assert len(deliveries) == 3
    for delivery in deliveries:
        assert store.apply(delivery)
    assert store.refresh(*deliveries) == 1
    assert store.counts(2, "a") == cells
    assert len(store.row(2, "a")) == SETTINGS.candidates


def test_settings_decide_how_long_things_are_kept(redis_server):
    with sync_store(redis_server, Settings(token_days=2, live_days=3)) as store, redis_server.client() as client:
        store.apply(directed(TODAY - 3, "a", {"b": 1}, Token("run", 0, 0, 0)))
        store.apply(directed(TODAY - 4, "a", {"b": 1}, Token("run", 0, 1, 0)))
        (number,) = store.numbers(["a"])
        assert client.ttl(keys.applied(keys.shard_of("a"), "run", 0, 0, 0)) <= 2 * 86_400
        assert client.exists(keys.pairs_day(2, number, TODAY - 3))
        assert not client.exists(keys.pairs_day(2, number, TODAY - 4))
