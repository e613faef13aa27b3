"""`varde shop`: the demo's shop, whose pages send events to a server's collector and show its lists."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence

from aiohttp import web

from varde.settings import from_env, option

from .arguments import address, whole
from .shop_front import create_app
from .shop_render import Shop

HOST = "127.0.0.1"
PORT = 8090
WRITE_KEY = "demo-shop"
"""As in shop.toml."""


def command(argv: Sequence[str] | None = None) -> int:
    """`varde shop` with command line words; the exit code, 1 when the port is taken."""
    parser = argparse.ArgumentParser(prog="varde shop", description=__doc__)
    parser.add_argument("--server", type=address, default="http://127.0.0.1:8080", help="address (%(default)s)")
    parser.add_argument("--port", type=option("port"), default=PORT, help="of the shop; 0: a free one (%(default)s)")
    parser.add_argument("--write-key", default=WRITE_KEY, help="of the server's collector (%(default)s)")
    parser.add_argument("--seed", type=whole, default=1, help="of the shoppers one may log in as (%(default)s)")
    given = parser.parse_args(argv)
    from_env(os.environ)  # an unknown VARDE_ variable stops every command
    try:
        asyncio.run(_serve(Shop(given.server, given.write_key, given.seed), given.port))
    except OSError as error:
        parser.exit(1, f"varde shop: {error}\n")
    return 0


async def _serve(shop: Shop, port: int) -> None:
    runner = web.AppRunner(create_app(shop), access_log=None)
    await runner.setup()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        host, bound = runner.addresses[0][:2]
        sys.stdout.write(f"shop open at http://{host}:{bound}\n")
        sys.stdout.flush()
        with contextlib.suppress(asyncio.CancelledError):
            await stopped.wait()
    finally:
        await runner.cleanup()
