"""GET /v1/status: whether all is well, for the page at /status."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import orjson
from aiohttp import web

from .errors import bad_parameter
from .params import Query
from .parts import PARTS, Parts
from .status_answer import STEPS_S, answer
from .status_watch import EVERY_S, Watch

ROUTE = "/v1/status"
MINUTES = {str(minutes): minutes for minutes in STEPS_S}
DEFAULT = "60"


class Told:
    """What is answered: made once after each look, however many ask."""

    def __init__(self, parts: Parts, watch: Watch) -> None:
        self._parts, self._watch = parts, watch
        self._made: dict[int, tuple[object, bytes]] = {}

    def body(self, minutes: int) -> bytes:
        """As JSON, with plots over so many minutes."""
        experiments = self._parts.config.experiments
        of = self._watch.seen.looks, experiments
        made = self._made.get(minutes)
        if made is None or made[0] != of:
            told = answer(self._watch.seen, experiments.values(), minutes, self._parts.metrics.process)
            made = self._made[minutes] = of, orjson.dumps(told)
        return made[1]


TOLD: web.AppKey[Told] = web.AppKey("told", Told)


async def watched(app: web.Application) -> AsyncIterator[None]:
    """The record, and the task that keeps it while the application runs."""
    parts = app[PARTS]
    running = parts.running
    counted, away = parts.metrics.summed, running.memory.away
    watch = Watch(running.stores.tasks, counted, away, time.monotonic, parts.clock, EVERY_S)
    app[TOLD] = Told(parts, watch)
    task = asyncio.create_task(watch.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def status(request: web.Request) -> web.Response:
    """GET /v1/status. Never asks Redis: it says what was seen last, and since when nothing was."""
    given = Query(request.rel_url.raw_query_string, ("minutes",)).one("minutes")
    minutes = MINUTES.get(DEFAULT if given is None else given)
    if minutes is None:
        raise bad_parameter("minutes", f"must be one of {', '.join(MINUTES)}")
    return web.Response(
        body=request.app[TOLD].body(minutes),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
