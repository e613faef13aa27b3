"""Who may ask for what: clients with several live keys, and what needs none. Pure; keys are held as digests."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from varde import tables
from varde.tables import key

SCOPES = ("read", "explain", "catalogue", "erase", "email")
PUBLIC_SCOPES = ("read", "explain")
"""Scopes that may be open to everybody: those that change nothing."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)


def digest(value: Any) -> bytes:
    """The 32 bytes of `sha256:` and 64 hexadecimal digits. A refused value is not repeated: it may be a key."""
    found = _DIGEST.fullmatch(value.lower()) if isinstance(value, str) else None
    if not found:
        msg = "must be sha256: and the 64 hexadecimal digits of the key's SHA-256"
        raise ValueError(msg)
    return bytes.fromhex(found[1])


def origin(value: Any) -> str:
    """`*`, or scheme://host[:port] as browsers send it."""
    if value == "*":
        return "*"
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        made = f"{parts.scheme}://{parts.netloc}".lower()
        good = parts.scheme in ("http", "https") and parts.hostname and made == value and "@" not in value
        good = good and (parts.port is None or parts.port > 0) and value.isascii() and value.isprintable()
    except ValueError:
        good = False
    if not good or " " in value:
        msg = 'must be "*" or an origin in lower case such as "https://shop.example", without a path'
        raise ValueError(msg)
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks. rate: requests a second, 0 without a bound; burst: how many may come at once."""

    name: str = key("", "Appears in logs and metrics; 1 to 64 letters, digits, `_`, `-`.", tables.text, '"storefront"')
    keys: tuple[bytes, ...] = key(
        (),
        "Its live keys, each as `sha256:` and the hexadecimal SHA-256 of the key.",
        tables.each(digest, 20),
        '["sha256:0000000000000000000000000000000000000000000000000000000000000000"]',
        repr=False,
    )
    scopes: frozenset[str] = key(
        frozenset({"read"}),
        "Any of `read`, `explain`, `catalogue`, `erase`, `email`.",
        tables.set_of(tables.one_of(*SCOPES)),
        '["read", "explain"]',
    )
    rate: float = key(0.0, "Requests a second; 0: no bound.", tables.number(0, 1_000_000), "200")
    burst: int = key(
        0, "Requests that may come at once; default: those of one second.", tables.whole(0, 1_000_000), "400"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What needs no key, and which pages of other origins may read answers."""

    public: frozenset[str] = key(
        frozenset({"read"}),
        "Scopes that need no key: `read`, `explain` or none.",
        tables.set_of(tables.one_of(*PUBLIC_SCOPES)),
        '["read"]',
    )
    origins: tuple[str, ...] = key(
        ("*",),
        "Origins whose pages may read the answers to `read` (CORS); `*`: all.",
        tables.each(origin, 1000),
        '["https://shop.example"]',
    )


def sized(client: Client) -> Client:
    """With the burst that its rate gives, where none is said."""
    if client.burst or not client.rate:
        return client
    return replace(client, burst=math.ceil(client.rate))


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients, found by key."""

    all: tuple[Client, ...] = ()
    _digests: tuple[tuple[bytes, Client], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_digests", tuple((each, client) for client in self.all for each in client.keys))

    def of(self, shown: bytes) -> Client | None:
        """The client that shows this key. Takes as long whichever it is: all digests are compared, in constant time."""
        wanted = hashlib.sha256(shown).digest()
        found = None
        for each, client in self._digests:
            if hmac.compare_digest(each, wanted):
                found = client
        return found
