"""The catalogue: bytes in Redis per item, and how long a load and a server's first reading take.

python -m tests.bench catalogue
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis

from varde import keys
from varde.catalogue import Change, Entry, encode, loaded
from varde.settings import Settings
from varde.store.catalogue_aio import AsyncCatalogue
from varde.store.catalogue_sync import CatalogueStore

from .bench_apply import server
from .table import machine, say, table

NOW = 1_790_000_000_000
CHANGED = 2_000


def entries(n: int) -> Iterator[Entry]:
    """Items as a shop of clothes has them, ids of 11 bytes."""
    for number in range(n):
        item = f"item-{number:06d}"
        yield Entry(
            item,
            parent=f"p-{number // 3:05d}",
            title=f"Kaldra Heron Down Jacket {number:06d}",
            url=f"/p/{item}",
            image=f"https://img.shop.example/{item}/600.webp",
            price=number % 900 + 0.95,
            currency="SEK",
            stock=5,
            categories=("Clothes", "Jackets"),
            brand="Kaldra",
        )


def timed(do: Callable[[], Any]) -> float:
    """Seconds."""
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def used(client: redis.Redis) -> int:
    """Bytes of all shards."""
    return sum(int(client.memory_usage(keys.catalogue(shard), samples=0) or 0) for shard in range(keys.SHARDS))


def plain(client: redis.Redis, n: int) -> None:
    """The same bytes, just written."""
    pipeline = client.pipeline(transaction=False)
    for number, entry in enumerate(entries(n), 1):
        pipeline.hset(keys.catalogue(keys.shard_of(entry.id)), entry.id, encode(loaded(entry, NOW)))
        if not number % 2_000:
            pipeline.execute()
    pipeline.execute()


async def scan(settings: Settings) -> None:
    """What a server does when it starts."""
    reader = AsyncCatalogue.from_settings(settings)
    async for _ in reader.scan():
        pass
    await reader.close()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=100_000)
    n = parser.parse_args().items
    say(machine())
    with server() as url, redis.Redis.from_url(url) as client:
        settings = Settings(redis_url=url)
        store = CatalogueStore.from_settings(settings)
        base = timed(lambda: plain(client, n))
        client.flushall()
        rows = [("the same bytes, just written", base)]
        rows.append(("first load", timed(lambda: store.put_entries(entries(n), NOW, True))))
        size = used(client) / n
        rows.append(("the same load a day later", timed(lambda: store.put_entries(entries(n), NOW + 1, True))))
        rows.append(("a server's first reading", timed(lambda: asyncio.run(scan(settings)))))
        table(
            ["", "items/s", "against just written"],
            [[name, f"{n / seconds:,.0f}", f"{base / seconds:.2f}"] for name, seconds in rows],
        )
        ids = [f"item-{number:06d}" for number in range(CHANGED)]
        alone = timed(lambda: [store.change([Change(item, NOW + 2, {"stock": 0})]) for item in ids])
        many = timed(lambda: store.change(Change(item, NOW + 3, {"stock": 1}) for item in ids))
        say(f"\nchanges per second: {CHANGED / alone:,.0f} one by one, {CHANGED / many:,.0f} together")
        say(f"bytes per item: {size:,.0f}, {(used(client) / n - size) * n / CHANGED:,.0f} more with a change")
        client.delete(keys.changes())
        for item in ids:
            store.change([Change(item, NOW + 4, {"stock": 2})])
        one = int(client.memory_usage(keys.changes(), samples=0) or 0) / CHANGED
        client.delete(keys.changes())
        store.change(Change(item, NOW + 5, {"stock": 3}) for item in ids)
        hundred = int(client.memory_usage(keys.changes(), samples=0) or 0) / (CHANGED / 100)
        say(f"bytes in the stream: {one:,.0f} per change alone, {hundred:,.0f} per 100 ids")
        store.close()


if __name__ == "__main__":
    main()
