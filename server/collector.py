"""The routes of Segment's HTTP Tracking API: POST /v1/track and its like, and the settings that browsers load."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re

from aiohttp import web
from aiohttp.typedefs import Handler

from varde.collecting import MOST_MESSAGES, Sender, Taken, batch, known, single, taken
from varde.json_mended import loads

from .collector_intake import INTAKE, deliver, post_of, sender, success, switched_on
from .collector_metrics import COLLECT
from .errors import ApiError
from .parts import json_answer

BODY_BYTES = 512_000
"""Largest body, decompressed: Segment's 500 kB."""
METRICS_BYTES = 64_000
BESIDE_BYTES = 64_000
"""A larger body is read in a thread: lists are answered meanwhile."""
SETTINGS_AGE_S = 300
_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?", re.ASCII)


def collect(type_: str | None) -> Handler:
    """The handler of messages of a type, one in a request; None: of batches."""

    async def answer(request: web.Request) -> web.StreamResponse:
        config = switched_on(request)
        post_of(request)
        shown = _shown(request.headers.get("Authorization", ""))
        asks = sender(request, browser=request.content_type == "text/plain")
        async with request.app[INTAKE].bodies.read(request, BODY_BYTES) as body:
            arguments = body, type_, shown, asks, frozenset(config.write_keys)
            found = await asyncio.to_thread(_read, *arguments) if len(body) > BESIDE_BYTES else _read(*arguments)
        await deliver(request, COLLECT, found)
        return success()

    return answer


def _read(body: bytes, type_: str | None, shown: str | None, asks: Sender, keys: frozenset[str]) -> Taken:
    """The messages of a body; shown: the write key of the request's header.

    Raises:
        ApiError: 400 it is none, 401 no write key that is taken.
    """
    try:
        value = loads(body)
    except ValueError:
        raise ApiError(400, "bad_body", "the body is not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise ApiError(400, "bad_body", "the body is no JSON object")
    given = single(value) if type_ else batch(value)
    if given is None:
        raise ApiError(400, "bad_body", "the body has no list `batch`")
    own = None
    if not known(value, shown, keys):
        if not any(isinstance(item, dict) and known(item, None, keys) for item in given.items[:MOST_MESSAGES]):
            raise ApiError(401, "unknown_write_key", "no write key, or one that is not taken here")
        own = keys
    return taken(given, type_, asks, own)


def _shown(authorization: str) -> str | None:
    """The write key of the header: the user name of Basic, where some leave the colon out, or a Bearer.

    A Bearer may as well be a token of Segment's OAuth, beside the key in the body.
    """
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(given.strip()).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return None


async def ignore(request: web.Request) -> web.StreamResponse:
    """POST /v1/m: what the browser's SDK counts about itself."""
    switched_on(request)
    async with request.app[INTAKE].bodies.read(request, METRICS_BYTES):
        return success()


async def settings(request: web.Request) -> web.StreamResponse:
    """GET /v1/projects/{writeKey}/settings: where the browser's SDK is to send, which else would be to Segment."""
    config = switched_on(request)
    write_key = request.match_info["writeKey"]
    if write_key not in config.write_keys:
        raise ApiError(404, "no_such_source", "no write key that is taken here")
    protocol, host = _address(request, config.public_url, behind=config.proxies > 0)
    to = {"apiKey": write_key, "apiHost": f"{host}/v1", "protocol": protocol}
    body = {"integrations": {"Segment.io": to}, "metrics": {"host": f"{host}/v1", "sampleRate": 0}}
    response = json_answer(body)
    response.headers["Cache-Control"] = f"private, max-age={SETTINGS_AGE_S}"
    return response


def _address(request: web.Request, public_url: str | None, *, behind: bool) -> tuple[str, str]:
    """(http or https, host[:port][/path]) under which a browser reaches this server."""
    if public_url is not None:
        protocol, _, host = public_url.partition("://")
        return protocol, host
    protocol = request.scheme
    if behind and request.headers.get("X-Forwarded-Proto") in ("http", "https"):
        protocol = request.headers["X-Forwarded-Proto"]
    host = request.headers.get("Host", "")
    if not _HOST.fullmatch(host):
        raise ApiError(400, "bad_host", "the header Host is no host")
    return protocol, host
