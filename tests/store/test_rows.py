"""Serving rows: exact after every patch, the true best after a rebuild, healed after a crash."""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varde import keys
from varde.counts import count
from varde.delivery import Delivery, Token
from varde.history import DAY_MS, Limits
from varde.pairs import Relation, Universe
from varde.ranking import RANKINGS, order, scores
from varde.rows import REVISION_SLICE, decode
from varde.settings import Settings
from varde.store.patch import TOMBSTONE_S

from .conftest import sync_store
from .world import NOW, changes_of, deliveries_of, events, live_totals, row_counts

TODAY = NOW // DAY_MS
SMALL = Settings(candidates=10, rankings=("llr", "cosine", "count", "jaccard"))
MANY = tuple(f"item {n}" for n in range(40))


def directed(item, cells, index, supports=()):
    delivery = Delivery(Token("run", 0, index, 0), keys.shard_of(item), rows=[(2, TODAY, item, cells)])
    delivery.supports = [(Universe.VIEW, TODAY, {item: n}) for n in supports]
    return delivery


def put(store, delivery):
    assert store.apply(delivery)
    store.refresh(delivery)


def best(store, relation, item, ranking, n=10):
    """The true top n of an item, from all exact counts."""
    counts = store.counts(relation, item)
    names = [name for name, k in counts.items() if k > 0]
    k = [counts[name] for name in names]
    universe = Universe(relation.row_signal), Universe(relation.column_signal)
    (support,) = store.supports(universe[0], [item])
    supports = store.supports(universe[1], names)
    score = scores(ranking, k, support, supports, store.total(relation))
    numbers = store.numbers(names)
    return [names[i] for i in order(score, np.array(k), np.array(numbers))[:n]]


def best_of_row(store, row, ranking, n=10):
    score = scores(ranking, row.counts, row.support, row.supports, row.total)
    place = order(score, row.counts.astype(np.int64), row.items.astype(np.int64))
    return store.names(row.items[place[:n]].tolist())


