"""What the server needs of the store, and the one guard through which every read goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from varde.rows import Row

from .errors import StoreError

T = TypeVar("T")


class Reader(Protocol):
    """The asyncio read side of the store: what varde.store.aio.Store offers and the server uses."""

    async def rows(self, relation: int, items: Sequence[str], /) -> Sequence[Row | None]:
        """The serving rows of items, None where there is none."""

    async def names(self, wanted: Sequence[int], /) -> Sequence[str | None]:
        """The ids of item numbers, None where a number is unknown."""

    async def pair_count(self, relation: int, item: str, other: str, /) -> int:
        """The exact number of customers of a pair."""

    async def supports(self, where: int, items: Sequence[str], /) -> Sequence[int]:
        """The exact supports of items in a universe."""

    async def total(self, relation: int, /) -> int:
        """The exact number of customers that a relation is about."""

    async def recents(self, customer: str, /) -> Sequence[tuple[str, int]]:
        """A customer's (keys.customer_key) latest items with their times, ms, the most recent first."""

    async def popular(self, signal: int, n: int, /) -> Sequence[tuple[str, float]]:
        """The most popular items with their weights (delivery.popularity), best first."""

    async def stats(self) -> Mapping[str, int]:
        """The stream's counters."""

    async def ping(self) -> object:
        """Answers when Redis does."""


Connect = Callable[[], AbstractAsyncContextManager[Reader]]
"""Opens the store for the life of the application; must not fail while Redis is away."""


async def within(seconds: float, turns: asyncio.Semaphore, read: Coroutine[Any, Any, T]) -> T:
    """The result of a read, if its turn and its answer come in time.

    Args:
        seconds: the deadline, waiting for a turn included.
        turns: bounds how many reads are under way.
        read: holds at most one connection at a time; closed when its turn never came.

    Raises:
        StoreError: too late (`timeout`), no connection (`connection`), or an answer that is an error or makes no
            sense (`answer`).
    """
    try:
        async with asyncio.timeout(seconds), turns:
            return await read
    except (TimeoutError, RedisTimeoutError) as error:
        raise StoreError("timeout") from error
    except (RedisConnectionError, OSError) as error:
        raise StoreError("connection") from error
    except (RedisError, ValueError) as error:  # ValueError: rows.decode met what is no row
        raise StoreError("answer") from error
    finally:
        read.close()
