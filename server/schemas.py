"""JSON schemas of answers and bodies: the components of the OpenAPI document. Pure data."""

from __future__ import annotations

from typing import Any

from varde.catalogue import CHANGEABLE
from varde.pairs import Relation
from varde.ranking import RANKINGS

from . import described_collector, described_email, described_slots, described_status
from .asked import MOST_EXCLUDED
from .lists import RUNGS
from .params import CUSTOMER_BYTES, ITEM_BYTES, MOST_ITEMS, MOST_SEEDS
from .placements import MOST_ID, MOST_LISTS
from .rules import BOOST, MUST_INCLUDE

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NULL: Schema = {"type": "null"}


def _said(schema: Schema, text: str) -> Schema:
    return schema | {"description": text}


def _or_null(schema: Schema) -> Schema:
    return schema | {"type": [schema["type"], "null"]}


def _closed(properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    """An object with these properties and no others, all of them there but the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


ID = _said(
    {"type": "string", "minLength": 1, "maxLength": ITEM_BYTES}, "The shop's own item id: 1 to 256 bytes of UTF-8."
)
REQUEST_ID = _said(
    {"type": "string", "minLength": 1}, "Unique; attribute clicks with it. Also the header X-Request-Id."
)
RUNG = _said({"type": "string", "enum": [*RUNGS, MUST_INCLUDE]}, "Where the items come from.")
_CATALOGUE: Schema = {
    "id": ID,
    "title": _TEXT,
    "url": _TEXT,
    "image": _TEXT,
    "price": _NUMBER,
    "currency": _TEXT,
    "brand": _TEXT,
    "categories": _said({"type": "array", "items": _TEXT}, "From the widest to the most specific."),
    "parent": _said(_TEXT, "The item that it is a variant of."),
    "stock": _said({"type": "integer"}, "Pieces left, where it is tracked."),
}
"""What the catalogue knows of an item; all but the id only where it does."""
_OPTIONAL = tuple(name for name in _CATALOGUE if name != "id")
_BECAUSE = {
    "because": _said(_or_null(_TEXT), "The seed that gave most of the score; null on other rungs than `pairs`.")
}


def _item(more: Schema) -> Schema:
    properties = {
        "score": _said(
            _or_null(_NUMBER),
            "The ranking's score, higher is better, times the factor of a boost; on `popular` and `category` the "
            "effective number of recent interactions; null where the shop gave the place. Nine significant digits.",
        ),
        "customers": _said(_or_null(_COUNT), "Distinct customers behind it; null where none were counted for this."),
        **more,
        "rung": _said(RUNG, "Only where it is another than the list's."),
        "label": _said(
            {"type": "string", "enum": [MUST_INCLUDE, BOOST]}, "Only where the shop has had a hand in the item's place."
        ),
        "team": _said(
            _or_null(_TEXT), "Only in a list of two rankings: the variation that placed it; null: neither did."
        ),
        **_CATALOGUE,
    }
    return _closed(properties, (*_OPTIONAL, "rung", "label", "team"))


def _listing(item: str) -> Schema:
    return {
        "placement": _said(_TEXT, "As asked for or by default, as are the next two."),
        "relation": {"type": "string", "enum": [relation.label for relation in Relation]},
        "ranking": _TEXT,
        "rung": RUNG,
        "stale": _said({"type": "boolean"}, "True when Redis failed to give a better answer."),
        "experiment": _said(_or_null(_TEXT), "The experiment that the list is part of; null: none."),
        "variation": _said(_or_null(_TEXT), "The variation that the unit was dealt."),
        "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}, "maxItems": MOST_ITEMS},
    }


_SEEDS: Schema = {"type": "array", "items": ID, "maxItems": MOST_SEEDS}
_OTHERS: Schema = {"type": "array", "items": ID, "maxItems": MOST_EXCLUDED}
_BODY_PRICE: Schema = {
    "anyOf": [
        {"type": "number", "minimum": 0, "exclusiveMaximum": 1e12},
        {"type": "string", "pattern": "^[0-9]{1,12}([.][0-9]{1,6})?%?$"},
    ]
}
_CUSTOMER: Schema = {
    "type": ["string", "integer"], "minLength": 1, "maxLength": CUSTOMER_BYTES,
    "minimum": -(2**63), "maximum": 2**64 - 1,
}  # fmt: skip


_BOUNDED: Schema = {"type": "number", "minimum": -1e15, "maximum": 1e15}


def _like(parameter: Schema, schema: Schema) -> Schema:
    return _said(schema, parameter["description"])


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, _NULL]}


def bodies(common: Schema) -> dict[str, Schema]:
    """The schemas of request bodies.

    Args:
        common: the parameters of a list, by name, with a description each.
    """
    shared = {
        **{name: _like(common[name], _CUSTOMER) for name in ("uid", "aid")},
        **{name: _like(common[name], _OTHERS) for name in ("cart", "exclude")},
        **{name: common[name] for name in ("lang", "currency", "campaign", "send_id")},
    }  # fmt: skip
    own = {
        "items": _like(common["items"], _SEEDS), "item": _said(ID, "A single seed."),
        **{name: common[name] for name in ("n", "relation", "ranking", "placement", "category")},
        **{name: _like(common[name], _BODY_PRICE) for name in ("min_price", "max_price")},
        **{name: _like(common[name], {"type": "boolean"}) for name in ("in_stock", "group_variants", "fill")},
    }  # fmt: skip
    one = {name: _nullable(schema) for name, schema in own.items()}
    name = {"type": "string", "minLength": 1, "maxLength": MOST_ID}
    called = _nullable(_said(name, "Its name in the answer; default: the placement's, else its place from 0."))
    one = {"id": called, **one}
    page = {name: _nullable(schema) for name, schema in shared.items()}
    lists: Schema = {"type": "array", "items": _closed(one, tuple(one)), "minItems": 1, "maxItems": MOST_LISTS}
    change = {
        "hidden": _said(_or_null({"type": "boolean"}), "Null: as the feed says."),
        "stock": _said(_or_null(_BOUNDED), "0 or less: sold out. Null: as the feed says."),
        "price": _said(_or_null(_BOUNDED | {"minimum": 0}), "Null: as the feed says."),
        "at": _said(
            _or_null({"type": "string", "format": "date-time"}),
            "When it came to be, ISO 8601; default: now. The newest counts.",
        ),
    }
    return {
        "ItemChange": _closed(change, tuple(change)) | {"anyOf": [{"required": [name]} for name in CHANGEABLE]},
        "PlacementsRequest": _closed({"placements": lists, **page}, tuple(page)),
        "EraseRequest": _closed({"user_id": _said(_CUSTOMER, "Segment's `userId`.")}),
        **described_collector.BODY_SCHEMAS,
    }


_EXPLANATION: Schema = {
    "request_id": REQUEST_ID,
    "item": ID,
    "other": ID,
    "relation": {"type": "string", "enum": [relation.label for relation in Relation]},
    "customers": _said(_COUNT, "Distinct customers of the pair."),
    "item_customers": _said(_COUNT, "Customers who have the one, in the history that the relation uses."),
    "other_customers": _said(_COUNT, "Customers who have the other."),
    "total_customers": _said(_COUNT, "Customers whom the relation is about."),
    "scores": {
        "type": "object",
        "properties": {
            **dict.fromkeys(RANKINGS, _NUMBER),
            "lift": _said(_or_null(_NUMBER), "Times what chance gives."),
        },
        "required": [*RANKINGS, "lift"],
        "additionalProperties": _NUMBER,
    },
    "window": _closed({"days": _COUNT, "start": {"type": "string", "format": "date"}}),
    "text": _said(_TEXT, "The same as a sentence."),
}
_SECONDS = _or_null({"type": "number", "minimum": 0})
_STATS: Schema = {
    **dict.fromkeys(("messages", "events", "ignored", "rejected"), _COUNT),
    **dict.fromkeys(("customer_pairs", "links", "erasures", "under_way"), _WHOLE),
    "freshness_p50_s": _SECONDS,
    "freshness_p99_s": _SECONDS,
    "customers": _COUNT,
    "counters": {"type": "object", "additionalProperties": {"type": "integer"}},
}
ANSWERS: dict[str, Schema] = {
    "Item": _item({}),
    "ItemBecause": _item(_BECAUSE),
    "List": _closed(_listing("ItemBecause")),
    "Similar": _closed({"request_id": REQUEST_ID, "item": ID, **_listing("Item")}),
    "Recommendations": _closed({"request_id": REQUEST_ID, **_listing("ItemBecause")}),
    "Placements": _closed(
        {
            "request_id": REQUEST_ID,
            "placements": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/List"}},
        }
    ),
    "Widget": _closed(
        {
            "version": _said(_TEXT, "The hash of the script, which stands in its address."),
            "url": _TEXT,
            "integrity": _said(_TEXT, "What a browser checks the script by."),
            "tag": _said(_TEXT, "To be pasted into every page that shows lists."),
        }
    ),
    "Popular": _closed(
        {
            "request_id": REQUEST_ID,
            "signal": _TEXT,
            "stale": {"type": "boolean"},
            "items": {
                "type": "array",
                "items": _closed({**_CATALOGUE, "score": _NUMBER}, _OPTIONAL),
                "maxItems": MOST_ITEMS,
            },
        }
    ),
    "Items": _closed(
        {
            "request_id": REQUEST_ID,
            "items": {"type": "array", "items": _closed(_CATALOGUE, _OPTIONAL), "maxItems": MOST_ITEMS},
        }
    ),
    "Explanation": _closed(_EXPLANATION),
    "Stats": _closed(_STATS),
    "Changed": _closed(
        {
            "request_id": REQUEST_ID,
            "item": ID,
            "changed": _said({"type": "boolean"}, "False: it said nothing new."),
            "processes": _said(_COUNT, "Server processes that are alive."),
            "followed": _said(_COUNT, "Those that answer by it."),
        }
    ),
    "Erasure": _closed(
        {"request_id": REQUEST_ID, "message_id": _TEXT, "erased_up_to": {"type": "string", "format": "date-time"}}
    ),
    "Health": _closed({"status": {"const": "ok"}}),
    "Readiness": _closed({"status": {"const": "ready"}, "redis": {"type": "string", "enum": ["ok", "away"]}}),
    "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
    "Error": _closed(
        {
            "error": _closed(
                {"code": _TEXT, "message": _TEXT, "field": _said(_or_null(_TEXT), "The parameter at fault.")}
            ),
            **described_collector.FOR_SDKS,
        },
        tuple(described_collector.FOR_SDKS),
    ),
    **described_collector.ANSWERS,
    **described_email.ANSWERS,
    **described_slots.ANSWERS,
    **described_status.ANSWERS,
}
