"""A connection that may answer a request as soon as it is read, and leaves it to aiohttp otherwise.

aiohttp hands a request to the task of its connection and makes another for the handler: three turns of the event loop,
and most of what a bare route costs (docs/adr/0014-answers-without-a-task.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

Immediately = Callable[[RawRequestMessage], bytes | None]
"""The whole response to a GET of HTTP/1.1 without a body, whose connection is kept; None: by the usual way."""


class _Reader:
    """aiohttp's parser, which keeps to itself the requests that are answered already."""

    __slots__ = (
        "_connection",
        "_feed",
        "_immediately",
        "feed_eof",
        "message_consumed",
        "pause_reading",
        "set_upgraded",
    )

    def __init__(self, connection: Connection, parser: Any, immediately: Immediately) -> None:
        self._connection, self._feed, self._immediately = connection, parser.feed_data, immediately
        self.feed_eof, self.message_consumed = parser.feed_eof, parser.message_consumed
        self.pause_reading, self.set_upgraded = parser.pause_reading, parser.set_upgraded

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
    """Make whatever serves `app` ask `immediately` first.

    Args:
        app: not started yet.
        immediately: must not raise.
    """
    usual = app._make_handler

    def make(**options: Any) -> web.Server:
        return _Server(usual(**options), immediately)

    app._make_handler = make  # type: ignore[method-assign] # a runner asks the application for its server
