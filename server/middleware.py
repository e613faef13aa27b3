"""Round every request: an id, the time it took, one log line, metrics, headers; and every error as JSON."""

from __future__ import annotations

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from .access_log import Entry, write
from .errors import ApiError
from .parts import PARTS, REQUEST_ID, RUNG, json_answer

logger = logging.getLogger("varde.server")

BODY_BYTES = 16_384
"""Largest body of a request that is not refused at once."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Server": "varde",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
FOR_STOREFRONTS = ("/v1/similar/{item}", "/v1/recommendations", "/v1/popular")
"""Routes that any web page may read; the others are for people of the shop."""
UNMATCHED = "unmatched"
"""The route label of a request that no route takes: never the path, which a caller can fill with anything."""


def route_of(request: web.Request) -> str:
    """The route as it is declared, so that labels and log lines hold no ids."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else UNMATCHED


@web.middleware
async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id; count, time and log its answer; set the headers that every answer has."""
    parts = request.app[PARTS]
    started = time.perf_counter()
    request[REQUEST_ID] = parts.new_id()
    response = await handler(request)
    route = route_of(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = request[REQUEST_ID]
    if route in FOR_STOREFRONTS:
        response.headers["Access-Control-Allow-Origin"] = "*"
    seconds = time.perf_counter() - started
    rung = request.get(RUNG)
    parts.metrics.requests.labels(route, str(response.status)).inc()
    parts.metrics.seconds.labels(route).observe(seconds)
    if rung is not None:
        parts.metrics.rungs.labels(route, rung).inc()
    write(Entry(parts.clock(), request.method, route, response.status, seconds, request[REQUEST_ID], rung))
    return response


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into the one JSON form, without a word of what is inside."""
    try:
        if (request.content_length or 0) > BODY_BYTES:
            raise ApiError(413, "too_large", f"a request body has at most {BODY_BYTES} bytes")
        return await handler(request)
    except ApiError as error:
        response = json_answer(error.body(), error.status)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="varde"'
        return response
    except web.HTTPMethodNotAllowed as error:
        refused = ApiError(405, "method_not_allowed", f"this route takes {', '.join(sorted(error.allowed_methods))}")
        response = json_answer(refused.body(), 405)
        response.headers["Allow"] = error.headers["Allow"]
        return response
    except web.HTTPNotFound:
        return json_answer(ApiError(404, "not_found", "there is no such route; see docs/http-api.md").body(), 404)
    except web.HTTPException as error:
        return json_answer(ApiError(error.status, "refused", error.reason).body(), error.status)
    except Exception:
        logger.exception("request %s failed", request[REQUEST_ID])
        return json_answer(ApiError(500, "internal", "a fault of the server; it is in its log").body(), 500)
