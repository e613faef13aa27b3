"""The catalogue's asyncio side: what a server reads it, changes it and follows its changes with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Self

import orjson

from varde import keys
from varde.catalogue import Change, Entry, effective
from varde.settings import Settings
from varde.store import catalogue
from varde.store.catalogue import ALIVE_MS, Applied, Follower
from varde.store.connection import TIMEOUT, AsyncClient, connect_async
from varde.store.scripts import command
from varde.store.sending import AsyncSending

FORGOTTEN_MS = 3_600_000
"""A follower that has said nothing for longer is let go of."""


class AsyncCatalogue(AsyncSending):
    """The catalogue in Redis, for one event loop."""

    def __init__(self, client: AsyncClient, max_items: int, timeout: float = TIMEOUT) -> None:
        """Over a client that replies in bytes.

        Args:
            client: redis.asyncio.Redis or cluster.AsyncCluster.
            max_items: items that Redis may hold in all.
            timeout: seconds that the client waits for one reply; `follow` waits no longer than half of it.
        """
        self._client = client
        self._max_items = max_items
        self._longest_ms = max(int(timeout * 500), 1)

    @classmethod
    def from_settings(cls, settings: Settings, timeout: float = TIMEOUT) -> Self:
        """Over a new client for VARDE_REDIS_URL; nothing is sent yet.

        Args:
            settings: redis_url, redis_cluster and max_items.
            timeout: seconds for one reply and for a connection.
        """
        client = connect_async(settings.redis_url, lambda: None, timeout, settings.clustered)
        return cls(client, settings.max_items, timeout)

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()

    async def scan(self) -> AsyncIterator[list[tuple[str, Entry]]]:
        """All items that something is known of, some hundred at a time; one may come twice.

        Who follows reads the position first (`follow` with ""), then scans: what changes meanwhile is announced.
        """
        for shard in range(keys.SHARDS):
            cursor = 0
            while True:
                cursor, found = await self._run(catalogue.page(shard, cursor))
                shown = ((item, effective(item, record)) for item, record in found)
                if some := [(item, entry) for item, entry in shown if entry is not None]:
                    yield some
                if not cursor:
                    break

    async def entries(self, ids: Sequence[str]) -> list[Entry | None]:
        """Items as they are shown, in their order; None for one that nothing is known of."""
        records = await self._run(catalogue.records(ids))
        return [effective(item, record) for item, record in zip(ids, records, strict=True)]

    async def change(self, *changes: Change) -> Applied:
        """Apply changes and announce them; a repeat changes nothing and announces again.

        Raises:
            redis.exceptions.RedisError: not reached, or refused; what was applied is unknown: try again.
        """
        return await self._run(catalogue.change(changes, self._max_items))

    async def follow(self, last: str, block_ms: int = 1000) -> tuple[list[str] | None, str]:
        """What has changed since a position.

        Args:
            last: what the call before gave; "" at the start.
            block_ms: how long to wait for something to change; 0 not at all.

        Returns:
            Ids of items to read anew (none after `block_ms` without a change), or None for the whole catalogue: at
            the start, when a load has changed a lot, when the stream has let go of something since, and when Redis
            was emptied or has lost its newest writes. And the position, to be given back when these are read.
        """
        wait = min(block_ms, self._longest_ms)
        if last and wait > 0:
            # Only waited for: what there is, and whether something is missing, is read at one moment.
            await self._client.execute_command("XREAD", "COUNT", 1, "BLOCK", wait, "STREAMS", keys.changes(), last)
        return await self._run(catalogue.news(last))

    async def heartbeat(self, process: str, applied: str, now: int) -> None:
        """Say that a server process lives and answers by the stream up to `applied`.

        Args:
            process: its name, a new one for every start.
            applied: a position that `follow` gave.
            now: ms.
        """
        key = keys.followers()
        said = orjson.dumps([applied, now])
        _, found = await self._send([command("HSET", key, process, said), command("HGETALL", key)])
        gone = [name for name, follower in _followers(found).items() if now - follower.seen > FORGOTTEN_MS]
        if gone:
            await self._send([command("HDEL", key, *gone)])

    async def leave(self, process: str) -> None:
        """Say that a server process answers no more."""
        await self._send([command("HDEL", keys.followers(), process)])

    async def followers(self, now: int) -> dict[str, Follower]:
        """The server processes that live at `now` (ms), by name; `catalogue.reached` tells how far each is."""
        (found,) = await self._send([command("HGETALL", keys.followers())])
        return {name: each for name, each in _followers(found).items() if now - each.seen <= ALIVE_MS}


def _followers(found: dict[bytes, bytes]) -> dict[str, Follower]:
    return {name.decode(): Follower(*orjson.loads(said)) for name, said in found.items()}
