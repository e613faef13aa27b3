"""Settings from the environment, validated before anything starts: a frozen dataclass, no module-level instance."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

import redis

from varde.ecommerce import table_name
from varde.events import Mapping as EventMapping
from varde.flood import Bounds
from varde.history import Limits, Signal
from varde.keys import MAX_SECRET_BYTES
from varde.ranking import RANKINGS

PREFIX = "VARDE_"
SECRET = frozenset({"id_secret", "admin_key"})
"""Settings that are never shown."""


class SettingsError(ValueError):
    """A VARDE_* variable that makes no sense. The message begins with the variable's name."""


def _setting(default: Any, help_: str, read: Callable[[str], Any] = str) -> Any:
    return field(default=default, metadata={"help": help_, "read": read})


def _between(low: float, high: float, kind: Callable[[str], Any] = int) -> Callable[[str], Any]:
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


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            msg = f"must be {' or '.join(words)}, not {text!r}"
            raise ValueError(msg)
        return text

    return read


def _topic(text: str) -> str:
    if text and (len(text.split("/")) != 4 or text.split("/")[::2] != ["projects", "topics"]):
        msg = f"must look like projects/PROJECT/topics/NAME, not {text!r}"
        raise ValueError(msg)
    return text


def _key(text: str) -> str:
    if text and (len(text) < 16 or not text.isascii() or not text.isprintable() or " " in text):
        msg = "must have at least 16 printable ASCII characters without a blank"
        raise ValueError(msg)
    return text


def _names(text: str) -> tuple[str, ...]:
    names = _list(text)
    if not names:
        msg = "must name at least one"
        raise ValueError(msg)
    return names


def _rankings(text: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        if name not in RANKINGS:
            msg = f"unknown ranking {name!r}; there are {', '.join(sorted(RANKINGS))}"
            raise ValueError(msg)
    return names


def _item_keys(text: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        if not name.isidentifier():
            msg = f"not a product field: {name!r}"
            raise ValueError(msg)
    return names


def _events(text: str) -> tuple[tuple[str, Signal], ...]:
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


def _redis_url(text: str) -> str:
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


def _secret(text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # its message would show a part
        msg = "must be UTF-8"
        raise ValueError(msg) from None
    if size > MAX_SECRET_BYTES:
        msg = f"must be at most {MAX_SECRET_BYTES} bytes, not {size}: more would be cut off"
        raise ValueError(msg)
    return text


def _address(text: str) -> str:
    if not text or text != "".join(text.split()):  # an empty one would listen everywhere
        msg = f"must be a host name or an address, not {text!r}"
        raise ValueError(msg)
    try:
        text.encode("idna")
    except UnicodeError:
        msg = f"not a host name: {text!r}"
        raise ValueError(msg) from None
    return text


def _log_level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        msg = "must be DEBUG, INFO, WARNING or ERROR"
        raise ValueError(msg)
    return text.upper()


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the core; each is read from VARDE_ + its name in capitals."""

    redis_url: str = _setting("redis://127.0.0.1:6379/0", "Redis or Valkey, 6.2 or newer.", _redis_url)
    id_secret: str = _setting(
        "", "Secret of the keyed hash that stands for a customer in Redis; same everywhere.", _secret
    )
    cap: int = _setting(64, "M: latest items of a customer per signal that count.", _between(1, 1000))
    window_days: int = _setting(90, "W: days of history that count.", _between(1, 3650))
    item_keys: tuple[str, ...] = _setting(
        ("product_id", "sku", "id"), "Product fields tried in this order for the item id.", _item_keys
    )
    events: tuple[tuple[str, Signal], ...] = _setting(
        (), "Further event names, as `Name=view|cart|purchase`, separated by commas.", _events
    )
    rankings: tuple[str, ...] = _setting(
        ("llr", "cosine", "count"),
        "Rankings that a serving row keeps candidates for; the first is the default.",
        _rankings,
    )
    candidates: int = _setting(128, "Candidates kept in a serving row.", _between(10, 1000))
    min_customers: int = _setting(3, "Fewest customers behind a pair that is shown.", _between(1, 1000))
    recent_items: int = _setting(20, "Latest viewed items kept per customer as seeds.", _between(1, 200))
    live_days: int = _setting(14, "Days that dated differences are kept for the nightly job.", _between(2, 90))
    # A weight doubles every half-life from 2026 on, up to 2 ** 900 (delivery.popularity): with 3 days that is reached
    # in 2033, with 1 day in 2028, and from then on nothing would fade.
    half_life_days: float = _setting(7.0, "Half-life of popularity.", _between(3, 365, float))
    token_days: int = _setting(7, "Days that tokens of applied batches are remembered.", _between(1, 90))
    deadline_ms: int = _setting(150, "Time Redis has for all reads of one request, ms.", _between(5, 10_000))
    consent_categories: tuple[str, ...] = _setting(
        (), "Consent categories without which nothing personal is kept; none: consent is not looked at.", _list
    )
    consent_default: str = _setting(
        "granted",
        "granted or denied: what holds for a message that says nothing about consent.",
        _one_of("granted", "denied"),
    )
    robots: str = _setting("ignore", "ignore or count: messages of known robots.", _one_of("ignore", "count"))
    flood_events: int = _setting(
        1000, "Most interactions of a customer in an hour that count.", _between(10, 1_000_000)
    )
    flood_items: int = _setting(500, "Most new items of a customer in an hour that count.", _between(10, 1_000_000))
    topic: str = _setting("", "Topic with Segment's messages, for erasures: projects/PROJECT/topics/NAME.", _topic)
    admin_key: str = _setting("", "Key of requests that erase a customer; without one they are refused.", _key)
    host: str = _setting("127.0.0.1", "Address the server listens on.", _address)
    port: int = _setting(8080, "Port the server listens on; 0 picks a free one.", _between(0, 65535))
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.", _log_level)

    @property
    def limits(self) -> Limits:
        """Cap and window of a history."""
        return Limits(self.cap, self.window_days)

    @property
    def mapping(self) -> EventMapping:
        """How the shop names its items and events, and whom it counts."""
        return EventMapping(
            self.item_keys,
            self.events,
            self.consent_categories,
            self.consent_default == "granted",
            self.robots == "count",
        )

    @property
    def flood_bounds(self) -> Bounds:
        """How much of one customer counts in an hour."""
        return Bounds(self.flood_events, self.flood_items)

    def __repr__(self) -> str:
        shown = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in SECRET:
            shown[name] = "set" if shown[name] else "not set"
        shown["redis_url"] = _without_password(self.redis_url)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    rest, asks, _ = rest.partition("?")  # a password may stand there, too
    _, _, place = rest.rpartition("@")
    return f"{scheme}://{'…@' if '@' in rest else ''}{place}{'?…' if asks else ''}"


def option(name: str) -> Callable[[str], Any]:
    """The reader of a setting as the `type` of a command line option: the same bounds, said the same way."""
    (read,) = (f.metadata["read"] for f in fields(Settings) if f.name == name)

    def parse(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def from_env(environ: Mapping[str, str]) -> Settings:
    """Settings from VARDE_* variables.

    Raises:
        SettingsError: a variable is unknown or its value makes no sense; the message begins with its name.
    """
    known = {PREFIX + f.name.upper(): f for f in fields(Settings)}
    values: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            msg = f"{name}: no such setting; see docs/settings.md"
            raise SettingsError(msg)
        try:
            values[known[name].name] = known[name].metadata["read"](text)
        except ValueError as error:
            msg = f"{name}: {error}"
            raise SettingsError(msg) from None
    return Settings(**values)
