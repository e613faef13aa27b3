"""GET /v1/pixel/{type}: a message in the address of a picture, for mails and pages without scripts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from varde.collecting import NOT_AN_OBJECT, Taken, known, single, taken
from varde.json_mended import loads

from .collector_intake import deliver, sender, switched_on
from .collector_metrics import PIXEL
from .errors import ApiError
from .parts import PARTS

GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent dot."""
MOST_DEEP = 20
"""Most parts of a dotted name."""


async def pixel(request: web.Request) -> web.StreamResponse:
    """Always the picture: who shows it can do nothing about an error, which is counted instead."""
    config = switched_on(request)
    if request.method == "GET":  # HEAD asks what there would be
        collected = request.app[PARTS].metrics.collected
        body = _body(request.query)
        if body is None:
            collected.dropped(PIXEL, {NOT_AN_OBJECT: 1})
        elif not known(body, None, config.write_keys):
            collected.refused(PIXEL, "unknown_write_key")
        else:
            await _sent(request, taken(single(body), request.match_info["type"], sender(request, browser=True)))
    return web.Response(body=GIF, content_type="image/gif", headers={"Cache-Control": "no-store"})


async def _sent(request: web.Request, found: Taken) -> None:
    try:
        await deliver(request, PIXEL, found)
    except ApiError as error:
        request.app[PARTS].metrics.collected.refused(PIXEL, error.code)


def _body(query: Mapping[str, str]) -> dict[str, Any] | None:
    """The message of `data`, base64 of JSON, or of names with dots: `properties.subject=…`; None when it is none."""
    if "data" not in query:
        return _nested(query)
    try:
        data = query["data"].translate(str.maketrans("-_ ", "+/+"))  # a plus sign in a query is a blank
        value = loads(base64.b64decode(data + "=" * (-len(data) % 4)))
    except (binascii.Error, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _nested(query: Mapping[str, str]) -> dict[str, Any] | None:
    out: dict[str, Any] = {}
    for name, text in query.items():
        *folders, last = name.split(".", MOST_DEEP)
        inside = out
        for folder in folders:
            inside = inside.setdefault(folder, {})
            if not isinstance(inside, dict):  # a=1&a.b=2
                return None
        inside[last] = text
    return out
