"""The guard through which every read goes that is not gathered with others (`trips`)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from .errors import StoreError
from .trips import reason_of

T = TypeVar("T")


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
    except Exception as error:
        raise StoreError(reason_of(error)) from error
    finally:
        read.close()
