"""One process of `varde serve`: it listens until it is told to stop, then ends without losing a request."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop
from aiohttp import web

from varde.settings import Settings
from varde.store.catalogue_aio import AsyncCatalogue
from varde.store.serving import ServingStore

from . import configured, sockets, tracing
from .app import create_app, now_ms
from .log_lines import configure, http_logger
from .metrics import Metrics
from .parts import PARTS, Running, Stores

logger = logging.getLogger("varde.server")

READ_S = 60.0
"""Longest wait for the first reading of everything, before a process listens all the same."""
GRACE_S = 5.0
"""Time that requests under way have when the server is told to stop."""
LINGER_S = 2.0
"""Time that a kept connection has for its next request, whose answer then closes it."""
ACCEPT_S = 0.1
"""Time to accept the connections that the kernel has made already."""
_LOOK_S = 0.02
_LINE_BYTES = 8_190
"""Longest request line, and longest header field."""


class Place(NamedTuple):
    """Of a process among those that share a port.

    name: its label in metrics. directory: where they leave their numbers. listening: called when it listens.
    """

    name: str
    directory: Path
    listening: Callable[[], None]


def run(settings: Settings) -> None:
    """Serve in this process until SIGTERM or SIGINT, then finish the requests under way and return.

    Raises:
        OSError: the address cannot be listened on.
        SettingsError: the configuration file makes no sense.
    """
    configure(settings.log_level)
    collected_seldom()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_told(settings))


def collected_seldom() -> None:
    """Let Python look for reference cycles seldom: it stops everything to look at millions of objects of the memory.

    Answers make next to no cycles; what they are made of is freed by its reference count.
    """
    gc.set_threshold(100_000, 50, 100)


async def until_told(settings: Settings, place: Place | None = None, told: socket.socket | None = None) -> None:
    """Serve until a signal comes.

    Args:
        settings: VARDE_*.
        place: among several processes; None for one that is alone.
        told: its end tells to stop as a signal does: whoever has started this process is gone.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if told is not None:
        loop.add_reader(told, stop.set)
    await serve(settings, stop, place)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Stores]:
    """The stores of VARDE_REDIS_URL; opens without Redis, too."""
    stores = Stores(
        ServingStore.from_settings(settings, settings.deadline_ms / 1000),
        ServingStore.from_settings(settings),
        AsyncCatalogue.from_settings(settings),
    )
    try:
        yield stores
    finally:
        for store in stores:
            await store.close()


async def serve(settings: Settings, stop: asyncio.Event, place: Place | None = None) -> None:
    """Listen on settings.host and .port (0 picks a free one) until `stop` is set, then drain.

    Logs one line `listening on http://host:port` once connections are taken, unless it is one of several.

    Raises:
        OSError: the address cannot be listened on.
        SettingsError: the configuration file makes no sense.
    """
    file = configured.watched(settings, now_ms)
    spans = tracing.spans(os.environ)
    metrics = Metrics(place.name, place.directory) if place else Metrics()
    app = create_app(settings, lambda: connected(settings), file=file, spans=spans, metrics=metrics)
    runner = web.AppRunner(
        app,
        access_log=None,  # `observe` writes one that holds no ids
        logger=http_logger(),
        shutdown_timeout=GRACE_S,
        max_line_size=_LINE_BYTES,
        max_field_size=_LINE_BYTES,
    )
    listening = sockets.bound(settings.host, settings.port, shared=place is not None)
    await runner.setup()
    try:
        await _read(app[PARTS].running, stop)
        for one in listening:
            await web.SockSite(runner, one, backlog=sockets.BACKLOG).start()
        if place is None:
            logger.info("listening on %s", sockets.url(listening[0]))
        else:
            place.listening()
        await stop.wait()
        logger.info("draining")
        await _drain(runner, app[PARTS].running, listening)
    finally:
        await runner.cleanup()
        if spans is not None:
            await asyncio.to_thread(spans.close)


async def _read(running: Running, stop: asyncio.Event) -> None:
    """Wait until everything was read from Redis, or is known not to be read soon: then static lists are answered.

    Otherwise the successor of a process that has died would answer with nothing, while the others could have.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + READ_S
    while not (running.loaded.is_set() or running.circuit.open or stop.is_set()) and loop.time() < until:
        await asyncio.sleep(_LOOK_S)


async def _drain(runner: web.AppRunner, running: Running, listening: Sequence[socket.socket]) -> None:
    """Take no new connections, and close each kept one with its next answer, or after LINGER_S.

    A connection that is closed while its client sends a request on it would lose that request.
    """
    running.draining = True
    for one in listening:
        sockets.hush(one)
    await asyncio.sleep(ACCEPT_S)
    for site in list(runner.sites):
        await site.stop()
    loop = asyncio.get_running_loop()
    until = loop.time() + LINGER_S
    while runner.server is not None and runner.server.connections and loop.time() < until:
        await asyncio.sleep(_LOOK_S)
