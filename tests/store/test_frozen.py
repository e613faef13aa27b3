"""What the slots of a mailing show: frozen once, bounded, and gone with the customer."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varde import keys
from varde.delivery import Leave, Recent
from varde.settings import Settings
from varde.store.frozen import MOST_NOTE_BYTES, MOST_SENDS, MOST_SLOT, NOTHING, Frozen, send_key
from varde.store.opened import Opened
from varde.store.serving import ServingStore

from .world import HOSTILE, NOW

JANE = keys.customer_key("jane", None)
SPRING, SUMMER = send_key("spring", "mail"), send_key("summer", "mail")
DAY_S = 86_400


@asynccontextmanager
async def serving(server):
    store = ServingStore.from_settings(
        Settings(redis_url=server.url, redis_cluster="yes" if server.cluster else "no"), 5.0
    )
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def server(every_redis_and_cluster):
    async with serving(every_redis_and_cluster) as store:
        yield store


def test_the_name_of_a_send_keeps_its_parts_apart():
    assert send_key("ab", "c") != send_key("a", "bc")
    assert send_key("1:a", "b") != send_key("1", "a:b")
    assert len(send_key("\ud800" + "x" * 10_000, "mail")) == 32


async def test_slots_keep_what_they_were_given_first(server):
    assert await server.freeze(JANE, SPRING, list("abc"), [1, 2], NOW, DAY_S) == ["a", "b"]
    assert await server.freeze(JANE, SPRING, list("xyz"), [2, 1], NOW, DAY_S) == ["b", "a"]
    assert await server.freeze(JANE, SPRING, list("bacd"), [3, 1], NOW, DAY_S) == ["c", "a"]
    assert await server.freeze(JANE, SUMMER, list("xyz"), [1], NOW, DAY_S) == ["x"]
    assert await server.frozen(JANE, SPRING, NOW) == Frozen({1: "a", 2: "b", 3: "c"})
    assert await server.frozen("nobody", SPRING, NOW) == NOTHING


async def test_what_is_barred_is_replaced_and_what_runs_out_is_none(server):
    await server.freeze(JANE, SPRING, list("abc"), [1, 2], NOW, DAY_S)
    assert await server.freeze(JANE, SPRING, list("abcd"), [1, 2, 4], NOW, DAY_S, {"a", "c"}) == ["d", "b", None]
    assert await server.frozen(JANE, SPRING, NOW) == Frozen({1: "d", 2: "b"})
    # Nothing to replace it with: not shown now, and kept in case it comes back.
    assert await server.freeze(JANE, SPRING, [], [1, 2], NOW, DAY_S, ["b"]) == ["d", None]
    assert await server.freeze(JANE, SPRING, [], [2], NOW, DAY_S) == ["b"]


async def test_the_note_of_the_first_freeze_stays(server):
    await server.freeze(JANE, SPRING, ["a"], [1], NOW, DAY_S, note="é1")
    await server.freeze(JANE, SPRING, ["b"], [2], NOW, DAY_S, note="2")
    assert await server.frozen(JANE, SPRING, NOW) == Frozen({1: "a", 2: "b"}, "é1")


async def test_reading_writes_nothing_and_neither_does_a_freeze_without_items(server, every_redis_and_cluster):
    await server.frozen(JANE, SPRING, NOW)
    assert await server.freeze(JANE, SPRING, [], [1], NOW, DAY_S) == [None]
    assert await server.freeze(JANE, SPRING, ["a"], [], NOW, DAY_S) == []
    with every_redis_and_cluster.client() as client:
        assert not client.exists(keys.frozen(JANE))


async def test_any_id_comes_back_as_it_went_in(server):
    slots = list(range(1, len(HOSTILE) + 1))
    assert await server.freeze(JANE, SPRING, HOSTILE, slots, NOW, DAY_S) == list(HOSTILE)
    assert (await server.frozen(JANE, SPRING, NOW)).by_slot == dict(zip(slots, HOSTILE, strict=True))


async def test_it_ends(server, every_redis_and_cluster):
    await server.freeze(JANE, SPRING, ["a"], [1], NOW, 10)
    await server.freeze(JANE, SUMMER, ["b"], [1], NOW, 1000)
    assert (await server.frozen(JANE, SPRING, NOW + 9_000)).by_slot == {1: "a"}
    assert await server.frozen(JANE, SPRING, NOW + 10_000) == NOTHING
    assert await server.freeze(JANE, SPRING, ["c"], [1], NOW + 10_000, 10) == ["c"]  # anew
    with every_redis_and_cluster.client() as client:
        assert 980 <= client.ttl(keys.frozen(JANE)) <= 1000  # as the send that ends last
        await server.freeze(JANE, SUMMER, ["d"], [2], NOW + 900_000, 10)
        assert client.hlen(keys.frozen(JANE)) == 1  # the one that is over went with the write
        assert client.ttl(keys.frozen(JANE)) <= 10


async def test_the_oldest_sends_go(server):
    sends = [send_key(f"send {n}", "mail") for n in range(MOST_SENDS + 3)]
    for n, send in enumerate(sends):
        await server.freeze(JANE, send, ["a"], [1], NOW + n * 1000, DAY_S)
    found = [bool((await server.frozen(JANE, send, NOW)).by_slot) for send in sends]
    assert found == [False] * 3 + [True] * MOST_SENDS
    # A send that would end first is the one that is written: it stays, another goes.
    await server.freeze(JANE, SPRING, ["a"], [1], NOW, 1)
    assert (await server.frozen(JANE, SPRING, NOW)).by_slot == {1: "a"}
    assert await server.frozen(JANE, sends[3], NOW) == NOTHING


async def test_the_largest_is_within_its_bound(redis_server):
    async with serving(redis_server) as store:
        items = [f"{n:0256}" for n in range(MOST_SLOT)]
        for n in range(MOST_SENDS + 1):
            slots = range(1, MOST_SLOT + 1)
            given = await store.freeze(JANE, send_key(str(n), ""), items, slots, NOW, DAY_S, (), "n" * MOST_NOTE_BYTES)
            assert given == items
    with redis_server.client() as client:
        assert client.hlen(keys.frozen(JANE)) == MOST_SENDS
        assert max(map(len, client.hvals(keys.frozen(JANE)))) < 26_500


async def test_opened_slots_are_counted_around_each(server, every_redis_and_cluster):
    opened = [Opened(JANE, SPRING, n, NOW + n * 1000) for n in range(5)] + [Opened("joe", SPRING, 0, NOW)]
    await server.open_slots([*opened, opened[0]], 30)
    assert await server.opened(opened, 1) == [2, 3, 3, 3, 2, 1]
    assert await server.opened([], 1) == []
    await server.open_slots([Opened(JANE, SUMMER, 1, NOW + 33_000)], 30)
    assert await server.opened([opened[0]], 60) == [2]  # those of 30 s ago and before are gone
    with every_redis_and_cluster.client() as client:
        assert 20 <= client.ttl(keys.opened(JANE)) <= 30


@pytest.mark.parametrize("leave", list(Leave))
async def test_an_erasure_and_a_withdrawal_forget_it_and_a_link_does_not(server, writer, leave):
    await server.freeze(JANE, SPRING, ["a"], [1], NOW, DAY_S)
    writer.remember([Recent(JANE, {}, NOW, leave)])
    assert (await server.frozen(JANE, SPRING, NOW)).by_slot == ({1: "a"} if leave == Leave.MARK else {})


async def test_a_request_from_before_an_erasure_is_answered_and_leaves_nothing(server, writer):
    writer.remember([Recent(JANE, {}, NOW, Leave.TOMBSTONE)])
    assert await server.freeze(JANE, SPRING, ["a", "b"], [1, 2], NOW, DAY_S) == ["a", "b"]
    assert await server.frozen(JANE, SPRING, NOW) == NOTHING
    assert await server.freeze(JANE, SPRING, ["a", "b"], [1, 2], NOW + 1, DAY_S) == ["a", "b"]
    assert (await server.frozen(JANE, SPRING, NOW)).by_slot == {1: "a", 2: "b"}


async def test_renders_at_once_agree(server):
    assert await server.frozen(JANE, SPRING, NOW) == NOTHING  # a server that is ready knows the cluster
    orders = [["a", "b", "c", "d", "e"][n:] + ["a", "b", "c", "d", "e"][:n] for n in range(5)]
    calls = [server.freeze(JANE, SPRING, orders[n % 5], [n % 3 + 1], NOW, DAY_S) for n in range(60)]
    answers = [item for (item,) in await asyncio.gather(*calls)]
    assert [len(set(answers[slot::3])) for slot in range(3)] == [1, 1, 1]
    assert len(set(answers)) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        (["a"], [0], NOW, 1),
        (["a"], [MOST_SLOT + 1], NOW, 1),
        (["a"], [1], NOW, 0),
        ([""], [1], NOW, 1),
        (["x" * 257], [1], NOW, 1),
        (["a"], [1], NOW, 1, (), "é" * MOST_NOTE_BYTES),
    ],
)
async def test_what_is_out_of_bounds_is_refused_before_it_is_sent(redis_server, arguments):
    async with serving(redis_server) as store:
        with pytest.raises(ValueError):
            await store.freeze(JANE, SPRING, *arguments)


ITEMS = st.sampled_from("abcdef")
CALLS = st.lists(
    st.tuples(
        st.lists(ITEMS, max_size=6), st.lists(st.integers(1, 4), max_size=4, unique=True), st.sets(ITEMS, max_size=3)
    ),
    max_size=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
def test_it_is_what_a_dictionary_would_do(redis_server, calls):
    async def run():
        with redis_server.client() as client:
            client.flushdb()
        held = {}
        async with serving(redis_server) as store:
            for candidates, slots, barred in calls:
                expected = []
                for slot in slots:
                    if slot not in held or held[slot] in barred:
                        used = {*held.values(), *barred}
                        found = next((item for item in candidates if item not in used), None)
                        # What a slot of the same call has just let go is not given to another slot of it.
                        expected.append(found)
                        held |= {} if found is None else {slot: found}
                    else:
                        expected.append(held[slot])
                assert await store.freeze(JANE, SPRING, candidates, slots, NOW, DAY_S, barred) == expected
                assert (await store.frozen(JANE, SPRING, NOW)).by_slot == held

    asyncio.run(run())
