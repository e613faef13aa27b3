"""The message that erases a customer, as Segment's own deletion sends it: from any id to bytes for the topic. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from varde.ecommerce import MAX_ID_BYTES, too_long


class UserIdError(ValueError):
    """What was given is no id of a customer. The message says what one is, and never repeats what was given."""


class Erasure(NamedTuple):
    """A message for the topic.

    data: Segment's `delete` as JSON. message_id: its `messageId`. up_to: everything until then is forgotten, ISO 8601.
    """

    data: bytes
    message_id: str
    up_to: str


def checked_user_id(value: Any) -> str:
    """A `userId` as the stream reads it (varde.events): opaque text, not trimmed, or a whole number.

    Raises:
        UserIdError: neither, empty, too long, or text that has no UTF-8.
    """
    if type(value) is int:  # not bool, which is an int too
        return str(value)
    if not isinstance(value, str):
        msg = "must be text or a whole number"
        raise UserIdError(msg)
    try:
        if not value or too_long(value):
            msg = f"must have 1 to {MAX_ID_BYTES} bytes"
            raise UserIdError(msg)
        value.encode()
    except UnicodeEncodeError:  # its own message holds the text
        msg = "is not UTF-8"
        raise UserIdError(msg) from None
    return value


def erasure(user_id: str, message_id: str, now: int) -> Erasure:
    """Forget `user_id` (from `checked_user_id`) up to `now`, ms since the epoch.

    `receivedAt` is `now` as well: the stream never believes an event that is later than its receipt.
    """
    time = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    body = {
        "type": "delete",
        "userId": user_id,
        "messageId": message_id,
        "timestamp": time,
        "receivedAt": time,
        "channel": "server",
    }
    return Erasure(orjson.dumps(body), message_id, time)
