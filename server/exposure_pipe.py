"""The exposure writer as a server process sees it: started, fed, started again when it dies, and waited for at the end.

Nothing waits for it but the end of the process. It is in a session of its own, so that a signal to the server's whole
process group does not reach it.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import cast

import orjson

from .exposure_writer import IGNORED, Order
from .exposures import LOST, Exposures
from .outbox import UNSENT

logger = logging.getLogger("varde.server")

GATHER_S = 0.05
"""How long a list waits for others before they are handed over together."""
LOOK_S = 1.0
"""How often a process without an exposure writer looks whether it needs one now."""
FIRST_PAUSE_S, MOST_PAUSE_S = 0.2, 10.0
"""Pauses before one is started again: each twice the one before."""
SETTLED_S = 10.0
"""One that has lived so long is sound: its end is no consequence of its start."""
MODULE = "varde.server.exposure_writer"


def begun(server: socket.socket) -> subprocess.Popen[bytes]:
    """A new exposure writer at the other end of a server's socket.

    Not started by the event loop, whose fork may copy the tables of all the server's memory: this returns at once.

    Raises:
        OSError: no process can be started.
    """
    words = [sys.executable, "-m", MODULE]
    # Until it has said that it ignores them: a process begins with what is held back in the one that starts it.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
    try:
        return subprocess.Popen(words, stdin=server.fileno(), start_new_session=True)  # noqa: S603 - our own words
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


class Line(asyncio.Protocol):
    """The server's end of the socket to an exposure writer."""

    def __init__(self, told: Callable[[bytes], None]) -> None:
        """told: is given each line that comes."""
        self._told, self._rest = told, b""
        self._transport: asyncio.Transport | None = None
        self.ready, self.gone = asyncio.Event(), asyncio.Event()
        """Set when something has come; when the other end is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is this one's."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one only by its methods

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.ready.set()
            self._told(line)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes or goes any more."""
        self.gone.set()

    def write(self, data: bytes) -> None:
        """Send without waiting; what the other end does not read yet is kept."""
        if self._transport is not None and not self.gone.is_set():
            self._transport.write(data)

    def finish(self) -> None:
        """Say that nothing more will come."""
        if self._transport is not None and not self.gone.is_set():
            self._transport.write_eof()

    def close(self) -> None:
        """Drop it with all that is not sent."""
        if self._transport is not None:
            self._transport.abort()


class Pipe:
    """The exposure writer of a server process, whichever process that is now."""

    def __init__(
        self,
        exposures: Exposures,
        order: Order,
        wanted: Callable[[], bool],
        retried: Callable[[], None],
        failed: Callable[[], None],
    ) -> None:
        """None yet.

        Args:
            exposures: what is to be handed over.
            order: what an exposure writer is to do.
            wanted: whether there will be exposures.
            retried: told of a batch that is tried again.
            failed: told of a record that could not be made.
        """
        self._exposures, self._order, self._wanted = exposures, order, wanted
        self._retried, self._failed = retried, failed
        self._line: Line | None = None
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.pid: int | None = None
        """Of the exposure writer, while there is one."""

    def start(self) -> None:
        """Start an exposure writer as soon as one is wanted."""
        self._exposures.wake = self._soon
        self._task = asyncio.create_task(self._kept())

    async def stop(self, within_s: float) -> None:
        """Have sent what waits, for at most so many seconds; what is left then is dropped and counted."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._exposures.clear()

    async def _kept(self) -> None:
        loop, deaths = asyncio.get_running_loop(), 0
        while True:
            while not (self._wanted() or self._exposures.here or self._closing.is_set()):
                await self._pause(LOOK_S)
            if self._closing.is_set() and not self._exposures.here:
                return
            began = loop.time()
            await self._life()
            if self._closing.is_set():
                return
            deaths = 1 if loop.time() - began >= SETTLED_S else deaths + 1
            await self._pause(min(MOST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(deaths - 1, 9)))

    async def _life(self) -> None:
        """Start an exposure writer and feed it, until it ends or the server does."""
        ours, theirs = socket.socketpair()
        line = Line(self._told)
        with theirs:
            await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=ours)
            try:
                process = begun(theirs)
            except OSError as error:
                logger.error("no exposure writer can be started: %s", error.strerror)
                line.close()
                return
        self.pid = process.pid
        try:
            line.write(orjson.dumps(asdict(self._order)) + b"\n")
            await _first(line.ready, line.gone, self._closing)
            if self._closing.is_set() and not self._exposures.here:
                return
            await _first(line.ready, line.gone)
            if line.gone.is_set():
                return
            self._line = line
            self._hand_over()
            await _first(self._closing, line.gone)
            await self._finished(line)
        finally:
            self.pid = self._line = None
            self._exposures.give_up(LOST if line.gone.is_set() else UNSENT)
            line.close()
            process.kill()
            code = await asyncio.to_thread(process.wait)
            if not self._closing.is_set():
                logger.error("the exposure writer %d has ended with %d", process.pid, code)

    async def _finished(self, line: Line) -> None:
        """Hand over the rest, and wait until all of it is accounted for."""
        self._line = None
        if line.gone.is_set():
            return
        while self._exposures.here:
            line.write(self._exposures.handed())
        line.finish()
        await line.gone.wait()

    def _soon(self) -> None:
        asyncio.get_running_loop().call_later(GATHER_S, self._hand_over)

    def _hand_over(self) -> None:
        """Hand over what waits here, some at a time; without an exposure writer the next one gets it."""
        line = self._line
        if line is None:
            return
        line.write(self._exposures.handed())
        if self._exposures.here:
            asyncio.get_running_loop().call_soon(self._hand_over)
        else:
            self._exposures.wake = self._soon

    def _told(self, line: bytes) -> None:
        fates, retries, faults = orjson.loads(line)
        for result, reason, n in fates:
            self._exposures.account(result, reason, n)
        for _ in range(retries):
            self._retried()
        for _ in range(faults):
            self._failed()

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not once the process is to end."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return


async def _first(*events: asyncio.Event) -> None:
    """Wait for any of these."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
