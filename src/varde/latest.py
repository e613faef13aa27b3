"""A customer's latest items: what Redis keeps of one for the server's seeds and rules. Pure.

Three sets of (entry, time of the latest mention): views and carts, whose entries are item ids, and orders. An entry of
the orders is a line of an order or the return of one, like the two parts of `varde.orders`: a return takes a purchase
back whichever of the two comes first, so the set needs no order of writes. Each set keeps its newest entries (of equal
times the greater, by bytes, as Redis sorts), and merges like a `varde.history`. A return comes after its line, so
a set that is cut loses the line first, and what was taken back does not come up again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from varde.orders import WHOLE_ORDER, Orders

E = TypeVar("E", str, bytes)
Timed = tuple[str, int]
"""(item id, time ms)"""

HOUR_MS = 3_600_000
NO_ENTRIES: dict[bytes, int] = {}

_NAME = 8
"""Bytes of an order's name (orders.order_key); zeros for a line without one."""
_LINE, _RETURN = b"+", b"-"


class Customer(NamedTuple):
    """What is known of one customer, each as (item id, time ms), newest first, of equal times the greater id first.

    views: latest viewed items.
    carts: latest items put into the cart and not ordered since; how long they count as in it, `in_cart` says.
    bought: latest items of orders, without those that were refunded or cancelled.
    """

    views: list[Timed]
    carts: list[Timed]
    bought: list[Timed]


def newest(times: dict[E, int], size: int) -> dict[E, int]:
    """The `size` newest entries; of equal times the greater are kept, as remember.lua does."""
    if len(times) <= size:
        return times
    ranked = sorted(times.items(), key=lambda entry: (entry[1], entry[0]), reverse=True)
    return dict(ranked[:size])


def entries(orders: Orders) -> dict[bytes, int]:
    """Orders as entries of a set: entry -> time, ms."""
    if not orders:
        return NO_ENTRIES
    found = {_entry(order, _LINE, item): time for item, times in orders.lines.items() for order, time in times.items()}
    for order, items in orders.returns.items():
        found.update((_entry(order, _RETURN, item), time) for item, time in items.items())
    return found


def _entry(order: bytes, kind: bytes, item: str) -> bytes:
    return (order or bytes(_NAME)) + kind + item.encode()


def customer(views: list[Timed], carts: list[Timed], orders: Iterable[tuple[bytes, int]]) -> Customer:
    """The customer of three sets.

    Args:
        views: (item id, time), newest first.
        carts: the same.
        orders: (entry, time) as `entries` makes them, in any order.
    """
    lines: list[tuple[bytes, str, int]] = []
    returns: set[tuple[bytes, str]] = set()
    for entry, time in orders:
        order, kind, item = entry[:_NAME], entry[_NAME : _NAME + 1], entry[_NAME + 1 :].decode()
        if kind == _LINE:
            lines.append((order, item, time))
        else:
            returns.add((order, item))
    if not lines:
        return Customer(views, carts, [])
    ordered = _latest((item, time) for _, item, time in lines)
    kept = ((item, time) for order, item, time in lines if returns.isdisjoint({(order, item), (order, WHOLE_ORDER)}))
    return Customer(views, _not_since(carts, ordered), _sorted(_latest(kept)))


def merged(known: Iterable[Customer]) -> Customer:
    """One customer of several keys, the known one first: the views of the first that has any, what any has done else.

    So a purchase under the userId empties a cart under the anonymousId that is not linked to it yet.
    """
    every = [one for one in known if any(one)]
    if len(every) == 1:
        return every[0]
    bought = _latest(entry for one in every for entry in one.bought)
    carts = _sorted(_latest(entry for one in every for entry in one.carts))
    views = next((one.views for one in every if one.views), [])
    return Customer(views, _not_since(carts, bought), _sorted(bought))


def in_cart(known: Customer, now: int, hours: float) -> list[str]:
    """The items that are taken to be in the customer's cart at `now`, newest first.

    Those put into it within the last hours (VARDE_CART_HOURS) and not ordered since. That one was taken out of the cart
    is not known.
    """
    return [item for item, time in known.carts if time >= now - hours * HOUR_MS]


def _latest(timed: Iterable[Timed]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item, time in timed:
        if time > found.get(item, -1):
            found[item] = time
    return found


def _not_since(carts: Iterable[Timed], ordered: Mapping[str, int]) -> list[Timed]:
    return [(item, time) for item, time in carts if time > ordered.get(item, -1)]


def _sorted(times: Mapping[str, int]) -> list[Timed]:
    return sorted(times.items(), key=lambda entry: (entry[1], entry[0]), reverse=True)
