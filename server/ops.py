"""Routes for those who run the server: is it alive, can it answer, what has it counted."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from .errors import ApiError, StoreError
from .parts import PARTS, json_answer


async def healthz(request: web.Request) -> web.Response:
    """GET /healthz: the process answers. Says nothing about Redis, so that its loss restarts no server."""
    return json_answer({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz: Redis answers within the deadline, asked anew each time."""
    parts = request.app[PARTS]
    try:
        await parts.read(parts.store.ping())
    except StoreError as error:
        raise ApiError(503, "store_unavailable", f"Redis does not answer: {error.reason}") from error
    return json_answer({"status": "ready"})


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: Prometheus' text format, with the stream's counters as they are now."""
    parts = request.app[PARTS]
    try:
        parts.metrics.stream.values = await parts.read(parts.store.stats())
        parts.metrics.store_up.set(1)
    except StoreError:
        parts.metrics.stream.values = {}
        parts.metrics.store_up.set(0)
    return web.Response(body=parts.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
