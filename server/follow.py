"""What a server does beside answering: it keeps its memory like Redis. Every task goes on when Redis comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from varde import keys
from varde.history import DAY_MS
from varde.pairs import Universe
from varde.store.serving import Sequences, ServingStore

from .hot import CHECK_S
from .lists import Memory
from .popular import MOST
from .trips import reason_of

logger = logging.getLogger("varde.server")

POPULAR_S = 0.1
"""Pause between two shards' popularity: 64 of them in 7 s."""
OFTEN = 8
"""Shards after which a short order is made anew."""
TRENDING_S = 20.0
TRENDING_DAYS = 2
"""Today and yesterday."""
AGAIN_S = 1.0
"""Pause after a failure."""

Task = Callable[[], Awaitable[float]]
"""One step; returns the seconds until the next."""


class Follower:
    """Loads names and popularity into memory, and keeps them and the rows fresh."""

    def __init__(self, memory: Memory, store: ServingStore, window_days: int) -> None:
        """For the server's memory, from a store of its own connections.

        Args:
            memory: is filled.
            store: is read.
            window_days: VARDE_WINDOW_DAYS, against which trending holds the last days.
        """
        self._memory, self._store, self._window_days = memory, store, window_days
        self._sequences: Sequences | None = None
        self._shard = 0
        self.loaded = asyncio.Event()
        """Set once everything was read for the first time."""

    async def load(self) -> float:
        """Names, popularity and trending, whole. Once; the tasks below keep them."""
        await self.names()
        await self._popularity()
        await self.trending()
        self.loaded.set()
        return 0.0

    async def _popularity(self) -> None:
        for signal in self._memory.popular.signals:
            for shard in range(keys.SHARDS):
                self._memory.popular.put(signal, shard, await self._store.popular_of(signal, shard))
            self._memory.popular.arrange(signal)

    async def rows(self) -> float:
        """Compare the rows that requests use."""
        await self._memory.hot.check()
        return CHECK_S

    async def names(self) -> float:
        """Items that were numbered since the last time; all of them when Redis has another past than we know."""
        now = await self._store.sequences()
        before, shelf = self._sequences, self._memory.shelf
        if before is None or _another_past(before, now):
            known: set[str] = set()
            for shard in range(keys.SHARDS):
                found = await self._store.all_names(shard)
                shelf.learn(found)
                known.update(item for item, _ in found)
            shelf.forget_others(known)
            self._memory.hot.forget()
            if before is not None:
                await self._popularity()  # its numbers mean other items now
        elif before != now:
            shelf.learn(await self._store.names_between(before, now))
        self._sequences = now
        return CHECK_S

    async def popularity(self) -> float:
        """One shard further."""
        popular, shard = self._memory.popular, self._shard
        for signal in popular.signals:
            popular.put(signal, shard, await self._store.popular_of(signal, shard))
        self._shard = (shard + 1) % keys.SHARDS
        for place, signal in enumerate(popular.signals):
            # Many items once a round, few more often: a young shop's first views are soon popular.
            if self._shard == place or (self._shard % OFTEN == 0 and popular.size(signal) < MOST):
                popular.arrange(signal)
        return POPULAR_S

    async def trending(self) -> float:
        """The customers whom items have won today and yesterday."""
        today = self._memory.clock() // DAY_MS
        days = [today - back for back in range(TRENDING_DAYS)]
        for shard in range(keys.SHARDS):
            changed, supports = await self._store.supports_of(Universe.VIEW, shard, days)
            self._memory.trending.put(shard, changed, supports)
        self._memory.trending.arrange(TRENDING_DAYS / self._window_days)
        return TRENDING_S


def _another_past(before: Sequences, now: Sequences) -> bool:
    """Whether numbers that we know may mean nothing any more: another server numbers, or one was set back."""
    return any(
        new[0] < old[0] or (new[1] != old[1] and old[1] != b"")
        for old, new in zip(before.shards, now.shards, strict=True)
    )


async def repeated(task: Task, name: str, failed: Callable[[], None] = lambda: None) -> None:
    """A task for ever: again after what it returns, or after AGAIN_S when it failed, which is logged once.

    Args:
        task: one step.
        name: for the log.
        failed: told of every failure, so that a server that is asked nothing knows of the loss of Redis, too.
    """
    failing = False
    while True:
        try:
            pause = await task()
            failing = False
        except Exception as error:  # noqa: BLE001 - a server that follows no more would show what is hidden
            pause, failing = AGAIN_S, _told(name, reason_of(error), failing)
            failed()
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise asyncio.CancelledError  # the client's own timeouts may have swallowed it
        await asyncio.sleep(pause)


def _told(name: str, reason: str, before: bool) -> bool:
    if not before:
        logger.warning("%s: Redis does not answer (%s); going on with what is in memory", name, reason)
    return True
