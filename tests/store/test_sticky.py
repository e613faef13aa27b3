"""The variations that customers stay in: read along, bounded, and gone with the customer."""

from contextlib import asynccontextmanager

import pytest

from varde import keys
from varde.delivery import Leave, Recent
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.serving import ServingStore
from varde.store.sticky import KEPT_S, MOST_FIELDS, Stuck

from .world import NOW

JANE, DEVICE = keys.customer_key("jane", None), keys.customer_key(None, "device")
ARM = {"pdp__0": "cosine"}


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


async def documents(store, *customers):
    return (await store.customer_and_sticky(customers))[1]


async def test_variations_are_read_with_what_else_is_known(server, writer):
    writer.remember([Recent(JANE, {"tent": NOW})])
    await server.stick([Stuck(JANE, ARM, NOW), Stuck(DEVICE, {"pdp__0": "control", "home__2": "b"}, NOW)])
    customers = (JANE, DEVICE, "nobody")
    known, found = await server.customer_and_sticky(customers)
    assert known == await server.customer(customers)
    assert found == [ARM, {"pdp__0": "control", "home__2": "b"}, {}]
    whole, found = await server.personal_and_sticky(customers, Relation.ALSO_VIEWED, 5)
    assert whole == await server.personal(customers, Relation.ALSO_VIEWED, 5)
    assert whole[0].views == [("tent", NOW)]
    assert found[0] == ARM
    assert await server.customer_and_sticky(()) == ([], [])


async def test_they_come_in_the_same_round_trip(redis_server, monkeypatch):
    async with serving(redis_server) as store:
        trips = []
        monkeypatch.setattr(store, "_together", lambda lines, send=store._together: trips.append(lines) or send(lines))
        await store.customer_and_sticky((JANE, DEVICE))
        await store.personal_and_sticky((JANE,), Relation.ALSO_VIEWED, 5)
        assert len(trips) <= 3  # and once to teach the script
        trips.clear()
        await store.personal_and_sticky((JANE,), Relation.ALSO_VIEWED, 5)
        assert len(trips) == 1


async def test_a_later_word_adds_and_replaces(server, every_redis_and_cluster):
    await server.stick([Stuck(JANE, ARM, NOW)])
    await server.stick([Stuck(JANE, {"pdp__0": "control", "home__0": "a"}, NOW)])
    assert await documents(server, JANE) == [{"pdp__0": "control", "home__0": "a"}]
    with every_redis_and_cluster.client() as client:
        assert KEPT_S - 5 <= client.ttl(keys.sticky(JANE)) <= KEPT_S


async def test_there_is_a_bound_and_the_newest_stay(server):
    for first in range(0, 4 * MOST_FIELDS, MOST_FIELDS // 2):
        new = {f"experiment-{n}__0": "b" for n in range(first, first + MOST_FIELDS // 2)}
        await server.stick([Stuck(JANE, new, NOW)])
        (found,) = await documents(server, JANE)
        assert len(found) <= MOST_FIELDS and new.items() <= found.items()
    await server.stick([Stuck(JANE, {f"{n}": "c" for n in range(2 * MOST_FIELDS)}, NOW)])
    assert len((await documents(server, JANE))[0]) == MOST_FIELDS


@pytest.mark.parametrize("leave", list(Leave))
async def test_an_erasure_and_a_withdrawal_forget_them_and_a_link_does_not(server, writer, leave):
    await server.stick([Stuck(JANE, ARM, NOW), Stuck(DEVICE, ARM, NOW)])
    writer.remember([Recent(JANE, {}, NOW, leave)])
    assert await documents(server, JANE, DEVICE) == [ARM if leave == Leave.MARK else {}, ARM]


async def test_a_request_from_before_an_erasure_leaves_nothing(server, writer):
    writer.remember([Recent(JANE, {}, NOW, Leave.TOMBSTONE)])
    await server.stick([Stuck(JANE, ARM, NOW - 1)])
    await server.stick([Stuck(JANE, ARM, NOW)])
    assert await documents(server, JANE) == [{}]
    await server.stick([Stuck(JANE, ARM, NOW + 1)])
    assert await documents(server, JANE) == [ARM]


async def test_what_moved_to_the_known_customer_is_dropped(server):
    await server.stick([Stuck(DEVICE, {"pdp__0": "cosine", "home__0": "a"}, NOW)])
    await server.stick([Stuck(JANE, ARM, NOW)], [(DEVICE, ["pdp__0"])])
    assert await documents(server, JANE, DEVICE) == [ARM, {"home__0": "a"}]
