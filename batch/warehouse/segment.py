"""Segment's warehouse schema, as far as it is read: tables, columns, and which table an event's rows are in.

Source: Segment's documentation, "Warehouse schemas" and "BigQuery": one dataset a source, a table for each kind of
call, `tracks`, and one table per event that repeats the columns of `tracks` with one column per property. Properties
with the name of a column of Segment's own (`id`, `user_id`, …) are discarded; arrays are stored as their JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from varde.ecommerce import COUNTED, table_name
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
}
_TRACK = _COMMON | {"event": pa.string(), "event_text": pa.string()}

PROPERTIES = ("product_id", "sku", "variant", "order_id", "currency", "products")
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

EventTables = Mapping[str, tuple[str, ...]]
"""Table that a query names -> tables whose rows mean the same."""


def event_tables(custom_events: tuple[tuple[str, Signal], ...] = ()) -> EventTables:
    """Which tables hold views, carts and purchases: of the standard events, their older names and a shop's own.

    Raises:
        ValueError: two events of different signals would share a table.
    """
    signals = {table_name(name): signal for name, signal in COUNTED.items()}
    own: dict[str, Signal] = {}
    for name, signal in custom_events:
        table = table_name(name)
        if own.setdefault(table, signal) != signal or not table:
            msg = f"event {name!r}: its table {table!r} cannot be told from another event's"
            raise ValueError(msg)
    signals |= own
    return {
        table: tuple(name for name, found in signals.items() if found == signal) for signal, table in STANDARD.items()
    }


def columns_of(table: str) -> Mapping[str, pa.DataType]:
    """Declared columns of a table of Segment's; any table that is not of a call is one of an event."""
    return CALL_TABLES.get(table, EVENT_COLUMNS)
