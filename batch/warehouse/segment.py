"""Segment's warehouse schema, as far as it is read: tables, columns, and which table an event's rows are in.

Source: Segment's documentation, "Warehouse schemas" and "BigQuery": one dataset a source, a table for each kind of
call, `tracks`, and one table per event that repeats the columns of `tracks` with one column per property. Properties
with the name of a column of Segment's own (`id`, `user_id`, …) are discarded; arrays are stored as their JSON text;
objects are flattened, so that a consent category has a column of its own. Names become snake_case (go-snakecase).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from varde import consent, exposure
from varde.ecommerce import COUNTED, RETURNED, table_name
from varde.history import Signal

TIMESTAMP = pa.timestamp("us", tz="UTC")

_COMMON = {
    "id": pa.string(),
    "anonymous_id": pa.string(),
    "user_id": pa.string(),
    "timestamp": TIMESTAMP,
    "original_timestamp": TIMESTAMP,
    "sent_at": TIMESTAMP,
    "received_at": TIMESTAMP,
    "loaded_at": TIMESTAMP,
    "uuid_ts": TIMESTAMP,
    "context_library_name": pa.string(),
    "context_user_agent": pa.string(),
}
_TRACK = _COMMON | {"event": pa.string(), "event_text": pa.string()}

ITEM_PROPERTIES = ("product_id", "sku", "variant")
"""Properties that may name an item."""
PLAIN_PROPERTIES = ("currency", "revenue", "total", "request_id", "varde_request_id")
"""Properties that are stored as their text, whatever they are."""
PROPERTIES = (*ITEM_PROPERTIES, "order_id", *PLAIN_PROPERTIES, "products")
"""Properties of ecommerce events that are stored, each in a column of its name."""

EVENT_COLUMNS: Mapping[str, pa.DataType] = _TRACK | dict.fromkeys(PROPERTIES, pa.string())
"""Columns of a table per event."""

CALL_TABLES: Mapping[str, Mapping[str, pa.DataType]] = {
    "tracks": _TRACK,
    "identifies": _COMMON,
    "pages": _COMMON | {"name": pa.string()},
    "screens": _COMMON | {"name": pa.string()},
    "groups": _COMMON | {"group_id": pa.string()},
    "aliases": _COMMON | {"previous_id": pa.string()},
}
"""Columns of the tables per call."""

STANDARD = {Signal.VIEW: "product_viewed", Signal.CART: "product_added", Signal.PURCHASE: "order_completed"}
"""The table that a query names for a signal."""
RETURNS = "order_refunded"
"""The table that a query names for refunds and cancellations."""
CLICKS = "product_clicked"
"""The table that a query names for clicks on products."""
CLICKED = frozenset({"Product Clicked", "Clicked Product"})
"""Names of clicks on products, in versions 2 and 1 of the spec."""
STORED = RETURNED | CLICKED | {consent.CHANGED}
"""Standard events that have no signal and a table that is read."""

CONSENT = "context_consent"
"""Begins the name of every column that holds a part of the consent object. The column of just this name is our loader's
alone: it says that there was a consent object in which no category could be read."""
CONSENT_GIVEN = "consent_given"
"""A column that queries read and no table has: what the consent columns come to (varde.batch.warehouse.source)."""
VIRTUAL: Mapping[str, pa.DataType] = {CONSENT_GIVEN: pa.bool_()}
"""Columns that no table has."""

RAW = "raw_messages"
"""The table that a query names for what a subscription of Pub/Sub's writes."""
RAW_COLUMNS: Mapping[str, pa.DataType] = {
    "message_id": pa.string(),
    "publish_time": TIMESTAMP,
    "data": pa.string(),
    "attributes": pa.string(),
}
"""Columns of such a table, as far as they are read."""
STORE_TABLES: Mapping[str, Mapping[str, pa.DataType]] = {
    "sales": dict.fromkeys(("customer_id", "item", "time", "order_id"), pa.string()),
    "catalogue": dict.fromkeys(
        (
            "item",
            "parent",
            "title",
            "url",
            "image",
            "price",
            "currency",
            "stock",
            "categories",
            "brand",
            "texts",
            "prices",
            "hidden",
            "updated",
        ),
        pa.string(),
    ),
}
"""Tables that a shop may fill itself: each value is read by its text, so its column may have any type."""
EXPOSURES = "exposures"
"""The table that a query names for what a subscription of Pub/Sub's writes of lists in experiments."""
_EXPOSURE_TYPES: Mapping[str, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "BOOL": pa.bool_(),
    "TIMESTAMP": TIMESTAMP,
}


