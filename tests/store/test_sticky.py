"""The variations that customers stay in: read along, bounded, and gone with the customer."""

from contextlib import asynccontextmanager

import pytest
from redis.exceptions import ResponseError

from varde import keys
from varde.delivery import Leave, Recent
from varde.latest import merged
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.people import Known, Who
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
    return (await known(store, customers)).sticky


async def known(store, customers, relation=None):
    (found,) = await store.people([Who(customers, relation, 5, True)])
    return found


async def test_variations_are_read_with_what_else_is_known(server, writer):
    writer.remember([Recent(JANE, {"tent": NOW})])
    await server.stick([Stuck(JANE, ARM, NOW), Stuck(DEVICE, {"pdp__0": "control", "home__2": "b"}, NOW)])
    customers = (JANE, DEVICE, "nobody")
    found = await known(server, customers)
    assert found.customer == merged(await server.customer(customers))
    assert found.sticky == [ARM, {"pdp__0": "control", "home__2": "b"}, {}]
    whole = await known(server, customers, Relation.ALSO_VIEWED)
    assert whole[:2] == await server.personal(customers, Relation.ALSO_VIEWED, 5)
    assert whole.customer.views == [("tent", NOW)]
    assert whole.sticky[0] == ARM
    assert await known(server, ()) == Known(merged(()), (), [])


async def test_they_come_in_the_same_round_trip(redis_server, monkeypatch):
    async with serving(redis_server) as store:
        trips = []
        monkeypatch.setattr(store, "_together", lambda lines, send=store._together: trips.append(lines) or send(lines))
        await known(store, (JANE,), Relation.ALSO_VIEWED)  # teaches the script
        trips.clear()
        await store.people([Who((JANE, DEVICE), None, 0, True), Who((JANE,), Relation.ALSO_VIEWED, 5, True)])
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


async def test_one_who_cannot_be_read_costs_nobody_else(server, every_redis_and_cluster, writer):
    writer.remember([Recent(JANE, {"tent": NOW})])
    with every_redis_and_cluster.client() as client:
        client.set(keys.recents(DEVICE, 0), "no sorted set")
    for relation in (None, Relation.ALSO_VIEWED):
        jane, device, nobody = await server.people([Who((one,), relation, 5) for one in (JANE, DEVICE, "nobody")])
        assert jane.customer.views == [("tent", NOW)]
        assert isinstance(device, ResponseError)
        assert nobody.customer == merged(())
