"""The shop's rules on a real Redis over HTTP, and those cases of them that once went wrong."""

import asyncio
import random

import pytest

from varde import keys
from varde.catalogue import Change, Entry
from varde.config import read
from varde.delivery import Recent
from varde.pairs import Relation, Universe
from varde.settings import Settings
from varde.store.catalogue import reached
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

from .fakes import Catalogue, Counts, packed
from .shop import CART_HOURS, DAYS, FLOOR, ITEMS, Person, Shop, shop
from .test_rules_property import ask, asked, serving
from .world import DAY, NOW

REQUESTS = 40


def put(server, shop_):
    """The shop into an empty Redis: what was counted, whom it has met, and its catalogue by a feed and by changes."""
    redis, settings = server.client(), Settings(redis_url=server.url)
    redis.flushall()
    store = Store.from_settings(settings, clock=lambda: NOW)
    shop_.numbers = dict(zip(ITEMS, store.intern(ITEMS), strict=True))
    for relation, item in shop_.rows:
        redis.set(keys.row(relation, shop_.numbers[item]), packed(shop_, relation, item))
    for item, number in shop_.numbers.items():
        shard = keys.shard_of_number(number)
        for signal, weights in shop_.popular.items():
            if item in weights:
                redis.zadd(keys.popular(signal, shard), {number: weights[item]})
        redis.hset(keys.supports(Universe.VIEW, shard), number, shop_.supports[item])
        if item in shop_.rising:
            redis.hset(keys.supports_day(Universe.VIEW, shard, DAY), number, shop_.rising[item])
    ids = {"uid": keys.customer_key("jane", None), "aid": keys.customer_key(None, "device")}
    for name, one in shop_.people.items():
        orders = {bytes(8) + b"+" + item.encode(): time for item, time in one.bought}
        store.remember([Recent(ids[name], dict(one.views), carts=dict(one.carts), orders=orders)])
    store.close()
    catalogue = CatalogueStore.from_settings(settings)
    catalogue.put_entries([entry for entry in shop_.catalogue.values() if entry.listed], NOW - 1000, complete=True)
    unlisted = [entry for entry in shop_.catalogue.values() if not entry.listed]
    catalogue.change([Change(entry.id, NOW, {"hidden": entry.hidden, "stock": entry.stock}) for entry in unlisted])
    shop_.catalogue = {item: entry for item in shop_.catalogue if (entry := catalogue.entry(item)) is not None}
    return catalogue


