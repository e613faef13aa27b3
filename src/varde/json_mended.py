"""JSON as senders write it: strict first, then with the two faults that SDKs let through put right. Pure."""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(data: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Two things that are no JSON are taken all the same, because one of them would cost the whole batch: Python's NaN and
    Infinity become null, and half of a surrogate pair (an emoji cut in two by a script) becomes U+FFFD.

    Raises:
        ValueError: nothing helps.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _mended(data)


def _mended(data: bytes) -> Any:
    try:
        value = json.loads(data.decode(), parse_constant=lambda _: None)
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        msg = "is nested too deeply"
        raise ValueError(msg) from None
    return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
