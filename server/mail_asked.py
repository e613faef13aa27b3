"""What a look-up of an email tool asks for. Pure.

A template is written once and tried; what it says itself (`placement`, `n`, …) is refused with 400 where it makes no
sense. What it fills in for each recipient (`uid`, `lang`, …) may be missing, empty or nonsense for some of them, and
must not cost these their mail: it is left out, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote_plus

from varde.config import Config
from varde.mail_formats import DEFAULT_FORMAT, Format
from varde.mailing import Short

from .asked import CURRENCY, LANG, MOST_EXCLUDED, SEEDS, Asked, asked
from .errors import ApiError, bad_parameter
from .params import CUSTOMER_BYTES, ITEM_BYTES, MOST_FIELDS, MOST_ITEMS, MOST_SEEDS, Query

FORMAT, MIN_ITEMS = "format", "min_items"
_OF_TEMPLATE = ("placement", "n", MIN_ITEMS, FORMAT, "campaign", "send_id")
_OF_RECIPIENT = ("uid", "aid", "lang", "currency", "exclude", "exclude_item", *SEEDS)
PARAMETERS = (*_OF_TEMPLATE, *_OF_RECIPIENT)
_OF_LISTS = tuple(name for name in PARAMETERS if name not in (FORMAT, MIN_ITEMS))
_BOUNDED = ((("exclude", "exclude_item"), MOST_EXCLUDED), (SEEDS, MOST_SEEDS))
_KEY = "key"
"""Shows a key; whoever guards the route has looked at it."""
MOST_LANG = 35
_ALWAYS = ("fill", "true")
_TAKEN = (*_OF_LISTS, "fill")
"""A mail is not left without items because few customers did what this one did."""


class Mail(NamedTuple):
    """A look-up. ignored: names of parameters whose values make no sense."""

    asked: Asked
    min_items: int
    short: Short
    format: Format
    ignored: tuple[str, ...]


def mail(raw: str, config: Config, min_customers: int) -> Mail:
    """The look-up of a query string.

    Args:
        raw: as it came.
        config: placements, formats.
        min_customers: floor of rankings that have none of their own.

    Raises:
        ApiError: 400 that names a parameter of the template.
    """
    pairs: list[tuple[str, str]] = []
    ignored: dict[str, None] = {}
    for name, value in _pairs(raw):
        if value is None or (value and name in _SOUND and not _SOUND[name](value)):
            ignored[name] = None
        elif value:
            pairs.append((name, value))
    if ignored:
        pairs = [pair for pair in pairs if pair[0] not in ignored]
    query = Query.of_pairs(pairs, PARAMETERS)
    for group, most in _BOUNDED:
        if not query.names.isdisjoint(group) and _too_many(query, group, most):
            ignored |= dict.fromkeys(name for name in group if query.many(name))
            pairs = [pair for pair in pairs if pair[0] not in group]
    listed = [(name, _written(name, value)) for name, value in pairs if name in _OF_LISTS]
    plain = Query.of_pairs([*listed, _ALWAYS], _TAKEN)
    wanted = asked(plain, config, min_customers, plain.items(*SEEDS))
    short = config.email.of(wanted.placement.name)
    least = query.number(MIN_ITEMS, min(short.min_items or wanted.n, wanted.n), MOST_ITEMS)
    if least > wanted.n:
        raise bad_parameter(MIN_ITEMS, f"must not be more than n, {wanted.n}")
    return Mail(wanted, least, short, _format(query, config), tuple(ignored))


def _pairs(raw: str) -> Iterator[tuple[str, str | None]]:
    """(name, value) of a query string's fields; None for a value that is no percent-encoded UTF-8."""
    fields = [field for field in raw.split("&") if field]
    if len(fields) > MOST_FIELDS:
        raise bad_parameter("query", f"the query string has more than {MOST_FIELDS} fields")
    for field in fields:
        written, _, value = field.partition("=")
        name = _decoded(written) or ""
        if name == _KEY:
            continue
        if name not in PARAMETERS:
            raise bad_parameter(name[:64] or "query", f"no such parameter; there are {', '.join(PARAMETERS)}")
        decoded = _decoded(value)
        if decoded is None and name in _OF_TEMPLATE:
            raise bad_parameter(name, "not percent-encoded UTF-8")
        yield name, decoded


def _decoded(text: str) -> str | None:
    if text.isalnum() and text.isascii():
        return text
    try:
        out = unquote_plus(text, errors="strict")
        out.encode()  # a lone surrogate is no text
    except UnicodeError:
        return None
    return out


def _text(value: str) -> bool:
    return len(value.encode()) <= CUSTOMER_BYTES


def _ids(value: str) -> bool:
    return all(len(part.encode()) <= ITEM_BYTES for part in value.split(","))


def _id(value: str) -> bool:
    return len(value.encode()) <= ITEM_BYTES


_SOUND: dict[str, Callable[[str], bool]] = {
    "uid": _text,
    "aid": _text,
    "lang": lambda value: LANG.fullmatch(value.replace("_", "-")) is not None and len(value) <= MOST_LANG,
    "currency": lambda value: CURRENCY.fullmatch(value.upper()) is not None,
    "exclude": _ids,
    "exclude_item": _id,
    "items": _ids,
    "item": _id,
}
"""Of each parameter that is filled in for a recipient, whether a value that is not empty makes sense."""


def _too_many(query: Query, group: tuple[str, str], most: int) -> bool:
    try:
        query.items(*group, most)
    except ApiError:
        return True
    return False


def _written(name: str, value: str) -> str:
    """A value as lists take it: tools write locales as sv_SE."""
    if name == "lang":
        return value.replace("_", "-")
    return value.upper() if name == "currency" else value


def _format(query: Query, config: Config) -> Format:
    name = query.one(FORMAT) or DEFAULT_FORMAT
    found = config.email.formats.get(name)
    if found is None:
        raise bad_parameter(FORMAT, f"not configured; there are {', '.join(config.email.formats)}")
    return found
