"""Segment messages -> what they mean to Varde, or a reason why not. Pure: no clock, no I/O, never an exception."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from varde import consent, deeds, ecommerce, robots, timestamps
from varde.history import Signal
from varde.meaning import (
    Erasure,
    Event,
    IdentityLink,
    Impersonal,
    Interaction,
    Rejected,
    Return,
    Withdrawal,
)
from varde.reasons import REASONS

__all__ = [
    "MAX_BYTES",
    "REASONS",
    "Erasure",
    "Event",
    "IdentityLink",
    "Impersonal",
    "Interaction",
    "Mapping",
    "Rejected",
    "Return",
    "Withdrawal",
    "parse",
]


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a shop names its things, and whom it counts; see docs/events.md."""

    item_keys: tuple[str, ...] = ("product_id", "sku", "id")
    """Product fields tried in this order for the item id."""
    custom_events: tuple[tuple[str, Signal], ...] = ()
    """Further event names and the signal they give; they go before the standard names."""
    consent: tuple[str, ...] = ()
    """Consent categories without which nothing personal is kept; without any, consent is not looked at."""
    consent_default: bool = True
    """Whether a message that says nothing about consent has it."""
    robots: bool = False
    """Whether messages of known robots count."""


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
                return _parse_alias(message, received_at, mapping)
            if type_ == "delete":
                return _parse_delete(message, received_at)
    except _BadIdError as error:
        return error.rejected
    if not consent.given(message, mapping.consent, default=True):
        return Rejected("no_consent", "context.consent")
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


def _ids(message: dict[str, Any]) -> tuple[str | None, str | None]:
    """(userId, anonymousId), at least one of them."""
    user_id, anonymous_id = _id(message, "userId"), _id(message, "anonymousId")
    if user_id is None and anonymous_id is None:
        raise _BadIdError("no_id", "userId, anonymousId")
    return user_id, anonymous_id


def _parse_call(
    type_: str, message: dict[str, Any], received_at: int, mapping: Mapping
) -> tuple[Event, ...] | Rejected:
    if not mapping.robots and robots.sent(message):
        return Rejected("robot", "context.userAgent")
    if not consent.given(message, mapping.consent, mapping.consent_default):
        return _without_consent(type_, message, received_at, mapping)
    user_id, anonymous_id = _ids(message)
    what: deeds.Deed | Rejected = (
        deeds.read(message, mapping.item_keys, mapping.custom_events)
        if type_ == "track"
        else Rejected("not_counted", type_)
    )
    if isinstance(what, Rejected) and (user_id is None or anonymous_id is None):
        return what
    time, source = timestamps.event_time(message, received_at)
    if time < timestamps.EARLIEST:
        return what if isinstance(what, Rejected) and what.dead_letter else Rejected("bad_time", source)
    link = IdentityLink(anonymous_id, user_id, time) if user_id is not None and anonymous_id is not None else None
    if not isinstance(what, Rejected):
        done: Event
        if what.signal is None:
            done = Return(user_id, anonymous_id, what.order_id or "", what.items, time)
        else:
            done = Interaction(user_id, anonymous_id, what.signal, what.items, time, what.order_id)
        return (done,) if link is None else (link, done)
    return replace(what, link=link) if link is None or what.dead_letter else (link,)


def _without_consent(
    type_: str, message: dict[str, Any], received_at: int, mapping: Mapping
) -> tuple[Event, ...] | Rejected:
    """Nothing that says who it was, not even as a dead letter; but a withdrawal is heard.

    Only a withdrawal with ids that cannot be read is a fault: somebody has to act for that person.
    """
    refused = Rejected("no_consent", "context.consent")
    if type_ != "track":
        return refused
    time, _ = timestamps.event_time(message, received_at)
    event = message.get("event")
    if isinstance(event, str) and event.lower() == consent.CHANGED.lower():
        if time < timestamps.EARLIEST:  # a person's wish is not dropped for its date
            time = timestamps.received_time(message, received_at)
        return (Withdrawal(*_ids(message), time),)
    what = deeds.read(message, mapping.item_keys, mapping.custom_events)
    if isinstance(what, Rejected) or what.signal is None or time < timestamps.EARLIEST:
        return refused
    return (Impersonal(what.signal, what.items, time),)


def _parse_alias(message: dict[str, Any], received_at: int, mapping: Mapping) -> tuple[Event, ...] | Rejected:
    if not consent.given(message, mapping.consent, mapping.consent_default):
        return Rejected("no_consent", "context.consent")
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
    return (Erasure(user_id, timestamps.wish_time(message, received_at)),)
