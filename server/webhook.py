"""POST /v1/webhook: what Segment's own webhook destination sends."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac

from aiohttp import web

from varde.collecting import Sender, Taken
from varde.webhook import elements, signed, taken

from .collector import BESIDE_BYTES
from .collector_intake import INTAKE, deliver, post_of, sender, success
from .collector_metrics import WEBHOOK
from .errors import ApiError
from .parts import PARTS

BODY_BYTES = 8_000_000
"""Largest body: a batch of Segment's has up to 4,000 events."""
HEADER = "X-Varde-Token"
"""Where the second secret may stand."""


async def webhook(request: web.Request) -> web.StreamResponse:
    """POST /v1/webhook."""
    settings = request.app[PARTS].settings
    if not settings.webhook_secret:
        raise ApiError(404, "webhook_off", "the webhook is off: the server has no VARDE_WEBHOOK_SECRET")
    wanted = settings.webhook_token.encode()
    if not any(hmac.compare_digest(shown, wanted) for shown in _shown(request)):
        # Before the body: only who knows it may send much.
        raise ApiError(401, "wrong_token", f"the second secret is missing or wrong: {HEADER} or Basic")
    post_of(request)
    signature = request.headers.get("X-Signature", "")
    asks = sender(request, browser=False)
    async with request.app[INTAKE].bodies.read(request, BODY_BYTES) as body:
        arguments = body, signature, settings.webhook_secret, asks
        found = await asyncio.to_thread(_read, *arguments) if len(body) > BESIDE_BYTES else _read(*arguments)
    await deliver(request, WEBHOOK, found)
    return success()


def _read(body: bytes, signature: str, secret: str, asks: Sender) -> Taken:
    try:
        texts = elements(body)
    except ValueError:
        raise ApiError(400, "bad_body", "the body is not JSON in UTF-8") from None
    # An empty batch has nothing to be signed, and nothing to be taken.
    if texts and not signed(texts[0], signature, secret):
        raise ApiError(401, "wrong_signature", "X-Signature is missing or not of this body")
    return taken(texts, asks)


def _shown(request: web.Request) -> list[bytes]:
    """The tokens that a request shows: in the header, or as Basic's password, which an address can hold."""
    out = [text.encode("utf-8", "surrogateescape") for text in request.headers.getall(HEADER, ())]
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            out.append(base64.b64decode(given.strip()).partition(b":")[2])
        except (binascii.Error, ValueError):
            return out
    return out
