"""A customer's latest items: the same whatever the order and number of calls, and gone after an erasure."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varde import keys
from varde.delivery import Recent
from varde.settings import Settings

from .conftest import sync_store
from .world import HOSTILE

KEEP = 4
ITEMS = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", "f", "\0", "{x}"]), st.integers(0, 50), max_size=5)
CALLS = st.lists(st.tuples(ITEMS, st.just(-1) | st.integers(0, 50)), max_size=6)


def expected(calls):
    erased = max((at for _, at in calls), default=-1)
    latest = {}
    for items, _ in calls:
        for item, time in items.items():
            if time > max(erased, latest.get(item, -1)):
                latest[item] = time
    newest = sorted(latest.items(), key=lambda entry: (entry[1], entry[0].encode()), reverse=True)[:KEEP]
    return sorted(newest, key=lambda entry: (-entry[1], entry[0]))


@given(data=st.data(), calls=CALLS)
@settings(max_examples=settings().max_examples * 3 // 5, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_and_repeats_end_alike(every_redis, data, calls):
    tried = data.draw(
        st.permutations(calls + (data.draw(st.lists(st.sampled_from(calls), max_size=3)) if calls else []))
    )
    with every_redis.client() as client:
        client.flushall()
    with sync_store(every_redis, Settings(recent_items=KEEP)) as store:
        store.remember([Recent("jane", items, erased_at) for items, erased_at in tried])
        assert store.recents("jane") == expected(calls)


def test_a_late_event_does_not_bring_an_erased_item_back(store):
    store.remember([Recent("jane", {"a": 5}), Recent("jane", {}, erased_at=9)])
    store.remember([Recent("jane", {"a": 5, "b": 9})])
    assert store.recents("jane") == []
    store.remember([Recent("jane", {"b": 10})])
    assert store.recents("jane") == [("b", 10)]


def test_the_set_is_bounded_and_expires(redis_server, store):
    items = {item: 1_790_000_000_000 + n for n, item in enumerate(HOSTILE)} | {f"i{n}": n for n in range(500)}
    store.remember([Recent("jane", items), Recent("jane", {"": 10**13, "x": 3}, erased_at=2)])
    with redis_server.client() as client:
        key = keys.recents("jane")
        assert client.zcard(key) == 20 + 1
        assert 89 * 86_400 < client.ttl(key) <= 90 * 86_400
    assert [item for item, _ in store.recents("jane")][: len(HOSTILE)] == list(reversed(HOSTILE))
    store.remember([])
