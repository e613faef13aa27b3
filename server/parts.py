"""What every handler gets: the application's parts, and the JSON answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import orjson
from aiohttp import web

from varde.settings import Settings

from .errors import StoreError
from .metrics import Metrics
from .reader import Reader, within

T = TypeVar("T")
Clock = Callable[[], int]
"""Milliseconds since the epoch, UTC."""
NewId = Callable[[], str]
"""A request id: unique, and safe in a header."""


class Publishes(Protocol):
    """What the server needs of publish.Publisher."""

    async def publish(self, data: bytes, /) -> None:
        """Return when the message is taken; else PublishError."""

    async def close(self) -> None:
        """Let go of the connection."""


READS = 64
"""Reads under way at once: fewer than the connections a client opens (redis-py refuses the 101st)."""


@dataclass(slots=True)
class Parts:
    """Settings, clock, request ids, metrics; the store, and the publisher if there is a topic, while the app runs."""

    settings: Settings
    clock: Clock
    new_id: NewId
    metrics: Metrics = field(default_factory=Metrics)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS))
    open_store: Reader | None = None
    publisher: Publishes | None = None

    @property
    def store(self) -> Reader:
        """The store; open between startup and cleanup."""
        assert self.open_store is not None, "the application has not started"
        return self.open_store

    async def read(self, read: Coroutine[Any, Any, T]) -> T:
        """The result of all reads of a request, under the deadline.

        Raises:
            StoreError: Redis did not answer as it should; counted.
        """
        try:
            return await within(self.settings.deadline_ms / 1000, self.turns, read)
        except StoreError as error:
            self.metrics.failures.labels(error.reason).inc()
            raise


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)
REQUEST_ID = web.RequestKey("request_id", str)
"""Set by the middleware before any handler."""
RUNG = web.RequestKey("rung", str)
"""Set by a handler that answers a list."""


def json_answer(body: Any, status: int = 200) -> web.Response:
    """A JSON response. Never cached: an answer is as old as the counts behind it."""
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
