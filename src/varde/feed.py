"""Rows of a feed and messages of changes into entries and changes, or into the reason why not. Pure; never raises.

Both may come as JSON or as texts (a CSV file, a warehouse's columns). docs/catalogue.md has the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from varde import fields
from varde.catalogue import CHANGEABLE, Change, Entry, Value
from varde.fields import BadFieldError

MAX_MESSAGE: Final = 256 * 1024
"""Bytes of a message of changes."""
COLUMNS: Final = (
    "id", "item", "parent", "title", "url", "image", "price", "currency", "stock", "categories", "brand", "hidden",
    "texts", "prices", "updated",
)  # fmt: skip
"""What is read of a feed's row; `item` is another name for `id`. Anything else in it is left aside."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a row or a change is not taken: a key of reasons.CATALOGUE; `detail` names the field.

    item: the id, where it could be read.
    """

    reason: str
    detail: str = ""
    item: str | None = None
    stage: str = "catalogue"


_CHANGES: Final[Mapping[str, Callable[[Any], Value]]] = {
    "hidden": fields.flag,
    "stock": fields.stock,
    "price": fields.price,
}


def entry(row: Any) -> Entry | Refused:
    """One row of a feed: a JSON object, or texts by column."""
    item = None
    try:
        if not isinstance(row, Mapping):
            raise BadFieldError("not_an_object", f"a row is an object, not {fields.kind(row)}")
        said = row.get("id")
        item = fields.item_id(row.get("item") if said in (None, "") else said)
        return Entry(
            item,
            fields.text(row.get("parent"), "parent"),
            fields.text(row.get("title"), "title"),
            fields.link(row.get("url"), "url"),
            fields.link(row.get("image"), "image"),
            fields.price(row.get("price")),
            fields.currency(row.get("currency")),
            fields.stock(row.get("stock")),
            fields.categories(row.get("categories")),
            fields.text(row.get("brand"), "brand"),
            fields.flag(row.get("hidden")) or False,
            fields.texts(row.get("texts")),
            fields.prices(row.get("prices")),
            fields.updated(row.get("updated")),
        )
    except BadFieldError as bad:
        return Refused(bad.reason, bad.detail, item)


def change(value: Any, received: int) -> Change | Refused:
    """One change: `{"id": …, "hidden": …, "stock": …, "price": …, "at": …}`, with at least one of the three.

    Args:
        value: parsed JSON.
        received: when it came, ms: stands for a missing `at`, and no change is later.
    """
    item = None
    try:
        if not isinstance(value, Mapping):
            raise BadFieldError("not_an_object", f"a change is an object, not {fields.kind(value)}")
        item = fields.item_id(value.get("id"))
        if unknown := [str(name) for name in value if name not in ("id", "at", *CHANGEABLE)]:
            raise BadFieldError("unknown_field", f"{unknown[0][:80]}: a change has {', '.join(CHANGEABLE)}, id and at")
        said: dict[str, Value] = {}
        for name in CHANGEABLE:
            if name in value:
                said[name] = _CHANGES[name](value[name])
        if not said:
            raise BadFieldError("nothing_changed", f"none of {', '.join(CHANGEABLE)}")
        return Change(item, fields.moment(value.get("at"), received), said)
    except BadFieldError as bad:
        return Refused(bad.reason, bad.detail, item)


def changes(data: bytes, received: int) -> Iterator[tuple[Change | Refused, bytes]]:
    """The changes of a message, one or a list, each with the bytes that said it."""
    if len(data) > MAX_MESSAGE:
        yield Refused("too_large", f"{len(data)} bytes"), data
        return
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        yield Refused("not_json", str(error)), data
        return
    if isinstance(value, list):
        for one in value:
            found = change(one, received)
            yield found, _bytes(one, data)
    else:
        yield change(value, received), data


def _bytes(value: Any, else_: bytes) -> bytes:
    """Its JSON; what is nested more deeply than orjson writes is shown as it came."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return else_
