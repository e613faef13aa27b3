"""Segment's webhook: is it Segment that sends, and which messages are in what it sent? Pure.

Segment signs a single event, and of a batch nothing but its first element (docs/collector.md). So both need a second
secret beside the signature.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any, Final

import orjson

from varde.collecting import NOT_AN_OBJECT, TOO_LARGE, TOO_MANY, UNKNOWN_TYPE, Sender, Taken, iso, message_id
from varde.events import MAX_BYTES
from varde.timestamps import EARLIEST, read

MOST_MESSAGES: Final = 4_000
"""Most events that Segment puts into one batch."""
NOT_JSON = "not_json"
_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def elements(body: bytes) -> list[bytes]:
    """The JSON texts of an array's elements exactly as they were sent, or the one text that is no array.

    Raises:
        ValueError: not JSON in UTF-8.
    """
    text = body.decode()
    start = _after_blank(text, 0)
    if text[start : start + 1] != "[":
        return [body]
    out: list[bytes] = []
    at = _after_blank(text, start + 1)
    closed = text[at : at + 1] == "]"
    while not closed:
        end = _end(text, at)
        out.append(text[at:end].encode())
        at = _after_blank(text, end)
        closed = text[at : at + 1] == "]"
        if not closed:
            if text[at : at + 1] != ",":
                msg = "an element is followed by neither a comma nor the end"
                raise ValueError(msg)
            at = _after_blank(text, at + 1)
    if _after_blank(text, at + 1) != len(text):
        msg = "something follows the array"
        raise ValueError(msg)
    return out


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _end(text: str, at: int) -> int:
    try:
        _, end = _DECODER.raw_decode(text, at)
    except RecursionError:
        msg = "is nested too deeply"
        raise ValueError(msg) from None
    return end


def signed(element: bytes, signature: str, secret: str) -> bool:
    """Whether `signature`, the header X-Signature, is Segment's of these very bytes: HMAC-SHA1 in hexadecimal."""
    wanted = hmac.new(secret.encode(), element, hashlib.sha1).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.strip().lower().encode("utf-8", "surrogateescape"))


def taken(texts: list[bytes], sender: Sender) -> Taken:
    """The messages: Segment has finished them, so they go on as they came; only what they lack is added.

    A `delete` is one, too: Segment passes deletions on to its destinations.
    """
    out = Taken()
    if len(texts) > MOST_MESSAGES:
        out.dropped[TOO_MANY] += len(texts) - MOST_MESSAGES
    for text in texts[:MOST_MESSAGES]:
        data = _message(text, sender)
        if isinstance(data, bytes):
            out.messages.append(data)
        else:
            out.dropped[data] += 1
    return out


def _message(text: bytes, sender: Sender) -> bytes | str:
    try:
        message: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return NOT_JSON
    if not isinstance(message, dict):
        return NOT_AN_OBJECT
    if not isinstance(message.get("type"), str):
        return UNKNOWN_TYPE
    own = message_id(message.get("messageId"), sender.new_id)
    received = read(message.get("receivedAt"))
    if own == message.get("messageId") and received is not None and received >= EARLIEST:
        data = text
    else:
        message["messageId"] = own
        if received is None or received < EARLIEST:
            message["receivedAt"] = iso(sender.received_at)
        try:
            data = orjson.dumps(message)
        except orjson.JSONEncodeError:
            return NOT_JSON
    return TOO_LARGE if len(data) > MAX_BYTES else data
