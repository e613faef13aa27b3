"""A shop of any size in Redis without its history: rows, names, popularity and catalogue as servers read them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import redis

from varde import keys
from varde.catalogue import Entry
from varde.delivery import popularity
from varde.pairs import Relation
from varde.rows import Row, encode
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

CANDIDATES = 128
CUSTOMERS = 1_000_000
BRANDS = 200
CATEGORIES = 300
_CHUNK = 2_000


def item(place: int) -> str:
    """The id of the item at a place of the popularity order, 0 the most popular."""
    return f"item-{place:07d}"


def entry(place: int) -> Entry:
    """A catalogue entry of usual length: 240 bytes as JSON."""
    return Entry(
        item(place),
        title=f"Fjellrev Trekking Jacket No {place}, Waterproof, Women",
        url=f"https://shop.example/en/products/fjellrev-trekking-jacket-{place}",
        image=f"https://cdn.shop.example/images/{place:07d}/front-640.webp",
        price=float(20 + place % 400) + 0.95,
        currency="EUR",
        stock=7,
        brand=f"Brand {place % BRANDS}",
        categories=("Outdoor", f"Category {place % CATEGORIES}"),
    )


def fill(url: str, items: int, now: int, *, rows: bool = True) -> None:
    """Put a shop into an empty Redis.

    Args:
        url: of Redis.
        items: how many, by popularity as Zipf(1.0) has it.
        now: the time of popularity and catalogue, ms.
        rows: whether they have serving rows of CANDIDATES candidates in also_viewed.
    """
    settings = Settings(redis_url=url, max_items=2_000_000)
    store, client = Store.from_settings(settings), redis.Redis.from_url(url)
    numbers = np.concatenate([np.array(store.intern([item(at) for at in part]), np.uint32) for part in _parts(items)])
    supports = np.maximum(CUSTOMERS / (np.arange(items) + 1) / np.log(items), 40).astype(np.uint32)
    _popular(client, numbers, now)
    if rows:
        _rows(client, numbers, supports)
    catalogue = CatalogueStore.from_settings(settings)
    catalogue.put_entries((entry(at) for at in range(items)), now, True)
    catalogue.close()
    store.close()
    client.close()


def _parts(items: int) -> Iterator[range]:
    return (range(start, min(start + _CHUNK, items)) for start in range(0, items, _CHUNK))


def _popular(client: redis.Redis, numbers: np.ndarray, now: int) -> None:
    weight = popularity(now, 7.0)
    with client.pipeline(transaction=False) as pipeline:
        for at, number in enumerate(numbers[:20_000]):
            key = keys.popular(0, keys.shard_of_number(int(number)))
            pipeline.zadd(key, {str(number): weight * 10_000 / (at + 1)})
        pipeline.execute()


def _rows(client: redis.Redis, numbers: np.ndarray, supports: np.ndarray) -> None:
    chance = np.random.default_rng(1)
    items = len(numbers)
    for part in _parts(items):
        # Half of the neighbours by popularity, half from the same corner of the shop.
        popular = np.exp(chance.random((len(part), 4 * CANDIDATES)) * np.log(items)).astype(int) - 1
        near = (np.array(part)[:, None] + chance.integers(1, 1000, (len(part), CANDIDATES))) % items
        with client.pipeline(transaction=False) as pipeline:
            for row, at in enumerate(part):
                places = np.unique(np.concatenate([popular[row, : CANDIDATES // 2], near[row]]))
                places = chance.permutation(places[places != at])[:CANDIDATES]
                most = np.minimum(supports[places], supports[at])
                counts = np.maximum((most * chance.random(len(places)) ** 4).astype(np.uint32), 3)
                order = np.argsort(numbers[places])
                packed = encode(
                    Row(
                        numbers[places][order],
                        counts[order],
                        supports[places][order],
                        int(supports[at]),
                        CUSTOMERS,
                        revision=1,
                        neighbours=len(places),
                    )
                )
                pipeline.set(keys.row(Relation.ALSO_VIEWED, int(numbers[at])), packed)
            pipeline.execute()


def zipf(items: int, n: int, seed: int = 2) -> np.ndarray:
    """n places with Zipf(1.0): the chance of place r is proportional to 1 / (r + 1)."""
    weights = 1 / (np.arange(items) + 1)
    return np.random.default_rng(seed).choice(items, n, p=weights / weights.sum())


def uniform(items: int, n: int, seed: int = 3) -> np.ndarray:
    """n places, every one as likely, none twice while there are enough."""
    return np.random.default_rng(seed).permutation(items)[:n]
