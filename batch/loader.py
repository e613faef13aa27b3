"""Segment messages -> rows of Segment's warehouse tables: what Segment's own sync does, for a warehouse of ours.

It stores columns and leaves their meaning to the SQL: every copy of a message is a row, events are not chosen by what
counts, ids are not checked for length. What Segment would not have accepted is skipped and counted by reason.

A delete message becomes a tombstone of our own, without the id: its keyed hash is enough to know the person by.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
import pyarrow as pa

from varde import ecommerce, keys, robots, timestamps
from varde.events import MAX_BYTES, Mapping

from . import json_message, tombstones
from .consents import Columns, Consents
from .json_message import SkipError
from .warehouse import Warehouse, segment
from .warehouse.columns import column

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


class Loader:
    """Collects messages and writes them in batches. Call `flush` at the end.

    Args:
        warehouse: where the rows go.
        mapping: the shop's names: which events have a table that is read.
        batch_rows: rows held before they are written.
        secret: VARDE_ID_SECRET, as the stream has it; it names the customers who are erased.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        mapping: Mapping | None = None,
        batch_rows: int = 50_000,
        secret: bytes = b"",
    ) -> None:
        self.loaded = Loaded()
        self._warehouse = warehouse
        mapping = mapping or Mapping()
        self._names = ecommerce.names(mapping.custom_events)
        self._consent = Consents(mapping.consent, self.loaded.discarded)
        self._batch_rows = batch_rows
        self._secret = secret
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._consents: dict[str, list[Columns]] = {}
        self._held = 0

    def add(self, data: bytes, received_at_ms: int) -> None:
        """Take one message as it came from the queue.

        Args:
            data: a Segment message as JSON.
            received_at_ms: when the queue took it, ms.
        """
        self.loaded.messages += 1
        try:
            self._add(json_message.read(data, MAX_BYTES), data, received_at_ms)
        except SkipError as skip:
            self.loaded.skipped[str(skip)] += 1
        if self._held >= self._batch_rows:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        for table, rows in self._rows.items():
            own = table == tombstones.TABLE
            columns = dict(tombstones.COLUMNS if own else segment.columns_of(table.partition(".")[2]))
            arrays = [
                column(values, type_) for values, type_ in zip(zip(*rows, strict=True), columns.values(), strict=True)
            ]
            consents = self._consents.get(table, [])
            for name in sorted(set().union(*consents)):
                columns[name] = pa.string() if name == segment.CONSENT else pa.bool_()
                arrays.append(pa.array([row.get(name) for row in consents], columns[name]))
            self.loaded.rows[table] += self._warehouse.load(table, pa.table(arrays, names=list(columns)))
        self._rows, self._consents = {}, {}
        self._held = 0

    def _add(self, message: dict[str, Any], data: bytes, received_at: int) -> None:
        type_ = message.get("type")
        if type_ == "delete":
            self._erasure(message, received_at)
        elif type_ == "track":
            common = _common(message, data, received_at)
            self._track(message, common, self._consent.read(message))
        elif isinstance(type_, str) and type_ in _CALLS:
            common = _common(message, data, received_at)
            self._put(f"segment.{_CALLS[type_]}", common + _own(type_, message), self._consent.read(message))
        else:
            reason = "unknown_type"
            raise SkipError(reason)

    def _erasure(self, message: dict[str, Any], received_at: int) -> None:
        user_id = _id(message, "userId")
        if user_id is None:
            reason = "no_id"
            raise SkipError(reason)
        time = timestamps.wish_time(message, received_at)
        self._put(tombstones.TABLE, (keys.customer_key(user_id, None, self._secret), time), {})

    def _track(self, message: dict[str, Any], common: tuple[Any, ...], consent: Columns) -> None:
        event = message.get("event")
        name = event if isinstance(event, str) else ""
        track = (*common, ecommerce.table_name(name), name)
        self._put("segment.tracks", track, consent)
        known = self._names.find(name) if name else None
        if known is None or (known[1] is None and known[0] not in segment.STORED):
            return
        properties = message.get("properties")
        self._put(f"segment.{ecommerce.table_name(known[0])}", track + self._properties(properties), consent)

    def _properties(self, properties: Any) -> tuple[str | None, ...]:
        """Values of segment.PROPERTIES."""
        if not isinstance(properties, dict):
            if properties is not None:
                self.loaded.discarded["properties"] += 1
            return (None,) * len(segment.PROPERTIES)
        if "id" in properties:
            self.loaded.discarded["id"] += 1
        ids = [self._item(properties, name) for name in segment.ITEM_PROPERTIES]
        plain = [_plain(properties.get(name)) for name in segment.PLAIN_PROPERTIES]
        return (*ids, self._order_id(properties), *plain, _products(properties))

    def _item(self, properties: dict[str, Any], name: str) -> str | None:
        # A column of text cannot tell 9.5 or true from the text of it, and neither is an item id: keep them out.
        value = properties.get(name)
        if value is None or isinstance(value, str):
            return value
        if type(value) is int:
            return str(value)
        self.loaded.discarded[name] += 1
        return None

    def _order_id(self, properties: dict[str, Any]) -> str | None:
        """`order_id`, else version 1's `orderId`: both have the column order_id."""
        found = ecommerce.item_id(properties, ("order_id", "orderId"))
        if found is None and properties.get("order_id") is not None:
            self.loaded.discarded["order_id"] += 1
        return found

    def _put(self, table: str, row: tuple[Any, ...], consent: Columns) -> None:
        self._rows.setdefault(table, []).append(row)
        self._consents.setdefault(table, []).append(consent)
        self._held += 1


def _common(message: dict[str, Any], data: bytes, received_at: int) -> tuple[Any, ...]:
    """Values of the columns every table has, in the order of segment's declaration."""
    user_id, anonymous_id = _id(message, "userId"), _id(message, "anonymousId")
    if user_id is None and anonymous_id is None:
        reason = "no_id"
        raise SkipError(reason)
    time, received, _ = timestamps.claimed_time(message, received_at)
    loaded = max(received, received_at)
    context = message.get("context")
    context = context if isinstance(context, dict) else {}
    library, agent = context.get("library"), context.get("userAgent")
    return (
        _message_id(message, data),
        anonymous_id,
        user_id,
        min(max(time, _OLDEST), _NEWEST),
        _date(message.get("originalTimestamp")),
        _date(message.get("sentAt")),
        received,
        loaded,
        loaded,
        _text(library.get("name")) if isinstance(library, dict) else None,
        agent[: robots.LONGEST] if isinstance(agent, str) else None,
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
        raise SkipError(reason)
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


def _plain(value: Any) -> str | None:
    """Text, or a number or truth value by its text; nothing of an object, which has no column of its name."""
    return None if isinstance(value, dict | list) else _text(value)


def _products(properties: dict[str, Any]) -> str | None:
    """The array as JSON text; text that is JSON already in the same canonical form, any other text as it came."""
    value = properties.get("products")
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return str(value)
    return None if value is None else orjson.dumps(value).decode()
