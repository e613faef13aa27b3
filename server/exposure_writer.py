"""`python -m varde.server.exposure_writer`: makes and publishes the exposures of one server process, which starts it.

Standard input is a socket to that process (`exposure_pipe`). In come an `Order` and then lists, out goes what became of
them, a line of JSON each. The end of the socket, and nothing else, is the order to send what is left and to end: a
signal to all processes at once must not take what the server has yet to hand over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import uvloop

from .exposure_records import Records
from .log_lines import configure
from .outbox import Counted, Outbox

logger = logging.getLogger("varde.server")

IGNORED = (signal.SIGINT, signal.SIGTERM)
NICE = 10
"""Exposures can wait for a processor, answers cannot."""
PUBLISHED_WITHIN_S = 5.0
"""For a batch."""
TELL_S = 0.05
"""How long what became of lists waits for others."""
LAST_S = 1.0
"""Time that a server has to listen to the last of it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What there is to do. topic, viewed_topic: full names, "" for none; most: messages that may wait; flush_s: time to
    send what is left at the end; log_level: VARDE_LOG_LEVEL.
    """

    topic: str
    viewed_topic: str
    most: int
    flush_s: float
    log_level: str


class Told:
    """What the server is told: fates of exposures, batches that are tried again, and faults.

    Past the event loop's transport, which would drop what the server has sent as soon as it takes nothing any more.
    """

    def __init__(self, server: socket.socket) -> None:
        """server: does not block."""
        self._server = server
        self._fates: dict[tuple[str, str], int] = {}
        self._retries = self._faults = 0
        self._rest = b""
        self._due: asyncio.TimerHandle | None = None
        self._logged = False

    def fate(self, result: str, reason: str, n: int) -> None:
        """What became of so many exposures."""
        self._fates[result, reason] = self._fates.get((result, reason), 0) + n
        self._soon()

    def retried(self) -> None:
        """A batch was not taken."""
        self._retries += 1
        self._soon()

    def failed(self, error: Exception) -> None:
        """A record was not made; said once, without the error's text, which may hold ids."""
        self._faults += 1
        if not self._logged:
            self._logged = True
            logger.error("experiments: exposure failed, lists go on without: %s", type(error).__name__)
        self._soon()

    def tell(self) -> None:
        """Write what there is to tell, or what of it the socket takes."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if not self._rest:  # else what comes waits here, as numbers
            fates = [(result, reason, n) for (result, reason), n in self._fates.items()]
            self._rest = orjson.dumps((fates, self._retries, self._faults)) + b"\n"
            self._fates, self._retries, self._faults = {}, 0, 0
        try:
            self._rest = self._rest[self._server.send(self._rest) :]
        except BlockingIOError:
            pass
        except OSError:  # the server is gone
            self._rest = b""
        if self._rest or self._fates:
            self._soon()

    async def tell_all(self, within_s: float) -> None:
        """The same, until all of it is written, or for so many seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        self.tell()
        while self._due is not None and loop.time() < until:
            await asyncio.sleep(TELL_S)

    def _soon(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(TELL_S, self.tell)


class Work(asyncio.Protocol):
    """What the server says, done as it comes: an order, and then lists."""

    def __init__(self, told: Told, log: Callable[[str], None]) -> None:
        """Nothing to do yet.

        Args:
            told: tells the server.
            log: sets up the log, given its level.
        """
        self._told, self._log, self._rest = told, log, b""
        self.order: Order | None = None
        self.records: Records | None = None
        self.ended = asyncio.Event()
        """Set when nothing more will come. Half a line: the server was killed over it."""

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self.records is None:
                self._begin(Order(**orjson.loads(line)))
                continue
            for fields in orjson.loads(line):
                self.records.take(fields)

    def eof_received(self) -> bool:
        """The server says that this is all."""
        self.ended.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The server was killed, or what it said makes no sense."""
        self.ended.set()

    def _begin(self, order: Order) -> None:
        self._log(order.log_level)
        told, self.order = self._told, order
        outbox = _outbox(order, order.topic, told.fate, told)
        # "Experiment Viewed" is a copy of an exposure that is counted.
        self.records = Records(outbox, _outbox(order, order.viewed_topic, _uncounted, told), told.fate, told.failed)
        self.records.start()
        told.tell()  # that it is ready


def main() -> None:
    """Write until the socket ends."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED)  # which the server has held back until now
    os.nice(NICE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write(socket.socket(fileno=os.dup(0)), configure))
        sys.stderr.flush()
        # A request to Pub/Sub that is still under way would hold the process up; its messages are accounted for.
        os._exit(0)


async def write(server: socket.socket, log: Callable[[str], None]) -> None:
    """Make and publish the exposures of a server until its socket ends; then send what is left.

    Args:
        server: the socket.
        log: sets up the log, given its level.
    """
    with server.dup() as back:
        server.setblocking(False)  # both: they are one
        told = Told(back)
        loop = asyncio.get_running_loop()
        transport, work = await loop.create_unix_connection(lambda: Work(told, log), sock=server)
        await work.ended.wait()
        if work.records is not None and work.order is not None:
            await work.records.stop(work.order.flush_s)
            await told.tell_all(LAST_S)
        transport.abort()


def _outbox(order: Order, topic: str, counted: Counted, told: Told) -> Outbox | None:
    if not topic:
        return None
    from .publish import Publisher  # Google's client costs a second and 40 MB

    return Outbox(Publisher(topic, PUBLISHED_WITHIN_S).publish_all, order.most, counted, told.retried)


def _uncounted(result: str, reason: str, n: int) -> None:
    """Tell nobody."""


if __name__ == "__main__":
    main()
