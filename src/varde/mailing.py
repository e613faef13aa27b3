"""What the configuration says of mails and feeds: links, prices, forms of answers, what to do about short lists. Pure.

docs/email.md is about their use; docs/configuration.md describes every key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import orjson

from varde import tables
from varde.mail_formats import BUILT_IN, DEFAULT_FORMAT, Format, Pairs, texts_by_name
from varde.tables import TableError, key
from varde.toml_lines import Path

PLACEHOLDERS = ("campaign", "send_id", "placement", "experiment", "variation", "item", "position")
"""What a tag of a link may name in braces."""
TOO_FEW = ("empty", "204", "404")
MOST_FEED_ITEMS = 500
_LANG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_MOST_TAGS = 20
MOST_NOTE_BYTES = 256
"""Of what is kept with a list."""


def address(value: Any) -> str:
    """A whole address of the web, such as https://shop.example, without query and fragment."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        good = good and not (parts.query or parts.fragment or "@" in parts.netloc) and value.isprintable()
    except ValueError:
        good = False
    if not good or " " in value or len(value) > 1000:
        msg = 'must be an address such as "https://shop.example", without a query'
        raise ValueError(msg)
    return str(value)


def tags(value: Any) -> Pairs:
    """`{utm_source = "varde", utm_campaign = "{campaign}"}`."""
    given = texts_by_name(value, _MOST_TAGS, "texts")
    for name, text in given.items():
        for found in re.findall(r"\{(\w*)\}", text):
            if found not in PLACEHOLDERS:
                msg = f"{name}: no {{{found}}}; there are {', '.join(PLACEHOLDERS)}"
                raise ValueError(msg)
    return tuple(given.items())


def _lang(value: Any) -> str:
    if not isinstance(value, str) or not _LANG.fullmatch(value) or len(value) > 35:
        msg = "must be a language tag as in BCP 47, such as sv or pt-BR"
        raise ValueError(msg)
    return value


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        msg = "must be three capital letters as in ISO 4217"
        raise ValueError(msg)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """What is done about a list of a placement that has too few items."""

    min_items: int | None = key(
        None, "Fewest items that make a list, 1 to 100; default: as many as were asked for.", tables.whole(1, 100), "2"
    )
    too_few: str = key(
        "empty",
        "The answer to fewer: `empty` (200 without items), `204` or `404`, for tools that leave a mail out on these.",
        tables.one_of(*TOO_FEW),
        '"empty"',
    )


