"""Bytes of Redis per item and relation, split by key family, at 128 candidates; and per item, customer and token.

    python -m tests.bench bytes

Every key is measured with MEMORY USAGE … SAMPLES 0 (exact), which counts the key, its entry and its value.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator

import redis

from varde import keys
from varde.delivery import Delivery, Pane, Recent, Token, split
from varde.history import DAY_MS
from varde.pairs import Universe
from varde.settings import Settings
from varde.store.sync import Store

from .bench_apply import server

NOW = 20_400 * DAY_MS
TODAY = 20_400
ITEMS = 200
SETTINGS = Settings()


def usage(client: redis.Redis) -> Counter[str]:
    """Bytes by family; a dated hash is a family of its own."""
    total: Counter[str] = Counter()
    for key in list(client.scan_iter(count=1000)):
        parts = key.decode().split(":")
        family = parts[3]
        if (family, len(parts)) in (("pairs", 7), ("supports", 6)):
            family += "_day"
        total[family] += int(client.memory_usage(key, samples=0) or 0)
    return total


def rows_of(neighbours: int, days: int) -> Iterator[Delivery]:
    """Rows of one relation with so many neighbours each, whose differences lie on so many days."""
    chance = random.Random(1)
    columns = [f"SKU-{n:06d}" for n in range(max(4 * neighbours, 2 * ITEMS))]
    for index in range(ITEMS):
        item = columns[index]
        some = chance.sample(columns, neighbours)
        for day in range(days):
            part = some[day::days]
            yield Delivery(
                Token("bench", index, day, 0),
                keys.shard_of(item),
                rows=[(0, TODAY - day, item, {column: chance.randint(1, 99) for column in part})],
            )


def rows_table() -> None:
    """Bytes per item and relation."""
    say(f"{'bytes per item and relation':34} {'row':>8} {'pairs':>10} {'pairs_day':>10} {'total':>10}")
    for neighbours, days in ((8, 2), (128, 5), (512, 14), (513, 14), (5_000, 14)):
        with server() as url:
            store = Store.from_settings(Settings(redis_url=url), lambda: NOW)
            for delivery in rows_of(neighbours, days):
                store.apply(delivery)
                store.refresh(delivery)
            with redis.Redis.from_url(url) as client:
                used = {family: n / ITEMS for family, n in usage(client).items()}
            store.close()
        families = [used[family] for family in ("row", "pairs", "pairs_day")]
        label = f"  {neighbours} neighbours, changed on {days} days"
        say(f"{label:34} {families[0]:8,.0f} {families[1]:10,.0f} {families[2]:10,.0f} {sum(families):10,.0f}")


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
        recent = {f"SKU-{i:06d}": NOW + i for i in range(SETTINGS.recent_items)}
        store.remember([Recent(keys.customer_key(f"user {i}", None), recent) for i in range(1000)])
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
        ("recents", f"customer, {SETTINGS.recent_items} items", 1000),
    ):
        say(f"  {family:14} {used[family] / count:8.0f} per {what}")
    say(f"  {'applied':14} {bitmap:8} per {keys.TOKEN_BLOCK} batches: {8 * bitmap / keys.TOKEN_BLOCK:.2f} bits a batch")


def say(line: str) -> None:
    """A line of the table."""
    sys.stdout.write(line + "\n")


def main() -> None:
    """Print both tables."""
    rows_table()
    other_table()


if __name__ == "__main__":
    main()
