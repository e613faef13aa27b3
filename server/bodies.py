"""Bodies of requests: JSON objects of a bounded size."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from .errors import ApiError, bad_parameter
from .observe import BODY_BYTES


async def json_object(request: web.Request, example: str) -> dict[str, Any]:
    """The body, a JSON object.

    Args:
        request: its body is read.
        example: how such an object looks, for the error.

    Raises:
        ApiError: 413 too large; 400 not JSON in UTF-8, or no object.
    """
    try:
        body = orjson.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "too_large", f"a request body has at most {BODY_BYTES} bytes") from None
    except (orjson.JSONDecodeError, web.RequestPayloadError):
        raise bad_parameter("body", "must be JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise bad_parameter("body", f"must be an object: {example}")
    return body
