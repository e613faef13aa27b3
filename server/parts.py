"""What every handler gets: the application's parts, and the JSON answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import orjson
from aiohttp import web

from varde.config import Config
from varde.settings import Settings
from varde.store.catalogue_aio import AsyncCatalogue
from varde.store.serving import ServingStore
from varde.watched import Watched

from .access import Guard
from .access_log import AccessLog
from .display import Display
from .errors import StoreError
from .experiments import Trials
from .lists import Memory
from .metrics import Metrics
from .reader import within
from .tracing import Spans
from .trips import Circuit

if TYPE_CHECKING:
    from .desk import Desk

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


class Stores(NamedTuple):
    """The connections of a server process: those that requests wait for, and those of the tasks beside them.

    requests: with the deadline of a request. tasks: with time enough for large replies.
    """

    requests: ServingStore
    tasks: ServingStore
    catalogue: AsyncCatalogue


Connect = Callable[[], AbstractAsyncContextManager[Stores]]
"""Opens the stores for the life of the application; must not fail while Redis is away."""

READS = 64
"""Reads under way at once beside the lists: fewer than the connections a client opens (redis-py refuses the 101st)."""


@dataclass(slots=True)
class Running:
    """What there is from the start of the application to its end."""

    stores: Stores
    memory: Memory
    circuit: Circuit
    loaded: asyncio.Event
    draining: bool = False


@dataclass(slots=True)
class Parts:
    """Settings, configuration, clock, request ids, metrics; while it runs, stores, memory and publisher."""

    settings: Settings
    config: Config
    clock: Clock
    new_id: NewId
    access_log: AccessLog
    metrics: Metrics = field(default_factory=Metrics)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS))
    open: Running | None = None
    publisher: Publishes | None = None
    file: Watched | None = None
    """The configuration file, where there is one."""
    shown: Display | None = None
    """Where lists of experiments are noted, while it runs."""
    spans: Spans | None = None
    """Traces, where they are asked for."""
    compared: dict[str, float] = field(default_factory=dict)
    """When each part of the memory was last like Redis: seconds, monotonic."""
    guard: Guard = field(init=False)
    """Who may ask."""
    desk: Desk = field(init=False)
    """Where lists are handed out; from the start of the application on."""
    trials: Trials = field(init=False)
    """Who gets which variation of an experiment."""

    def __post_init__(self) -> None:
        """Take the access rules of the configuration."""
        processes = self.settings.processes
        self.guard = Guard(self.settings.admin_key, processes, time.monotonic, self.metrics.refused)
        self.guard.use(self.config.access, self.config.clients)
        self.trials = Trials(self.clock, self.settings.min_customers, self.metrics.experiment_failed)

    @property
    def draining(self) -> bool:
        """Whether the process is about to end."""
        return self.open is not None and self.open.draining

    @property
    def running(self) -> Running:
        """What there is between startup and cleanup."""
        assert self.open is not None, "the application has not started"
        return self.open

    @property
    def store(self) -> ServingStore:
        """The store that requests wait for."""
        return self.running.stores.requests

    async def read(self, read: Coroutine[Any, Any, T]) -> T:
        """The result of the reads of a request that is no list, under the deadline.

        Raises:
            StoreError: Redis did not answer as it should; counted.
        """
        try:
            return await within(self.settings.deadline_ms / 1000, self.turns, read)
        except StoreError as error:
            self.metrics.failures.labels(error.reason).inc()
            raise


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)
OWN = web.RequestKey("parts", Parts)
"""The application's parts, which a handler finds with the request sooner than over the application."""
REQUEST_ID = web.RequestKey("request_id", str)
"""Set before any handler."""
RUNG = web.RequestKey("rung", str)
"""Set by a handler that answers a list."""


def json_answer(body: Any, status: int = 200) -> web.Response:
    """A JSON response. Never cached: an answer is as old as the counts behind it."""
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
