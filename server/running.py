"""The start and the end of a server process: its memory, and the tasks that keep it like Redis."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from .blend import Sums
from .catalogue import CatalogueFollower
from .compiled import compiled
from .follow import Follower, Task, repeated
from .hot import HotRows
from .lists import Memory
from .parts import Parts, Running, Stores
from .pen import Pen
from .people import People
from .popular import Popular, Trending
from .shelf import Shelf
from .trips import UNDER_WAY, Circuit, Trips
from .warm import Warmer

W = TypeVar("W")
R = TypeVar("R")

CONNECT_S = 2.0
"""Longest time for new connections when Redis is back."""
CONNECTIONS = 8
"""Connections for requests that a server makes before it says that it is ready."""
MOST_WAITING = 256
"""Requests that may wait for Redis at once; the next ones are answered from memory."""


@asynccontextmanager
async def running(parts: Parts, stores: Stores) -> AsyncIterator[Running]:
    """A server's memory with its tasks under way; they end with it.

    Args:
        parts: settings, configuration, clock, metrics.
        stores: open.
    """
    shelf = Shelf()
    circuit = Circuit(lambda: _well(stores, parts.settings.deadline_ms / 1000))

    def trips(send: Callable[[Sequence[Any]], Any]) -> Trips[Any, Any]:
        deadline_s = parts.settings.deadline_ms / 1000
        return Trips(send, circuit, deadline_s, MOST_WAITING, lambda why: parts.metrics.failures.labels(why).inc())

    hot = HotRows(stores.requests, trips, shelf, time.monotonic)
    secret = parts.settings.id_secret.encode()
    people = People(stores.requests, trips, hot, shelf, parts.clock, secret, parts.settings.cart_hours)
    half_life = parts.settings.half_life_days
    memory = Memory(shelf, hot, Popular(shelf), Trending(shelf), people, parts.config, half_life, parts.clock)
    learn_configured(memory)
    follower = Follower(memory, stores.tasks, parts.settings.window_days)
    memory.away = lambda: circuit.open or not follower.loaded.is_set()
    catalogue = CatalogueFollower(shelf, stores.catalogue, parts.clock)
    warmer = Warmer(memory, stores.tasks, parts.settings.min_customers)
    tasks = [asyncio.create_task(_begin(stores, memory, follower, catalogue, warmer, circuit.failed, parts.compared))]
    try:
        yield Running(stores, memory, circuit, follower.loaded)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await catalogue.leave()
        await circuit.stop()


def learn_configured(memory: Memory) -> None:
    """Give every item that the configuration names a slot, so that a static list needs neither Redis nor catalogue."""
    for placement in memory.config.placements.values():
        for item in (*(placement.static or ()), *placement.must_include):
            memory.shelf.slot(item)


async def _begin(
    stores: Stores,
    memory: Memory,
    follower: Follower,
    catalogue: CatalogueFollower,
    warmer: Warmer,
    failed: Callable[[], None],
    compared: dict[str, float],
) -> None:
    """Load everything, then keep it: the catalogue first, because it says what must not be shown."""

    async def first() -> float:
        await catalogue.load()
        loops = await asyncio.to_thread(compiled)
        memory.sums, memory.pen = Sums(loops), None if loops is None else Pen(loops)
        # The first requests find connections: to make one takes longer than they may wait.
        await asyncio.gather(*(stores.requests.ping() for _ in range(CONNECTIONS)))
        return await follower.load()

    await _until(first, follower.loaded, failed)
    gc.freeze()  # what was loaded stays: it need not be looked at again
    steps: list[tuple[str, Task]] = [
        ("rows", follower.rows),
        ("names", follower.names),
        ("popularity", follower.popularity),
        ("trending", follower.trending),
        ("catalogue", catalogue.follow),
        ("heartbeat", catalogue.heartbeat),
        ("warmth", warmer.step),
    ]
    async with asyncio.TaskGroup() as group:
        for name, step in steps:
            group.create_task(repeated(_noted(step, name, compared), name, failed))


def _noted(step: Task, name: str, compared: dict[str, float]) -> Task:
    async def noted() -> float:
        pause = await step()
        compared[name] = time.monotonic()
        return pause

    return noted


async def _until(step: Task, done: asyncio.Event, failed: Callable[[], None]) -> None:
    """Try until it is done."""
    trying = asyncio.create_task(repeated(step, "start", failed))
    try:
        await done.wait()
    finally:
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)


async def _well(stores: Stores, deadline_s: float) -> None:
    """Redis answers within the deadline on a connection that is there.

    To make one takes several round trips, for which a request has no time when Redis is slow.
    """
    async with asyncio.timeout(CONNECT_S):
        await asyncio.gather(*(stores.requests.ping() for _ in range(UNDER_WAY)))
    async with asyncio.timeout(deadline_s):
        await stores.requests.ping()
