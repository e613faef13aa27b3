"""POST /v1/erase: forget a customer. It publishes Segment's own delete message, and the stream does the rest.

The process itself holds nothing of a customer that would have to go: its caches are of items.
"""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web

from .bodies import json_object
from .erase_message import UserIdError, checked_user_id, erasure
from .errors import ApiError, PublishError, bad_parameter
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
    if parts.publisher is None:
        raise ApiError(503, "no_topic", "the server has no VARDE_TOPIC to send erasures to")
    user_id = _user_id(await json_object(request, f'{{"{_FIELD}": "…"}}'))
    asked = erasure(user_id, f"varde-erase-{request[REQUEST_ID]}", parts.clock())
    try:
        await parts.publisher.publish(asked.data)
    except PublishError as error:
        logger.error("request %s: the erasure was not published: %s", request[REQUEST_ID], error)
        raise ApiError(503, "not_published", "Pub/Sub did not take the erasure; ask again") from error
    body = {"request_id": request[REQUEST_ID], "message_id": asked.message_id, "erased_up_to": asked.up_to}
    return json_answer(body, 202)


def _user_id(body: dict[str, Any]) -> str:
    for name in body:
        if name != _FIELD:
            raise bad_parameter(name[:64], f"no such field; there is {_FIELD}")
    if _FIELD not in body:
        raise bad_parameter(_FIELD, "is missing")
    try:
        return checked_user_id(body[_FIELD])
    except UserIdError as error:
        raise bad_parameter(_FIELD, str(error)) from None
