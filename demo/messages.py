"""Segment messages as Segment's Pub/Sub destination delivers them: the whole event as JSON, no attributes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from varde import timestamps

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_FIELDS = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
LATENCY_MS = 180
"""From the shopper's device to Segment, in what is generated here."""


class Message(NamedTuple):
    """What is published (bytes), and the time of the event (ms since the epoch, UTC)."""

    data: bytes
    time: int


def iso(ms: int) -> str:
    """A time as Segment writes it: 2026-08-01T12:00:00.000Z."""
    return (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def delivered(
    body: Mapping[str, Any], message_id: str, time: int, received: int | None = None, *, server: bool = False
) -> dict[str, Any]:
    """A message with the fields that Segment adds on the way.

    Args:
        body: type, ids and what belongs to the type (event, properties, traits, …).
        message_id: unique per message; the same in a duplicate.
        time: when it happened, ms.
        received: when Segment got it, ms; shortly after `time` unless given.
        server: sent by the shop's server, not by a browser.
    """
    received = time + LATENCY_MS if received is None else received
    library = "analytics-python" if server else "analytics.js"
    return {
        "messageId": message_id,
        **body,
        "timestamp": iso(time),
        "originalTimestamp": iso(time),
        "sentAt": iso(received - LATENCY_MS),
        "receivedAt": iso(received),
        "channel": "server" if server else "client",
        "context": {"library": {"name": library, "version": "2.4.0" if server else "next-1.84.3"}},
        "integrations": {},
        "version": 2,
    }


def encode(message: Mapping[str, Any], time: int) -> Message:
    """The message as it is published."""
    return Message(orjson.dumps(message), time)


def shift(messages: Iterable[Message], by: int) -> Iterator[Message]:
    """The same messages, `by` ms later: every time that Segment writes, and nothing else.

    Every form of a time that the stream reads is shifted (timestamps.read). A number stays a number of the same unit,
    a text becomes ISO 8601. What is not a JSON object passes as it is, and so does a time that cannot be read or would
    leave the calendar.
    """
    for message in messages:
        yield Message(_shifted(message.data, by), message.time + by)


def _shifted(data: bytes, by: int) -> bytes:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data
    if not isinstance(body, dict):
        return data
    changed = False
    for name in TIME_FIELDS:
        before: Any = body.get(name)
        time = timestamps.read(before)
        if time is not None:
            try:
                body[name] = iso(time + by) if isinstance(before, str) else _number(before, time + by)
            except OverflowError:
                continue
            changed = True
    return orjson.dumps(body) if changed else data


def _number(before: float, ms: int) -> float | str:
    """`ms` in the unit of the number before; as text when a number of that unit would be read as another time."""
    whole, rest = divmod(ms, 1000)
    seconds = whole if not rest else ms / 1000
    number = seconds if timestamps.in_seconds(before) else ms
    return number if timestamps.read(number) == ms else iso(ms)


def last_time(messages: Iterable[Message]) -> int | None:
    """The latest event time (ms), to shift a file so that it ends now; None if there are no messages."""
    return max((message.time for message in messages), default=None)
