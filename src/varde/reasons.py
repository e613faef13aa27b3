"""Why a message does not count: every reason code there is.

docs/events.md has an example of each of REASONS, docs/catalogue.md of each of CATALOGUE.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a message is not counted: `dead_letter` for faults, else a message that is fine but not ours.

    `stage` is the step that finds out; a reason of `parse` is known from the message alone.
    """

    meaning: str
    dead_letter: bool = True
    stage: str = "parse"


REASONS: dict[str, Reason] = {
    "too_large": Reason("The message has more than 32 kB (32 * 1024 bytes), Segment's own limit."),
    "not_json": Reason("The bytes are not JSON in UTF-8."),
    "not_an_object": Reason("The JSON is not an object."),
    "unknown_type": Reason("`type` is missing, or none of Segment's calls."),
    "bad_id": Reason("A `userId`, `anonymousId` or `previousId` is neither text nor a whole number."),
    "id_too_long": Reason("A `userId`, `anonymousId` or `previousId` has more than 256 bytes."),
    "no_id": Reason("No id that the message needs: `userId` or `anonymousId`; both of alias; `userId` of delete."),
    "bad_event": Reason("`event` of a track call is missing, empty or not text."),
    "bad_properties": Reason("`properties` of a counted event is not an object."),
    "no_item_id": Reason("None of the item fields (VARDE_ITEM_KEYS) has a value, in the event or in any product."),
    "bad_item_id": Reason("The item id is neither text nor a whole number."),
    "item_id_too_long": Reason("The item id has more than 256 bytes."),
    "no_products": Reason("An order without products."),
    "bad_products": Reason("`products` is neither an array nor an object, nor the JSON text of one."),
    "no_order_id": Reason("A refund or cancellation that does not say of which order."),
    "bad_time": Reason("The time of the message is before the year 2000."),
    "flood": Reason(
        "The customer did more in this hour than VARDE_FLOOD_EVENTS or VARDE_FLOOD_ITEMS.", stage="profile"
    ),
    "robot": Reason("`context.userAgent` is that of a known robot.", dead_letter=False),
    "no_consent": Reason("A required consent is missing, and the message has no item to count.", dead_letter=False),
    "alias_to_itself": Reason("An alias whose `previousId` is its `userId`.", dead_letter=False),
    "event_not_mapped": Reason("A track call with a name that Varde does not know.", dead_letter=False),
    "not_counted": Reason("A call or a standard event that changes no count.", dead_letter=False),
}

CATALOGUE: dict[str, str] = {
    "too_large": "A message of changes has more than 256 kB (256 * 1024 bytes).",
    "not_json": "The bytes are not JSON in UTF-8.",
    "not_an_object": "The row or the change is not an object.",
    "bad_row": "The line is no row of CSV: too long, or with more values than the first line has names.",
    "no_item": "The id is missing or blank.",
    "bad_item": "The id is neither text nor a whole number, or has more than 256 bytes.",
    "unknown_field": "A change names a field that cannot be changed.",
    "nothing_changed": "A change names none of the fields that can be.",
    "bad_time": "The time of a change cannot be read, or is before the year 2000.",
    "bad_parent": "`parent` is no text, or has more than 256 bytes.",
    "bad_title": "`title` is no text, or has more than 1000 bytes.",
    "bad_url": "`url` is neither http, https nor a path, or has more than 2048 bytes.",
    "bad_image": "`image` is neither http, https nor a path, or has more than 2048 bytes.",
    "bad_price": "`price` is no number from 0.",
    "bad_currency": "`currency` is not three letters.",
    "bad_stock": "`stock` is no number.",
    "bad_categories": "`categories` is neither a list of up to 20 texts of at most 256 bytes, nor a path.",
    "bad_brand": "`brand` is no text, or has more than 256 bytes.",
    "bad_hidden": "`hidden` is neither true nor false.",
    "bad_texts": "`texts` is no object of language to title and url, or one of these is bad.",
    "bad_prices": "`prices` is no object of currency to price, or one of these is bad.",
    "bad_updated": "`updated` is no time since the year 2000.",
    "duplicate": "A row of the same item stands before it in the feed.",
    "no_room": "Redis holds VARDE_MAX_ITEMS other items.",
}
"""Why a row of a feed or a change of an item is not taken; the dead letters of stage `catalogue` have these reasons."""
