"""One suite for both sides and every server: what each reading answers."""

import inspect

import numpy as np
import pytest

from varde import keys
from varde.counts import count
from varde.delivery import Delivery, Pane, Recent, Token, split
from varde.history import Signal
from varde.latest import Customer, entries
from varde.orders import bought
from varde.pairs import ANY_ITEM, Histories, Relation, Universe
from varde.store import aio, sync

from .world import HOSTILE, NOW, fill

VIEWED, BOUGHT, VIEWED_BOUGHT = Relation
WORLD = [
    Histories(view={"a": NOW, "b": NOW, "c": NOW}),
    Histories(view={"a": NOW, "b": NOW}, purchase={"b": NOW}),
    Histories(view={"a": NOW}, purchase={"b": NOW, "c": NOW}),
    Histories(cart={"d": NOW}),
]


async def test_an_empty_redis_answers(ask):
    assert await ask("ping") is True
    assert await ask("numbers", ["a", ANY_ITEM, "a"]) == [None, 0, None]
    assert await ask("names", [64, 0, 64]) == [None, ANY_ITEM, None]
    assert await ask("rows", VIEWED, ["a", "b"]) == [None, None]
    assert await ask("rows", VIEWED, []) == []
    assert await ask("row", VIEWED, "a") is None
    assert await ask("pair_count", VIEWED, "a", "b") == 0
    assert await ask("supports", Universe.VIEW, ["a", ANY_ITEM]) == [0, 0]
    assert await ask("supports", Universe.VIEW, ["a"]) == [0]
    assert await ask("total", VIEWED) == 0
    assert await ask("recents", "0" * 24) == []
    assert await ask("customer", ["0" * 24, "1" * 24]) == [Customer([], [], [])] * 2
    assert await ask("customer", []) == []
    assert await ask("personal", ["0" * 24, "1" * 24], VIEWED, 5) == (Customer([], [], []), [])
    assert await ask("popular", Signal.VIEW, 5) == []
    assert await ask("counts", VIEWED, "a") == {}
    assert await ask("all_items") == {}
    assert await ask("stats") == {}


async def test_no_reading_allocates_a_number(ask, every_redis_and_cluster):
    await ask("numbers", ["a"])
    await ask("rows", VIEWED, ["a"])
    await ask("pair_count", VIEWED, "a", "b")
    with every_redis_and_cluster.client() as client:
        assert client.dbsize() == 0


async def test_counts_supports_and_totals(ask, writer):
    fill(writer, WORLD)
    assert await ask("counts", VIEWED, "a") == {"b": 2, "c": 1}
    assert await ask("counts", VIEWED_BOUGHT, "a") == {"b": 2, "c": 1}
    assert await ask("pair_count", VIEWED, "b", "a") == 2
    assert await ask("pair_count", BOUGHT, "b", "c") == 1
    assert await ask("pair_count", VIEWED_BOUGHT, "b", "a") == 0
    assert await ask("pair_count", VIEWED, "a", "zz") == 0
    assert await ask("supports", Universe.VIEW, ["c", "a", "zz", "b", ANY_ITEM, "a"]) == [1, 3, 0, 2, 3, 3]
    assert [await ask("total", relation) for relation in Relation] == [3, 2, 4]
    assert set(await ask("all_items")) == {"a", "b", "c", "d"}


async def test_a_row_holds_what_ranks_its_neighbours(ask, writer):
    fill(writer, WORLD)
    row = await ask("row", VIEWED, "a")
    found = dict(zip(await ask("names", row.items.tolist()), row.counts.tolist(), strict=True))
    assert found == {"b": 2, "c": 1}
    assert row.supports.tolist() == await ask("supports", Universe.VIEW, await ask("names", row.items.tolist()))
    assert (row.support, row.total, row.neighbours, row.cut, row.written_at) == (3, 3, 2, False, NOW)
    assert np.all(np.diff(row.items.astype(np.int64)) > 0)
    directed = await ask("row", VIEWED_BOUGHT, "a")
    bought = await ask("supports", Universe.PURCHASE, await ask("names", directed.items.tolist()))
    assert (directed.support, directed.total, directed.supports.tolist()) == (3, 4, bought)
    assert await ask("row", VIEWED_BOUGHT, "b") is None
    first, missing, second = await ask("rows", VIEWED, ["a", "zz", "b"])
    assert (first.revision, missing, second.support) == (row.revision, None, 2)


