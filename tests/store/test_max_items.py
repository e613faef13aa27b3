"""Invented item ids fill what VARDE_MAX_ITEMS gives them, and no more: later ones are left out and counted."""

import dataclasses

import pytest

from varde import keys
from varde.counts import Counts, count
from varde.delivery import Pane, split
from varde.history import DAY_MS
from varde.pairs import Histories, Relation
from varde.store import packing
from varde.store.night import NightStore

from .conftest import SETTINGS
from .world import NOW, clock, live_totals, row_counts

PART = 16
"""Item ids a shard may have here: the least setting, 1,000 over 64 shards."""


@pytest.fixture
def store(redis_server):
    with redis_server.client() as client:
        yield NightStore(client, dataclasses.replace(SETTINGS, max_items=1000), clock)


def of_shard(shard, n, prefix="i"):
    found = []
    number = 0
    while len(found) < n:
        item = f"{prefix}{number}"
        number += 1
        if keys.shard_of(item) == shard:
            found.append(item)
    return found


def apply(store, pane, run):
    for delivery in split(pane, run, 0, 0, 1000):
        assert store.apply(delivery)
        store.refresh(delivery)


def test_late_ids_are_left_out_of_everything_else_that_is_applied(store):
    early = of_shard(5, PART)
    late, other = of_shard(5, 1, "late")[0], of_shard(6, 1)[0]
    store.intern(early)
    everyone = [Histories(view=dict.fromkeys([early[0], early[1], late, other], NOW)) for _ in range(3)]
    pane = Pane(count(everyone), {0: {early[0]: 2.0, late: 1.0, other: 1.0}})
    apply(store, pane, "run")
    kept = [Histories(view=dict.fromkeys([early[0], early[1], other], NOW)) for _ in range(3)]
    pairs, supports = count(kept).totals()
    assert live_totals(store) == (pairs, supports)
    assert row_counts(store) == pairs
    assert store.stats()["items_refused"] >= 1
    assert store.numbers([late]) == [None]
    assert {w.item for w in store.popular(0, 9)} == {early[0], other}
    with pytest.raises(KeyError):
        store.intern([late])
    for delivery in split(pane, "run", 0, 0, 1000):
        assert not store.apply(delivery), "the token holds, refused items or not"


def test_the_nightly_rewrite_leaves_them_out_too(store):
    early = of_shard(5, PART)
    late = of_shard(5, 2, "late")
    store.intern(early)
    day = NOW // DAY_MS
    rows = {early[0]: {early[1]: 2, late[0]: 9}, late[0]: {early[0]: 9}, late[1]: {late[0]: 1}}
    store.rewrite_rows(Relation.ALSO_VIEWED, rows, day)
    store.rewrite_supports(0, {"": 4, early[0]: 3, late[0]: 3}, day)
    store.raise_popularity(0, {early[0]: 1.0, late[0]: 2.0})
    assert store.counts(0, early[0]) == {early[1]: 2}
    assert store.supports(0, ["", early[0], late[0]]) == [4, 3, 0]
    assert [w.item for w in store.popular(0, 9)] == [early[0]]
    store.rewrite_rows(Relation.ALSO_VIEWED, {late[0]: {late[1]: 1}}, day)


def test_ids_of_one_call_fill_the_room_that_is_left(redis_server, store):
    many = of_shard(7, PART + 5)
    with pytest.raises(KeyError):
        store.intern(many)
    assert sum(number is not None for number in store.numbers(many)) == PART
    with redis_server.client() as client:
        assert client.hlen(keys.numbers(7)) == client.hlen(keys.names(7)) == PART


def test_only_the_most_popular_of_a_shard_stay(redis_server, store, monkeypatch):
    monkeypatch.setattr(packing, "POPULAR", 3)
    items = of_shard(9, 6)
    weights = {item: float(n) for n, item in enumerate(items)}
    apply(store, Pane(Counts(), {1: weights}), "run")
    assert [w.item for w in store.popular(1, 9)] == items[:2:-1]
    store.raise_popularity(1, {item: 99.0 - n for n, item in enumerate(items)})
    assert [w.item for w in store.popular(1, 9)] == items[:3]
    with redis_server.client() as client:
        assert client.zcard(keys.popular(1, 9)) == 3
