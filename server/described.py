"""What the OpenAPI document says of routes, parameters and errors: tables. Tests hold them against the handlers."""

from __future__ import annotations

from typing import Any

from varde.history import Signal
from varde.pairs import Relation

from . import described_collector, described_email, described_slots, described_status
from .asked import CAMPAIGN_BYTES, COMMON, MOST_EXCLUDED
from .asked import SEEDS as SEED_NAMES
from .description import Error as Error
from .description import Operation as Operation
from .description import Parameter as Parameter
from .params import CUSTOMER_BYTES, ITEM_BYTES, MOST_ITEMS, MOST_SEEDS, YES
from .widget import SCRIPT

ERRORS = {
    "bad_parameter": Error(
        400, "a parameter or a field of the body is unknown, missing, given twice, or its value makes no sense"
    ),
    "unauthorized": Error(401, "the route needs a key and got none, or the key is nobody's"),
    "forbidden": Error(403, "the key is somebody's, but not for this route"),
    "no_admin_key": Error(403, "no client may erase, and the server has no admin key"),
    "not_found": Error(404, "there is no such route"),
    "method_not_allowed": Error(405, "the route does not take this method; the header `Allow` says which"),
    "too_many_items": Error(409, "there are `VARDE_MAX_ITEMS` items already, and this is not one of them"),
    "too_large": Error(413, "the body has more than 16 kB"),
    "rate_limited": Error(429, "this key has asked too often; the header `Retry-After` says when to ask again"),
    "internal": Error(500, "a fault of the server; the request id is in its log"),
    "store_unavailable": Error(
        503, "Redis does not answer; only routes that have nothing to fall back on, and changes"
    ),
    "loading": Error(503, "the server has not read everything from Redis yet"),
    "draining": Error(503, "the server is about to stop"),
    "no_topic": Error(503, "the server has no `VARDE_TOPIC` to send messages to"),
    "not_published": Error(503, "Pub/Sub did not take a message, or did not say so in time; send it again"),
    **described_collector.ERRORS,
    **described_email.ERRORS,
    **described_slots.ERRORS,
}
ANYWHERE = ("too_large", "internal")
"""Errors of every route."""
OF_SCOPES = ("unauthorized", "forbidden", "rate_limited")
"""Errors of every route that a key may be needed for."""

_ITEM = {"type": "string", "minLength": 1, "maxLength": ITEM_BYTES}
_IN_LIST = _ITEM | {"pattern": "^[^,]+$"}
_CUSTOMER = {"type": "string", "minLength": 1, "maxLength": CUSTOMER_BYTES}
_PRICE = {"type": "string", "pattern": "^[0-9]{1,12}([.][0-9]{1,6})?%?$"}
_FLAG = {"type": "string", "enum": list(YES)}


