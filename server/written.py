"""A response whose head is bytes already: much of what aiohttp needs for a small answer is making its headers."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import NamedTuple

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest

_NO_HEADERS = web.Response().headers
_LINES = {200: b"HTTP/1.1 200 OK\r\n", 304: b"HTTP/1.1 304 Not Modified\r\n"}


class Dates:
    """The Date header line, made once a second (RFC 9110, 6.6.1)."""

    def __init__(self) -> None:
        self._second, self._line = -1, b""

    def line(self) -> bytes:
        """The line of this moment."""
        second = int(time.time())
        if second != self._second:
            self._second, self._line = second, f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._line


class Reply(NamedTuple):
    """A response, in parts that are joined once, when they are sent.

    status: 200 or 304. lines: every header line but the connection's, each with its line end; Content-Length among
    them. content: the body; not sent with 304 or to HEAD.
    """

    status: int
    lines: tuple[bytes, ...]
    content: tuple[bytes, ...]


def joined(reply: Reply) -> bytes:
    """A whole response of HTTP/1.1 to GET, after which the connection is kept."""
    status, lines, content = reply
    return b"".join((_LINES[status], *lines, b"\r\n", *(content if status == 200 else ())))


class Written(web.Response):
    """A 200 or 304 with its header lines and body as bytes.

    It is prepared and written by itself, so `headers` is empty and signals do not see it.
    """

    def __init__(self, reply: Reply) -> None:
        """Of its parts."""
        # What aiohttp's own would do is mostly to make the headers that this one does not have.
        self._status, self._headers, self._state = reply.status, _NO_HEADERS, {}
        self._reply = reply

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter:
        """Write everything at once.

        Raises:
            ConnectionResetError: the client is gone.
        """
        self._req = request
        writer = request._payload_writer
        transport = writer.transport
        if transport is None or transport.is_closing():
            msg = "the client is gone"
            raise ConnectionResetError(msg)
        message = request._message
        self._keep_alive = keep = not message.should_close
        connection = b"\r\n"
        if not keep:
            connection = b"Connection: close\r\n\r\n"
        elif message.version < HttpVersion11:
            connection = b"Connection: keep-alive\r\n\r\n"
        status, lines, content = self._reply
        if status == 304 or message.method == "HEAD":
            content = ()
        transport.write(b"".join((_LINES[status], *lines, connection, *content)))
        await writer.drain()
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be written."""
        self._eof_sent = True
