"""A customer's latest items: the same whatever the order and number of calls, and gone after an erasure."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.property import oracle
from tests.property.oracle import Fact

from varde import keys, latest
from varde.delivery import Leave, Pane, Recent
from varde.history import Signal, merge
from varde.latest import Customer
from varde.orders import Orders, bought, order_key, returned
from varde.rows import decode
from varde.settings import Settings
from varde.transitions import NOTHING, Past, interaction, take_back

from .conftest import async_store, sync_store
from .test_contract import WORLD
from .world import HOSTILE, NOW, fill

SETTINGS = Settings(recent_items=4, cap=8)
NAMES = ["a", "b", "c", "d", "e", "f", "\0", "{x}"]
TIMES = st.integers(0, 50)
FACTS = st.one_of(
    st.builds(Fact, st.sampled_from([Signal.VIEW, Signal.CART]), st.sampled_from(NAMES), TIMES, st.none()),
    st.builds(Fact, st.just(Signal.PURCHASE), st.sampled_from(NAMES), TIMES, st.sampled_from([None, *"123"])),
    st.builds(Fact, st.none(), st.sampled_from([*NAMES, ""]), TIMES, st.sampled_from("123")),
)
CALLS = st.lists(st.tuples(st.lists(FACTS, max_size=9), st.just(-1) | TIMES), max_size=6)
"""What a customer did, and up to when she is forgotten."""


def call_of(drawn):
    facts, erased_at = drawn
    past = NOTHING
    for signal, item, time, order in facts:
        name = order_key(order)
        more = take_back(name, (item,), time) if signal is None else interaction(signal, (item,), time, name)
        past = Past(
            merge(past.view, more.view, 99), merge(past.cart, more.cart, 99), past.orders.merged(more.orders, 99)
        )
    return Recent("jane", past.view, erased_at, Leave.MARK, past.cart, latest.entries(past.orders))


def expected(calls):
    """The customer by plain sets, of the calls in any order."""
    erased = max((at for _, at in calls), default=-1)
    return Customer(
        *oracle.latest([fact for facts, _ in calls for fact in facts if fact.time > erased], SETTINGS.latest_kept)
    )


def repeated(data, calls):
    """In any order, some of them twice."""
    more = data.draw(st.lists(st.sampled_from(calls), max_size=3)) if calls else []
    return data.draw(st.permutations(calls + more))


@given(data=st.data(), calls=CALLS)
@settings(max_examples=settings().max_examples * 3 // 5, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_and_repeats_end_alike(every_redis, data, calls):
    tried = repeated(data, calls)
    with every_redis.client() as client:
        client.flushall()
    with sync_store(every_redis, SETTINGS) as store:
        store.remember([call_of(drawn) for drawn in tried])
        assert store.customer(["jane"]) == [expected(calls)]
        assert dict(store.recents("jane")) == dict(expected(calls).views)


@given(data=st.data(), calls=CALLS)
@settings(max_examples=settings().max_examples * 3 // 5, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_a_pane_has_merged_is_the_same_as_call_by_call(redis_server, data, calls):
    """Panes of some of the calls each, merged in any order before and in Redis."""
    with redis_server.client() as client:
        client.flushall()
    panes = [Pane(), Pane(), Pane()]
    for drawn in repeated(data, calls):
        data.draw(st.sampled_from(panes)).remember(call_of(drawn))
    panes[0].update(panes[1])
    with sync_store(redis_server, SETTINGS) as store:
        for pane in panes:
            store.remember(pane.recents.values())
        assert store.customer(["jane"]) == [expected(calls)]


def test_a_late_event_does_not_bring_an_erased_item_back(store):
    before, line = {"a": 5, "b": 9}, latest.entries(bought(b"", ("b",), 9))
    store.remember([Recent("jane", before, carts=before, orders=line), Recent("jane", {}, erased_at=9)])
    store.remember([Recent("jane", before)])
    store.remember([Recent("jane", carts=before)])
    store.remember([Recent("jane", orders=line)])
    assert store.recents("jane") == []
    assert store.customer(["jane"]) == [Customer([], [], [])]
    after = {"b": 10}
    store.remember([Recent("jane", after, carts=after), Recent("jim", orders=line)])
    assert store.recents("jane") == [("b", 10)]
    assert store.customer(["jane", "jim"]) == [Customer([("b", 10)], [("b", 10)], []), Customer([], [], [("b", 9)])]


@pytest.mark.parametrize("leave", [Leave.NOTHING, Leave.MARK])
def test_what_an_erasure_leaves(redis_server, store, leave):
    some = {"a": 5}
    store.remember([Recent("jane", some, carts=some, orders=latest.entries(bought(b"", ("a",), 5)))])
    store.remember([Recent("jane", {}, 5, leave)])
    with redis_server.client() as client:
        left = {key.decode(): client.zrange(key, 0, -1, withscores=True) for key in client.scan_iter("*:recents:*")}
    assert left == ({keys.recents("jane", Signal.VIEW): [(b"", 5.0)]} if leave else {})


def test_the_sets_are_bounded_and_expire(redis_server, store):
    items = {item: 1_790_000_000_000 + n for n, item in enumerate(HOSTILE)} | {f"i{n}": n for n in range(500)}
    orders = latest.entries(Orders({item: {order_key(item): time} for item, time in items.items()}))
    store.remember([Recent("jane", items), Recent("jane", {"": 10**13, "x": 3}, erased_at=2)])
    store.remember([Recent("jane", carts=items), Recent("jane", orders=orders)])
    with redis_server.client() as client:
        for signal, members in ((Signal.VIEW, 20 + 1), (Signal.CART, 20), (Signal.PURCHASE, 128)):
            key = keys.recents("jane", signal)
            assert client.zcard(key) == members
            assert 89 * 86_400 < client.ttl(key) <= 90 * 86_400
    assert [item for item, _ in store.recents("jane")][: len(HOSTILE)] == list(reversed(HOSTILE))
    assert [item for item, _ in store.customer(["jane"])[0].bought][: len(HOSTILE)] == list(reversed(HOSTILE))
    store.remember([])


SEEDS = st.dictionaries(st.sampled_from(["a", "b", "c", "d", *HOSTILE]), st.integers(0, 3), max_size=6)


@given(one=SEEDS, other=SEEDS, seeds=st.integers(0, 7), relation=st.sampled_from([0, 2]))
@settings(max_examples=settings().max_examples // 5, deadline=None, suppress_health_check=list(HealthCheck))
async def test_personal_is_the_customer_and_her_rows(every_redis_and_cluster, one, other, seeds, relation):
    """In one trip as in two, and of no key, one or two."""
    with every_redis_and_cluster.client() as client:
        client.flushall()
        client.script_flush()
    with sync_store(every_redis_and_cluster) as store:
        fill(store, WORLD)
        line = latest.entries(bought(b"", ("c",), 2))
        store.remember([Recent("u", one, carts=other), Recent("a", other, erased_at=0, carts=one, orders=line)])
        async with async_store(every_redis_and_cluster) as reader:
            for customers in ([], ["u"], ["u", "a"], ["nobody", "a"]):
                whole, rows = await reader.personal(customers, relation, seeds)
                assert (whole, rows) == store.personal(customers, relation, seeds)
                assert whole == latest.merged(store.customer(customers))
                items = [item for item, _ in whole.views[:seeds]]
                assert [item for item, _ in rows] == items
                have = [None if row is None else decode(row).items.tolist() for _, row in rows]
                there = store.rows(relation, items)
                assert have == [None if row is None else row.items.tolist() for row in there]


def test_one_customer_of_two_keys():
    known = Customer([("a", 5)], [("b", 5), ("c", 3)], [("d", 4)])
    visitor = Customer([("e", 9)], [("d", 4), ("b", 7), ("f", 1)], [("c", 3)])
    assert latest.merged([known, visitor]) == Customer([("a", 5)], [("b", 7), ("f", 1)], [("d", 4), ("c", 3)])
    assert latest.merged([Customer([], [], []), visitor]) == visitor
    assert latest.merged([known._replace(views=[]), visitor]).views == visitor.views
    assert latest.merged([]) == Customer([], [], [])


def test_in_cart_for_some_hours():
    hour = 3_600_000
    known = Customer([], [("b", NOW), ("a", NOW - 72 * hour), ("c", NOW - 72 * hour - 1)], [])
    assert latest.in_cart(known, NOW, 72) == ["b", "a"]
    assert latest.in_cart(known, NOW, 71) == ["b"]
    assert latest.in_cart(known, NOW + 73 * hour, 72) == []


def test_a_return_in_any_order_takes_its_item_out_alone(store):
    """Not the item of another order, nor one without an order id."""
    done = [
        bought(order_key("1"), ("a", "b"), 5),
        bought(order_key("2"), ("b", "c"), 6),
        bought(b"", ("d",), 7),
        returned(order_key("1"), ("b",), 8),
        returned(order_key("2"), (), 9),
    ]
    for n, some in enumerate(itertools.permutations(done)):
        store.remember([Recent(f"{n}", carts={"b": 6, "e": 1}, orders=latest.entries(orders)) for orders in some])
    wanted = Customer([], [("e", 1)], [("d", 7), ("a", 5)])  # b is ordered, and not in the cart again when it goes back
    assert store.customer([f"{n}" for n in range(120)]) == [wanted] * 120
