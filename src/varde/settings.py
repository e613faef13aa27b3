"""Settings from the environment, validated before anything starts: a frozen dataclass, no module-level instance."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from varde import values
from varde.events import Mapping as EventMapping
from varde.flood import Bounds
from varde.history import Limits, Signal
from varde.orders import items_kept

PREFIX = "VARDE_"
SECRET = frozenset({"id_secret", "admin_key", "link_secret", "webhook_secret", "webhook_token"})
"""Settings that are never shown."""


class SettingsError(ValueError):
    """A VARDE_* variable that makes no sense. The message begins with the variable's name."""


def _setting(default: Any, help_: str, read: Callable[[str], Any] = str) -> Any:
    return field(default=default, metadata={"help": help_, "read": read})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the core; each is read from VARDE_ + its name in capitals."""

    redis_url: str = _setting("redis://127.0.0.1:6379/0", "Redis or Valkey, 6.2 or newer.", values.redis_url)
    redis_cluster: str = _setting(
        "no", "yes or no: whether that server is a node of a Redis Cluster.", values.one_of("yes", "no")
    )
    id_secret: str = _setting(
        "", "Secret of the keyed hash that stands for a customer in Redis; same everywhere.", values.secret
    )
    cap: int = _setting(64, "M: latest items of a customer per signal that count.", values.between(1, 1000))
    window_days: int = _setting(90, "W: days of history that count.", values.between(1, 3650))
    item_keys: tuple[str, ...] = _setting(
        ("product_id", "sku", "id"), "Product fields tried in this order for the item id.", values.item_keys
    )
    events: tuple[tuple[str, Signal], ...] = _setting(
        (), "Further event names, as `Name=view|cart|purchase`, separated by commas.", values.events
    )
    rankings: tuple[str, ...] = _setting(
        ("llr", "cosine", "count"),
        "Formulas that a serving row keeps candidates for; the first is the default.",
        values.rankings,
    )
    candidates: int = _setting(128, "Candidates kept in a serving row.", values.between(10, 1000))
    max_items: int = _setting(
        1_000_000, "Most item ids that are counted; what comes later is left out.", values.between(1_000, 50_000_000)
    )
    min_customers: int = _setting(3, "Fewest customers behind a pair that is shown.", values.between(1, 1000))
    recent_items: int = _setting(
        20, "Latest viewed items kept per customer as seeds, and as many carted ones.", values.between(1, 200)
    )
    cart_hours: int = _setting(
        72, "Hours for which an item that was put into a cart is taken to be in it.", values.between(1, 2160)
    )
    live_days: int = _setting(14, "Days that dated differences are kept for the nightly job.", values.between(2, 90))
    # A weight doubles every half-life from 2026 on, up to 2 ** 900 (delivery.popularity): with 3 days that is reached
    # in 2033, with 1 day in 2028, and from then on nothing would fade.
    half_life_days: float = _setting(7.0, "Half-life of popularity.", values.between(3, 365, float))
    token_days: int = _setting(7, "Days that tokens of applied batches are remembered.", values.between(1, 90))
    deadline_ms: int = _setting(150, "Time Redis has for all reads of one request, ms.", values.between(5, 10_000))
    consent_categories: tuple[str, ...] = _setting(
        (), "Consent categories without which nothing personal is kept; none: consent is not looked at.", values.words
    )
    consent_default: str = _setting(
        "granted",
        "granted or denied: what holds for a message that says nothing about consent.",
        values.one_of("granted", "denied"),
    )
    robots: str = _setting("ignore", "ignore or count: messages of known robots.", values.one_of("ignore", "count"))
    flood_events: int = _setting(
        1000, "Most interactions of a customer in an hour that count.", values.between(10, 1_000_000)
    )
    flood_items: int = _setting(
        500, "Most new items of a customer in an hour that count.", values.between(10, 1_000_000)
    )
    config: str = _setting("", "File with rankings, placements and clients of the server; empty: defaults.")
    topic: str = _setting(
        "", "Topic with Segment's messages, for the collector and erasures: projects/PROJECT/topics/NAME.", values.topic
    )
    exposures_topic: str = _setting(
        "", "Topic that exposures of experiments go to: projects/PROJECT/topics/NAME; empty: nowhere.", values.topic
    )
    exposures_queue: int = _setting(
        10_000, "Exposures that may wait to be sent; more are dropped and counted.", values.between(100, 1_000_000)
    )
    admin_key: str = _setting("", "Key of requests that erase a customer; without one they are refused.", values.key)
    link_secret: tuple[str, ...] = _setting(
        (),
        "Secrets of the tokens in links of mails, separated by commas: the first makes them, all are read.",
        values.secrets,
    )
    webhook_secret: str = _setting(
        "", "Shared secret by which Segment signs what its webhook sends; none: the webhook is off.", values.key
    )
    webhook_token: str = _setting(
        "", "Second secret that the webhook shows, because of a batch Segment signs only the first event.", values.key
    )
    collector_queue: int = _setting(
        20_000,
        "Messages that may wait for Pub/Sub in the collector; more are answered 429.",
        values.between(100, 1_000_000),
    )
    host: str = _setting("127.0.0.1", "Address the server listens on.", values.address)
    port: int = _setting(8080, "Port the server listens on; 0 picks a free one.", values.between(0, 65535))
    processes: int = _setting(
        1, "Processes of the server on the one port; 0: one for each core it may use.", values.between(0, 256)
    )
    access_log: str = _setting(
        "faults",
        "all or faults: which requests the server logs; faults and those slower than the deadline always are.",
        values.one_of("all", "faults"),
    )
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.", values.log_level)

    @property
    def clustered(self) -> bool:
        """Whether Redis is a cluster."""
        return self.redis_cluster == "yes"

    @property
    def limits(self) -> Limits:
        """Cap and window of a history."""
        return Limits(self.cap, self.window_days)

    @property
    def latest_kept(self) -> tuple[int, int, int]:
        """Most of a customer's latest views, carts and entries of orders in Redis (varde.latest), by Signal.

        Never more than the stream's state holds, so that a link hands over all that the sets of two ids came to.
        """
        few = min(self.recent_items, self.cap)
        return few, few, items_kept(self.cap)

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
    read: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            msg = f"{name}: no such setting; see docs/settings.md"
            raise SettingsError(msg)
        try:
            read[known[name].name] = known[name].metadata["read"](text)
        except ValueError as error:
            msg = f"{name}: {error}"
            raise SettingsError(msg) from None
    settings = Settings(**read)
    if settings.clustered and not values.may_be_cluster(settings.redis_url):
        msg = f"{PREFIX}REDIS_CLUSTER: a cluster's node has a host and a port, and database 0"
        raise SettingsError(msg)
    if bool(settings.webhook_secret) != bool(settings.webhook_token):
        missing = "WEBHOOK_TOKEN" if settings.webhook_secret else "WEBHOOK_SECRET"
        msg = f"{PREFIX}{missing}: is not set; the webhook needs both of its secrets"
        raise SettingsError(msg)
    return settings
