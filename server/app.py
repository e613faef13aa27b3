"""The application: its routes, what is round them, and its parts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler

from varde.config import Config
from varde.settings import Settings
from varde.watched import Watched

from . import (
    collector_routes,
    configured,
    display,
    docs_page,
    email,
    email_token,
    feeds,
    items,
    openapi,
    ops,
    page,
    placements,
    routes,
    search,
    slots,
    snapshots,
    state,
    status,
)
from .access import CATALOGUE, EMAIL, ERASE, EXPLAIN, READ
from .access_log import AccessLog
from .collector_intake import open_intake
from .connection import hasten
from .desk import Desk
from .erase import erase
from .ids import RequestIds
from .immediate import Immediate
from .metrics import Metrics
from .observe import BODY_BYTES, UNMATCHED, not_found, observed, only, preflight
from .parts import PARTS, Clock, Connect, NewId, Parts
from .running import running
from .shortcut import PATHS, RECOMMENDATIONS, SIMILAR, shorten
from .tracing import Spans
from .widget import WIDGET


class Route(NamedTuple):
    """A route: the path as docs/http-api.md writes it, its handler, and the methods it takes."""

    path: str
    handler: Handler
    scope: str | None
    """What a key must be for; None: no key is asked for."""
    methods: tuple[str, ...] = ("GET", "HEAD")
    preflight: Handler | None = None
    """The answer to OPTIONS; None: as for all routes that pages may read."""
    body_bytes: int | None = BODY_BYTES
    """Largest body; None: the handler sees to it."""


ROUTES = (
    Route(SIMILAR, routes.similar, READ),
    Route(RECOMMENDATIONS, routes.recommendations, READ),
    Route(placements.ROUTE, placements.placements, READ, ("POST",)),
    Route("/v1/explain/{item}/{other}", routes.explain, EXPLAIN),
    Route("/v1/popular", routes.popular, READ),
    Route("/v1/stats", routes.stats, EXPLAIN),
    Route(status.ROUTE, status.status, EXPLAIN),
    Route("/v1/items", search.items, EXPLAIN),
    Route("/v1/items/{item}", items.patch, CATALOGUE, ("PATCH",)),
    Route("/v1/erase", erase, ERASE, ("POST",)),
    *(Route(one.path, one.handler, None, one.methods, one.preflight, None) for one in collector_routes.PATHS),
    Route(email.ROUTE, email.recs, EMAIL),
    Route(email_token.ROUTE, email_token.token, EMAIL),
    Route(slots.PICTURE, slots.picture, None),
    Route(slots.CLICK, slots.click, None),
    Route(feeds.ROUTE, feeds.feed, READ),
    Route("/healthz", ops.healthz, None),
    Route("/readyz", ops.readyz, None),
    Route("/metrics", ops.metrics, EXPLAIN),
    Route("/openapi.json", openapi.openapi, None),
    Route("/docs", docs_page.docs, None),
    *(Route(path, handler, None) for path, handler in WIDGET),
)


def now_ms() -> int:
    """The wall clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


def create_app(
    settings: Settings,
    connect: Connect,
    *,
    config: Config | None = None,
    file: Watched | None = None,
    spans: Spans | None = None,
    metrics: Metrics | None = None,
    clock: Clock = now_ms,
    new_id: NewId | None = None,
) -> web.Application:
    """The application; it opens the stores with `connect` when it starts and closes them when it stops.

    Args:
        settings: VARDE_*; `processes` is how many of these share the port.
        connect: opens the connections to Redis.
        config: the configuration file's content; None for that of `file`, or the defaults of a server without one.
        file: the configuration file, to be followed.
        spans: where traces go, if anywhere.
        metrics: where this process counts; None for one that is alone.
        clock: ms since the epoch.
        new_id: makes request ids.
    """
    app = web.Application(client_max_size=BODY_BYTES)
    config = config or (file.config if file else configured.without_file(settings))
    log = AccessLog(everything=settings.access_log == "all", deadline_s=settings.deadline_ms / 1000)
    parts = app[PARTS] = Parts(settings, config, clock, new_id or RequestIds(), log, metrics or Metrics())
    parts.file, parts.spans = file, spans

    async def stores(app: web.Application) -> AsyncIterator[None]:
        async with connect() as opened, running(parts, opened) as parts.open:
            desk = parts.desk = Desk(parts.open.memory, parts.trials)
            parts.metrics.counts = lambda: state.counts(parts, desk)
            parts.metrics.gauges = lambda: state.gauges(parts, desk)
            yield

    # Taken down from the last on: exposures need the publisher, and their numbers are left before a process ends.
    app.cleanup_ctx.extend([stores, _beside, _publisher, _display, status.watched])
    app.cleanup_ctx.extend([open_intake, email.open_post, feeds.open_feeds, slots.open_slots])
    assets = [Route(path, page.handler(path), None) for path in page.FILES]
    app[openapi.DESCRIBED] = openapi.Described((route.path, route.methods, route.scope) for route in (*ROUTES, *assets))
    short: dict[str, web.AbstractRoute] = {}
    for route in (*ROUTES, *assets):
        _add(app, route, parts, short)
    shorten(app, short)
    hasten(app, Immediate(parts))
    app.router.add_route("*", "/{tail:.*}", observed(UNMATCHED, None, not_found, parts))
    return app


async def _beside(app: web.Application) -> AsyncIterator[None]:
    """What a process does beside answering and reading Redis."""
    parts = app[PARTS]
    tasks = [asyncio.create_task(snapshots.repeated(parts.metrics.leave))]
    if parts.file is not None:
        tasks.append(asyncio.create_task(configured.follow(parts, parts.file)))
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    parts.metrics.leave()


async def _publisher(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    if not parts.settings.topic:
        yield
        return
    from .publish import Publisher  # Google's client costs a second and 40 MB: only where there is a topic

    parts.publisher = ours = Publisher(parts.settings.topic)
    yield
    await ours.close()


async def _display(app: web.Application) -> AsyncIterator[None]:
    """What notes the lists of experiments; sends what is left before the process ends."""
    parts = app[PARTS]
    parts.shown = ours = display.made(parts.settings, parts.running, parts.metrics, parts.trials)
    ours.start()
    yield
    await ours.stop()


def _add(app: web.Application, route: Route, parts: Parts, short: dict[str, web.AbstractRoute]) -> None:
    # `[^/]+` and not the router's own `[^{}/]+`: an item id may hold braces.
    resource = app.router.add_resource(route.path.replace("}", ":[^/]+}"))
    handler = observed(route.path, route.scope, route.handler, parts, route.body_bytes)
    for method in route.methods:
        added = resource.add_route(method, handler)
        if method == "GET" and route.path in PATHS:
            short[route.path] = added
    if route.preflight or route.scope == READ:
        asked = route.preflight or preflight(*route.methods)
        resource.add_route("OPTIONS", observed(route.path, None, asked, parts))
    resource.add_route("*", observed(route.path, None, only(*route.methods), parts))
