"""Several server processes on one port: started, restarted when they die, stopped together.

The kernel spreads connections over all that listen (SO_REUSEPORT). The parent serves nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from varde.settings import Settings

from . import sockets
from .log_lines import configure

logger = logging.getLogger("varde.server")

FIRST_PAUSE_S = 0.2
MOST_PAUSE_S = 10.0
"""Pauses before a process is started again: each twice the one before."""
SETTLED_S = 10.0
"""A process that has lived so long is sound: its end is no consequence of its start."""
GIVE_UP = 5
"""Deaths in a row, each soon after a start, after which all is ended."""
END_S = 20.0
"""Time that a process has to end in good order; then it is killed."""
DIED = 1
"""Exit code when processes die at once."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(settings: Settings) -> int:
    """Serve with settings.processes processes until SIGTERM or SIGINT; the exit code: 0 after an orderly end.

    Raises:
        OSError: the address cannot be listened on.
    """
    configure(settings.log_level)
    return asyncio.run(_until_told(settings))


async def _until_told(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    kept = sockets.reserved(settings.host, settings.port)
    try:
        with TemporaryDirectory(prefix="varde-serve-") as directory:
            port = kept[0].getsockname()[1]
            shared = replace(settings, port=port)
            places = [_Place(str(n), shared, Path(directory), stop) for n in range(settings.processes)]
            return await _supervised(places, stop, sockets.url(kept[0]))
    finally:
        for one in kept:
            one.close()


async def _supervised(places: Sequence[_Place], stop: asyncio.Event, url: str) -> int:
    """Keep all places filled until told to stop, or until one is given up; the exit code."""
    keeping = [asyncio.create_task(place.keep()) for place in places]
    listening = asyncio.gather(*(place.listening.wait() for place in places))
    first: list[asyncio.Future[Any]] = [listening, *keeping]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if listening.done():
        logger.info("listening on %s", url)
        await asyncio.wait(keeping, return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    stop.set()  # one that is given up takes the others with it
    codes = await asyncio.gather(*keeping)
    await asyncio.gather(listening, return_exceptions=True)
    return max(codes)


@dataclass
class _Place:
    """One of the processes, whoever fills it now."""

    name: str
    settings: Settings
    directory: Path
    stop: asyncio.Event
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first of them has listened."""

    async def keep(self) -> int:
        """Start a process, and another when it dies, until told to stop; the exit code."""
        deaths = 0
        while True:
            code, sound = await self._one()
            if self.stop.is_set():
                return 0 if code == 128 + signal.SIGTERM else code  # told while it was still starting
            deaths = 0 if sound else deaths + 1
            logger.error("process %s has ended with %d", self.name, code)
            if not self.listening.is_set() or deaths >= GIVE_UP:
                logger.error("process %s dies at once: giving up", self.name)
                return code if code > 0 else DIED
            pause = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2 ** max(0, deaths - 1))
            try:
                await asyncio.wait_for(self.stop.wait(), pause)
            except TimeoutError:
                continue
            return 0

    async def _one(self) -> tuple[int, bool]:
        """The life of a process: its exit code, and whether it listened and lived on."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "varde.server.child", stdin=theirs.fileno()
            )
        logger.info("process %s is %d", self.name, process.pid)
        words, line = await asyncio.open_connection(sock=ours)
        started, heard = loop.time(), asyncio.create_task(self._hear(words))
        ended, stopped = asyncio.create_task(process.wait()), asyncio.create_task(self.stop.wait())
        try:
            line.write(pickle.dumps((self.settings, self.name, str(self.directory))))
            await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.terminate()
                await asyncio.wait([ended], timeout=END_S)
            if not ended.done():
                logger.error("process %s does not end: killed", self.name)
                process.kill()
            code = await ended
            return (code if code >= 0 else 128 - code), heard.done() and loop.time() - started >= SETTLED_S
        finally:
            for task in (heard, stopped):
                task.cancel()
            line.close()

    async def _hear(self, line: asyncio.StreamReader) -> None:
        if await line.readline():
            self.listening.set()
