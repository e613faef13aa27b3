"""What the OpenAPI document says of mails and feeds: tables that `described`, `schemas` and `samples` take up."""

from __future__ import annotations

from typing import Any, Final

from varde.mail_formats import FIELDS

from . import email, feeds
from .description import Error, Operation, Parameter
from .mail_asked import PARAMETERS as NAMES
from .params import MOST_ITEMS

TAG: Final = "Mails"
TAGS = {TAG: "What email tools ask for, ready to be printed."}

ERRORS = {
    "too_few_items": Error(404, "there are fewer items than a mail needs, and the placement says that this is 404"),
}
PARAMETERS = {
    "feed": Parameter({"type": "string"}, "A feed of the configuration.", "best-sellers", place="path"),
    "shape": Parameter({"type": "string", "enum": ["json", "xml"]}, "How it is written.", "json", place="path"),
    "format": Parameter({"type": "string"}, "The names of fields that a tool wants; default `default`.", "default"),
    "min_items": Parameter(
        {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS},
        "Fewest items that make a list, at most `n`; default: the placement's, else `n`.",
        2,
    ),
}

_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_ITEM: dict[str, Any] = {
    "type": "object",
    "properties": dict.fromkeys(FIELDS, _TEXT),
    "required": list(FIELDS),
    "additionalProperties": False,
    "description": "All of it text that may be printed as it is, empty where there is nothing.",
}


def _object(properties: dict[str, Any], most: int) -> dict[str, Any]:
    whole = {**properties, "items": {"type": "array", "items": _ITEM, "maxItems": most}}
    return {"type": "object", "properties": whole, "required": list(whole), "additionalProperties": False}


def _said(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return schema | {"description": text}


ANSWERS: dict[str, dict[str, Any]] = {
    "Mail": _object(
        {
            "request_id": _said(_TEXT, "The same for every render of a sending."),
            "ok": _said(_FLAG, "Whether there are enough items."),
            "fallback": _said(_FLAG, "Whether some of them are not what the placement is for."),
            "stale": _said(_FLAG, "Whether Redis failed to give a better answer."),
            "count": _said(_COUNT, "How many items."),
            "placement": _TEXT,
            "rung": _TEXT,
            "experiment": _said(_TEXT, "Empty: part of none."),
            "variation": _TEXT,
            "campaign": _TEXT,
            "send_id": _TEXT,
            "generated_at": _said(_TEXT | {"format": "date-time"}, "To the second, UTC."),
            "token": _said(_TEXT, "For links and pictures of this mail; empty where there are none."),
            "ignored": {"type": "array", "items": _TEXT, "description": "Parameters whose values make no sense."},
        },
        MOST_ITEMS,
    ),
    "Feed": _object(
        {"feed": _TEXT, "title": _TEXT, "count": _COUNT, "generated_at": _TEXT | {"format": "date-time"}}, 500
    ),
}
_PEGS = {
    "position": "1",
    "id": "tent-pegs-titanium",
    "title": "Titanium tent pegs, 6",
    "url": "https://shop.example/p/tent-pegs-titanium?utm_source=varde",
    "click_url": "https://shop.example/p/tent-pegs-titanium?utm_source=varde",
    "image_url": "https://shop.example/i/tent-pegs-titanium.webp",
    "price": "24.50",
    "price_formatted": "24,50 €",
    "currency": "EUR",
    "brand": "Nord",
    "category": "Camping",
    "parent": "",
    "rung": "pairs",
}
SAMPLES: dict[str, Any] = {
    "Mail": {
        "request_id": "75a9bcf041a37e2198c6556fedc2e957",
        "ok": True,
        "fallback": False,
        "stale": False,
        "count": 1,
        "placement": "mail",
        "rung": "pairs",
        "experiment": "",
        "variation": "",
        "campaign": "spring-news",
        "send_id": "2026-05-04",
        "generated_at": "2026-05-04T09:30:00Z",
        "token": "",
        "ignored": [],
        "items": [_PEGS],
    },
    "Feed": {
        "feed": "best-sellers",
        "title": "Best sellers",
        "count": 1,
        "generated_at": "2026-05-04T09:30:00Z",
        "items": [{**_PEGS, "rung": ""}],
    },
}
_XML = ("application/xml",)
OPERATIONS = {
    email.ROUTE: Operation(
        "mail", TAG, "A list for one mail",
        "Answered within the deadline, from memory at worst. For one recipient of one sending always the same items. "
        "The key may stand in the query string as `key`. 204 and 404 come only where the configuration says so.",
        "Mail", NAMES, ("bad_parameter", "too_few_items"), also=(204,), more=_XML,
    ),
    feeds.ROUTE: Operation(
        "feed", TAG, "A list for everybody", "Made before it is asked for, and at most 3 MB.",
        "Feed", ("feed", "shape"), ("bad_parameter", "not_found"), cached=True, more=_XML,
    ),
}  # fmt: skip
