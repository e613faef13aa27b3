"""GET /widget…: the script of the custom element <varde-recs> that shops put on their pages (docs/widget.md).

The script is the files of server/widget in one function, as they are: nothing is built or minified. It stands at two
addresses: one that is asked for anew and brings each new version, and one for this version alone, which may be kept for
ever and goes with an integrity hash.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from html import escape
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler

from .errors import ApiError
from .parts import json_answer

FILES = ("settings", "identity", "events", "ask", "card", "style", "carousel", "element", "start")
"""In this order: a class and a constant must stand before what is run at once."""
NEWEST, FIXED, ABOUT = "/widget/varde-recs.js", "/widget/{hash}/varde-recs.js", "/widget"
MAX_AGE_S = 300
_FOREVER = "public, max-age=31536000, immutable"
_HASH = 16
"""Hexadecimal digits of the content's SHA-256 in the address."""


class Script(NamedTuple):
    """The script, compressed too, the hash in its address, and the hash that a browser checks it by."""

    text: bytes
    gzipped: bytes
    hash: str
    integrity: str


def _script() -> Script:
    folder = files(__package__).joinpath("widget")
    parts = "\n".join(folder.joinpath(f"{name}.js").read_text("utf-8") for name in FILES)
    text = f'// <varde-recs>: recommendations of Varde on a page.\n(() => {{\n"use strict";\n\n{parts}}})();\n'.encode()
    integrity = base64.b64encode(hashlib.sha384(text).digest()).decode()
    digest = hashlib.sha256(text).hexdigest()[:_HASH]
    return Script(text, gzip.compress(text, 9, mtime=0), digest, f"sha384-{integrity}")


SCRIPT = _script()
"""Read once, when the process starts."""


async def newest(request: web.Request) -> web.StreamResponse:
    """GET /widget/varde-recs.js: this server's version, asked for anew every few minutes."""
    return _answer(request, f"public, max-age={MAX_AGE_S}, must-revalidate")


async def fixed(request: web.Request) -> web.StreamResponse:
    """GET /widget/{hash}/varde-recs.js: this version and no other, to be kept.

    Raises:
        ApiError: 404 for another version's hash.
    """
    if request.match_info["hash"] != SCRIPT.hash:
        raise ApiError(404, "not_found", "this server has another version of the script; GET /widget says which")
    return _answer(request, _FOREVER)


async def about(request: web.Request) -> web.StreamResponse:
    """GET /widget: the version, and the tag to paste."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)  # of a balancer that ends TLS
    origin = f"{'https' if scheme == 'https' else 'http'}://{request.host}"
    url = origin + FIXED.replace("{hash}", SCRIPT.hash)
    tag = (
        f'<script async src="{escape(url)}" integrity="{SCRIPT.integrity}" crossorigin="anonymous" '
        'data-write-key="YOUR-WRITE-KEY"></script>'
    )
    answer = {"version": SCRIPT.hash, "url": url, "integrity": SCRIPT.integrity, "tag": tag}
    response = json_answer(answer)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _answer(request: web.Request, kept: str) -> web.Response:
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    tag = f"{SCRIPT.hash}-gzip" if packed else SCRIPT.hash
    headers = {
        "Access-Control-Allow-Origin": "*",  # a browser checks integrity only of what it may read
        "Cache-Control": kept,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": f'"{tag}"',
        "Vary": "Accept-Encoding",
    }
    wanted = request.if_none_match or ()
    if any(one.value in (SCRIPT.hash, f"{SCRIPT.hash}-gzip", "*") for one in wanted):
        return web.Response(status=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    body = SCRIPT.gzipped if packed else SCRIPT.text
    return web.Response(body=body, content_type="text/javascript", charset="utf-8", headers=headers)


WIDGET: tuple[tuple[str, Handler], ...] = ((ABOUT, about), (NEWEST, newest), (FIXED, fixed))
"""The routes: what a browser loads from any page, so nothing asks for a key."""
