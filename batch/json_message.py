"""From the bytes of a message to a JSON object, or the reason why it gives no row."""

from __future__ import annotations

from typing import Any

import orjson


class SkipError(Exception):
    """The message gives no row; the argument is the reason."""


def read(data: bytes, most: int) -> dict[str, Any]:
    """The object that a message is.

    Args:
        data: of the message.
        most: bytes.

    Raises:
        SkipError: `too_large`, `not_json` or `not_an_object`.
    """
    if len(data) > most:
        reason = "too_large"
        raise SkipError(reason)
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        reason = "not_json"
        raise SkipError(reason) from None
    if not isinstance(message, dict):
        reason = "not_an_object"
        raise SkipError(reason)
    return message
