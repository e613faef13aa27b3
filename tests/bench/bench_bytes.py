"""Bytes of Redis per item and relation, split by key family, at 128 candidates; and per item, customer and token.

    python -m tests.bench bytes

Every key is measured with MEMORY USAGE … SAMPLES 0 (exact), which counts the key, its entry and its value.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

import redis

from varde import keys, latest, transitions
from varde.delivery import Delivery, Leave, Pane, Recent, Token, split
from varde.ecommerce import MAX_ID_BYTES
from varde.history import DAY_MS
from varde.orders import bought, order_key
from varde.pairs import Relation, Universe
from varde.settings import Settings
from varde.store.night import NightStore, Reconciled
from varde.store.sync import Store

from .bench_apply import server

NOW = 20_400 * DAY_MS
TODAY = 20_400
ITEMS = 200
CATALOGUE = 100_000
"""Items with numbers: the more there are, the longer are the numbers in rows and hashes."""
CATALOGUE_IDS = [f"SKU-{n:06d}" for n in range(CATALOGUE)]
SETTINGS = Settings()
CUSTOMERS, CARTED, ORDERS = 1_000, 5, 3


def usage(client: redis.Redis) -> Counter[str]:
    """Bytes by family; a dated hash is a family of its own."""
    total: Counter[str] = Counter()
    for key in list(client.scan_iter(count=1000)):
        parts = key.decode().split(":")
        family = ":".join(parts[3:]) if parts[3] == "recents" else parts[3]
        if (family, len(parts)) in (("pairs", 7), ("supports", 6)):
            family += "_day"
        total[family] += int(client.memory_usage(key, samples=0) or 0)
    return total


def rows_of(neighbours: int, days: int, *, popular: bool) -> Iterator[Delivery]:
    """Rows of one relation with so many neighbours each, whose differences lie on so many days; counts below 100.

    Neighbours are drawn by popularity, 1 / rank, or evenly: the worst there is, because most of them have long numbers.
    """
    chance = random.Random(1)
    weights = list(accumulate(1 / rank if popular else 1.0 for rank in range(1, CATALOGUE + 1)))
    for index, item in enumerate(chance.sample(CATALOGUE_IDS, ITEMS)):
        some: dict[str, None] = {}
        while len(some) < neighbours:
            some.update(dict.fromkeys(chance.choices(CATALOGUE_IDS, cum_weights=weights, k=neighbours - len(some))))
        for day in range(days):
            part = list(some)[day::days]
            yield Delivery(
                Token("bench", index, day, 0),
                keys.shard_of(item),
                rows=[(0, TODAY - day, item, {column: chance.randint(1, 99) for column in part})],
            )


def catalogue(store: Store) -> None:
    """Numbers for all items, the popular ones seen first, and their supports: 20,000 / rank customers and some more."""
    pane = Pane()
    supports = {item: 20_000 // rank + 5 for rank, item in enumerate(CATALOGUE_IDS, 1)}
    pane.counts.supports[Universe.VIEW, TODAY] = dict(supports)
    for start in range(0, CATALOGUE, 1000):
        store.intern(CATALOGUE_IDS[start : start + 1000])
    for delivery in split(pane, "catalogue", 0, 0, 1000):
        store.apply(delivery)


def rows_table() -> None:
    """Bytes per item and relation."""
    say(f"{'bytes per item and relation':42} {'row':>8} {'pairs':>10} {'pairs_day':>10} {'total':>10}")
    cases = ((8, 2, True), (128, 5, True), (128, 5, False), (512, 14, True), (513, 14, True), (5_000, 14, True))
    for neighbours, days, popular in cases:
        with server() as url:
            store = Store.from_settings(Settings(redis_url=url), lambda: NOW)
            catalogue(store)
            for delivery in rows_of(neighbours, days, popular=popular):
                store.apply(delivery)
                store.refresh(delivery)
            with redis.Redis.from_url(url) as client:
                used = {family: n / ITEMS for family, n in usage(client).items()}
            store.close()
        families = [used[family] for family in ("row", "pairs", "pairs_day")]
        label = f"  {neighbours} neighbours, changed on {days} days{'' if popular else ', drawn evenly'}"
        say(f"{label:42} {families[0]:8,.0f} {families[1]:10,.0f} {families[2]:10,.0f} {sum(families):10,.0f}")


def other_table() -> None:
    """Bytes of everything else, each per what bounds it."""
    n = 100_000  # as many as make hashes of a shard large ones
    with server() as url:
        store = Store.from_settings(Settings(redis_url=url), lambda: NOW)
        items = {f"SKU-{i:06d}": 1 for i in range(n)}
        pane = Pane(popular={0: dict.fromkeys(items, 1.5)})
        pane.counts.supports[Universe.VIEW, TODAY] = dict(items)
        for delivery in split(pane, "bench", 0, 0, 1000):
            store.apply(delivery)
        latest_items(store)
        with redis.Redis.from_url(url) as client:
            used = usage(client)
            for bit in range(0, keys.TOKEN_BLOCK, 8):  # one after the other, as batches come: the string grows
                client.setbit(keys.applied(0, "bench", 0, 9, 0), bit, 1)
            bitmap = int(client.memory_usage(keys.applied(0, "bench", 0, 9, 0)) or 0)
        store.close()
    say("\nbytes of the other families")
    for family, what, count in (
        ("numbers", "item (10-byte ids)", n),
        ("names", "item (10-byte ids)", n),
        ("sequence", "shard", keys.SHARDS),
        ("supports", "item and universe", n),
        ("supports_day", "item, universe and day", n),
        ("popular", "item and signal", n),
        ("recents:0", f"customer, {SETTINGS.recent_items} views", CUSTOMERS),
        ("recents:1", f"customer, {CARTED} carted items", CUSTOMERS),
        ("recents:2", f"customer, {ORDERS} orders of 2 items and a return", CUSTOMERS),
    ):
        say(f"  {family:14} {used[family] / count:8.0f} per {what}")
    say(f"  {'applied':14} {bitmap:8} per {keys.TOKEN_BLOCK} batches: {8 * bitmap / keys.TOKEN_BLOCK:.2f} bits a batch")


def kept_table() -> None:
    """Bytes of what erasures and the nightly job leave."""
    with server() as url, redis.Redis.from_url(url) as client:
        store = NightStore.from_settings(Settings(redis_url=url), lambda: NOW)
        for each in (100, 1000):
            erased = [keys.customer_key(f"user {each} {i}", None) for i in range(each * keys.SHARDS)]
            store.remember([Recent(customer, {}, NOW, Leave.TOMBSTONE) for customer in erased])
            used = usage(client)["tombstones"]
            say(f"  {'tombstones':14} {used / len(erased):8.0f} per customer, {each} a shard")
            client.flushdb()
        store.mark("0123456789ab", "1:2:000000123")
        say(f"  {'under_way':14} {usage(client)['under_way']:8}")
        drift = [r.label for r in Relation] + [f"support {universe.name.lower()}" for universe in Universe]
        store.note_night(NOW, 0, dict.fromkeys(drift, 0.001234567))
        say(f"  {'night':14} {usage(client)['night']:8}")
        store.finish(Reconciled(TODAY, "0123456789ab"), [], TODAY)
        say(f"  {'reconciled':14} {usage(client)['reconciled']:8}")
        store.close()


def latest_items(store: Store) -> None:
    """Latest views, carts and orders of some customers."""
    views = {f"SKU-{i:06d}": NOW + i for i in range(SETTINGS.recent_items)}
    carts = dict(list(views.items())[:CARTED])
    past = transitions.take_back(order_key("order 0"), (), NOW).orders
    for n in range(ORDERS):
        items = (f"SKU-{2 * n:06d}", f"SKU-{2 * n + 1:06d}")
        past = past.merged(bought(order_key(f"order {n}"), items, NOW - n), SETTINGS.cap)
    entries = latest.entries(past)
    store.remember(
        Recent(keys.customer_key(f"user {i}", None), views, carts=carts, orders=entries) for i in range(CUSTOMERS)
    )


def most_table() -> None:
    """The most that one customer can come to: full sets, items of the longest id."""
    longest = {f"{i:04d}".ljust(MAX_ID_BYTES, "x"): NOW + i for i in range(SETTINGS.cap * 2)}
    lines = {order_key(item) + b"+" + item.encode(): time for item, time in longest.items()}
    say("\nbytes of one customer with full sets")
    for what, size in (("ids of 10 bytes", 10), (f"ids of {MAX_ID_BYTES} bytes", MAX_ID_BYTES)):
        with server() as url:
            store = Store.from_settings(Settings(redis_url=url), lambda: NOW)
            items = {item[:size]: time for item, time in longest.items()}
            orders = {entry[: size + 9]: time for entry, time in lines.items()}
            store.remember([Recent("0" * 24, items, carts=items, orders=orders)])
            with redis.Redis.from_url(url) as client:
                used = usage(client)
            store.close()
        say(f"  {what:18}" + "".join(f" {family} {used[family]:,}" for family in sorted(used)))


def say(line: str) -> None:
    """A line of the table."""
    sys.stdout.write(line + "\n")


def main() -> None:
    """Print the tables."""
    rows_table()
    other_table()
    kept_table()
    most_table()


if __name__ == "__main__":
    main()
