"""One field of a feed's row or of a change: JSON, or its text, into a value, or into the reason why not. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from varde import timestamps
from varde.catalogue import Text

MAX_ID: Final = 256
"""Bytes of an item id, as in events."""
MAX_AMOUNT: Final = 1e15
MAX_CATEGORIES: Final = 20
MAX_LANGUAGES: Final = 50
BYTES: Final = {"parent": MAX_ID, "title": 1000, "url": 2048, "image": 2048, "categories": 256, "brand": 256}
"""Longest texts."""

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?")
_LINK = re.compile(r"(https?://[^/\s]|/)[^\s\x00-\x1f\x7f]*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_CURRENCY = re.compile(r"[A-Z]{3}")
_FLAGS = dict.fromkeys(("true", "t", "yes", "y", "1"), True) | dict.fromkeys(("false", "f", "no", "n", "0"), False)


class BadFieldError(ValueError):
    """A value that cannot be taken: `reason` is a key of reasons.CATALOGUE, `detail` names the field."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def _bad(name: str, why: str) -> BadFieldError:
    return BadFieldError(f"bad_{name}", f"{name}: {why}")


def kind(value: Any) -> str:
    """What a value is, for people."""
    return "null" if value is None else type(value).__name__


def _short(value: Any) -> str:
    """For people; what is nested may be deep."""
    text = repr(value) if isinstance(value, str | float | bool | None) else kind(value)
    return text[:80].encode("utf-8", "replace").decode()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _clean(name: str, value: Any, most: int) -> str | None:
    """A text without blanks around it; None for none."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20:
        value = str(value)
    elif value is not None and not isinstance(value, str):
        raise _bad(name, f"text is wanted, not {kind(value)}")
    text = (value or "").strip()
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise _bad(name, "not UTF-8") from None
    if size > most:
        raise _bad(name, f"{size} bytes, more than {most}")
    return text or None


def item_id(value: Any) -> str:
    """The id of an item: text, or a whole number as its digits. These functions raise BadFieldError."""
    if value is None or value == "":
        raise BadFieldError("no_item", "id: missing")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise _bad("item", f"text or a whole number is wanted, not {kind(value)}")
    text = _clean("item", value, MAX_ID)
    if text is None:
        raise BadFieldError("no_item", "id: blank")
    return text


def text(value: Any, name: str) -> str | None:
    """A text without blanks around it; None for none."""
    return _clean(name, value, BYTES[name])


def link(value: Any, name: str, most: int = BYTES["url"]) -> str | None:
    """An address that may stand in a page: http, https, or a path of the shop's."""
    text = _clean(name, value, most)
    if text is not None and not _LINK.fullmatch(text):
        raise _bad(name, f"http://, https:// or a path from / is wanted, not {_short(text)}")
    return text


def _number(name: str, value: Any) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            raise _bad(name, f"not a number: {_short(value)}")
        return float(text)
    if value is None:
        return None
    if not _is_number(value) or not abs(value) <= MAX_AMOUNT:  # nor NaN
        raise _bad(name, f"not a number up to {MAX_AMOUNT:g}: {_short(value)}")
    return float(value)


def price(value: Any, name: str = "price") -> float | None:
    """An amount from 0."""
    number = _number(name, value)
    if number is not None and number < 0:
        raise _bad(name, f"below 0: {number:g}")
    return None if number is None else number + 0.0  # no -0.0


def stock(value: Any) -> int | None:
    """Part of a unit is still something left: rounded up."""
    number = _number("stock", value)
    return None if number is None else math.ceil(number)


def flag(value: Any) -> bool | None:
    """Whether an item is hidden."""
    if value is None or isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else "?"
    if _is_number(value) and value in (0, 1):
        return bool(value)
    if text and text not in _FLAGS:
        raise _bad("hidden", f"true or false is wanted, not {_short(value)}")
    return _FLAGS.get(text)


def currency(value: Any) -> str | None:
    """Three letters, as capitals."""
    text = _clean("currency", value, 80)
    if text is not None and not _CURRENCY.fullmatch(text := text.upper()):
        raise _bad("currency", f"three letters are wanted, not {_short(value)}")
    return text


def _json(name: str, value: Any) -> Any:
    """Of a text the JSON in it."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value) if value.strip() else None
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise _bad(name, f"not JSON: {error}") from None


def categories(value: Any) -> tuple[str, ...]:
    """A list, the JSON text of one, or a path with `>` between its parts."""
    if isinstance(value, str):
        value = _json("categories", value) if value.strip().startswith("[") else value.split(">")
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or len(value) > MAX_CATEGORIES:
        raise _bad("categories", f"a list of up to {MAX_CATEGORIES} texts, or a path A > B, is wanted")
    found = (_clean("categories", part, BYTES["categories"]) for part in value)
    return tuple(part for part in found if part is not None)


def _table(name: str, value: Any, key: re.Pattern[str]) -> Mapping[str, Any]:
    value = _json(name, value)
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_LANGUAGES:
        raise _bad(name, f"an object with up to {MAX_LANGUAGES} names is wanted")
    for word in value:
        if not key.fullmatch(str(word)):
            raise _bad(name, f"no such language or currency: {_short(word)}")
    return value


def texts(value: Any) -> dict[str, Text]:
    """Language -> title and url, or the title alone."""
    out = {}
    for language, said in _table("texts", value, _LANGUAGE).items():
        if not isinstance(said, Mapping):
            said = {"title": said}
        out[language] = Text(_clean("texts", said.get("title"), BYTES["title"]), link(said.get("url"), "texts"))
    return out


def prices(value: Any) -> dict[str, float]:
    """Currency -> price."""
    found = {name: price(said, "prices") for name, said in _table("prices", value, _CURRENCY).items()}
    return {name: price for name, price in found.items() if price is not None}


def updated(value: Any) -> int | None:
    """When a row was written, ms."""
    if value is None or value == "":
        return None
    time = timestamps.read(value)
    if time is None or time < timestamps.EARLIEST:
        raise _bad("updated", f"not a time since 2000: {_short(value)}")
    return time


def moment(value: Any, received: int) -> int:
    """When a change was made, ms; never later than it was received."""
    if value is None:
        return received
    time = timestamps.read(value)
    if time is None or time < timestamps.EARLIEST:
        raise BadFieldError("bad_time", f"at: not a time since 2000: {_short(value)}")
    return min(time, received)
