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
    """GET /readyz: whether this process may be sent requests, and whether Redis answers it.

    Ready once it has read everything from Redis for the first time: from then on it answers from memory, too, so the
    loss of Redis takes no server out of service.
    """
    running = request.app[PARTS].running
    if running.draining:
        raise ApiError(503, "draining", "the server is about to stop")
    if not running.loaded.is_set():
        raise ApiError(503, "loading", "the server has not read everything from Redis yet")
    return json_answer({"status": "ready", "redis": "away" if running.circuit.open else "ok"})


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: Prometheus' text format, with the stream's counters as they are now."""
    parts = request.app[PARTS]
    try:
        parts.metrics.stream.values = await parts.read(parts.store.stats())
        parts.metrics.vitals.values = await parts.read(parts.store.vitals())
        parts.metrics.store_up = True
    except StoreError:
        parts.metrics.stream.values = {}
        parts.metrics.vitals.values = None
        parts.metrics.store_up = False
    return web.Response(body=parts.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
