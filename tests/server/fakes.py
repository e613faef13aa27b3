"""A shop behind the interfaces of the server's stores, in memory: for properties over many shops."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import numpy as np

from varde import keys
from varde.latest import customer, merged
from varde.rows import Row, encode
from varde.server.parts import Stores
from varde.settings import Settings
from varde.store.people import Known
from varde.store.serving import Sequences, Touched

from .shop import TOTAL

NAMELESS = 9_999_999
"""The number of a candidate that has no name yet."""


def packed(shop, relation, item):
    """The serving row of an item as Redis holds it, or None; its first candidate has no name."""
    counts = shop.rows.get((relation, item))
    if counts is None:
        return None
    cells = {shop.numbers[other]: (k, shop.supports[other]) for other, k in counts.items()} | {NAMELESS: (9, 9)}
    columns = [sorted(cells), [cells[n][0] for n in sorted(cells)], [cells[n][1] for n in sorted(cells)]]
    arrays = [np.array(column, np.uint32) for column in columns]
    return encode(Row(*arrays, shop.supports[item], TOTAL, revision=7))


def known(person):
    """What Redis would say of a person."""
    return customer(person.views, person.carts, [(bytes(8) + b"+" + item.encode(), at) for item, at in person.bought])


class Counts:
    """What a ServingStore reads."""

    def __init__(self, shop):
        self.shop = shop
        self.items = {number: item for item, number in shop.numbers.items()}
        secret = Settings(redis_url="").id_secret.encode()
        self.customers = {
            keys.customer_key("jane", None, secret): known(shop.people["uid"]),
            keys.customer_key(None, "device", secret): known(shop.people["aid"]),
        }

    async def ping(self):
        return True

    async def close(self):
        pass

    async def rows_of(self, wanted):
        return [packed(self.shop, key.relation, self.items.get(key.number)) for key in wanted]

    async def touched(self, since):
        return [Touched(0, ()) for _ in since]

    async def people(self, wanted):
        return [self._known(*who) for who in wanted]

    def _known(self, customers, relation, seeds, sticky):
        found = merged([self.customers[name] for name in customers])
        rows = (
            [] if relation is None else [(item, packed(self.shop, relation, item)) for item, _ in found.views[:seeds]]
        )
        return Known(found, rows, [{} for _ in customers] if sticky else None)

    async def sequences(self):
        return Sequences(tuple((99, b"one") for _ in range(keys.SHARDS)))

    async def all_names(self, shard):
        return [(item, n) for item, n in self.shop.numbers.items() if keys.shard_of_number(n) == shard]

    async def popular_of(self, signal, shard):
        numbers = {self.shop.numbers[item]: weight for item, weight in self.shop.popular[signal].items()}
        return [(n, weight) for n, weight in numbers.items() if keys.shard_of_number(n) == shard]

    async def supports_of(self, where, shard, days):
        found = {self.shop.numbers[item]: (n, self.shop.supports[item]) for item, n in self.shop.rising.items()}
        here = {number: both for number, both in found.items() if keys.shard_of_number(number) == shard}
        return [(number, n) for number, (n, _) in here.items()], [support for _, support in here.values()]


class Catalogue:
    """What an AsyncCatalogue does: a log of changed ids, of which a position is the length."""

    def __init__(self, shop):
        self.shop, self.log, self.applied, self.told = shop, [], 0, asyncio.Condition()

    async def close(self):
        pass

    async def scan(self):
        yield list(self.shop.catalogue.items())

    async def entries(self, ids):
        return [self.shop.catalogue.get(item) for item in ids]

    async def follow(self, last, block_ms=1000):
        if not last:
            return None, f"0-{len(self.log)}"
        at = int(last.removeprefix("0-"))
        async with self.told:
            await self.told.wait_for(lambda: len(self.log) > at)
        return list(dict.fromkeys(self.log[at:])), f"0-{len(self.log)}"

    async def heartbeat(self, process, applied, now):
        async with self.told:
            self.applied = int(applied.removeprefix("0-"))
            self.told.notify_all()

    async def leave(self, process):
        pass

    async def change(self, item, entry):
        """An item's entry is this now; returns when the server says that it answers by it."""
        async with self.told:
            self.shop.catalogue[item] = entry
            self.log.append(item)
            self.told.notify_all()
            async with asyncio.timeout(10):
                await self.told.wait_for(lambda: self.applied >= len(self.log))


def connecting(counts, catalogue):
    """A `connect` for create_app."""

    @asynccontextmanager
    async def connect():
        yield Stores(counts, counts, catalogue)

    return connect
