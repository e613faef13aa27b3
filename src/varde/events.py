"""Segment messages -> what they mean to Varde, or a reason why not. Pure: no clock, no I/O, never an exception."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from varde import ecommerce, timestamps
from varde.history import Signal


@dataclass(frozen=True, slots=True)
class Interaction:
    """A customer did `signal` with `items` at `time` (ms since the epoch, UTC).

    At least one of `user_id` and `anonymous_id` is set; the customer is `user_id` when known. `items` are distinct,
    in the order of the message, never empty.
    """

    user_id: str | None
    anonymous_id: str | None
    signal: Signal
    items: tuple[str, ...]
    time: int
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class IdentityLink:
    """`anonymous_id` belongs to `user_id`, said at `time` (ms)."""

    anonymous_id: str
    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """Forget `user_id`: everything up to `time` (ms)."""

    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that is not counted, and why: a key of REASONS. `detail` names the field, never a personal value.

    `link` is what a faulty interaction still says about identity: the ids and the time were good, and the warehouse
    links them too. It holds ids, so it is not shown and never part of a metric, a log line or a dead letter.
    """

    reason: str
    detail: str = ""
    link: IdentityLink | None = field(default=None, repr=False)

    @property
    def dead_letter(self) -> bool:
        """Whether the bytes go to the dead-letter topic (a fault) or the message is only counted (not for us)."""
        return REASONS[self.reason].dead_letter


Event = Interaction | IdentityLink | Erasure


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a message is not counted: `dead_letter` for faults, else a message that is fine but not ours."""

    meaning: str
    dead_letter: bool = True


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
    "bad_time": Reason("The time of the message is before the year 2000."),
    "alias_to_itself": Reason("An alias whose `previousId` is its `userId`.", dead_letter=False),
    "event_not_mapped": Reason("A track call with a name that Varde does not know.", dead_letter=False),
    "not_counted": Reason("A call or a standard event that changes no count.", dead_letter=False),
}
"""Every reason there is. docs/events.md has an example of each."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a shop names its things; see docs/events.md."""

    item_keys: tuple[str, ...] = ("product_id", "sku", "id")
    """Product fields tried in this order for the item id."""
    custom_events: tuple[tuple[str, Signal], ...] = ()
    """Further event names and the signal they give; they go before the standard names."""


MAX_BYTES: Final = 32 * 1024
_CALLS: Final = frozenset({"track", "identify", "page", "screen", "group"})


class _BadIdError(Exception):
    """Leaves the parser's inner functions; `parse` turns it into its `rejected`."""

    def __init__(self, reason: str, field_: str) -> None:
        super().__init__(reason)
        self.rejected = Rejected(reason, field_)


def parse(data: bytes, received_at: int, mapping: Mapping) -> tuple[Event, ...] | Rejected:
    """The meaning of one message.

    Args:
        data: the Pub/Sub message's data, a Segment message as JSON.
        received_at: when the queue took the message (ms); used when the message has no `receivedAt` of its own.
        mapping: the shop's names.

    Returns:
        The events it stands for (never empty; an IdentityLink comes before the Interaction), or a Rejected.
    """
    if len(data) > MAX_BYTES:
        return Rejected("too_large")
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return Rejected("not_json")
    if not isinstance(message, dict):
        return Rejected("not_an_object")
    type_ = message.get("type")
    try:
        if isinstance(type_, str):
            if type_ in _CALLS:
                return _parse_call(type_, message, received_at, mapping)
            if type_ == "alias":
                return _parse_alias(message, received_at)
            if type_ == "delete":
                return _parse_delete(message, received_at)
    except _BadIdError as error:
        return error.rejected
    return Rejected("unknown_type", "type")


