"""What the shop says about its items: loads of a feed and single changes, merged without regard to their order. Pure.

Of one item a `Record` is held: the row of the newest feed load that had it, and of each changeable field the newest
change. Both are a maximum by time, so merging is associative, commutative and idempotent: loads and changes may come
in any order and any number of times. What is shown, the `Entry`, is computed from both (docs/catalogue.md):

- stock and price: the newest of feed and change; a feed that does not say one leaves the change standing.
- hidden: a change to true stands over every feed until a newer change says false or null, because a merchandiser's
  decision is not undone by the nightly file. False holds against older feeds only.
- a change to null takes back what changes have said: the feed counts again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, NamedTuple

import orjson

NEVER: Final = -1
"""The time of a feed load that has not been."""
CHANGEABLE: Final = ("hidden", "stock", "price")
"""The fields that a change may name."""

Value = bool | int | float | None
"""What a change says of a field."""


class Text(NamedTuple):
    """An item's name and page in one language; None where the default one stands."""

    title: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the catalogue, as it is shown.

    parent: the item it is a variant of. url, image: http, https or a path. stock: None when it is not tracked; 0 or
    less is sold out. categories: from the widest to the most specific. texts: language -> Text; prices: currency ->
    price, for other languages and currencies than the default ones. updated: when the feed's row was written, ms, in
    what a feed said; None in what is shown. listed: False when no feed has the item, and only changes are known.
    """

    id: str
    parent: str | None = None
    title: str | None = None
    url: str | None = None
    image: str | None = None
    price: float | None = None
    currency: str | None = None
    stock: int | None = None
    categories: tuple[str, ...] = ()
    brand: str | None = None
    hidden: bool = False
    texts: Mapping[str, Text] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    updated: int | None = None
    listed: bool = True

    @property
    def sold_out(self) -> bool:
        """Whether the stock is tracked and nothing is left."""
        return self.stock is not None and self.stock <= 0


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody has decided or noticed about one item at a time, ms: a value for some of CHANGEABLE."""

    id: str
    at: int
    said: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Record:
    """What is held of one item: the feed's row of the newest load that had it, and (time, value) of changed fields."""

    as_of: int = NEVER
    feed: Entry | None = None
    changes: Mapping[str, tuple[int, Value]] = field(default_factory=dict)


EMPTY: Final = Record()


def loaded(entry: Entry, as_of: int) -> Record:
    """What a feed load says of one item."""
    return Record(as_of, entry)


def changed(change: Change) -> Record:
    """What a change says of its item."""
    return Record(changes={name: (change.at, value) for name, value in change.said.items()})


def merge(one: Record, other: Record) -> Record:
    """Everything that two records know of the same item. Associative, commutative, idempotent."""
    newer = max(one, other, key=_feed_order)
    changes = dict(one.changes)
    for name, said in other.changes.items():
        if name not in changes or _order(said) > _order(changes[name]):
            changes[name] = said
    return Record(newer.as_of, newer.feed, changes)


def swept(record: Record, as_of: int, changes_since: int) -> Record | None:
    """What is left of a record after a complete load without the item.

    Args:
        record: what is held.
        as_of: time of the complete load; a row of that time or newer stays.
        changes_since: of an item that no feed has, changes from before this time go.

    Returns:
        None when nothing is left.
    """
    if record.as_of >= as_of:
        return record
    changes = {name: said for name, said in record.changes.items() if said[0] >= changes_since}
    return Record(changes=changes) if changes else None


def effective(item: str, record: Record) -> Entry | None:
    """The item as it is shown; None when no feed has it and no change says anything of it."""
    feed, changes = record.feed, record.changes
    if not changes and feed is not None and feed.updated is None:
        return feed
    if feed is None:
        if all(value is None for _, value in changes.values()):
            return None
        feed = Entry(item, listed=False)
    told = record.as_of if feed.updated is None else min(feed.updated, record.as_of)
    hidden_at, hidden = changes.get("hidden", _NOTHING)
    return replace(
        feed,
        hidden=hidden is True or (feed.hidden and not (hidden is False and hidden_at >= told)),
        stock=_newest(feed.stock, told, changes.get("stock", _NOTHING)),
        price=_newest(feed.price, told, changes.get("price", _NOTHING)),
        updated=None,
    )


_NOTHING: Final[tuple[int, Value]] = (NEVER, None)


def _newest(fed: Any, told: int, change: tuple[int, Value]) -> Any:
    at, value = change
    return value if value is not None and (fed is None or at >= told) else fed


def _order(said: tuple[int, Value]) -> tuple[int, bool, float]:
    """Newest first; of one time a value before none, then the greater: any fixed order would do."""
    at, value = said
    return at, value is not None, value or 0


def _feed_order(record: Record) -> tuple[int, int, bytes]:
    if record.feed is None:
        return record.as_of, NEVER, b""
    updated = NEVER if record.feed.updated is None else record.feed.updated
    return record.as_of, updated, orjson.dumps(_packed(record.feed), option=orjson.OPT_SORT_KEYS)


_SHORT: Final = {
    "parent": "v", "title": "t", "url": "u", "image": "i", "price": "p", "currency": "c", "stock": "s",
    "categories": "g", "brand": "b", "hidden": "h", "texts": "l", "prices": "m", "updated": "d",
}  # fmt: skip
"""Field of an entry -> its name in the bytes."""
_DEFAULTS: Final = {name: getattr(Entry(""), name) for name in _SHORT}
assert {*_SHORT, "id", "listed"} == {each.name for each in fields(Entry)}


def encode(record: Record) -> bytes:
    """Compact JSON: `[as_of, {short name: value, ...} or null, {field: [time, value], ...}]`; defaults are left out."""
    feed = None if record.feed is None else _packed(record.feed)
    return orjson.dumps([record.as_of, feed, record.changes], option=orjson.OPT_SORT_KEYS)


def decode(item: str, data: bytes) -> Record:
    """The inverse of `encode`.

    Raises:
        ValueError: other bytes than `encode` makes.
    """
    try:
        as_of, packed, changes = orjson.loads(data)
        feed = None if packed is None else _unpacked(item, packed)
        return Record(int(as_of), feed, {name: (int(at), value) for name, (at, value) in changes.items()})
    except (TypeError, AttributeError, ValueError) as error:
        msg = f"not a record of the catalogue: {error}"
        raise ValueError(msg) from None


def _packed(entry: Entry) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, short in _SHORT.items():
        value = getattr(entry, name)
        if value != _DEFAULTS[name]:
            out[short] = value
    if entry.texts:
        out["l"] = {language: list(text) for language, text in entry.texts.items()}
    return out


def _unpacked(item: str, packed: Mapping[str, Any]) -> Entry:
    get = packed.get
    return Entry(
        item,
        get("v"),
        get("t"),
        get("u"),
        get("i"),
        get("p"),
        get("c"),
        get("s"),
        tuple(get("g", ())),
        get("b"),
        get("h", False),
        {language: Text(*text) for language, text in get("l", {}).items()},
        get("m", {}),
        get("d"),
    )


def shown(entry: Entry) -> dict[str, Any]:
    """An entry for people and programs: its fields by name, without those that say nothing."""
    out = {name: getattr(entry, name) for name in _SHORT if getattr(entry, name) != _DEFAULTS[name]}
    if entry.texts:
        out["texts"] = {language: text._asdict() for language, text in entry.texts.items()}
    return {"id": entry.id, **out, "listed": entry.listed}
