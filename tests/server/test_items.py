"""PATCH /v1/items/{item}: hiding and stock take effect on the next request of every server process."""

import asyncio
import hashlib
import os
import signal

import pytest

from varde.catalogue import Entry
from varde.config import read
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

from .world import ITEMS, NOW, customers, fill

KEY = "erp-key"
CONFIG = f"""
[[clients]]
name = "erp"
scopes = ["catalogue"]
keys = ["sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"]
"""


@pytest.fixture
async def two(serve, frail):
    """Two servers of one shop whose items are all in its catalogue."""
    store = Store.from_settings(Settings(redis_url=frail.url), clock=lambda: NOW)
    fill(store, customers(100, ITEMS), "world")
    store.close()
    settings = Settings(redis_url=frail.url, deadline_ms=5000)
    catalogue = CatalogueStore.from_settings(settings)
    catalogue.put_entries([Entry(item, title=item.title()) for item in ITEMS], NOW - 1000, True)
    catalogue.close()
    config = read(CONFIG, settings.rankings)
    return [await serve(settings, config=config) for _ in range(2)]


async def shown(client, path="/v1/similar/tent?n=100"):
    return [entry["id"] for entry in (await (await client.get(path)).json())["items"]]


async def patch(client, item, body, key=KEY):
    return await client.patch(f"/v1/items/{item}", json=body, headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize("change", [{"hidden": True}, {"stock": 0}, {"hidden": True, "stock": 5}])
async def test_takes_effect_on_the_next_request_of_every_process(two, change):
    for client in two:
        assert "stove" in await shown(client)  # and the answer is in its memory now
    response = await patch(two[0], "stove", {**change, "at": "2024-10-04T11:59:00Z"})
    assert response.status == 200, await response.text()
    body = await response.json()
    assert (body["changed"], body["processes"], body["followed"]) == (True, 2, 2)
    for client in two:
        for path in ("/v1/similar/tent?n=100", "/v1/recommendations?items=tent,mat&n=100", "/v1/popular?n=100"):
            assert (path.startswith("/v1/popular") and "stock" in change) or "stove" not in await shown(client, path)
    back = {"hidden": None, "stock": None}
    assert (await patch(two[1], "stove", back)).status == 200
    for client in two:
        assert "stove" in await shown(client)


async def test_many_changes_at_once_all_count(two):
    answers = await asyncio.gather(*(patch(two[at % 2], item, {"stock": 0}) for at, item in enumerate(ITEMS[:8])))
    assert [answer.status for answer in answers] == [200] * 8
    for client in two:
        assert not set(ITEMS[:8]) & set(await shown(client))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"hidden": "perhaps"}, "hidden"),
        ({"stock": "many"}, "stock"),
        ({"price": -1}, "price"),
        ({"colour": "red"}, "colour"),
        ({"hidden": True, "at": "tomorrow"}, "at"),
        ({}, "body"),
        ([], "body"),
    ],
)
async def test_a_bad_change_names_the_field(two, body, field):
    response = await patch(two[0], "stove", body)
    assert response.status == 400
    assert (await response.json())["error"]["field"] == field


async def test_an_id_that_is_blank_is_the_item_s_fault(two):
    response = await patch(two[0], "\N{NO-BREAK SPACE}", {"hidden": None})
    assert (response.status, (await response.json())["error"]["field"]) == (400, "item")


async def test_needs_a_key_with_the_scope(two):
    assert (await two[0].patch("/v1/items/stove", json={"hidden": True})).status == 401
    assert (await patch(two[0], "stove", {"hidden": True}, key="wrong")).status == 401
    assert "stove" in await shown(two[0])


async def test_without_redis_it_says_that_nothing_was_written(two, frail):
    os.kill(frail.pid, signal.SIGKILL)
    response = await patch(two[0], "stove", {"hidden": True})
    assert response.status == 503
    assert (await response.json())["error"]["code"] == "store_unavailable"
