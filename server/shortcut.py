"""A short way to the one route that has almost all requests: past aiohttp's router, to the same handler.

An answer from memory takes little more time than finding its route would. Whatever is not plainly
`GET /v1/similar/ID` goes the usual way, so routes mean the same on both.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import AbstractRoute, UrlMappingMatchInfo

PREFIX = "/v1/similar/"


def shorten(app: web.Application, route: AbstractRoute) -> None:
    """Make `app` take the short way to a route.

    Args:
        app: not started yet.
        route: of `/v1/similar/{item}` and GET.
    """
    usual = app._handle
    handler: Handler = route.handler
    match = UrlMappingMatchInfo({}, route)
    match.add_app(app)
    match.freeze()

    async def handle(request: web.Request) -> web.StreamResponse:
        message = request._message
        target = message.path
        if target.startswith(PREFIX) and message.method == "GET" and _is_plain(target):
            request._match_info = match
            return await handler(request)
        return await usual(request)

    app._handle = handle  # type: ignore[method-assign] # the server asks the application for it when it starts


def _is_plain(target: str) -> bool:
    """Whether what follows PREFIX is one path segment, and perhaps a query string."""
    item = target[len(PREFIX) :].partition("?")[0]
    return item != "" and "/" not in item and "#" not in target and item not in (".", "..")
