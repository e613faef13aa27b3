"""Orders of this process: kept in memory, so that the page after an order can show it. Nothing else is stored."""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict

from aiohttp import web

from .shop_cart import Cart

MOST = 1000
_ID = re.compile(r"order-[0-9a-f]{16}")


class Orders:
    """The latest orders, at most MOST."""

    def __init__(self) -> None:
        self._carts: OrderedDict[str, Cart] = OrderedDict()

    def put(self, order_id: str, cart: Cart) -> None:
        """Remember an order; the oldest is forgotten when there are too many."""
        self._carts[order_id] = cart
        while len(self._carts) > MOST:
            self._carts.popitem(last=False)

    def get(self, order_id: str) -> Cart | None:
        """What was ordered; None when it is not known (any more)."""
        return self._carts.get(order_id)


ORDERS: web.AppKey[Orders] = web.AppKey("orders", Orders)


def new_order_id() -> str:
    """That nobody can guess: whoever knows it sees the order."""
    return f"order-{secrets.token_hex(8)}"


def order_id(text: str) -> str:
    """The id that a form brings back; a new one where it is none."""
    return text if _ID.fullmatch(text) else new_order_id()
