"""Forms of answers to email tools: what each field of an item is called, as JSON or as XML. Values only. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from varde import tables
from varde.tables import key

FIELDS = (
    "position",
    "id",
    "title",
    "url",
    "click_url",
    "image_url",
    "price",
    "price_formatted",
    "currency",
    "brand",
    "category",
    "parent",
    "rung",
)
"""What a mail gets of an item, all of it text that may be printed as it is, empty where there is nothing."""
LINKS = frozenset({"url", "click_url", "image_url"})
"""Addresses: never escaped, because tools make links of their own of them; no quote or angle bracket is in them."""
EMPTY = ""
"""A field of a tool that is always empty."""
SHAPES = ("json", "xml")
DEFAULT_FORMAT = "default"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_MOST_FIELDS = 50

Pairs = tuple[tuple[str, str], ...]


def texts_by_name(value: Any, most: int, what: str) -> dict[str, str]:
    """A table of at most so many texts, each under a name that is one in XML and in a query string, too."""
    if not isinstance(value, Mapping) or len(value) > most:
        msg = f"must be a table of at most {most} {what}"
        raise ValueError(msg)
    for name, text in value.items():
        if not _NAME.fullmatch(name):
            msg = f"{name!r}: a name has 1 to 64 letters, digits, _, - and ."
            raise ValueError(msg)
        if not isinstance(text, str) or len(text.encode()) > 256:
            msg = f"{name}: must be text of at most 256 bytes"
            raise ValueError(msg)
    return dict(value)


def names(value: Any) -> Pairs:
    """`{name = "title", link = "click_url"}`: the tool's field = ours, or empty text for one that is always empty."""
    given = texts_by_name(value, _MOST_FIELDS, "names of fields")
    for name, ours in given.items():
        if ours not in (*FIELDS, EMPTY):
            near = difflib.get_close_matches(ours, FIELDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FIELDS)}"
            msg = f"{name}: no field {ours!r}; {hint}"
            raise ValueError(msg)
    if not given:
        msg = "must name a field"
        raise ValueError(msg)
    return tuple(given.items())


def _word(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        msg = "must be a name of 1 to 64 letters, digits, _, - and ."
        raise ValueError(msg)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A form of answers. fields: (the tool's name, ours or EMPTY)."""

    name: str
    shape: str = key("json", "`json` or `xml`.", tables.one_of(*SHAPES), '"json"')
    items: str = key("items", "Name of the list of items.", _word, '"products"')
    escape: bool = key(
        False,
        "Write `&`, `<`, `>` and quotes of all but addresses as HTML does, for templates that cannot.",
        tables.flag,
        "true",
    )
    fields: Pairs | None = key(
        None,
        'The fields of an item: the tool\'s name = ours, or `""` for one that is always empty; default: all of ours.',
        names,
        '{ name = "title", link = "click_url", imageUrl = "image_url", text = "" }',
    )

    @property
    def pairs(self) -> Pairs:
        """The fields of an item, in their order."""
        return _OURS if self.fields is None else self.fields


_OURS = tuple((name, name) for name in FIELDS)
VOYADO = Format(
    name="voyado",
    items="products",
    fields=(
        ("productNumber", "id"),
        ("name", "title"),
        ("description", EMPTY),
        ("price", "price_formatted"),
        ("originalPrice", EMPTY),
        ("discountPrice", EMPTY),
        ("fromPrice", EMPTY),
        ("imageUrl", "image_url"),
        ("link", "click_url"),
        ("sellText", EMPTY),
    ),
)
"""The field names of Voyado Engage's modules for products (developer.voyado.com, "Content from API endpoint")."""
_PLAIN = (Format(name=DEFAULT_FORMAT), Format(name="escaped", escape=True), Format(name="xml", shape="xml"))
BUILT_IN: Mapping[str, Format] = MappingProxyType({one.name: one for one in (*_PLAIN, VOYADO)})