@given(data=st.data(), sequence=events(ids=MANY), n=st.integers(1, 6))
@settings(max_examples=settings().max_examples // 5, deadline=None, suppress_health_check=list(HealthCheck))
def test_rows_hold_exact_counts_whatever_the_order(redis_server, data, sequence, n):
    """Small rows, so that cuts, losses and rebuilds happen; after every refresh, not only at the end."""
    with redis_server.client() as client:
        client.flushall()
    changes, world = changes_of(sequence, Limits(cap=12, window_days=90))
    deliveries = deliveries_of([changes[i::n] for i in range(n)], size=7)
    with sync_store(redis_server, SMALL) as store:
        for delivery in data.draw(st.permutations(deliveries)):
            store.apply(delivery)
            store.refresh(delivery)
        pairs, _ = count(world).totals()
        assert live_totals(store)[0] == pairs
        rows = row_counts(store)
        assert rows.items() <= pairs.items()
        for relation in Relation:
            for item in MANY:
                neighbours = sum(1 for r, i, _ in pairs if (r, i) == (relation, item))
                row = store.row(relation, item)
                held = 0 if row is None else len(row)
                assert min(neighbours, SMALL.candidates * 3 // 4) <= held <= SMALL.candidates
                if row is not None:
                    assert (row.neighbours, row.cut) == (neighbours, neighbours > held)


def test_a_rebuilt_row_holds_the_true_best_of_each_ranking(every_redis):
    chance = random.Random(5)
    ids = [f"item {n}" for n in range(300)]
    weights = [1 / (n + 1) for n in range(300)]
    sequence = [
        (customer, 0, tuple(dict.fromkeys(chance.choices(ids, weights, k=12))), chance.random())
        for customer in range(400)
    ]
    changes, _ = changes_of(sequence, Limits(cap=64))
    wanted = Settings(candidates=48, rankings=tuple(RANKINGS))
    with sync_store(every_redis, wanted) as store:
        deliveries = deliveries_of([changes[:200], changes[200:]], size=500)
        for delivery in deliveries:
            store.apply(delivery)
        store.refresh(*deliveries)
        with every_redis.client() as client:  # what is missing is built anew, from all counts
            client.delete(*(keys.row(Relation.ALSO_VIEWED, number) for number in store.all_items().values()))
        assert store.refresh(*deliveries)
        cut = 0
        for item in store.all_items():
            row = store.row(Relation.ALSO_VIEWED, item)
            cut += row.cut
            for ranking in RANKINGS:
                assert best_of_row(store, row, ranking) == best(store, Relation.ALSO_VIEWED, item, ranking)
        assert cut > 20


def test_a_crash_between_apply_and_refresh_is_healed_by_the_retry(every_redis):
    first = directed("a", {"b": 1, "c": 2}, 0)
    lost = directed("a", {"b": 2, "c": -2, "d": 1}, 1)
    with sync_store(every_redis) as store:
        put(store, first)
        assert store.apply(lost)  # and here the worker dies
    with sync_store(every_redis) as store:
        assert row_counts(store) == {(2, "a", "b"): 1, (2, "a", "c"): 2}
        assert not store.apply(lost)
        store.refresh(lost)
        assert row_counts(store) == {(2, "a", "b"): 3, (2, "a", "d"): 1}


def test_a_retry_with_other_contents_changes_no_count_and_no_row_wrongly(store):
    """On Dataflow a batch that is tried again may hold more than the first time."""
    put(store, directed("a", {"b": 1}, 0))
    other = directed("a", {"b": 5, "c": 5}, 0)
    assert not store.apply(other)
    store.refresh(other)
    assert row_counts(store) == {(2, "a", "b"): 1}


def test_a_row_that_loses_all_is_gone_for_readers_and_soon_for_redis(store, redis_server):
    put(store, directed("a", {"b": 1}, 0))
    revision = store.row(2, "a").revision
    put(store, directed("a", {"b": -1}, 1))
    assert store.row(2, "a") is None
    (number,) = store.numbers(["a"])
    with redis_server.client() as client:
        key = keys.row(2, number)
        assert decode(client.get(key)).revision == revision + 1
        assert 0 < client.ttl(key) <= TOMBSTONE_S
        put(store, directed("a", {"b": 1}, 2))
        assert client.ttl(key) == -1
    assert store.row(2, "a").revision == revision + 2


def test_a_negative_count_is_never_shown(store):
    put(store, directed("a", {"b": -1, "c": 1}, 0))
    assert row_counts(store) == {(2, "a", "c"): 1}
    put(store, directed("a", {"b": 2}, 1))
    assert row_counts(store) == {(2, "a", "b"): 1, (2, "a", "c"): 1}


def test_candidates_that_were_cut_come_back_when_better_ones_go(redis_server):
    with sync_store(redis_server, SMALL) as store:
        put(store, directed("a", {f"good {n}": 10 + n for n in range(10)} | {f"bad {n}": 1 for n in range(10)}, 0))
        assert {other for _, _, other in row_counts(store)} == {f"good {n}" for n in range(10)}
        put(store, directed("a", {f"good {n}": -10 - n for n in range(4)}, 1))
        held = {other for _, _, other in row_counts(store)}
        assert held >= {f"good {n}" for n in range(4, 10)}
        assert len(held) == 10


@pytest.mark.parametrize("damage", [b"", b"x", b"\x07" * 28, b"\x01" * 2000])
def test_an_unreadable_row_is_built_anew(store, redis_server, damage):
    put(store, directed("a", {"b": 1, "c": 2}, 0))
    (number,) = store.numbers(["a"])
    with redis_server.client() as client:
        client.set(keys.row(2, number), damage)
    assert store.row(2, "a") is None
    put(store, directed("a", {"b": 1}, 1))
    assert row_counts(store) == {(2, "a", "b"): 2, (2, "a", "c"): 2}


def test_a_lost_row_comes_back_whole(store, redis_server):
    put(store, directed("a", {f"b{n}": 1 + n for n in range(1500)}, 0))
    (number,) = store.numbers(["a"])
    with redis_server.client() as client:
        client.delete(keys.row(2, number))
    put(store, directed("a", {"b3": 1}, 1))
    row = store.row(2, "a")
    assert (len(row), row.neighbours, row.cut) == (128, 1500, True)
    assert "b1499" in best_of_row(store, row, "count")


def test_many_changed_columns_are_read_at_once(store):
    cells = {f"b{n}": 1 for n in range(1200)}
    put(store, directed("a", cells, 0))
    put(store, directed("a", {**cells, "c": 9}, 1))
    row = store.row(2, "a")
    assert (row.neighbours, row.counts.max()) == (1201, 9)


def test_a_row_knows_its_supports(store):
    supports = Delivery(Token("run", 1, 0, 0), keys.shard_of("b"), supports=[(Universe.PURCHASE, TODAY, {"b": 4})])
    store.apply(supports)
    put(store, directed("a", {"b": 1}, 0, supports=[7]))
    row = store.row(2, "a")
    assert (row.support, row.supports.tolist()) == (7, [4])


def test_supports_of_other_writers_are_read_when_they_are_old(redis_server):
    now = NOW
    with sync_store(redis_server, clock=lambda: now) as store, sync_store(redis_server) as other:
        put(store, directed("a", {"b": 1}, 0))
        other.apply(Delivery(Token("x", 0, 0, 0), keys.shard_of("b"), supports=[(Universe.PURCHASE, TODAY, {"b": 4})]))
        put(store, directed("a", {"b": 1}, 1))
        assert store.row(2, "a").supports.tolist() == [0]
        now += 30_000
        put(store, directed("a", {"b": 1}, 2))
        assert store.row(2, "a").supports.tolist() == [4]
        now -= 10**9  # a clock that was set back
        other.apply(Delivery(Token("x", 0, 1, 0), keys.shard_of("b"), supports=[(Universe.PURCHASE, TODAY, {"b": 1})]))
        put(store, directed("a", {"b": 1}, 3))
        assert store.row(2, "a").supports.tolist() == [5]


def test_the_revision_lies_where_the_script_looks(store, redis_server):
    put(store, directed("a", {"b": 1}, 0))
    (number,) = store.numbers(["a"])
    with redis_server.client() as client:
        part = client.getrange(keys.row(2, number), *REVISION_SLICE)
    assert int.from_bytes(part, "little") == store.row(2, "a").revision