async def test_names_and_numbers_are_two_way(ask, writer):
    numbers = writer.intern(HOSTILE)
    assert len(set(numbers)) == len(HOSTILE)
    assert await ask("numbers", list(HOSTILE)) == numbers
    assert await ask("names", numbers) == list(HOSTILE)
    assert [keys.shard_of_number(n) for n in numbers] == [keys.shard_of(item) for item in HOSTILE]
    assert await ask("all_items") == dict(zip(HOSTILE, numbers, strict=True))
    assert writer.intern(reversed(HOSTILE)) == numbers[::-1]


async def test_hostile_ids_are_counted_like_any_other(ask, writer, every_redis_and_cluster):
    fill(writer, [Histories(view=dict.fromkeys(HOSTILE, NOW))] * 2)
    for item in HOSTILE:
        assert await ask("counts", VIEWED, item) == {other: 2 for other in HOSTILE if other != item}
        assert len(await ask("row", VIEWED, item)) == len(HOSTILE) - 1
    with every_redis_and_cluster.client() as client:
        assert all(set(key) <= set(b"varde0123456789:{}abcdefghijklmnopqrstuvwxyz") for key in client.scan_iter())


async def test_popular_is_merged_over_shards(ask, writer):
    weights = {f"item {n}": 1.5**n for n in range(100)}
    pane = Pane(popular={Signal.VIEW: dict(weights), Signal.CART: {"x": 2.0**900, "y": 1e-300}})
    pane.popular[Signal.VIEW].update(bad=float("nan"), worse=float("inf"))
    for delivery in split(pane, "run", 0, 0, 1000):
        writer.apply(delivery)
    best = sorted(weights, key=lambda item: -weights[item])[:7]
    assert await ask("popular", Signal.VIEW, 7) == [(item, weights[item]) for item in best]
    assert await ask("popular", Signal.VIEW, 1000) == sorted(weights.items(), key=lambda entry: -entry[1])
    assert await ask("popular", Signal.CART, 2) == [("x", 2.0**900), ("y", 1e-300)]
    assert await ask("popular", Signal.PURCHASE, 2) == []
    assert await ask("popular", Signal.VIEW, 0) == []


async def test_stats_and_recents(ask, writer):
    writer.apply(Delivery(Token("r", 0, 0, 0), 0, stats={"events": 5, "rejected:no:id": 1}))
    writer.apply(Delivery(Token("r", 0, 1, 0), 0, stats={"events": 2}))
    assert await ask("stats") == {"events": 7, "rejected:no:id": 1}
    customer = keys.customer_key("jane", None)
    writer.remember([Recent(customer, {"a": NOW, "b": NOW + 1, "\0{": NOW}), Recent("other", {"c": NOW})])
    assert await ask("recents", customer) == [("b", NOW + 1), ("\0{", NOW), ("a", NOW)]
    assert await ask("recents", "other") == [("c", NOW)]
    writer.remember([Recent("other", carts={"d": NOW, "e": NOW + 2}, orders=entries(bought(b"", ("d", "f"), NOW + 1)))])
    other = Customer([("c", NOW)], [("e", NOW + 2)], [("f", NOW + 1), ("d", NOW + 1)])
    assert await ask("customer", ["other", "nobody"]) == [other, Customer([], [], [])]


async def test_numbers_up_to_the_last_one(ask, writer, every_redis_and_cluster):
    """Counts and rows with item numbers just below 2^32, which Lua holds as doubles."""
    a, b = "item 1", "item 2"
    with every_redis_and_cluster.client() as client:
        for item in (a, b):
            shard = keys.shard_of(item)
            client.hset(keys.sequence(shard), "last", 2**26 - 3)
    fill(writer, [Histories(view={a: NOW, b: NOW})] * 3)
    numbers = await ask("numbers", [a, b])
    assert all(2**32 - 200 < n < 2**32 for n in numbers)
    assert await ask("counts", VIEWED, a) == {b: 3}
    row = await ask("row", VIEWED, a)
    assert (row.items.tolist(), row.counts.tolist(), row.supports.tolist()) == ([numbers[1]], [3], [3])


def test_both_sides_offer_the_same_readings():
    def public(kind):
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    reading, everything = public(aio.Store), public(sync.Store)
    assert set(everything) - set(reading) == {"apply", "intern", "refresh", "remember"}
    assert {name: everything[name] for name in reading} == reading


@pytest.mark.parametrize("relation", Relation)
async def test_totals_agree_with_brute_force(ask, writer, relation):
    fill(writer, WORLD)
    pairs, supports = count(WORLD).totals()
    for item in "abcd":
        assert await ask("counts", relation, item) == {
            j: n for (r, i, j), n in pairs.items() if (r, i) == (relation, item)
        }
    for universe in Universe:
        expected = [supports.get((universe, item), 0) for item in ("", *"abcd")]
        assert await ask("supports", universe, ["", *"abcd"]) == expected