def _arrow(field: exposure.Field) -> pa.DataType:
    inner = [(one.name, _arrow(one)) for one in field.fields]
    type_ = pa.struct(inner) if inner else _EXPOSURE_TYPES[field.type]
    return pa.list_(type_) if field.mode == "REPEATED" else type_


EXPOSURE_COLUMNS: Mapping[str, pa.DataType] = {one.name: _arrow(one) for one in exposure.SCHEMA}
"""Columns of the table of exposures, by varde.exposure."""


def consent_column(category: str) -> str | None:
    """The column of a consent category; None for a name without a Latin letter or digit, which cannot have one."""
    words = re.findall(r"[A-Z0-9]+[a-z0-9]*|[a-z0-9]+", category)
    return "_".join([CONSENT, "category_preferences", *words]).lower() if words else None


@dataclass(frozen=True, slots=True)
class EventTables:
    """How a shop's tables are read.

    names: table that a query names -> tables whose rows mean the same; a table that is not in it stands for itself.
    consent: columns of the categories that a person must have agreed to; without any, everything is granted.
    consent_default: whether a message that says nothing about consent has it.
    categories: names of the required categories, as raw messages have them.
    raw: messages are read from the raw table instead of Segment's tables.
    """

    names: Mapping[str, tuple[str, ...]] = field(hash=False)
    consent: tuple[str, ...] = ()
    consent_default: bool = True
    categories: tuple[str, ...] = ()
    raw: bool = False


def event_tables(
    custom_events: tuple[tuple[str, Signal], ...] = (),
    consent: tuple[str, ...] = (),
    consent_default: bool = True,
    raw_table: str | None = None,
) -> EventTables:
    """Which tables hold views, carts, purchases, returns, clicks: standard events, their older names, a shop's own.

    Args:
        custom_events: a shop's own event names and their signals.
        consent: names of the required consent categories.
        consent_default: whether a message that says nothing about consent has it.
        raw_table: a table beside Segment's (or instead of them) that a subscription of Pub/Sub's writes, to read the
            messages from; None reads Segment's tables.

    Raises:
        ValueError: two events of different signals would share a table.
        CategoryError: a category cannot have a column, or not one of its own.
    """
    signals = {table_name(name): signal for name, signal in COUNTED.items()}
    own: dict[str, Signal] = {}
    for name, signal in custom_events:
        table = table_name(name)
        if own.setdefault(table, signal) != signal or not table:
            msg = f"event {name!r}: its table {table!r} cannot be told from another event's"
            raise ValueError(msg)
    signals |= own
    names = {
        table: tuple(name for name, found in signals.items() if found == signal) for signal, table in STANDARD.items()
    }
    for table, events in ((RETURNS, RETURNED), (CLICKS, CLICKED)):
        names[table] = tuple(other for other in sorted(map(table_name, events)) if other not in own)
    names[RAW] = () if raw_table is None else (raw_table,)
    if raw_table is not None:
        _check_paths(consent)
        return EventTables(names, (), consent_default, consent, raw=True)
    return EventTables(names, _consent_columns(consent), consent_default, consent)


class CategoryError(ValueError):
    """Consent categories that the warehouse cannot tell apart."""


def _consent_columns(categories: tuple[str, ...]) -> tuple[str, ...]:
    columns: dict[str, str] = {}
    for category in categories:
        column = consent_column(category)
        if column is None or columns.setdefault(column, category) != category:
            msg = f"category {category!r}: its column {column or ''!r} cannot be told from another category's"
            raise CategoryError(msg)
    return tuple(columns)


def _check_paths(categories: tuple[str, ...]) -> None:
    """A category is a part of a JSON path in quotes, which has no way to write some characters."""
    for category in categories:
        if not category or any(character in "\"'`\\" or not character.isprintable() for character in category):
            msg = f"category {category!r} cannot be looked up in raw messages"
            raise CategoryError(msg)


def store_columns(table: str) -> Mapping[str, pa.DataType]:
    """Declared columns of a table in the dataset `store`."""
    return EXPOSURE_COLUMNS if table == EXPOSURES else STORE_TABLES.get(table, {})


def columns_of(table: str) -> Mapping[str, pa.DataType]:
    """Declared columns of a table of Segment's; any table that is not of a call is one of an event."""
    return RAW_COLUMNS if table == RAW else CALL_TABLES.get(table, EVENT_COLUMNS)
