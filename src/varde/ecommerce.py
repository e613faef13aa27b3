"""Names of Segment's Ecommerce spec, and how items are found in an event's properties. Pure; never raises.

Sources: Segment's spec, Ecommerce v2 and its aliases of v1, Email, A/B testing, Consent. docs/events.md has the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import orjson

from varde.history import Signal

MAX_ID_BYTES: Final = 256
"""Longest customer or item id, UTF-8. The bound of every key and row that holds one."""

COUNTED: Final[dict[str, Signal]] = {
    "Product Viewed": Signal.VIEW,
    "Viewed Product": Signal.VIEW,
    "Product Added": Signal.CART,
    "Added Product": Signal.CART,
    "Order Completed": Signal.PURCHASE,
    "Completed Order": Signal.PURCHASE,
}
"""v2 names and their v1 aliases."""

RETURNED: Final[frozenset[str]] = frozenset({"Order Refunded", "Order Cancelled"})
"""Names that take a purchase back."""

NOT_COUNTED: Final[frozenset[str]] = frozenset({
    # browsing
    "Products Searched", "Product List Viewed", "Viewed Product Category", "Product List Filtered",
    "Product Clicked", "Clicked Product",
    # cart and checkout
    "Product Removed", "Removed Product", "Cart Viewed", "Checkout Started", "Started Order",
    "Checkout Step Viewed", "Viewed Checkout Step", "Checkout Step Completed", "Completed Checkout Step",
    "Payment Info Entered",
    # orders after the purchase
    "Order Updated", "Updated Order",
    # promotions, coupons, wishlists, sharing, reviews
    "Promotion Viewed", "Viewed Promotion", "Promotion Clicked", "Clicked Promotion",
    "Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed",
    "Product Added to Wishlist", "Product Removed from Wishlist", "Wishlist Product Added to Cart",
    "Product Shared", "Cart Shared", "Product Reviewed",
    # other specs
    "Experiment Viewed", "Email Delivered", "Email Opened", "Email Link Clicked", "Email Bounced",
    "Email Marked as Spam", "Unsubscribed", "Segment Consent Preference Updated",
})  # fmt: skip
"""Standard names that Varde knows and leaves alone."""

CustomEvents = tuple[tuple[str, Signal], ...]


class Names:
    """Which signal an event name gives: exactly as written, then whatever the case; a shop's own names first."""

    def __init__(self, custom: CustomEvents) -> None:
        own, known = dict(custom), dict.fromkeys(NOT_COUNTED | RETURNED) | COUNTED
        self._exact: dict[str, tuple[str, Signal | None]] = {
            name: (name, signal) for name, signal in (known | own).items()
        }
        # First come, first kept: a shop's own names stand before the standard ones.
        self._folded: dict[str, tuple[str, Signal | None]] = {}
        for name, signal in [*own.items(), *known.items()]:
            self._folded.setdefault(name.lower(), (name, signal))

    def find(self, event: str) -> tuple[str, Signal | None] | None:
        """(name as the spec or the setting spells it, signal or None when not counted), or None when unknown."""
        return self._exact.get(event) or self._folded.get(event.lower())


@lru_cache(maxsize=16)
def names(custom: CustomEvents) -> Names:
    """The names of a shop; built once per mapping, not per event."""
    return Names(custom)


def table_name(event: str) -> str:
    """The warehouse table that Segment's sync keeps an event's rows in: `Order Completed` -> `order_completed`.

    Empty for a name without a Latin letter or digit: such an event has no table of its own.
    """
    return re.sub(r"[^0-9a-z]+", "_", event.lower()).strip("_")


def too_long(text: str) -> bool:
    """Whether an id has more than MAX_ID_BYTES; short ones are not encoded to find out."""
    return len(text) * 4 > MAX_ID_BYTES and len(text.encode()) > MAX_ID_BYTES


def item_id(product: dict[str, Any], item_keys: tuple[str, ...]) -> str | None:
    """The first usable value among `item_keys`: text of 1 to MAX_ID_BYTES bytes, or a whole number."""
    for key in item_keys:
        value = product.get(key)
        if type(value) is int:  # not bool, which is an int too
            return str(value)
        if isinstance(value, str) and value and not too_long(value):
            return value
    return None


def why_no_item(product: dict[str, Any], item_keys: tuple[str, ...]) -> tuple[str, str]:
    """(reason code, field) for a product in which `item_id` found nothing: the first value that was there at all."""
    for key in item_keys:
        value = product.get(key)
        if isinstance(value, str):
            if value:
                return "item_id_too_long", key
        elif value is not None:
            return "bad_item_id", key
    return "no_item_id", item_keys[0] if item_keys else "item_keys"


def products(value: Any) -> list[Any] | None:
    """`products` as a list: an array, one product object, or either as JSON text; None when it is none of these.

    Absent, null and empty text give an empty list.
    """
    if isinstance(value, str) and value:
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
        if isinstance(value, str):
            return None
    if value is None or value == "":
        return []
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else None


def order_items(bought: Iterable[Any], item_keys: tuple[str, ...]) -> tuple[str, ...]:
    """Distinct item ids of the products that have one, in the order of the message."""
    found = (item_id(product, item_keys) for product in bought if isinstance(product, dict))
    return tuple(dict.fromkeys(item for item in found if item is not None))


def order_id(properties: dict[str, Any]) -> str | None:
    """The order's id (v1 says `orderId` or `id`), or None: an order counts without one."""
    return item_id(properties, ("order_id", "orderId", "id"))
