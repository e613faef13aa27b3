"""A connection that may answer a request as soon as it is read, and leaves it to aiohttp otherwise.

aiohttp hands a request to the task of its connection and makes another for the handler: three turns of the event loop,
and most of what a bare route costs (docs/adr/0014-answers-without-a-task.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import HttpVersion11, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

logger = logging.getLogger("varde.server")

Immediately = Callable[[RawRequestMessage], bytes | None]
"""The whole response to a GET of HTTP/1.1 without a body, whose connection is kept; None: by the usual way."""
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class _Reader:
    """aiohttp's parser, which keeps to itself the requests that are answered already."""

    __slots__ = ("_connection", "_feed", "_immediately", "_usual", "message_consumed")

    def __init__(self, connection: Connection, parser: Any, immediately: Immediately) -> None:
        self._connection, self._usual, self._immediately = connection, parser, immediately
        self._feed, self.message_consumed = parser.feed_data, parser.message_consumed

    def __getattr__(self, name: str) -> Any:
        """Whatever else aiohttp asks of its parser."""
        return getattr(self._usual, name)

    def feed_data(self, data: bytes) -> Any:
        """What aiohttp's gives, but for a request that was answered here.

        Raises:
            HttpProcessingError: as aiohttp's.
        """
        found = self._feed(data)
        messages, upgraded, _ = found
        if len(messages) != 1 or upgraded:
            return found
        message, payload = messages[0]
        if (
            message.method != "GET"
            or payload is not EMPTY_PAYLOAD
            or message.should_close
            or message.version != HttpVersion11
            or "Expect" in message.headers
            or not self._connection.idle
        ):
            return found
        response = self._immediately(message)
        if response is None:
            return found
        self.message_consumed()
        self._connection.send(response)
        return (), False, b""


class Connection(RequestHandler):
    """aiohttp's, with another reader."""

    __slots__ = ()

    def __init__(self, manager: web.Server, immediately: Immediately, **options: Any) -> None:
        """As aiohttp's.

        Args:
            manager: the server.
            immediately: asked first.
            options: of aiohttp's.
        """
        super().__init__(manager, **options)
        self._parser: Any = _Reader(self, self._parser, immediately)
        # Before 3.14.4 only its own answers set it, and without it no connection is ever closed for being idle.
        self._keepalive = True

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered, and the client takes what it is sent."""
        waiter, transport = self._waiter, self.transport
        return (
            waiter is not None
            and not waiter.done()
            and not self._messages
            and not self._paused
            and transport is not None
            and not transport.is_closing()
        )

    def send(self, response: bytes) -> None:
        """Write a whole response, after which the connection goes on waiting."""
        manager, transport = self._manager, self.transport
        assert manager is not None
        assert transport is not None
        self._request_count += 1
        manager.requests_count += 1
        transport.write(response)
        self._next_keepalive_close_time = until = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(until, self._process_keepalive)


class _Server(web.Server):
    """aiohttp's, of such connections."""

    def __init__(self, like: web.Server, immediately: Immediately) -> None:
        super().__init__(
            like.request_handler,
            request_factory=like.request_factory,
            handler_cancellation=like.handler_cancellation,
            loop=like._loop,
            **like._kwargs,
        )
        self._immediately = immediately

    def __call__(self) -> Connection:
        return Connection(self, self._immediately, loop=self._loop, **self._kwargs)


def hasten(app: web.Application, immediately: Immediately) -> None:
    """Make whatever serves `app` ask `immediately` first, if this aiohttp lets it.

    Args:
        app: not started yet.
        immediately: must not raise.
    """
    usual = app._make_handler

    def make(**options: Any) -> web.Server:
        server = usual(**options)
        if not _fits(server):
            logger.warning("aiohttp %s has changed inside: every answer takes its usual way", aiohttp.__version__)
            return server
        return _Server(server, immediately)

    app._make_handler = make  # type: ignore[method-assign] # a runner asks the application for its server


class _Nowhere(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False


def _fits(like: web.Server) -> bool:
    """Whether Connection does with aiohttp's parts what it is meant to.

    They are private, so a later aiohttp may have others. Tried once, on a connection to nowhere: a request that is
    answered at once leaves nothing to be done, and the next one, which is not, goes to the task.
    """
    transport, answers = _Nowhere(), [b"answer", None]
    try:
        server = _Server(like, lambda _: answers.pop(0))
        connection = server()
        task: asyncio.Future[None] | None = connection._waiter  # read first: to set it proves nothing
        if task is not None:
            return False
        connection.transport = transport
        connection._waiter = task = server._loop.create_future()
        connection.data_received(_REQUEST)
        at_once = transport.written == [b"answer"] and not connection._messages and not task.done()
        timer = connection._keepalive_handle
        connection.data_received(_REQUEST)
        if timer is not None:
            timer.cancel()
        return at_once and timer is not None and server.requests_count == len(connection._messages) == task.done() == 1
    except Exception:  # noqa: BLE001 - whatever is missing
        return False
