"""What a page tells: events of Segment's Ecommerce specification, as calls of its browser SDK. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .assortment import CURRENCY
from .shop_cart import Cart, Line
from .shop_goods import Good

Call = list[Any]
"""[method of the SDK, its arguments …], as JSON."""
Properties = dict[str, Any]


def page(name: str, **properties: Any) -> Call:
    """A page was opened."""
    return ["page", name, properties]


def identify(user_id: str, **traits: Any) -> Call:
    """Somebody has logged in."""
    return ["identify", user_id, traits]


def reset() -> Call:
    """Somebody has logged out."""
    return ["reset"]


def product(good: Good, **more: Any) -> Properties:
    """The fields of a product, as its events and lists have them."""
    return {
        "product_id": good.id,
        "name": good.product.name,
        "category": good.product.category,
        "brand": good.product.brand,
        "price": good.product.price,
        **more,
    }


def viewed(good: Good) -> Call:
    """A product's page was opened."""
    return _track("Product Viewed", product(good, currency=CURRENCY, url=good.url))


def listed(list_id: str, category: str, shown: Iterable[Good]) -> Call:
    """A shelf was opened."""
    return _track("Product List Viewed", {"list_id": list_id, "category": category, "products": _numbered(shown)})


def filtered(list_id: str, brand: str, sort: str, shown: Iterable[Good]) -> Call:
    """A shelf was narrowed or put in another order."""
    filters = [{"type": "brand", "value": brand}] if brand else []
    sorts = [{"type": sort, "value": "asc"}] if sort else []
    told = {"list_id": list_id, "filters": filters, "sorts": sorts, "products": _numbered(shown)}
    return _track("Product List Filtered", told)


def searched(query: str) -> Call:
    """Something was looked for."""
    return _track("Products Searched", {"query": query})


def added(cart_id: str, line: Line) -> Call:
    """Something was put into the cart."""
    return _track("Product Added", {"cart_id": cart_id, **_line(line)})


def removed(cart_id: str, line: Line) -> Call:
    """Something was taken out of the cart."""
    return _track("Product Removed", {"cart_id": cart_id, **_line(line)})


def cart_viewed(cart_id: str, cart: Cart) -> Call:
    """The cart was opened."""
    return _track("Cart Viewed", {"cart_id": cart_id, "products": _lines(cart)})


def checkout_started(order_id: str, cart: Cart) -> Call:
    """The form for an order was opened."""
    return _track("Checkout Started", {"order_id": order_id, **_sums(cart), "products": _lines(cart)})


def ordered(order_id: str, cart: Cart) -> Call:
    """An order was made."""
    return _track("Order Completed", {"order_id": order_id, **_sums(cart), "products": _lines(cart)})


def _track(event: str, properties: Properties) -> Call:
    return ["track", event, properties]


def _numbered(shown: Iterable[Good]) -> list[Properties]:
    return [product(good, position=place) for place, good in enumerate(shown, 1)]


def _line(line: Line) -> Properties:
    size = {"variant": line.size} if line.size else {}
    return product(line.good, quantity=line.quantity, **size)


def _lines(cart: Cart) -> list[Properties]:
    return [_line(line) | {"position": place} for place, line in enumerate(cart.lines, 1)]


def _sums(cart: Cart) -> Properties:
    return {"revenue": cart.goods_total, "shipping": cart.shipping, "total": cart.total, "currency": CURRENCY}
