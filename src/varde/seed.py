"""The past of customers as lines of a file: what a stream that starts with empty state is given.

A line is one JSON object: `kind` (`known` or `anonymous`), `customer` (keys.customer_key), and what is not empty of
`view`, `cart` (item -> time, ms), `lines` (item -> order -> time), `returns` (order -> item -> time), `linked`,
`linked_at`, `erased_at`. Orders are named by the hexadecimal form of orders.order_key. No id of a person is in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from varde import orders
from varde.history import NO_HISTORY
from varde.orders import Orders
from varde.pairs import Histories
from varde.profile import NEVER, Profile

KNOWN, ANONYMOUS = "known", "anonymous"
_FIELDS = frozenset({"kind", "customer", "view", "cart", "lines", "returns", "linked", "linked_at", "erased_at"})
_LAST = 2**53 - 1
"""The largest time that JSON holds exactly."""


class Seed(NamedTuple):
    """One customer's past. kind: KNOWN or ANONYMOUS; customer: the customer key."""

    kind: str
    customer: str
    profile: Profile


def encode(seed: Seed) -> bytes:
    """One line, without its end."""
    kind, customer, held = seed
    bought = orders.decode(held.orders)
    fields = {
        "kind": kind,
        "customer": customer,
        "view": held.histories.view,
        "cart": held.histories.cart,
        "lines": {item: {o.hex(): time for o, time in times.items()} for item, times in bought.lines.items()},
        "returns": {o.hex(): items for o, items in bought.returns.items()},
        "linked": held.linked,
        "linked_at": held.linked_at,
        "erased_at": held.erased_at,
    }
    return orjson.dumps({name: value for name, value in fields.items() if value not in ({}, None, NEVER)})


def decode(line: bytes | str, cap: int) -> Seed:
    """The inverse of `encode`.

    Args:
        line: one line.
        cap: most items of a history (the history of purchases follows from the orders).

    Raises:
        ValueError: not such a line; the message names the field.
    """
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        msg = "not JSON"
        raise ValueError(msg) from None
    if not isinstance(fields, dict) or fields.get("kind") not in (KNOWN, ANONYMOUS):
        msg = "kind: must be known or anonymous"
        raise ValueError(msg)
    if unknown := fields.keys() - _FIELDS:
        msg = f"{min(unknown)}: no such field"
        raise ValueError(msg)
    customer = _customer(fields.get("customer"), "customer")
    linked = _customer(fields["linked"], "linked") if fields.get("linked") is not None else None
    if linked is not None and fields["kind"] == KNOWN:
        msg = "linked: only an anonymous customer is"
        raise ValueError(msg)
    bought = Orders(
        {item: _by_order(_times(times, "lines"), "lines") for item, times in _items(fields, "lines").items()},
        _by_order({order: _times(at, "returns") for order, at in _object(fields, "returns").items()}, "returns"),
    )
    histories = Histories(
        _times(_items(fields, "view"), "view") or NO_HISTORY,
        _times(_items(fields, "cart"), "cart") or NO_HISTORY,
        bought.purchases(cap),
    )
    held = Profile(
        histories,
        orders.encode(bought),
        linked,
        _time(fields.get("linked_at", NEVER), "linked_at", NEVER),
        _time(fields.get("erased_at", NEVER), "erased_at", NEVER),
    )
    return Seed(fields["kind"], customer, held)


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name, {})
    if not isinstance(value, dict):
        msg = f"{name}: must be an object"
        raise ValueError(msg)
    return value


def _items(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """An object by item; the empty item would be that of all customers (pairs.ANY_ITEM)."""
    value = _object(fields, name)
    if "" in value:
        msg = f"{name}: an item without an id"
        raise ValueError(msg)
    return value


def _times(value: Any, name: str) -> dict[str, int]:
    if not isinstance(value, dict):
        msg = f"{name}: must be an object of times"
        raise ValueError(msg)
    return {key: _time(time, name) for key, time in value.items()}


def _time(value: Any, name: str, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= _LAST:
        msg = f"{name}: must be a whole number of ms"
        raise ValueError(msg)
    return value


def _customer(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        msg = f"{name}: must be a customer key"
        raise ValueError(msg)
    return value


def _by_order(named: dict[str, Any], name: str) -> dict[bytes, Any]:
    try:
        return {bytes.fromhex(order): value for order, value in named.items()}
    except ValueError:
        msg = f"{name}: an order is named by hexadecimal digits"
        raise ValueError(msg) from None
