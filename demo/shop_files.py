"""What the pages load: style, scripts, the vendored SDK, drawn pictures; and reports of what a browser refused."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from functools import lru_cache
from importlib.resources import files

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from .catalogue import arrivals, products
from .shop_pictures import WIDTHS, picture
from .shop_render import file

FILES = {
    "base.css": "text/css",
    "goods.css": "text/css",
    "forms.css": "text/css",
    "shop.js": "text/javascript",
    "hero.svg": "image/svg+xml",
    "icon.svg": "image/svg+xml",
}
FONTS = {"text.ttf": "Regular", "semibold.ttf": "Semibold", "bold.ttf": "Bold"}
SDK = "vendor/analytics-next/standalone.js"
MOST_REPORTS = 100
_KEPT = {"Cache-Control": "public, max-age=3600"}

log = logging.getLogger(__name__)

REFUSED: web.AppKey[list[dict[str, str]]] = web.AppKey("refused", list)
"""What browsers have reported, the first MOST_REPORTS: directive and address."""


def asset(content: bytes, content_type: str) -> Handler:
    """The handler of one file's content."""
    tag = hashlib.sha256(content).hexdigest()[:16]

    async def answer(request: web.Request) -> web.StreamResponse:
        return _tagged(request, content, content_type, tag, {"Cache-Control": "no-cache"})

    return answer


def assets() -> dict[str, Handler]:
    """Name under /assets -> its handler. All files are read here."""
    fonts = files("font_source_sans_pro").joinpath("files")
    out = {name: asset(file(name), kind) for name, kind in FILES.items()}
    out |= {
        name: asset(fonts.joinpath(f"SourceSansPro-{weight}.ttf").read_bytes(), "font/ttf")
        for name, weight in FONTS.items()
    }
    return out | {"analytics.js": asset(file(SDK), "text/javascript")}


async def drawn(request: web.Request) -> web.StreamResponse:
    """GET /pictures/{item}.png?w=: one of WIDTHS."""
    item, width = request.match_info["item"], request.query.get("w", "480")
    if item not in products() | arrivals() or width not in {str(one) for one in WIDTHS}:
        raise web.HTTPNotFound
    content = await asyncio.to_thread(_picture, item, int(width))
    return _tagged(request, content, "image/png", hashlib.sha256(content).hexdigest()[:16], _KEPT)


@lru_cache(maxsize=2000)
def _picture(item: str, width: int) -> bytes:
    return picture((products() | arrivals())[item], width)


def _tagged(
    request: web.Request, content: bytes, content_type: str, tag: str, headers: dict[str, str]
) -> web.StreamResponse:
    headers = {**headers, "ETag": f'"{tag}"'}
    if any(one.value in (tag, "*") for one in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=content_type, headers=headers)


async def refused(request: web.Request) -> web.StreamResponse:
    """POST /csp: a browser says what the page's policy has refused."""
    try:
        told = orjson.loads(await request.read())["csp-report"]
        kept = {"directive": str(told["effective-directive"])[:80], "blocked": str(told["blocked-uri"])[:200]}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise web.HTTPBadRequest from None
    log.warning("a browser refused %s by %s", kept["blocked"], kept["directive"])
    reports = request.app[REFUSED]
    if len(reports) < MOST_REPORTS:
        reports.append(kept)
    return web.Response(status=204)
