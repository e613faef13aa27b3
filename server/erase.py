"""POST /v1/erase: forget a customer. It publishes Segment's own delete message, and the stream does the rest.

The process itself holds nothing of a customer that would have to go: its caches are of items.
"""

from __future__ import annotations

import hmac
import logging
from typing import Any

import orjson
from aiohttp import web

from .erase_message import UserIdError, checked_user_id, erasure
from .errors import ApiError, PublishError, bad_parameter
from .middleware import BODY_BYTES
from .parts import PARTS, REQUEST_ID, Parts, json_answer

logger = logging.getLogger("varde.server")

ACCEPTED = "accepted"
_FIELD = "user_id"


async def erase(request: web.Request) -> web.Response:
    """POST /v1/erase."""
    parts = request.app[PARTS]
    try:
        answer = await _erase(request, parts)
    except ApiError as error:
        parts.metrics.erasures.labels(error.code).inc()
        raise
    parts.metrics.erasures.labels(ACCEPTED).inc()
    return answer


async def _erase(request: web.Request, parts: Parts) -> web.Response:
    _allow(request.headers.get("Authorization", ""), parts.settings.admin_key)
    if parts.publisher is None:
        raise ApiError(503, "no_topic", "the server has no VARDE_TOPIC to send erasures to")
    user_id = _user_id(await _body(request))
    asked = erasure(user_id, f"varde-erase-{request[REQUEST_ID]}", parts.clock())
    try:
        await parts.publisher.publish(asked.data)
    except PublishError as error:
        logger.error("request %s: the erasure was not published: %s", request[REQUEST_ID], error)
        raise ApiError(503, "not_published", "Pub/Sub did not take the erasure; ask again") from error
    body = {"request_id": request[REQUEST_ID], "message_id": asked.message_id, "erased_up_to": asked.up_to}
    return json_answer(body, 202)


def _allow(authorization: str, key: str) -> None:
    if not key:
        raise ApiError(403, "no_admin_key", "erasures are switched off: the server has no VARDE_ADMIN_KEY")
    scheme, _, given = authorization.partition(" ")
    # Both as bytes and in constant time; aiohttp hands bytes that are no UTF-8 on as surrogates.
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), key.encode())
    if scheme.lower() != "bearer" or not same:
        raise ApiError(401, "unauthorized", "needs the header Authorization: Bearer with the key of VARDE_ADMIN_KEY")


async def _body(request: web.Request) -> Any:
    try:
        return orjson.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "too_large", f"a request body has at most {BODY_BYTES} bytes") from None
    except (orjson.JSONDecodeError, web.RequestPayloadError):
        raise bad_parameter("body", "must be JSON in UTF-8") from None


def _user_id(body: Any) -> str:
    if not isinstance(body, dict):
        raise bad_parameter("body", f'must be an object: {{"{_FIELD}": "…"}}')
    for name in body:
        if name != _FIELD:
            raise bad_parameter(name[:64], f"no such field; there is {_FIELD}")
    if _FIELD not in body:
        raise bad_parameter(_FIELD, "is missing")
    try:
        return checked_user_id(body[_FIELD])
    except UserIdError as error:
        raise bad_parameter(_FIELD, str(error)) from None
