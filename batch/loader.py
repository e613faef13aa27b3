"""Segment messages -> rows of Segment's warehouse tables: what Segment's own sync does, for a warehouse of ours.

It stores columns and leaves their meaning to the SQL: every copy of a message is a row, events are not chosen by what
counts, ids are not checked for length. What Segment would not have accepted is skipped and counted by reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
import pyarrow as pa

from varde import ecommerce, timestamps
from varde.events import MAX_BYTES, Mapping

from .warehouse import Warehouse, segment

ERASURES = "varde.erasure_requests"
_ERASURES = {"user_id": pa.string(), "time": pa.int64()}
_CALLS = {"identify": "identifies", "page": "pages", "screen": "screens", "group": "groups", "alias": "aliases"}
_OLDEST, _NEWEST = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 and 9999: what a TIMESTAMP holds."""


@dataclass(slots=True)
class Loaded:
    """What a loader has done so far.

    messages: messages taken. rows: table -> rows written. skipped: reason -> messages that gave no row.
    discarded: property -> values that have no column: they collide with one of Segment's or have a type that an item
    id cannot have.
    """

    messages: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    discarded: Counter[str] = field(default_factory=Counter)


class _SkipError(Exception):
    """The message gives no row; the argument is the reason."""


class Loader:
    """Collects messages and writes them in batches. Call `flush` at the end.

    Args:
        warehouse: where the rows go.
        mapping: the shop's names: which events have a table that is read.
        batch_rows: rows held before they are written.
    """

    def __init__(self, warehouse: Warehouse, mapping: Mapping | None = None, batch_rows: int = 50_000) -> None:
        self.loaded = Loaded()
        self._warehouse = warehouse
        self._names = ecommerce.names((mapping or Mapping()).custom_events)
        self._batch_rows = batch_rows
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._held = 0

    def add(self, data: bytes, received_at_ms: int) -> None:
        """Take one message as it came from the queue.

        Args:
            data: a Segment message as JSON.
            received_at_ms: when the queue took it, ms.
        """
        self.loaded.messages += 1
        try:
            self._add(_message(data), data, received_at_ms)
        except _SkipError as skip:
            self.loaded.skipped[str(skip)] += 1
        if self._held >= self._batch_rows:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        for table, rows in self._rows.items():
            columns = _ERASURES if table == ERASURES else segment.columns_of(table.partition(".")[2])
            arrays = [
                _array(values, type_) for values, type_ in zip(zip(*rows, strict=True), columns.values(), strict=True)
            ]
            self.loaded.rows[table] += self._warehouse.load(table, pa.table(arrays, names=list(columns)))
        self._rows = {}
        self._held = 0

    def _add(self, message: dict[str, Any], data: bytes, received_at: int) -> None:
        type_ = message.get("type")
        if type_ == "delete":
            self._erasure(message, received_at)
        elif type_ == "track":
            self._track(message, _common(message, data, received_at))
        elif isinstance(type_, str) and type_ in _CALLS:
            common = _common(message, data, received_at)
            self._put(f"segment.{_CALLS[type_]}", common + _own(type_, message))
        else:
            reason = "unknown_type"
            raise _SkipError(reason)

    def _erasure(self, message: dict[str, Any], received_at: int) -> None:
        user_id = _id(message, "userId")
        if user_id is None:
            reason = "no_id"
            raise _SkipError(reason)
        time, _ = timestamps.event_time(message, received_at)
        if time < timestamps.EARLIEST:  # a person's wish is not dropped for its date
            time = timestamps.received_time(message, received_at)
        self._put(ERASURES, (user_id, time))

    def _track(self, message: dict[str, Any], common: tuple[Any, ...]) -> None:
        event = message.get("event")
        name = event if isinstance(event, str) else ""
        track = (*common, ecommerce.table_name(name), name)
        self._put("segment.tracks", track)
        known = self._names.find(name) if name else None
        if known is None or known[1] is None:
            return
        properties = message.get("properties")
        self._put(f"segment.{ecommerce.table_name(known[0])}", track + self._properties(properties))

    def _properties(self, properties: Any) -> tuple[str | None, ...]:
        """Values of segment.PROPERTIES."""
        if not isinstance(properties, dict):
            if properties is not None:
                self.loaded.discarded["properties"] += 1
            return (None,) * len(segment.PROPERTIES)
        if "id" in properties:
            self.loaded.discarded["id"] += 1
        ids = [self._item(properties, name) for name in ("product_id", "sku", "variant")]
        return (*ids, _text(properties.get("order_id")), _text(properties.get("currency")), _products(properties))

    def _item(self, properties: dict[str, Any], name: str) -> str | None:
        # A column of text cannot tell 9.5 or true from the text of it, and neither is an item id: keep them out.
        value = properties.get(name)
        if value is None or isinstance(value, str):
            return value
        if type(value) is int:
            return str(value)
        self.loaded.discarded[name] += 1
        return None

    def _put(self, table: str, row: tuple[Any, ...]) -> None:
        self._rows.setdefault(table, []).append(row)
        self._held += 1


def _message(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        reason = "too_large"
        raise _SkipError(reason)
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        reason = "not_json"
        raise _SkipError(reason) from None
    if not isinstance(message, dict):
        reason = "not_an_object"
        raise _SkipError(reason)
    return message


def _common(message: dict[str, Any], data: bytes, received_at: int) -> tuple[Any, ...]:
    """Values of the columns every table has, in the order of segment's declaration."""
    user_id, anonymous_id = _id(message, "userId"), _id(message, "anonymousId")
    if user_id is None and anonymous_id is None:
        reason = "no_id"
        raise _SkipError(reason)
    received = timestamps.received_time(message, received_at)
    time, _ = timestamps.event_time(message, received_at)
    loaded = max(received, received_at)
    context = message.get("context")
    library = context.get("library") if isinstance(context, dict) else None
    return (
        _message_id(message, data),
        anonymous_id,
        user_id,
        max(time, _OLDEST),
        _date(message.get("originalTimestamp")),
        _date(message.get("sentAt")),
        received,
        loaded,
        loaded,
        _text(library.get("name")) if isinstance(library, dict) else None,
    )


def _own(type_: str, message: dict[str, Any]) -> tuple[str | None, ...]:
    """Values of the columns that only this call's table has."""
    if type_ in ("page", "screen"):
        return (_text(message.get("name")),)
    if type_ == "group":
        return (_text(message.get("groupId")),)
    return (_id(message, "previousId"),) if type_ == "alias" else ()


def _id(message: dict[str, Any], name: str) -> str | None:
    value = message.get(name)
    if value is None or value == "":
        return None
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        reason = "bad_id"
        raise _SkipError(reason)
    return value


def _message_id(message: dict[str, Any], data: bytes) -> str:
    """`messageId`; Segment assigns one when there is none, here the same for the same bytes."""
    value = message.get("messageId")
    if isinstance(value, str) and value:
        return value
    return f"assigned-{blake2b(data, digest_size=16).hexdigest()}"


def _date(value: Any) -> int | None:
    time = timestamps.read(value)
    return time if time is not None and _OLDEST <= time <= _NEWEST else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _products(properties: dict[str, Any]) -> str | None:
    """The array as JSON text; text that is JSON already in the same canonical form, any other text as it came."""
    value = properties.get("products")
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return str(value)
    return None if value is None else orjson.dumps(value).decode()


def _array(values: tuple[Any, ...], type_: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(type_):
        return pa.array(values, pa.timestamp("ms", tz="UTC")).cast(type_)
    return pa.array(values, type_)
