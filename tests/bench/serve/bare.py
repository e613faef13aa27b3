"""The bar: an aiohttp route with a path parameter that answers constant bytes of a given size, on uvloop."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web


async def _serve(port: int, size: int) -> None:
    body = b'{"items":"' + b"x" * (size - 12) + b'"}'

    async def constant(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/v1/similar/{item}", constant)
    app.router.add_get("/v1/recommendations", constant)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stderr.write("listening on\n")
    sys.stderr.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
