"""A hidden or sold-out item is gone from the next request on, in every server process, whatever happens to Redis."""

import asyncio
import os
import signal

import orjson
import pytest
from tests.conftest import running_redis

from varde import keys
from varde.catalogue import Change, Entry
from varde.server.catalogue import CatalogueFollower
from varde.server.shelf import Shelf
from varde.settings import Settings
from varde.store.catalogue import LOG, announcements
from varde.store.catalogue_aio import AsyncCatalogue
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

from .conftest import VERSION
from .test_rules import applied
from .world import ITEMS, NOW, customers, fill

TARGETS = [
    "/v1/similar/tent?n=12",
    "/v1/recommendations?items=tent,boots&n=12",
    "/v1/similar/never?n=12",
    "/v1/popular",
]


def feed(url, items=ITEMS, as_of=NOW - 1000):
    catalogue = CatalogueStore.from_settings(Settings(redis_url=url))
    catalogue.put_entries([Entry(item, title=item, stock=3) for item in items], as_of, complete=True)
    return catalogue


@pytest.fixture
def world(frail):
    store = Store.from_settings(Settings(redis_url=frail.url), clock=lambda: NOW)
    fill(store, customers(100, ITEMS), "world")
    store.close()
    catalogue = feed(frail.url)
    yield catalogue
    catalogue.close()


async def shown(client):
    out = []
    for target in TARGETS:
        response = await client.get(target)
        assert response.status == 200
        out.append({entry["id"] for entry in (await response.json())["items"]})
    body = {"placements": [{"id": "a", "items": ["tent"], "n": 12}]}
    answer = await (await client.post("/v1/placements", json=body)).json()
    return [*out, {entry["id"] for entry in answer["placements"]["a"]["items"]}]


async def test_a_change_holds_from_the_next_request_on_in_every_process(serve, frail, world):
    settings = Settings(redis_url=frail.url, deadline_ms=20_000)
    clients = [await serve(settings) for _ in range(2)]
    for client in clients:
        assert all("stove" in items for items in await shown(client))
        assert await shown(client) == await shown(client)  # out of what is kept
    for place, said in enumerate([{"hidden": True}, {"hidden": False}, {"stock": 0}, {"stock": 2}]):
        done = world.change([Change("stove", NOW + place, said)])
        assert done.changed == ("stove",)
        for client in clients:
            await applied(client, done.position)
        gone = place % 2 == 0
        for client in clients:
            assert all(("stove" in items) is not gone for items in await shown(client)), said


async def test_a_load_that_changes_everything_is_followed_too(serve, frail, world):
    client = await serve(Settings(redis_url=frail.url, deadline_ms=20_000))
    feed(frail.url, ["tent", "mat", *(f"new-{n}" for n in range(1500))], NOW).close()

    async def only_mat():
        return all(items <= {"mat", "tent"} for items in await shown(client))

    async with asyncio.timeout(20):
        while not await only_mat():
            await asyncio.sleep(0.02)


async def test_nothing_is_lost_when_redis_starts_again(serve, tmp_path):
    """A change while the servers are cut off, and one after; the data is on disk, the address stays."""
    address, data = tmp_path / "redis", tmp_path / "data"
    data.mkdir()
    url = f"unix://{address}"
    with running_redis(VERSION, data=data) as first:
        address.symlink_to(first.url.removeprefix("unix://"))
        store = Store.from_settings(Settings(redis_url=url), clock=lambda: NOW)
        fill(store, customers(100, ITEMS), "world")
        store.close()
        catalogue = feed(url)
        client = await serve(Settings(redis_url=url, deadline_ms=2_000))
        assert all("stove" in items and "lamp" in items for items in await shown(client))
        address.unlink()  # whoever connects anew finds nobody
        assert first.client().client_kill_filter(_type="normal", skipme=True)
        with CatalogueStore.from_settings(Settings(redis_url=first.url))._client as there:
            CatalogueStore(there, 1000).change([Change("stove", NOW, {"hidden": True})])
        os.kill(first.pid, signal.SIGKILL)
        assert all("lamp" in items for items in await shown(client))  # from memory
    with running_redis(VERSION, data=data) as second:
        address.symlink_to(second.url.removeprefix("unix://"))
        done = catalogue.change([Change("lamp", NOW + 1, {"stock": 0})])
        await applied(client, done.position)
        assert not any(items & {"stove", "lamp"} for items in await shown(client))
        assert all("mug" in items for items in await shown(client))
    catalogue.close()


async def followed(url):
    """A shelf and its follower, loaded, that goes on when the test says so."""
    shelf = Shelf()
    store = AsyncCatalogue.from_settings(Settings(redis_url=url))
    follower = CatalogueFollower(shelf, store, lambda: NOW)
    await follower.load()
    return shelf, store, follower


def open_items(shelf):
    return {item for item, slot in shelf.slots.items() if shelf.buyable[slot] and shelf.listed[slot]}


async def test_a_follower_that_was_left_behind_reads_everything(frail, world):
    shelf, store, follower = await followed(frail.url)
    assert open_items(shelf) == {*ITEMS}
    world.change([Change("stove", NOW, {"hidden": True})])
    pipeline = frail.client().pipeline(transaction=False)
    for _ in range(LOG + 200):  # the announcement of `stove` is let go of
        for command in announcements(["mat"]):
            pipeline.execute_command(*command.wire)
    pipeline.execute()
    assert not any(b"stove" in orjson.dumps(str(e)) for e in frail.client().xrange(keys.changes(), count=50))
    await follower.follow()
    assert open_items(shelf) == {*ITEMS} - {"stove"}
    await store.close()


async def test_many_changes_between_two_looks(frail, world):
    shelf, store, follower = await followed(frail.url)
    for place, item in enumerate(ITEMS * 3):
        world.change([Change(item, NOW + place, {"stock": place % 2})])
    for _ in range(3):
        await follower.follow()
    assert open_items(shelf) == {item for item in ITEMS if world.entry(item).stock}
    await store.close()


async def test_a_follower_whose_reading_fails_reads_again(frail, world):
    shelf, store, follower = await followed(frail.url)
    world.change([Change("stove", NOW, {"hidden": True})])
    entries, store.entries = store.entries, fails
    with pytest.raises(ConnectionError):
        await follower.follow()
    assert "stove" in open_items(shelf)
    store.entries = entries
    await follower.follow()
    assert "stove" not in open_items(shelf)
    await store.close()


async def fails(*_):
    raise ConnectionError


async def test_items_that_a_new_catalogue_does_not_have_leave_the_shelf(frail, world):
    shelf, store, follower = await followed(frail.url)
    frail.client().flushall()
    feed(frail.url, ["tent", "kayak"], NOW).close()
    async with asyncio.timeout(10):
        while open_items(shelf) != {"tent", "kayak"}:
            await follower.follow()
    assert shelf.entries_listed == 2
    await store.close()
