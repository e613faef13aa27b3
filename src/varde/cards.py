"""Product cards in mails: how they look, whose pictures may be on them, and which clicks are a scanner's. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from varde import tables
from varde.tables import key

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?", re.ASCII)
_ADDRESS = re.compile(r"\[([0-9a-f:.]+)\](:[0-9]{1,5})?", re.ASCII)


def colour(value: Any) -> str:
    """A colour such as `#1a2b3c`."""
    if not isinstance(value, str) or not _COLOUR.fullmatch(value):
        msg = 'must be a colour such as "#1a2b3c"'
        raise ValueError(msg)
    return value.lower()


def host(value: Any) -> str:
    """A host in lower case, with a port unless it is that of http or https; `*.` in front: every host under it."""
    good = isinstance(value, str) and len(value) <= 253 and (_HOST.fullmatch(value) or _address(value))
    if not good or (value.startswith("*.") and "." not in value[2:]):
        msg = 'must be a host such as "cdn.shop.example", "*.shop.example" or "cdn.shop.example:8443"'
        raise ValueError(msg)
    return str(value)


def _address(value: str) -> bool:
    """Whether it is an IPv6 address in brackets."""
    found = _ADDRESS.fullmatch(value)
    if not found:
        return False
    try:
        ipaddress.IPv6Address(found[1])
    except ValueError:
        return False
    return True


def _path(value: Any) -> str:
    """A path of a file, or nothing."""
    if not isinstance(value, str) or "\0" in value or len(value) > 4096:
        msg = "must be the path of a file"
        raise ValueError(msg)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """What `/v1/email/slot/…` draws, and by which rules. Sizes are in CSS pixels; pictures have twice as many."""

    width: int = key(280, "Width of a card, pixels; its picture is twice as wide.", tables.whole(120, 640), "280")
    height: int = key(380, "Height of a card, pixels; its picture is twice as high.", tables.whole(120, 900), "380")
    background: str = key("#ffffff", "Colour behind the text.", colour, '"#ffffff"')
    panel: str = key("#f4f2ee", "Colour behind the product.", colour, '"#f4f2ee"')
    border: str = key("#e2dfd8", "Colour of the line round a card.", colour, '"#e2dfd8"')
    text: str = key("#1f2421", "Colour of the title and the price.", colour, '"#1f2421"')
    muted: str = key("#6d706b", "Colour of the brand.", colour, '"#6d706b"')
    accent: str = key("#1f5c4d", "Colour of the button of the fallback card.", colour, '"#1f5c4d"')
    font: str = key(
        "",
        "File of a TrueType or OpenType font; default: Source Sans (Latin, Greek, Cyrillic).",
        _path,
        '"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"',
    )
    bold_font: str = key(
        "",
        "The same for title and price; default: `font`, or Source Sans Semibold without one.",
        _path,
        '"/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"',
    )
    fallback: str = key(
        "See what is new", "What the card says that stands in for a product.", tables.text, '"Se våra nyheter"'
    )
    hosts: tuple[str, ...] = key(
        (),
        "Hosts that pictures are fetched from, over http or https; none: cards have no pictures.",
        tables.each(host, 100),
        '["cdn.shop.example", "*.img.example"]',
    )
    private_hosts: tuple[str, ...] = key(
        (),
        "Those of `hosts`, in the same words, that may have private addresses; others with one are not asked.",
        tables.each(host, 100),
        "[]",
    )
    max_kb: int = key(5000, "Largest picture that is fetched, kB.", tables.whole(10, 20_000), "5000")
    timeout_ms: int = key(
        1500, "Time to fetch a picture, ms; then the card has none.", tables.whole(50, 10_000), "1500"
    )
    memory_mb: int = key(
        64, "Finished cards, and as much again pictures, kept by each process, MB.", tables.whole(1, 4096), "64"
    )
    scanner_slots: int = key(
        2,
        "Slots of one mail that a person opens within `scanner_seconds`; clicks on more are a scanner's: none counts.",
        tables.whole(1, 100),
        "2",
    )
    scanner_seconds: int = key(
        10, "For how long clicks are held back to see whether more follow, seconds.", tables.whole(1, 60), "10"
    )

    @property
    def max_bytes(self) -> int:
        """`max_kb` in bytes."""
        return self.max_kb * 1000

    def allows(self, name: str, port: int | None) -> bool:
        """Whether pictures may be fetched from a host.

        Args:
            name: in lower case, IPv6 addresses in brackets.
            port: None for that of the scheme.
        """
        return _among(self.hosts, name, port)

    def may_be_private(self, name: str) -> bool:
        """Whether a host's addresses may be private ones, at any of its ports."""
        return any(_among((one,), name, _port(one)) for one in self.private_hosts)


def _port(entry: str) -> int | None:
    name, colon, port = entry.rpartition(":")
    return int(port) if colon and not name.endswith(":") and "]" not in port else None


def _among(entries: tuple[str, ...], name: str, port: int | None) -> bool:
    shown = name if port is None else f"{name}:{port}"
    return any(shown == one or (one.startswith("*.") and shown.endswith(one[1:])) for one in entries)


def read(table: Any) -> Cards:
    """`[cards]`.

    Raises:
        TableError: what makes no sense, such as a private host that is none of the hosts.
    """
    made = tables.build(Cards, table, ("cards",))
    for place, one in enumerate(made.private_hosts):
        if one not in made.hosts:
            raise tables.TableError(("cards", "private_hosts", place), "is not among hosts")
    return made
