"""The application: its routes, middlewares and parts."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from varde.settings import Settings

from . import ops, page, routes
from .erase import erase
from .middleware import BODY_BYTES, errors_as_json, observed
from .parts import PARTS, Clock, NewId, Parts
from .reader import Connect

# `[^/]+` and not the router's own `[^{}/]+`: an item id may hold braces.
ROUTES: tuple[tuple[str, Handler], ...] = (
    ("/v1/similar/{item:[^/]+}", routes.similar),
    ("/v1/recommendations", routes.recommendations),
    ("/v1/explain/{item:[^/]+}/{other:[^/]+}", routes.explain),
    ("/v1/popular", routes.popular),
    ("/v1/stats", routes.stats),
    ("/healthz", ops.healthz),
    ("/readyz", ops.readyz),
    ("/metrics", ops.metrics),
)
WRITES: tuple[tuple[str, Handler], ...] = (("/v1/erase", erase),)
"""Routes that take POST and no GET."""


def now_ms() -> int:
    """The wall clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


def new_request_id() -> str:
    """A random UUID in 32 hexadecimal digits."""
    return uuid.uuid4().hex


def create_app(
    settings: Settings, connect: Connect, *, clock: Clock = now_ms, new_id: NewId = new_request_id
) -> web.Application:
    """The application; it opens the store with `connect` when it starts and closes it when it stops."""
    app = web.Application(middlewares=[observed, errors_as_json], client_max_size=BODY_BYTES)
    app[PARTS] = Parts(settings, clock, new_id)

    async def store(app: web.Application) -> AsyncIterator[None]:
        async with connect() as app[PARTS].open_store:
            yield

    async def publisher(app: web.Application) -> AsyncIterator[None]:
        if not settings.topic:
            yield
            return
        from .publish import Publisher  # Google's client costs a second and 40 MB: only where there is a topic

        app[PARTS].publisher = ours = Publisher(settings.topic)
        yield
        await ours.close()

    app.cleanup_ctx.extend([store, publisher])
    for path, handler in ROUTES:
        app.router.add_get(path, handler)
    for path, handler in WRITES:
        app.router.add_post(path, handler)
    for path in page.FILES:
        app.router.add_get(path, page.handler(path, settings.rankings))
    return app