def _id(message: dict[str, Any], name: str) -> str | None:
    """A customer id as it came: opaque, not trimmed; null and empty text are no id."""
    value = message.get(name)
    if value is None or value == "":
        return None
    if type(value) is int:  # not bool, which is an int too
        return str(value)
    if not isinstance(value, str):
        raise _BadIdError("bad_id", name)
    if ecommerce.too_long(value):
        raise _BadIdError("id_too_long", name)
    return value


def _parse_call(
    type_: str, message: dict[str, Any], received_at: int, mapping: Mapping
) -> tuple[Event, ...] | Rejected:
    user_id, anonymous_id = _id(message, "userId"), _id(message, "anonymousId")
    if user_id is None and anonymous_id is None:
        return Rejected("no_id", "userId, anonymousId")
    what: tuple[Signal, tuple[str, ...], str | None] | Rejected
    what = _interaction(message, mapping) if type_ == "track" else Rejected("not_counted", type_)
    if isinstance(what, Rejected) and (user_id is None or anonymous_id is None):
        return what
    time, source = timestamps.event_time(message, received_at)
    if time < timestamps.EARLIEST:
        return what if isinstance(what, Rejected) and what.dead_letter else Rejected("bad_time", source)
    link = IdentityLink(anonymous_id, user_id, time) if user_id is not None and anonymous_id is not None else None
    if not isinstance(what, Rejected):
        signal, items, order_id = what
        done = Interaction(user_id, anonymous_id, signal, items, time, order_id)
        return (done,) if link is None else (link, done)
    return replace(what, link=link) if link is None or what.dead_letter else (link,)


def _interaction(message: dict[str, Any], mapping: Mapping) -> tuple[Signal, tuple[str, ...], str | None] | Rejected:
    """(signal, items, order id) of a track call."""
    event = message.get("event")
    if not isinstance(event, str) or not event:
        return Rejected("bad_event", "event")
    known = ecommerce.names(mapping.custom_events).find(event)
    if known is None:
        return Rejected("event_not_mapped", "event")
    name, signal = known
    if signal is None:
        return Rejected("not_counted", name)
    properties = message.get("properties")
    if properties is None:
        properties = {}
    elif not isinstance(properties, dict):
        return Rejected("bad_properties", "properties")
    if signal is Signal.PURCHASE:
        return _order(properties, mapping.item_keys)
    item = ecommerce.item_id(properties, mapping.item_keys)
    if item is None:
        reason, field_ = ecommerce.why_no_item(properties, mapping.item_keys)
        return Rejected(reason, f"properties.{field_}")
    return signal, (item,), None


def _order(
    properties: dict[str, Any], item_keys: tuple[str, ...]
) -> tuple[Signal, tuple[str, ...], str | None] | Rejected:
    bought = ecommerce.products(properties.get("products"))
    if bought is None:
        return Rejected("bad_products", "properties.products")
    if not bought:
        return Rejected("no_products", "properties.products")
    items = ecommerce.order_items(bought, item_keys)
    if not items:
        return Rejected("no_item_id", "properties.products")
    return Signal.PURCHASE, items, ecommerce.order_id(properties)


def _parse_alias(message: dict[str, Any], received_at: int) -> tuple[Event, ...] | Rejected:
    user_id, previous_id = _id(message, "userId"), _id(message, "previousId")
    if user_id is None or previous_id is None:
        return Rejected("no_id", "previousId" if previous_id is None else "userId")
    if user_id == previous_id:
        return Rejected("alias_to_itself")
    time, source = timestamps.event_time(message, received_at)
    if time < timestamps.EARLIEST:
        return Rejected("bad_time", source)
    return (IdentityLink(previous_id, user_id, time),)


def _parse_delete(message: dict[str, Any], received_at: int) -> tuple[Event, ...] | Rejected:
    user_id = _id(message, "userId")
    if user_id is None:
        return Rejected("no_id", "userId")
    time, _ = timestamps.event_time(message, received_at)
    if time < timestamps.EARLIEST:  # a person's wish is not dropped for its date
        time = timestamps.received_time(message, received_at)
    return (Erasure(user_id, time),)
