"""The asyncio side: the read half, for the server. Names and meanings are those of `sync`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from varde.latest import Customer
from varde.pairs import Relation
from varde.rows import Row
from varde.settings import Settings
from varde.store import reads
from varde.store.cluster import AsyncCluster
from varde.store.connection import TIMEOUT, AsyncClient, connect_async
from varde.store.names import Names
from varde.store.reads import Weighted
from varde.store.sending import AsyncSending


class Store(AsyncSending):
    """Varde's data in Redis, for one event loop."""

    def __init__(self, client: AsyncClient, names: Names | None = None) -> None:
        """Over a client that replies in bytes.

        Args:
            client: redis.asyncio.Redis or cluster.AsyncCluster.
            names: the cache of item numbers; must be emptied on reconnection, as `from_settings` arranges.
        """
        self._client = client
        self._names = names or Names()

    @classmethod
    def from_settings(cls, settings: Settings, timeout: float = TIMEOUT) -> Self:
        """Over a new client for VARDE_REDIS_URL; nothing is sent yet.

        Args:
            settings: redis_url and redis_cluster.
            timeout: seconds for one reply and for a connection.
        """
        names = Names()
        return cls(connect_async(settings.redis_url, names.clear, timeout, settings.clustered), names)

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()

    async def numbers(self, ids: Sequence[str]) -> list[int | None]:
        """The numbers of ids; None for one that was never counted."""
        return await self._run(reads.numbers(self._names, ids))

    async def names(self, numbers: Sequence[int]) -> list[str | None]:
        """The ids of numbers."""
        return await self._run(reads.names(self._names, numbers))

    async def row(self, relation: Relation | int, item: str) -> Row | None:
        """The serving row of an item; None when it has no neighbours."""
        return (await self.rows(relation, [item]))[0]

    async def rows(self, relation: Relation | int, items: Sequence[str]) -> list[Row | None]:
        """The serving rows of items, in one round trip once their numbers are cached (`all_items` does that)."""
        return await self._run(reads.rows(self._names, relation, items))

    async def pair_count(self, relation: Relation | int, item: str, other: str) -> int:
        """The number of customers of a pair, exact."""
        return await self._run(reads.pair_count(self._names, relation, item, other))

    async def supports(self, where: int, items: Sequence[str]) -> list[int]:
        """The number of customers who have each item in a universe, exact."""
        return await self._run(reads.supports(self._names, where, items))

    async def total(self, relation: Relation | int) -> int:
        """The number of customers that a relation is about."""
        return await self._run(reads.total(relation))

    async def recents(self, customer: str) -> list[tuple[str, int]]:
        """A customer's latest viewed items as (id, time ms), newest first."""
        return await self._run(reads.recents(customer))

    async def customer(self, customers: Sequence[str]) -> list[Customer]:
        """What is known of each customer (keys.customer_key): latest views, carts and purchases. One round trip."""
        return await self._run(reads.customer(customers))

    async def personal(
        self, customers: Sequence[str], relation: Relation | int, seeds: int
    ) -> tuple[Customer, list[tuple[str, bytes | None]]]:
        """One customer of several keys, the known one first, and the packed rows of the `seeds` newest views."""
        clustered = isinstance(self._client, AsyncCluster)
        return await self._run(reads.personal(self._names, clustered, customers, relation, seeds))

    async def popular(self, signal: int, n: int) -> list[Weighted]:
        """The n most popular items of a signal."""
        return await self._run(reads.popular(self._names, signal, n))

    async def counts(self, relation: Relation | int, item: str) -> dict[str, int]:
        """Every neighbour of an item with its pair count, exact."""
        return await self._run(reads.counts(self._names, relation, item))

    async def all_items(self) -> dict[str, int]:
        """Every item that was ever counted, id -> number."""
        return await self._run(reads.all_items(self._names))

    async def stats(self) -> dict[str, int]:
        """The stream's counters."""
        return await self._run(reads.stats())

    async def tombstones(self) -> dict[str, int]:
        """Customers who were erased: customer key -> up to when, ms."""
        return await self._run(reads.tombstones())

    async def ping(self) -> bool:
        """Whether Redis answers."""
        return await self._client.execute_command("PING") in (True, b"PONG")
