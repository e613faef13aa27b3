"""Readers of setting values: text from the environment to a value, or a ValueError that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import redis

from varde.ecommerce import table_name
from varde.history import Signal
from varde.keys import MAX_SECRET_BYTES
from varde.ranking import formula


def between(low: float, high: float, kind: Callable[[str], Any] = int) -> Callable[[str], Any]:
    """A number from `low` to `high`."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            msg = f"not a number: {text!r}"
            raise ValueError(msg) from None
        if not low <= value <= high:
            msg = f"must be between {low:g} and {high:g}, not {text}"
            raise ValueError(msg)
        return value

    return read


def words(text: str) -> tuple[str, ...]:
    """Words separated by commas; none is fine."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def one_of(*words: str) -> Callable[[str], str]:
    """One of some words."""

    def read(text: str) -> str:
        if text not in words:
            msg = f"must be {' or '.join(words)}, not {text!r}"
            raise ValueError(msg)
        return text

    return read


def resource(kind: str) -> Callable[[str], str]:
    """The full name of a `topics` or `subscriptions` of Pub/Sub's."""

    def read(text: str) -> str:
        if len(text.split("/")) != 4 or text.split("/")[::2] != ["projects", kind]:
            msg = f"must look like projects/PROJECT/{kind}/NAME, not {text!r}"
            raise ValueError(msg)
        return text

    return read


def topic(text: str) -> str:
    """A Pub/Sub topic's full name, or nothing."""
    return resource("topics")(text) if text else text


def key(text: str) -> str:
    """A key that requests show, or nothing."""
    if text and (len(text) < 16 or not text.isascii() or not text.isprintable() or " " in text):
        msg = "must have at least 16 printable ASCII characters without a blank"
        raise ValueError(msg)
    return text


def secrets(text: str) -> tuple[str, ...]:
    """Keys separated by commas, each of at least 32 characters; none is fine. No message repeats one."""
    out = words(text)
    for place, one in enumerate(out, 1):
        if len(one) < 32 or not one.isascii() or not one.isprintable() or " " in one:
            msg = f"secret {place} must have at least 32 printable ASCII characters without a blank"
            raise ValueError(msg)
    return out


def some_words(text: str) -> tuple[str, ...]:
    """At least one word."""
    names = words(text)
    if not names:
        msg = "must name at least one"
        raise ValueError(msg)
    return names


def rankings(text: str) -> tuple[str, ...]:
    """Formulas of rankings, as their canonical texts, each once."""
    return tuple(dict.fromkeys(str(formula(word)) for word in some_words(text)))


def item_keys(text: str) -> tuple[str, ...]:
    """Names of product fields."""
    names = some_words(text)
    for name in names:
        if not name.isidentifier():
            msg = f"not a product field: {name!r}"
            raise ValueError(msg)
    return names


def events(text: str) -> tuple[tuple[str, Signal], ...]:
    """Event names with their signals."""
    out = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, signal = part.rpartition("=")
        if not equals or not name or signal.upper() not in Signal.__members__:
            msg = f"{part!r} is not of the form Event Name=view|cart|purchase"
            raise ValueError(msg)
        if not table_name(name):  # the stream would count what the warehouse cannot
            msg = f"{name.strip()!r} has no letter or digit to name its warehouse table by"
            raise ValueError(msg)
        out.append((name.strip(), Signal[signal.upper()]))
    return tuple(out)


def redis_url(text: str) -> str:
    """An address that redis-py takes."""
    if not text.startswith(("redis://", "rediss://", "unix://")):
        msg = "must begin with redis://, rediss:// or unix://"
        raise ValueError(msg)
    try:
        # Made, not connected: an option that nobody knows shows only here. redis-py's own words may hold the password.
        connection: Any = redis.ConnectionPool.from_url(text).make_connection()
        path = urlsplit(text).path.removeprefix("/")
    except (ValueError, TypeError, redis.RedisError):
        msg = "is no address of Redis: its host, port, database or an option makes no sense"
        raise ValueError(msg) from None
    socket = text.startswith("unix:")
    if socket and not path:
        msg = "must name the socket: unix:///path"
        raise ValueError(msg)
    # redis-py takes database 0 for a path that is no number, in silence.
    if connection.db < 0 or (path and not socket and not (path.isascii() and path.isdecimal())):
        msg = "the database, after the last slash, must be a whole number from 0"
        raise ValueError(msg)
    return text


def secret(text: str) -> str:
    """A key of BLAKE2b."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # its message would show a part
        msg = "must be UTF-8"
        raise ValueError(msg) from None
    if size > MAX_SECRET_BYTES:
        msg = f"must be at most {MAX_SECRET_BYTES} bytes, not {size}: more would be cut off"
        raise ValueError(msg)
    return text


def address(text: str) -> str:
    """A host to listen on."""
    if not text or text != "".join(text.split()):  # an empty one would listen everywhere
        msg = f"must be a host name or an address, not {text!r}"
        raise ValueError(msg)
    try:
        text.encode("idna")
    except UnicodeError:
        msg = f"not a host name: {text!r}"
        raise ValueError(msg) from None
    return text


def log_level(text: str) -> str:
    """A level of logging."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        msg = "must be DEBUG, INFO, WARNING or ERROR"
        raise ValueError(msg)
    return text.upper()


def may_be_cluster(url: str) -> bool:
    """Whether a URL that `redis_url` took can be of a cluster's node."""
    connection: Any = redis.ConnectionPool.from_url(url).make_connection()
    return not url.startswith("unix:") and connection.db == 0


def has_password(url: str) -> bool:
    """Whether a URL that `redis_url` took says a password, wherever it may stand in one."""
    return bool(redis.ConnectionPool.from_url(url).connection_kwargs.get("password"))
