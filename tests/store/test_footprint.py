"""The bytes that `varde capacity` reckons with, against MEMORY USAGE of a real Redis filled as the stream fills it."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing
from itertools import accumulate

import pytest
import redis
from tests.bench.bench_bytes import usage

from varde import footprint, keys, latest, transitions
from varde.delivery import Delivery, Pane, Recent, Token, split
from varde.history import DAY_MS
from varde.orders import bought, order_key
from varde.pairs import Universe
from varde.settings import Settings
from varde.store.sync import Store

NOW = 20_400 * DAY_MS
TODAY = 20_400
CATALOGUE = 20_000
IDS = [f"SKU-{n:06d}" for n in range(CATALOGUE)]
ITEMS = 25
WITHIN = 0.15
"""Part that an estimate may be wrong by."""


@pytest.fixture
def store(redis_url):
    with closing(Store.from_settings(Settings(redis_url=redis_url), lambda: NOW)) as store:
        yield store


def used(url: str) -> Counter[str]:
    with redis.Redis.from_url(url) as client:
        return usage(client)


def near(estimate: float, measured: float) -> None:
    assert estimate == pytest.approx(measured, rel=WITHIN)


CASES = [(8, 2), (30, 3), (60, 1), (128, 5), (128, 14), (300, 7), (512, 14), (700, 10), (1500, 14), (4000, 4)]
"""Neighbours, and the days on which their counts changed: at other sizes than the formulas were fitted to, too."""


def seen(store: Store) -> None:
    """Numbers and supports of the shop's items, the popular ones seen first."""
    pane = Pane()
    pane.counts.supports[Universe.VIEW, TODAY] = {item: 20_000 // rank + 5 for rank, item in enumerate(IDS, 1)}
    for start in range(0, CATALOGUE, 1000):
        store.intern(IDS[start : start + 1000])
    for delivery in split(pane, "catalogue", 0, 0, 1000):
        store.apply(delivery)


def counted(store: Store, run: str, items: list[str], neighbours: int, days: int) -> None:
    """So many neighbours of each item, drawn by popularity, changed on so many days."""
    chance = random.Random(neighbours)
    weights = list(accumulate(1 / rank for rank in range(1, CATALOGUE + 1)))
    for index, item in enumerate(items):
        some: dict[str, None] = {}
        while len(some) < neighbours:
            some.update(dict.fromkeys(chance.choices(IDS, cum_weights=weights, k=neighbours - len(some))))
        for day in range(days):
            part = {column: chance.randint(1, 99) for column in list(some)[day::days]}
            delivery = Delivery(Token(run, index, day, 0), keys.shard_of(item), rows=[(0, TODAY - day, item, part)])
            store.apply(delivery)
            store.refresh(delivery)


def test_an_item_in_a_relation(store, redis_url):
    seen(store)
    items = random.Random(1).sample(IDS, ITEMS * len(CASES))
    with redis.Redis.from_url(redis_url) as client:

        def measured(names: list[str]) -> float:
            return sum(int(client.memory_usage(name, samples=0) or 0) for name in names) / ITEMS

        for case, (neighbours, days) in enumerate(CASES):
            some = items[case * ITEMS : (case + 1) * ITEMS]
            counted(store, f"r{case}", some, neighbours, days)
            numbers = store.intern(some)
            near(footprint.row(neighbours, 128), measured([keys.row(0, n) for n in numbers]))
            near(footprint.pairs(neighbours), measured([keys.pairs(0, n) for n in numbers]))
            dated = [keys.pairs_day(0, n, TODAY - day) for n in numbers for day in range(days)]
            near(footprint.pairs_day(neighbours, days), measured(dated))


def test_items_and_customers(store, redis_url):
    """As many items as make the hashes of a shard large ones."""
    n, customers = 40_000, 300
    items = {f"SKU-{i:06d}": 1 for i in range(n)}
    pane = Pane(popular={0: dict.fromkeys(items, 1.5)})
    for universe in (Universe.VIEW, Universe.ANY):
        pane.counts.supports[universe, TODAY] = dict(items)
    for delivery in split(pane, "r", 0, 0, 1000):
        store.apply(delivery)
    found = used(redis_url)
    near(footprint.NAMES * n, found["numbers"] + found["names"])
    near(footprint.SUPPORT * 2 * n, found["supports"])
    near(footprint.SUPPORT * 2 * n, found["supports_day"])
    near(footprint.POPULAR * n, found["popular"])
    for views, carted, orders in ((20, 5, 3), (4, 1, 1), (12, 0, 6)):
        viewed = {f"SKU-{i:06d}": NOW + i for i in range(views)}
        past = transitions.take_back(order_key("order 0"), (), NOW).orders
        for number in range(orders):
            both = (f"SKU-{2 * number:06d}", f"SKU-{2 * number + 1:06d}")
            past = past.merged(bought(order_key(f"order {number}"), both, NOW - number), 64)
        carts = dict(list(viewed.items())[:carted])
        with redis.Redis.from_url(redis_url) as client:
            client.flushdb()
        store.remember(
            Recent(keys.customer_key(f"{i}", None), viewed, carts=carts, orders=latest.entries(past))
            for i in range(customers)
        )
        measured = sum(n for family, n in used(redis_url).items() if family.startswith("recents")) / customers
        near(footprint.customer(views, carted, orders), measured)


def test_tokens(store, redis_url):
    """Batches of a lane, one after the other; a block is measured when it is full."""
    with redis.Redis.from_url(redis_url) as client:
        name = keys.applied(0, "0123456789ab", 0, 9, 0)
        for bit in range(keys.TOKEN_BLOCK):
            client.setbit(name, bit, 1)
        measured = client.memory_usage(name)
    near(footprint.tokens(1.0, 7), measured * 7 * 86_400 / keys.TOKEN_BLOCK)


def test_the_sum_is_made_of_its_parts():
    settings = Settings()
    small = footprint.memory(footprint.Shop(1, 1, batches_per_s=0), settings)
    large = footprint.memory(footprint.Shop(1_000_000, 100_000), settings)
    assert set(small) == set(large)
    assert sum(small.values()) < 3_000_000
    assert large["customers"] == pytest.approx(1_000_000 * small["customers"])
    assert footprint.memory(footprint.Shop(1, 10_000_000), settings)["items"] == pytest.approx(
        footprint.memory(footprint.Shop(1, settings.max_items), settings)["items"]
    ), "VARDE_MAX_ITEMS bounds it"
