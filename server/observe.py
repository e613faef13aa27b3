"""Round every request: an id, the time it took, one log line, metrics, headers; and every error as JSON.

A wrapper round each handler and no aiohttp middleware: a small answer has no time to be passed on.
"""

from __future__ import annotations

import logging
import sys
import time

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.typedefs import Handler

from . import access_log
from .access import READ, lines
from .access_log import Entry
from .errors import ApiError
from .parts import OWN, PARTS, REQUEST_ID, RUNG, Parts, json_answer
from .written import Written

logger = logging.getLogger("varde.server")

BODY_BYTES = 16_384
"""Largest body of a request that is not refused at once."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Server": "varde",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
HEADER_LINES = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items()).encode()
UNMATCHED = "unmatched"
"""The route label of a request that no route takes: never the path, which a caller can fill with anything."""


def observed(
    label: str, scope: str | None, handler: Handler, parts: Parts, body_bytes: int | None = BODY_BYTES
) -> Handler:
    """The handler with everything that every answer has.

    Args:
        label: the route as docs/http-api.md writes it, so that labels and log lines hold no ids.
        scope: what a key must be for; None: no key is looked at.
        handler: may raise ApiError.
        parts: the application's.
        body_bytes: a body that announces more is refused at once; None: the handler sees to it.
    """

    most = sys.maxsize if body_bytes is None else body_bytes
    check, cors, cross = parts.guard.check, parts.guard.cors, scope == READ

    async def answer(request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        # Past the properties of the request, of which each would be a call, as often as there are requests.
        state, message = request._state, request._message
        request_id = state[REQUEST_ID] = parts.new_id()
        state[OWN] = parts
        try:
            if "Content-Length" in message.headers and (request.content_length or 0) > most:
                raise ApiError(413, "too_large", f"a request body has at most {most} bytes")
            if scope is not None:
                check(message, scope)
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 - every one has an answer
            response = failed(error, request_id)
        if not isinstance(response, Written):
            _dress(response, request_id, cors(message) if cross else b"")
        if parts.open is not None and parts.open.draining:
            request._message = request._message._replace(should_close=True)  # as if the client had asked for it
        note(parts, message, label, response._status, state.get(RUNG), request_id, started)
        return response

    return answer


def note(
    parts: Parts,
    message: RawRequestMessage,
    label: str,
    status: int,
    rung: str | None,
    request_id: str,
    started: float,
) -> None:
    """Metrics, log line and span of a request that has its answer; started: by time.perf_counter."""
    seconds = time.perf_counter() - started
    parts.metrics.tally.add(label, status, rung or "", seconds)
    if parts.access_log.wants(status, seconds):
        access_log.write(Entry(parts.clock(), message.method, label, status, seconds, request_id, rung))
    if parts.spans is not None:
        parts.spans.add(message.headers, message.method, label, status, rung, request_id, seconds)


def failed(error: Exception, request_id: str) -> web.Response:
    """The answer to a request whose handler has raised."""
    if isinstance(error, ApiError):
        return refused(error)
    if isinstance(error, web.HTTPException):  # of aiohttp itself
        return refused(ApiError(error.status, "bad_request", error.reason))
    logger.error("request %s failed", request_id, exc_info=error)
    return json_answer(ApiError(500, "internal", f"internal error, request {request_id}").body(), 500)


def _dress(response: web.StreamResponse, request_id: str, cors: bytes) -> None:
    """The headers that every answer has and a Written one brings along."""
    headers = response.headers
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers["X-Request-Id"] = request_id
    headers.update(lines(cors))


def refused(error: ApiError) -> web.Response:
    """The one form of every error."""
    response = json_answer(error.body(), error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="varde"'
    for name, value in error.headers.items():
        response.headers[name] = value
    return response


async def not_found(request: web.Request) -> web.StreamResponse:
    """Any path that no route takes."""
    raise ApiError(404, "not_found", "there is no such route")


def only(*methods: str) -> Handler:
    """A handler for the methods that a route does not take."""
    allowed = ", ".join(sorted(methods))

    async def not_allowed(request: web.Request) -> web.StreamResponse:
        raise ApiError(405, "method_not_allowed", f"this route takes {allowed}", headers={"Allow": allowed})

    return not_allowed


def preflight(*methods: str) -> Handler:
    """A handler for a browser's question whether a page may ask with a key or send JSON (CORS)."""
    allowed = ", ".join(sorted((*methods, "OPTIONS")))

    async def answer(request: web.Request) -> web.StreamResponse:
        return request.app[PARTS].guard.preflight(request._message, allowed)

    return answer