NOT_SHORT = Short()


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """What holds for all mails. placements: by name, those that say something. formats: all there are."""

    public_url: str = key(
        "",
        "Address of this server for mailboxes; without it links lead to the shop itself.",
        address,
        '"https://r.shop.example"',
    )
    shop_url: str = key(
        "", "Address that paths of the catalogue (`url`, `image`) are on.", address, '"https://shop.example"'
    )
    deadline_ms: int = key(
        400, "Milliseconds until a look-up is answered from memory, 50 to 2,000.", tables.whole(50, 2000), "400"
    )
    freeze_days: int = key(
        30, "Days that a sending's items stay the same for a recipient, 1 to 400.", tables.whole(1, 400), "30"
    )
    lang: str = key("en", "Language that prices are written in where the request names none.", _lang, '"sv"')
    utm: Pairs | None = key(
        None,
        "Parameters that every link gets, unless it has one of that name. In braces: "
        + ", ".join(f"`{{{name}}}`" for name in PLACEHOLDERS)
        + ".",
        tags,
        '{ utm_source = "varde", utm_medium = "email", utm_campaign = "{campaign}" }',
    )
    placements: Mapping[str, Short] = field(default_factory=lambda: MappingProxyType({}))
    formats: Mapping[str, Format] = field(default_factory=lambda: BUILT_IN)

    def of(self, placement: str) -> Short:
        """What is done about a short list of a placement."""
        return self.placements.get(placement, NOT_SHORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A list for everybody, made before it is asked for."""

    name: str
    placement: str = key(
        "default", "Its rules hold; without a customer or seeds, so a list of pairs begins at the next rung.",
        tables.text, '"default"',
    )  # fmt: skip
    n: int = key(50, "Most items, 1 to 500.", tables.whole(1, MOST_FEED_ITEMS), "50")
    title: str = key("", "Stands at the top of the feed.", tables.text, '"Best sellers"')
    refresh: int = key(300, "Seconds after which it is made anew, 10 to 86,400.", tables.whole(10, 86_400), "300")
    format: str = key(DEFAULT_FORMAT, "Name of a format: names of fields.", tables.text, '"voyado"')
    lang: str = key("", "Language; default: the catalogue's own.", _lang, '"sv"')
    currency: str = key("", "Currency; default: the catalogue's own.", _currency, '"SEK"')


def read_email(table: Any, placements: Collection[str]) -> Email:
    """`[email]` with the tables in it.

    Args:
        table: what tomllib gave.
        placements: names of those of the file.

    Raises:
        TableError: what makes no sense.
    """
    path: Path = ("email",)
    inner = {"placements", "formats"}
    tables.check_keys(table, [*(each.name for each in tables.keys(Email)), *sorted(inner)], path)
    short = {}
    for name, values in _tables(table.get("placements", {}), (*path, "placements")).items():
        _one_of(name, placements, (*path, "placements", name), "placement")
        short[name] = tables.build(Short, values, (*path, "placements", name))
    formats = dict(BUILT_IN)
    for name, values in _tables(table.get("formats", {}), (*path, "formats")).items():
        own = (*path, "formats", name)
        tables.at(own, tables.name, name)
        if name in BUILT_IN:
            raise TableError(own, "is there already; choose another name")
        formats[name] = tables.build(Format, values, own, name=name)
    rest = {name: value for name, value in table.items() if name not in inner}
    return tables.build(Email, rest, path, placements=MappingProxyType(short), formats=MappingProxyType(formats))


def read_feeds(table: Any, placements: Collection[str], email: Email) -> Mapping[str, Feed]:
    """`[feeds.NAME]`, by name.

    Args:
        table: what tomllib gave.
        placements: names of those of the file.
        email: has the formats.

    Raises:
        TableError: what makes no sense.
    """
    out = {}
    for name, values in _tables(table, ("feeds",)).items():
        path = ("feeds", name)
        tables.at(path, tables.name, name)
        made = out[name] = tables.build(Feed, values, path, name=name)
        _one_of(made.placement, placements, (*path, "placement"), "placement")
        _one_of(made.format, email.formats, (*path, "format"), "format")
    return MappingProxyType(out)


def _tables(table: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        shown = ".".join(map(str, path))
        raise TableError(path, f"must be tables such as [{shown}.NAME]")
    return table


def _one_of(name: str, there: Collection[str], path: Path, what: str) -> None:
    if name not in there:
        raise TableError(path, f"no {what} {name!r}; there are {', '.join(there)}")


def sending(send_id: str, seeds: Sequence[str]) -> str:
    """The name of a list of a sending, for `frozen.send_key`: one that starts from given items is another list."""
    return send_id if not seeds else "\n".join((send_id, *seeds))


def list_name(customer: str, send_id: str, placement: str, seeds: Sequence[str]) -> str:
    """What every render of a list answers as its request id: 32 hexadecimal digits.

    Args:
        customer: from keys.customer_key.
        send_id: of the request.
        placement: name of the one that was asked for.
        seeds: items that the request names.
    """
    text = "\0".join((customer, placement, send_id, *seeds)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16, person=b"varde list").hexdigest()


def note(name: str, experiment: str, variation: str) -> str:
    """What is kept with a list of a sending, so that a click on it tells the same: its name, and its experiment."""
    said = orjson.dumps([name, experiment, variation]).decode()
    return said if len(said.encode()) <= MOST_NOTE_BYTES else orjson.dumps([name, "", ""]).decode()


def noted(text: str) -> tuple[str, str, str]:
    """(name, experiment, variation) of a note; empty texts where there is none."""
    try:
        name, experiment, variation = orjson.loads(text)
    except (ValueError, TypeError):
        return "", "", ""
    return str(name), str(experiment), str(variation)
