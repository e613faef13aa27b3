"""What Segment's SDKs send -> messages as Segment passes them on, and what had to be left out. Pure.

docs/collector.md says what is done to a message, and why one is left out.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import orjson

from varde import addresses, tables, timestamps
from varde.events import MAX_BYTES
from varde.tables import key

CALLS: Final = ("track", "identify", "page", "screen", "group", "alias")
"""Types that an SDK may send. `delete` is none: a write key is public, and would erase whom it likes."""
MOST_MESSAGES: Final = 2_500
"""Most messages of one request, as Segment has it."""
MOST_GROWN: Final = 8_000_000
"""Most bytes that the messages of one request may come to, once each has the batch's context."""
MOST_MESSAGE_ID: Final = 100
"""Longest messageId, in characters, as Segment has it."""
NOT_AN_OBJECT, UNKNOWN_TYPE, UNKNOWN_KEY = "not_an_object", "unknown_type", "unknown_key"
TOO_LARGE, TOO_MANY, TOO_DEEP = "too_large", "too_many", "too_deep"
"""Why a message is left out."""
_OURS = ("writeKey", "sentAt", "_metadata", "receivedAt", "timestamp", "originalTimestamp", "messageId", "type")
"""Fields that are not passed on as they came."""
_SHARED = ("context", "integrations")
"""Fields of a batch that hold for each of its messages."""
_LATEST: Final = 253_402_300_799_999
"""The end of the year 9999, ms: later times have no text."""


def address(value: Any) -> str:
    """http(s)://host[:port][/path] without a slash at the end."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        good = good and (parts.port is None or parts.port > 0) and "@" not in value
        good = good and re.fullmatch(r"[!-~]+[^/]", value) is not None
    except ValueError:
        good = False
    if not good:
        msg = 'must be an address such as "https://collect.shop.example", without a slash at the end'
        raise ValueError(msg)
    return str(value)


def _write_key(value: Any) -> str:
    return tables.name(value if isinstance(value, str) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """What Segment's SDKs may send to the server itself."""

    write_keys: tuple[str, ...] = key(
        (),
        "Write keys that are taken, each 1 to 64 letters, digits, `_`, `-`; none: the collector is off.",
        tables.each(_write_key, 1000),
        '["storefront"]',
    )
    ip: str = key(
        addresses.TRUNCATED,
        "What is kept of a customer's address: `truncated` (its /24, of IPv6 its /48), `full` or `none`.",
        tables.one_of(*addresses.KEPT),
        '"truncated"',
    )
    proxies: int = key(
        0,
        "Addresses that the shop's own proxies append to `X-Forwarded-For`; 0: the header is not believed.",
        tables.whole(0, 10),
        "1",
    )
    public_url: str | None = key(
        None,
        "Where browsers reach the server; default: as they ask for the settings.",
        address,
        '"https://collect.shop.example"',
    )


@dataclass(frozen=True, slots=True)
class Sender:
    """What is known of a request beside its body.

    received_at: ms. ip: of the other end, as text. agent: its User-Agent. browser: it is a customer's own device,
    whose address and agent are theirs. kept: one of addresses.KEPT. new_id: makes a messageId.
    """

    received_at: int
    new_id: Callable[[], str]
    ip: str | None = None
    agent: str | None = None
    browser: bool = False
    kept: str = addresses.TRUNCATED


@dataclass(slots=True)
class Taken:
    """Messages for the topic, as JSON, and how many were left out for which reason."""

    messages: list[bytes] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


class Batch(NamedTuple):
    """A batch: its messages as they came, and what it says of all of them."""

    items: list[Any]
    sent_at: Any
    shared: Mapping[str, Any]


def batch(body: dict[str, Any]) -> Batch | None:
    """The batch that a body is; None when it is none."""
    items = body.get("batch")
    if not isinstance(items, list):
        return None
    shared = {name: body[name] for name in _SHARED if isinstance(body.get(name), dict) and body[name]}
    return Batch(items, body.get("sentAt"), shared)


def single(body: dict[str, Any]) -> Batch:
    """One message as a batch."""
    return Batch([body], body.get("sentAt"), {})


def known(body: dict[str, Any], shown: str | None, keys: Collection[str]) -> bool:
    """Whether a request has a write key that is taken: in its header, or in its body."""
    return any(isinstance(one, str) and one in keys for one in (shown, body.get("writeKey")))


