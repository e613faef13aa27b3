"""A short way to the routes that have almost all requests: past aiohttp's router, to the same handlers.

An answer from memory takes little more time than finding its route would. Whatever is not plainly
`GET /v1/similar/ID` or `GET /v1/recommendations?…` goes the usual way, so routes mean the same on both.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.web_urldispatcher import AbstractRoute, UrlMappingMatchInfo

SIMILAR, RECOMMENDATIONS = "/v1/similar/{item}", "/v1/recommendations"
PATHS = SIMILAR, RECOMMENDATIONS
_ITEM, _QUERY = SIMILAR.removesuffix("{item}"), RECOMMENDATIONS + "?"


def shorten(app: web.Application, routes: Mapping[str, AbstractRoute]) -> None:
    """Make `app` take the short way to these routes.

    Args:
        app: not started yet.
        routes: of PATHS, and GET.
    """
    usual = app._handle
    similar, recommendations = (routes[path].handler for path in PATHS)
    match_similar, match_recommendations = (_match(app, routes[path]) for path in PATHS)

    async def handle(request: web.Request) -> web.StreamResponse:
        message = request._message
        target = message.path
        if message.method == "GET":
            if to_similar(target):
                request._match_info = match_similar
                return await similar(request)
            if to_recommendations(target):
                request._match_info = match_recommendations
                return await recommendations(request)
        return await usual(request)

    app._handle = handle  # type: ignore[method-assign] # the server asks the application for it when it starts


def _match(app: web.Application, route: AbstractRoute) -> UrlMappingMatchInfo:
    match = UrlMappingMatchInfo({}, route)
    match.add_app(app)
    match.freeze()
    return match


def to_similar(target: str) -> bool:
    """Whether a request target is plainly of `similar`: one path segment, and perhaps a query string."""
    if not target.startswith(_ITEM) or "#" in target:
        return False
    item = target[len(_ITEM) :].partition("?")[0]
    return item != "" and "/" not in item and item not in (".", "..")


def to_recommendations(target: str) -> bool:
    """Whether a request target is plainly of `recommendations`."""
    return target.startswith(_QUERY) and "#" not in target
