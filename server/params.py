"""From the bytes of a request target to checked values, or an ApiError that names the field. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote_to_bytes

from varde.ecommerce import MAX_ID_BYTES
from varde.history import Signal
from varde.pairs import Relation

from .errors import bad_parameter

ITEM_BYTES = MAX_ID_BYTES
"""Longest item id, UTF-8."""
CUSTOMER_BYTES = MAX_ID_BYTES
"""Longest uid or aid, UTF-8."""
MOST_ITEMS = 100
"""Most items in one answer."""
MOST_SEEDS = 50
"""Most item ids in one request; the first SEEDS are looked up, all are kept out of the answer."""
MOST_FIELDS = 200
"""Most fields in one query string."""

_RELATIONS = {relation.label: relation for relation in Relation}
YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""What may be said of a flag."""
_SIGNALS = {signal.name.lower(): signal for signal in Signal}


class Query:
    """The parameters of a query string: each name one of `allowed`, values strict UTF-8."""

    def __init__(self, raw: str, allowed: tuple[str, ...]) -> None:
        try:
            pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
            for text in (text for pair in pairs for text in pair):
                text.encode()  # a lone surrogate is no text
        except ValueError:
            message = f"the query string is not percent-encoded UTF-8 of at most {MOST_FIELDS} fields"
            raise bad_parameter("query", message) from None
        self._take(pairs, allowed)

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[str, str]], allowed: tuple[str, ...]) -> Query:
        """Of (name, value) pairs that did not come as a query string."""
        query = cls("", allowed)
        query._take(pairs, allowed)
        return query

    def _take(self, pairs: Iterable[tuple[str, str]], allowed: tuple[str, ...]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in allowed:
                raise bad_parameter(name[:64], f"no such parameter; there are {', '.join(allowed)}")
            self._values.setdefault(name, []).append(value)

    @property
    def names(self) -> frozenset[str]:
        """The parameters that are there."""
        return frozenset(self._values)

    def many(self, name: str) -> list[str]:
        """All values of a parameter that may be repeated."""
        return self._values.get(name, [])

    def one(self, name: str) -> str | None:
        """The value of a parameter that may be given once, or None."""
        values = self.many(name)
        if len(values) > 1:
            raise bad_parameter(name, "given more than once")
        return values[0] if values else None

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`."""
        text = self.one(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
            raise bad_parameter(name, f"must be a whole number from 1 to {most}")
        return int(text)

    def relation(self, default: Relation = Relation.ALSO_VIEWED) -> Relation:
        """`relation`."""
        name = self.one("relation")
        if name is None:
            return default
        if name not in _RELATIONS:
            raise bad_parameter("relation", f"no such relation; there are {', '.join(_RELATIONS)}")
        return _RELATIONS[name]

    def yes(self, name: str, default: bool) -> bool:
        """true or false."""
        text = self.one(name)
        if text is None:
            return default
        if text not in YES:
            raise bad_parameter(name, f"must be one of {', '.join(YES)}")
        return YES[text]

    def text(self, name: str, most: int) -> str | None:
        """A text of 1 to `most` bytes."""
        text = self.one(name)
        if text is not None and not 1 <= len(text.encode()) <= most:
            raise bad_parameter(name, f"must have 1 to {most} bytes")
        return text

    def signal(self) -> Signal:
        """`signal`, default view."""
        name = self.one("signal")
        if name is None:
            return Signal.VIEW
        if name not in _SIGNALS:
            raise bad_parameter("signal", f"no such signal; there are {', '.join(_SIGNALS)}")
        return _SIGNALS[name]

    def items(self, listed: str, verbatim: str, most: int = MOST_SEEDS) -> tuple[str, ...]:
        """Distinct items of `listed` (comma-separated) and `verbatim` (one id each), in their order."""
        parts = [part for value in self.many(listed) for part in value.split(",") if part]
        items = [checked_item(text, listed) for text in parts]
        items += [checked_item(text, verbatim) for text in self.many(verbatim)]
        if len(items) > most:
            raise bad_parameter(listed, f"more than {most} items")
        return tuple(dict.fromkeys(items))

    def customer(self, name: str) -> str | None:
        """`uid` or `aid`; the message never repeats the value."""
        text = self.one(name)
        if text is None:
            return None
        if not 1 <= len(text.encode()) <= CUSTOMER_BYTES:
            raise bad_parameter(name, f"must have 1 to {CUSTOMER_BYTES} bytes")
        return text


def checked_item(text: str, field: str) -> str:
    """An item id as it is.

    Raises:
        ApiError: empty, or more than ITEM_BYTES bytes.
    """
    if not 1 <= len(text.encode()) <= ITEM_BYTES:
        raise bad_parameter(field, f"an item id has 1 to {ITEM_BYTES} bytes")
    return text


def item_in_path(raw_path: str, position: int, field: str) -> str:
    """The item id in one segment of a path as it came over the wire.

    Decoded here and not by the router, which cannot tell %252F from %2F and lets bytes pass that are no UTF-8.

    Args:
        raw_path: the path, percent-encoded.
        position: the segment's place; 1 is the one after the first slash.
        field: the parameter's name in an error.
    """
    try:
        text = unquote_to_bytes(raw_path.split("/")[position]).decode()
    except UnicodeError:
        raise bad_parameter(field, "not percent-encoded UTF-8") from None
    return checked_item(text, field)