def taken(given: Batch, type_: str | None, sender: Sender, keys: Collection[str] | None = None) -> Taken:
    """The messages of a request.

    Args:
        given: them, as they came; changed.
        type_: what they are; None: each says so itself.
        sender: of the request.
        keys: each message must show one of these itself; None: the request has.
    """
    out = Taken()
    items = given.items[:MOST_MESSAGES]
    if len(given.items) > MOST_MESSAGES:
        out.dropped[TOO_MANY] += len(given.items) - MOST_MESSAGES
    grown = 0
    for item in items:
        data = _message(item, given, type_, sender, keys)
        if isinstance(data, bytes) and grown + len(data) > MOST_GROWN:
            data = TOO_LARGE
        if isinstance(data, bytes):
            grown += len(data)
            out.messages.append(data)
        else:
            out.dropped[data] += 1
    return out


def _message(item: Any, given: Batch, type_: str | None, sender: Sender, keys: Collection[str] | None) -> bytes | str:
    """A message for the topic, or why there is none."""
    if not isinstance(item, dict):
        return NOT_AN_OBJECT
    if keys is not None and not known(item, None, keys):
        return UNKNOWN_KEY
    type_ = type_ or item.get("type")
    if type_ not in CALLS:
        return UNKNOWN_TYPE
    try:
        data = orjson.dumps(_finished(item, type_, given, sender))
    except orjson.JSONEncodeError:  # 254 levels and more; everything else came out of JSON
        return TOO_DEEP
    return TOO_LARGE if len(data) > MAX_BYTES else data


def _finished(item: dict[str, Any], type_: str, given: Batch, sender: Sender) -> dict[str, Any]:
    out: dict[str, Any] = {"type": type_, "messageId": message_id(item.get("messageId"), sender.new_id)}
    out |= {name: value for name, value in item.items() if name not in _OURS}
    for name, values in given.shared.items():
        own = out.get(name)
        out[name] = {**values, **own} if isinstance(own, dict) else values
    said = item.get("timestamp")
    original = item.get("originalTimestamp") if said is None else said
    sent = item.get("sentAt") if given.sent_at is None else given.sent_at
    if original is not None:
        out["originalTimestamp"] = original
    if timestamps.read(sent) is not None:  # one of a batch would make every message larger
        out["sentAt"] = sent
    out["timestamp"] = _timestamp(original, sent, sender.received_at)
    out["receivedAt"] = iso(sender.received_at)
    _complete(out, sender)
    return out


def message_id(value: Any, new_id: Callable[[], str]) -> str:
    """A messageId that every consumer takes; the same for the same, so that a repeat is known as one."""
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not value:
        return new_id()
    if len(value) > MOST_MESSAGE_ID:
        return f"varde-{hashlib.blake2b(value.encode(), digest_size=16).hexdigest()}"
    return value


def _timestamp(original: Any, sent: Any, received: int) -> Any:
    """When it happened by the server's clock: as long before the receipt as, by the sender's, before the sending."""
    time = timestamps.read(original)
    if time is None:
        return iso(received)
    leaving = timestamps.read(sent)
    if leaving is not None:
        time = received - (leaving - time)
    if 0 <= time < received:
        return iso(time)
    # Before 1970 it is a fault that the stream tells of, with what was sent; later than its receipt nothing happens.
    return original if time < 0 else iso(received)


def iso(time: int) -> str:
    """Ms since the epoch as Segment writes a time."""
    text = datetime.fromtimestamp(min(time, _LATEST) / 1000, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def _complete(message: dict[str, Any], sender: Sender) -> None:
    """Say what only the receiver knows, and keep no more of an address than is to be kept."""
    context = message.get("context")
    if context is not None and not isinstance(context, dict):
        return
    own = dict(context or {})
    library = own.get("library")
    browser = sender.browser or (isinstance(library, dict) and library.get("name") == "analytics.js")
    said = own.pop("ip", None)
    ip = addresses.kept(said, sender.kept) if isinstance(said, str) else None
    if ip is None and sender.ip is not None and (browser or own.get("direct") is True):
        ip = addresses.kept(sender.ip, sender.kept)
    if ip is not None:
        own["ip"] = ip
    if browser and sender.agent and not own.get("userAgent"):
        own["userAgent"] = sender.agent
    if own or context is not None:
        message["context"] = own