async def applied(client, position):
    """Until every server process has said that it answers by this change."""
    from varde.server.parts import PARTS

    store = client.app[PARTS].running.stores.catalogue
    async with asyncio.timeout(20):
        while True:
            followers = (await store.followers(NOW)).values()
            if followers and all(reached(each.applied, position) for each in followers):
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", range(3))
async def test_every_list_over_http_obeys_every_rule(serve, frail, seed):
    chance = random.Random(seed)
    shop_ = shop(chance)
    catalogue = put(frail, shop_)
    settings = Settings(redis_url=frail.url, deadline_ms=20_000, min_customers=FLOOR, cart_hours=CART_HOURS)
    client = await serve(settings, config=shop_.config, window_days=DAYS)
    requests = [await ask(client, shop_, chance) for _ in range(REQUESTS)]
    for item in chance.sample(ITEMS, 4):
        said = chance.choice([{"hidden": True}, {"stock": 0}, {"hidden": False, "stock": 4}, {"price": 15.0}])
        position = catalogue.change([Change(item, NOW + 1, said)]).position
        await applied(client, position)
        shop_.catalogue[item] = catalogue.entry(item)
        for request in chance.sample(requests, REQUESTS // 2):
            await asked(client, shop_, *request)
    catalogue.close()


def small(catalogue, toml="", **changes):
    """A shop of five items of which the first goes with the others, and the others with it."""
    items = [f"item-0{n}" for n in range(5)]
    rows = {(Relation.ALSO_VIEWED, "item-00"): {item: 9 - place for place, item in enumerate(items[1:])}}
    numbers = {item: 64 * n + n for n, item in enumerate(items, 1)}
    popular = {0: {item: float(n) for n, item in enumerate(items, 1)}, 1: {}, 2: {}}
    entries = {item: Entry(item, **fields) for item, fields in catalogue.items()}
    made = Shop(
        numbers,
        dict.fromkeys(items, 20),
        rows,
        popular,
        {},
        entries,
        {"uid": Person(), "aid": Person()},
        read(toml, ("llr",)),
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


async def ids_of(shop_, path):
    async with serving(Counts(shop_), Catalogue(shop_), shop_.config) as client:
        response = await client.get(path)
        body = await response.json()
        assert response.status == 200, body
        return body.get("rung"), [entry["id"] for entry in body["items"]]


async def test_the_variants_of_a_seed_that_is_only_a_parent_do_not_appear():
    catalogue = {f"item-0{n}": {"parent": "shoe" if n < 3 else None} for n in range(5)}
    rung, ids = await ids_of(small(catalogue), "/v1/similar/shoe")
    assert (rung, ids) == ("popular", ["item-04", "item-03"])


async def test_a_category_that_is_asked_for_is_looked_for_beyond_the_most_popular(monkeypatch):
    from varde.server import popular

    monkeypatch.setattr(popular, "MOST", 2)
    catalogue = {f"item-0{n}": {"categories": ("Rare",) if n < 2 else ("Shoes",)} for n in range(5)}
    assert await ids_of(small(catalogue), "/v1/recommendations?uid=jane&category=Rare") == (
        "category",
        ["item-01", "item-00"],
    )


async def test_a_popular_placement_starts_with_what_is_popular_whatever_was_seen():
    catalogue = {f"item-0{n}": {"categories": ("Shoes",) if n < 2 else ()} for n in range(5)}
    toml = '[placements.best]\nsource = "popular"\n'
    rung, ids = await ids_of(small(catalogue, toml), "/v1/recommendations?placement=best&items=item-00")
    assert (rung, ids) == ("popular", ["item-04", "item-03", "item-02", "item-01"])


async def test_a_boost_of_something_else_leaves_the_order_of_the_rung():
    """The rung `category` is in the order of the seed's categories, the narrow one first, and not of the scores."""
    kinds = [("Wide", "Narrow"), ("Wide", "Narrow"), ("Wide",), ("Wide",), ("Other",)]
    catalogue = {f"item-0{n}": {"categories": kinds[n], "brand": "Nord" if n == 4 else None} for n in range(5)}
    for boost in ("", '[placements.default]\nboost = [{ brand = "Nord", factor = 5 }]\n'):
        rung, ids = await ids_of(small(catalogue, boost, rows={}), "/v1/similar/item-00")
        assert (rung, ids) == ("category", ["item-01", "item-03", "item-02"])


async def test_a_seed_nobody_has_met_keeps_its_place_among_the_weights():
    rows = {
        (Relation.ALSO_VIEWED, "item-00"): {"item-02": 8},
        (Relation.ALSO_VIEWED, "item-01"): {"item-03": 9},
    }
    made = small({}, rows=rows)
    made.config = read("", ("count",))
    async with serving(Counts(made), Catalogue(made), made.config) as client:
        body = await (await client.get("/v1/recommendations?items=item-00,never,item-01")).json()
    assert [(entry["id"], entry["score"]) for entry in body["items"]] == [("item-02", 8.0), ("item-03", 3.0)]


async def test_the_page_of_popular_items_shows_what_may_be_sold():
    catalogue = {"item-00": {}, "item-01": {"hidden": True}, "item-02": {"stock": 0}, "item-03": {"listed": False}}
    assert await ids_of(small(catalogue), "/v1/popular?n=5") == (None, ["item-00"])