def _many(item: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": most}


PARAMETERS = {
    "item_path": Parameter(_ITEM, "An item id, percent-encoded.", "tent-aurora-2p", place="path"),
    "other": Parameter(_ITEM, "The id of another item.", "tent-pegs-titanium", place="path"),
    "n": Parameter(
        {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS}, "Items in the answer; default: the placement's.", 4
    ),
    "relation": Parameter(
        {"type": "string", "enum": [relation.label for relation in Relation]},
        "Which pairs count; default: the placement's.",
        "also_viewed",
    ),
    "ranking": Parameter({"type": "string"}, "The order's name; default: the placement's.", "llr"),
    "placement": Parameter(
        {"type": "string"},
        "Where the list is shown: its rules hold, and its values where the request has none.",
        "default",
    ),
    "items": Parameter(_many(_IN_LIST, MOST_SEEDS), "Seeds, the most recent first.", ["stove-primus-lite"], True),
    "item": Parameter(
        _many(_ITEM, MOST_SEEDS), "A seed taken as it is (its id may hold a comma); comes after `items`.", ["mat"]
    ),
    "exclude": Parameter(
        _many(_IN_LIST, MOST_EXCLUDED), "Items that are not to be in the answer.", ["mug-enamel-red"], True
    ),
    "exclude_item": Parameter(_many(_ITEM, MOST_EXCLUDED), "One of them, taken as it is.", ["mug, red"]),
    "cart": Parameter(
        _many(_IN_LIST, MOST_EXCLUDED), "Items in the customer's cart; makes the answer private.", ["mat"], True
    ),
    "cart_item": Parameter(_many(_ITEM, MOST_EXCLUDED), "One of them, taken as it is.", ["mat, blue"]),
    "category": Parameter(
        {"type": "string", "minLength": 1, "maxLength": 256},
        "Only items of this category; `same`: of the first seed's most specific one.",
        "Camping",
    ),
    "min_price": Parameter(_PRICE, "Lowest price, such as `100`; `50%` is a part of the first seed's.", "50%"),
    "max_price": Parameter(_PRICE, "Highest price, in the same way.", "2000"),
    "in_stock": Parameter(_FLAG, "Leave out what is sold out.", "true"),
    "group_variants": Parameter(_FLAG, "At most one item of one parent, and no variant of a seed.", "true"),
    "fill": Parameter(_FLAG, "Complete a list of fewer than n items from lower rungs.", "true"),
    "lang": Parameter(
        {"type": "string", "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", "maxLength": 35},
        "Language of title and address, where the catalogue has it.",
        "sv",
    ),
    "currency": Parameter(
        {"type": "string", "pattern": "^[A-Z]{3}$"}, "Currency of prices, where the catalogue has it.", "SEK"
    ),
    "uid": Parameter(_CUSTOMER, "A customer's `userId`; makes the answer private.", "jane@shop.example"),
    "aid": Parameter(_CUSTOMER, "An `anonymousId`; makes the answer private.", "device-1"),
    "campaign": Parameter(
        {"type": "string", "minLength": 1, "maxLength": CAMPAIGN_BYTES},
        "The mailing or campaign that the list is for; changes nothing, and is part of exposures of experiments.",
        "spring-news",
    ),
    "send_id": Parameter(
        {"type": "string", "minLength": 1, "maxLength": CAMPAIGN_BYTES},
        "One sending of it; in the same way.",
        "2026-05-04",
    ),
    "hash": Parameter(
        {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "The version; `GET /widget` says it.",
        SCRIPT.hash,
        place="path",
    ),
    "signal": Parameter(
        {"type": "string", "enum": [signal.name.lower() for signal in Signal]}, "What was done; default `view`.", "view"
    ),
    "q": Parameter(
        {"type": "string", "minLength": 1, "maxLength": ITEM_BYTES},
        "An item id, or words of its name and brand.",
        "tent",
        required=True,
    ),
    **described_collector.PARAMETERS,
    **described_email.PARAMETERS,
    **described_slots.PARAMETERS,
    **described_status.PARAMETERS,
}
"""By name; the item of a path as `item_path`, since a query has an `item` of its own."""


LISTS, REASONS, CATALOGUE, CUSTOMERS = "Lists", "Reasons and figures", "Catalogue", "Customers"
WIDGET = "Widget"
SERVICE, PAGES = "Running it", "For people"
TAGS = {
    LISTS: "What shops and mails show: empty only while there is nothing to show, and no error for an unknown item.",
    WIDGET: "A custom element that shows lists on a shop's pages.",
    REASONS: "Exact counts, for people of the shop.",
    CATALOGUE: "Single changes between two loads of the feed.",
    CUSTOMERS: "What a customer may ask of the shop.",
    SERVICE: "For balancers and dashboards.",
    PAGES: "HTML, and what it loads.",
    **described_collector.TAGS,
    **described_email.TAGS,
}

_BAD = ("bad_parameter",)
_ASSET = "Loaded by the page at `/explore`."
OPERATIONS = {
    "/v1/similar/{item}": Operation(
        "similar", LISTS, "Items for one item", "What the same customers viewed (or bought) as this one.",
        "Similar", ("item_path", *COMMON), _BAD, cached=True,
    ),
    "/v1/recommendations": Operation(
        "recommendations", LISTS, "Items for several seeds, or for a customer",
        "The seeds are those given, else the latest views of the customer. One of `items`, `item`, `uid`, `aid` and "
        "`cart` is needed, unless the placement starts from what is trending or popular.",
        "Recommendations", (*SEED_NAMES, *COMMON), _BAD, cached=True,
    ),
    "/v1/placements": Operation(
        "placements", LISTS, "All lists of a page",
        "Several lists in one request; no item, and no two variants of one, stand in two of them.",
        "Placements", (), _BAD, body="PlacementsRequest",
    ),
    "/widget": Operation("widget", WIDGET, "The tag to paste", "The script's version.", "Widget"),
    "/widget/varde-recs.js": Operation(
        "widgetScript", WIDGET, "The script", "This server's version, asked for anew every five minutes.",
        media="text/javascript",
    ),
    "/widget/{hash}/varde-recs.js": Operation(
        "widgetVersion", WIDGET, "The script in one version", "It never changes, so it is kept for a year.",
        parameters=("hash",), codes=("not_found",), media="text/javascript",
    ),
    "/v1/popular": Operation(
        "popular", LISTS, "Popular items", "The items with most recent interactions.",
        "Popular", ("signal", "n"), _BAD,
    ),
    "/v1/explain/{item}/{other}": Operation(
        "explain", REASONS, "Why two items belong together", "From exact counts, not from the list that was stored.",
        "Explanation", ("item_path", "other", "relation"), ("bad_parameter", "store_unavailable"),
    ),
    "/v1/stats": Operation(
        "stats", REASONS, "What the stream has done", "Since Redis was empty.",
        "Stats", (), ("bad_parameter", "store_unavailable"),
    ),
    "/v1/items": Operation(
        "items", REASONS, "Items by id or name", "For people who type; hidden items are not found.",
        "Items", ("q", "n"), _BAD,
    ),
    "/v1/items/{item}": Operation(
        "change", CATALOGUE, "Hide an item, or say its stock or price",
        "200: every server process answers by it. 202: it is written, but a process has not said so within 2 seconds.",
        "Changed", ("item_path",), ("bad_parameter", "too_many_items", "store_unavailable"), body="ItemChange",
        also=(202,),
    ),
    "/v1/erase": Operation(
        "erase", CUSTOMERS, "Forget a customer",
        "Publishes Segment's own `delete` message, which the stream carries out.", "Erasure", (),
        ("bad_parameter", "no_admin_key", "no_topic", "not_published"), 202, body="EraseRequest",
    ),
    **described_collector.OPERATIONS,
    **described_email.OPERATIONS,
    **described_slots.OPERATIONS,
    "/healthz": Operation("healthz", SERVICE, "Is the process alive?", "Redis is not asked.", "Health"),
    "/readyz": Operation(
        "readyz", SERVICE, "May it be sent requests?",
        "Yes, once everything was read from Redis, until it is told to stop; also while Redis is away.",
        "Readiness", codes=("loading", "draining"),
    ),
    "/metrics": Operation(
        "metrics", SERVICE, "Metrics", "Prometheus' text format.", media="text/plain",
    ),
    "/openapi.json": Operation("openapi", SERVICE, "This document", "OpenAPI 3.1.", "Document"),
    "/docs": Operation("docs", PAGES, "This document as a page", "Without scripts.", media="text/html"),
    "/explore": Operation("explore", PAGES, "A page to look round in", "Neighbours and reasons.", media="text/html"),
    "/explore.css": Operation("exploreStyle", PAGES, "Its style", _ASSET, media="text/css"),
    "/explore.js": Operation("exploreScript", PAGES, "Its script", _ASSET, media="text/javascript"),
    "/explore-ask.js": Operation("exploreAsk", PAGES, "Its requests", _ASSET, media="text/javascript"),
    "/explore-rows.js": Operation("exploreRows", PAGES, "Its rows", _ASSET, media="text/javascript"),
    "/explore-items.js": Operation("exploreItems", PAGES, "Its items", _ASSET, media="text/javascript"),
    "/explore-figures.js": Operation("exploreFigures", PAGES, "Its figures", _ASSET, media="text/javascript"),
    **described_status.operations(REASONS, PAGES),
}  # fmt: skip
"""By path."""
