"""Random shops, customers, placements and requests: every list is what plain rules over dicts leave (rulebook.py)."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given, settings
from hypothesis import strategies as st

from varde.catalogue import Entry
from varde.server.app import create_app
from varde.server.hot import CHECK_S
from varde.server.parts import PARTS
from varde.server.warm import Warmer
from varde.settings import Settings

from . import rulebook
from .fakes import Catalogue, Counts, connecting
from .shop import CART_HOURS, FLOOR, shared, shop, wanted
from .world import NOW

REQUESTS = 8
_NAMES = {"items": "item", "cart": "cart_item", "exclude": "exclude_item"}


def query(fields):
    """JSON fields as a query string."""
    every = [(name, one) for name, value in fields.items() for one in (value if isinstance(value, list) else [value])]
    texts = ((name, str(one).lower() if isinstance(one, bool) else one) for name, one in every)
    return urlencode([(_NAMES.get(name, name), text) for name, text in texts])


@asynccontextmanager
async def serving(counts, catalogue, config):
    configured = Settings(
        redis_url="redis://127.0.0.1:1", deadline_ms=20_000, min_customers=FLOOR, cart_hours=CART_HOURS
    )
    app = create_app(configured, connecting(counts, catalogue), config=config, clock=lambda: NOW)
    async with TestClient(TestServer(app)) as client, asyncio.timeout(60):
        await app[PARTS].running.loaded.wait()
        yield client


async def warm(client, counts):
    """Have every row in memory, its best candidates ready, as a server has after a while."""
    warmer = Warmer(client.app[PARTS].running.memory, counts, FLOOR)
    while await warmer.step() != CHECK_S:
        pass


def check(shop, fields, body, taken=()):
    """The list is the rulebook's, and obeys every rule by itself."""
    rule = rulebook.rule(shop, fields)
    ids = [entry["id"] for entry in body["items"]]
    for item in ids:
        assert not rulebook.broken(shop, rule, item), (item, fields)
    assert len(ids) == len({*ids}) <= rule.n
    assert not {*ids} & {*taken, *rule.seeds}
    if rule.grouped:
        assert len({rulebook.family(shop, item) for item in ids}) == len(ids)
    rung, expected = rulebook.expected(shop, rule, taken)
    found = [(entry["id"], entry.get("rung", body["rung"]), entry.get("label")) for entry in body["items"]]
    assert (body["rung"], found) == (rung, [one[:3] for one in expected]), (body["rung"], found, rung, expected, fields)
    for entry, (_, _, _, score, customers, because) in zip(body["items"], expected, strict=True):
        assert entry["score"] == (None if score is None else pytest.approx(score, rel=1e-6))
        assert entry["customers"] == customers
        if "because" in entry:
            assert entry["because"] == because
    assert body["stale"] is False
    return ids


async def ask(client, shop, chance):
    """One random request on one of the endpoints, twice, and both times right."""
    endpoint = chance.choice(["similar", "recommendations", "placements"])
    page = shared(chance)
    lists = [wanted(chance) for _ in range(chance.randint(1, 3) if endpoint == "placements" else 1)]
    await asked(client, shop, endpoint, page, lists)
    return endpoint, page, lists


async def asked(client, shop, endpoint, page, lists):
    for _ in range(2):  # the second time from what is kept
        if endpoint == "placements":
            body = {**page, "placements": [{**one, "id": str(place)} for place, one in enumerate(lists)]}
            response = await client.post("/v1/placements", json=body)
            assert response.status == 200, await response.text()
            answers = (await response.json())["placements"]
            taken = []
            for place, one in enumerate(lists):
                taken += check(shop, {**one, **page}, answers[str(place)], taken)
            continue
        (fields,) = lists
        fields = {**fields, **page}
        if endpoint == "similar":
            seed = (fields["items"] or ["item-00"])[0]
            fields = {**fields, "items": [seed]}
            target = f"/v1/similar/{quote(seed, safe='')}?{query({k: v for k, v in fields.items() if k != 'items'})}"
        else:
            fields = fields if fields["items"] else {**fields, "uid": "jane"}
            target = f"/v1/recommendations?{query(fields)}"
        response = await client.get(target)
        assert response.status == 200, await response.text()
        check(shop, fields, await response.json())


def changed(chance, entry, item):
    """What a merchandiser or a warehouse may do to an item at any time."""
    entry = entry or Entry(item, listed=False)
    kind = chance.choice(["hide", "sell out", "price", "back"])
    if kind == "hide":
        return dataclasses.replace(entry, hidden=True)
    if kind == "sell out":
        return dataclasses.replace(entry, stock=0)
    if kind == "price":
        return dataclasses.replace(entry, price=chance.choice([7.0, 15.0]))
    return dataclasses.replace(entry, hidden=False, stock=5)


@settings(max_examples=settings().max_examples // 2)
@given(chance=st.randoms(use_true_random=True))  # a seed: its thousands of draws would take hours to shrink
async def test_every_list_obeys_every_rule(chance):
    shop_ = shop(chance)
    catalogue = Catalogue(shop_)
    counts = Counts(shop_)
    async with serving(counts, catalogue, shop_.config) as client:
        if chance.random() < 0.5:
            await warm(client, counts)
        requests = [await ask(client, shop_, chance) for _ in range(REQUESTS)]
        for item in chance.sample([*shop_.numbers], 3):
            await catalogue.change(item, changed(chance, shop_.entry(item), item))
        for request in requests:
            await asked(client, shop_, *request)
