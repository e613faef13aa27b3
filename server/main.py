"""`varde serve`: one process that listens until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from aiohttp import web

from varde.settings import Settings
from varde.store.aio import Store

from .access_log import configure, http_logger
from .app import create_app
from .reader import Reader

logger = logging.getLogger("varde.server")

GRACE_S = 5.0
"""Time that requests under way have when the server is told to stop."""
_LINE_BYTES = 8_190
"""Longest request line, and longest header field."""


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way and return."""
    configure(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_told(settings))


async def _until_told(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Reader]:
    """The store of VARDE_REDIS_URL; opens without Redis, too."""
    store = Store.from_settings(settings, settings.deadline_ms / 1000)
    try:
        yield store
    finally:
        await store.close()


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Listen on settings.host and .port (0 picks a free one) until `stop` is set.

    Logs one line `listening on http://host:port` once connections are taken.

    Raises:
        OSError: the address cannot be listened on.
    """

    runner = web.AppRunner(
        create_app(settings, lambda: connected(settings)),
        access_log=None,  # the middleware writes one that holds no ids
        logger=http_logger(),
        shutdown_timeout=GRACE_S,
        max_line_size=_LINE_BYTES,
        max_field_size=_LINE_BYTES,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        host, port = runner.addresses[0][:2]
        logger.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
        await stop.wait()
        logger.info("stopping")
    finally:
        await runner.cleanup()
