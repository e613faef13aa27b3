"""What one shopper does in one visit, as the bodies of Segment messages. Deterministic by the given random source.

An anonymousId belongs to one shopper, and so to at most one userId.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .catalogue import BRANDS, BY_SLUG, CATEGORIES, TIERS, Product, attraction, catalogue

ACCOUNTS = 0.65
"""Shoppers who have, or will make, an account."""
OLD_APPS = 0.03
"""Shoppers whose app still sends the event names of version 1."""
LIST_LENGTH = 8
MAX_VIEWS = 12

LEGACY_EVENTS = {
    "Product Viewed": "Viewed Product",
    "Product Added": "Added Product",
    "Product Removed": "Removed Product",
    "Order Completed": "Completed Order",
}


class Step(NamedTuple):
    """One message without ids of its own or times; `server` if the shop's server sends it, not a browser."""

    body: dict[str, Any]
    server: bool = False


class Offered(NamedTuple):
    """The list beside a product. request_id: of the answer that it came with; items: ids in their order.

    experiment, variation: what the answer says of them; None where the list is in none.
    """

    request_id: str
    items: tuple[str, ...]
    experiment: str | None = None
    variation: str | None = None


Ask = Callable[[str, str, str | None], Offered | None]
"""(item, anonymousId, userId where the browser knows it) -> the list on the page of the item; None: there is none."""


@dataclass(slots=True)
class Shopper:
    """Somebody with tastes, devices and perhaps an account. `known` are the devices that logged in."""

    user_id: str | None
    devices: tuple[str, ...]
    app: bool
    legacy: bool
    tastes: tuple[str, ...]
    brand: str
    tier: int
    known: set[str] = field(default_factory=set)

    def ids(self, device: str) -> dict[str, str | None]:
        """What a browser says about who it is: it sends null for a userId that it does not know."""
        return {"anonymousId": device, "userId": self.user_id if device in self.known else None}


def shopper(seed: int, number: int) -> Shopper:
    """The shopper of this number; the same for the same seed."""
    rng = random.Random(f"{seed}:shopper:{number}")  # noqa: S311 - reproducible on purpose
    first = rng.choice(CATEGORIES)
    tastes = (first.slug, *rng.sample(first.related, 2), rng.choice(CATEGORIES).slug)
    devices = tuple(str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(rng.choice((1, 1, 2))))
    return Shopper(
        user_id=f"shopper-{seed}-{number:05d}" if rng.random() < ACCOUNTS else None,
        devices=devices,
        app=rng.random() < 0.2,
        legacy=rng.random() < OLD_APPS,
        tastes=tastes,
        brand=rng.choice(BRANDS),
        tier=rng.randrange(TIERS),
    )


class Visit:
    """One visit to the shop. `number` is unique within the run and makes the order's id.

    With `ask` each product page shows a list. She knows which shelf she wants to see next, and what of it; where the
    list has something of that shelf that draws her no less, she clicks that instead: a better list has more clicks.
    """

    def __init__(self, who: Shopper, rng: random.Random, number: str, ask: Ask | None = None) -> None:
        self._who = who
        self._rng = rng
        self._number = number
        self._ask = ask
        self._offered: Offered | None = None
        self._device = rng.choice(who.devices)
        self._viewed: Product | None = None
        self._cart: list[Product] = []

    def steps(self) -> Iterator[Step]:
        """Everything the visit sends, in order."""
        yield self._page("Home", "/")
        if self._chance(0.1):
            yield from self._arrive_by_email_or_promotion()
        if self._chance(0.25):
            yield from self._log_in()
        for _ in range(min(MAX_VIEWS, 1 + int(self._rng.expovariate(0.25)))):
            yield from self._look_at_one()
        if self._cart:
            yield self._track("Cart Viewed", cart_id=self._number, products=self._lines())
            if self._chance(0.6):
                yield from self._check_out()
        if self._chance(0.03):
            yield self._track("Store Locator Opened", city="Bergen")

    def _look_at_one(self) -> Iterator[Step]:
        slug = self._next_category()
        shelf = catalogue()[slug]
        weights = attraction(slug, self._who.tier, self._who.brand)
        item = self._rng.choices(shelf, weights)[0]
        offered = self._liked(shelf, weights, weights[shelf.index(item)])
        if offered is not None:
            item, place, request_id = offered
            yield self._track("Product Clicked", position=place, request_id=request_id, **self._product(item))
        else:
            if self._chance(0.25):
                yield from self._find(slug, shelf)
            if self._chance(0.3):
                yield self._track("Product Clicked", position=item.rank + 1, **self._product(item))
        if self._ask is not None:
            self._offered = self._ask(item.id, self._device, self._who.ids(self._device)["userId"])
        yield self._track("Product Viewed", **self._product(item), currency="EUR", url=f"/p/{item.id}")
        self._viewed = item
        yield from self._consider(item)

    def _liked(
        self, shelf: tuple[Product, ...], weights: tuple[float, ...], least: float
    ) -> tuple[Product, int, str] | None:
        """What draws her most of a shelf's products in the list, its place there, and the request's id."""
        if self._offered is None:
            return None
        listed = [(weight, item) for item, weight in zip(shelf, weights, strict=True) if item.id in self._offered.items]
        weight, best = max(listed, key=lambda one: one[0], default=(0.0, None))
        if best is None or weight < least:
            return None
        return best, self._offered.items.index(best.id) + 1, self._offered.request_id

    def _next_category(self) -> str:
        draw = self._rng.random()
        if self._viewed is not None and draw < 0.35:
            return self._viewed.category
        if self._viewed is not None and draw < 0.6:
            return self._rng.choice(BY_SLUG[self._viewed.category].related)
        if draw < 0.97:
            return self._rng.choices(self._who.tastes, (4, 2, 2, 1))[0]
        return self._rng.choice(CATEGORIES).slug

    def _find(self, slug: str, shelf: tuple[Product, ...]) -> Iterator[Step]:
        title = BY_SLUG[slug].title
        if self._chance(0.3):
            yield self._track("Products Searched", query=title.lower())
        else:
            yield self._page(title, f"/c/{slug}")
        listed = [self._product(item) | {"position": n + 1} for n, item in enumerate(shelf[:LIST_LENGTH])]
        yield self._track("Product List Viewed", list_id=slug, category=title, products=listed)
        if self._chance(0.1):
            filters = [{"type": "brand", "value": self._who.brand}]
            yield self._track("Product List Filtered", list_id=slug, filters=filters, products=listed[:3])

    def _consider(self, item: Product) -> Iterator[Step]:
        if self._chance(0.04):
            name = self._rng.choice(("Product Added to Wishlist", "Product Shared"))
            yield self._track(name, wishlist_id=self._number, **self._product(item))
        if self._chance(0.02):
            yield self._track("Product Reviewed", product_id=item.id, rating=str(self._rng.randint(2, 5)))
        if self._chance(0.28):
            yield self._track("Product Added", cart_id=self._number, quantity=1, **self._product(item))
            self._cart.append(item)
        elif self._cart and self._chance(0.04):
            gone = self._cart.pop()
            yield self._track("Product Removed", cart_id=self._number, quantity=1, **self._product(gone))

    def _check_out(self) -> Iterator[Step]:
        order: dict[str, Any] = {"order_id": self._number, "currency": "EUR", "products": self._lines()}
        order["total"] = order["revenue"] = round(sum(item.price for item in self._cart), 2)
        yield self._track("Checkout Started", **order)
        yield self._track("Checkout Step Viewed", checkout_id=self._number, step=1)
        if self._chance(0.9):
            yield from self._log_in()
        yield self._track("Checkout Step Completed", checkout_id=self._number, step=1)
        if self._chance(0.1):
            yield self._track("Coupon Entered", order_id=self._number, coupon_id="SUMMIT10")
        yield self._track("Payment Info Entered", checkout_id=self._number, order_id=self._number)
        if self._chance(0.85):
            yield self._from_server("Order Completed", **order)
            if self._chance(0.06):
                name = self._rng.choice(("Order Updated", "Order Refunded", "Order Cancelled"))
                yield self._from_server(name, **order)

    def _log_in(self) -> Iterator[Step]:
        who, device = self._who, self._device
        if who.user_id is None or device in who.known:
            return
        who.known.add(device)
        traits = {"email": f"{who.user_id}@example.com", "firstName": "Kari"}
        yield Step({"type": "identify", **who.ids(device), "traits": traits})
        if self._chance(0.1):
            yield Step({"type": "alias", "previousId": device, "userId": who.user_id})
        if self._chance(0.1):
            yield Step(
                {"type": "group", **who.ids(device), "groupId": "hiking-club", "traits": {"name": "Hiking club"}}
            )

    def _arrive_by_email_or_promotion(self) -> Iterator[Step]:
        if self._device in self._who.known and self._chance(0.5):
            yield self._from_server("Email Opened", email_id=f"mail-{self._number}", campaign_id="spring")
            yield self._from_server("Email Link Clicked", email_id=f"mail-{self._number}", campaign_id="spring")
        else:
            promotion = {"promotion_id": "spring", "creative": "Spring on the fells", "position": "home_top"}
            yield self._track("Promotion Viewed", **promotion)
            yield self._track("Promotion Clicked", **promotion)

    def _page(self, name: str, path: str) -> Step:
        kind = "screen" if self._who.app else "page"
        return Step({"type": kind, **self._who.ids(self._device), "name": name, "properties": {"path": path}})

    def _track(self, event: str, **properties: Any) -> Step:
        name = LEGACY_EVENTS.get(event, event) if self._who.legacy else event
        return Step({"type": "track", "event": name, **self._who.ids(self._device), "properties": properties})

    def _from_server(self, event: str, **properties: Any) -> Step:
        """The shop's server knows the account, not the browser; without an account it has the browser's id."""
        who = self._who
        ids = {"userId": who.user_id} if self._device in who.known else {"anonymousId": self._device}
        name = LEGACY_EVENTS.get(event, event) if who.legacy else event
        return Step({"type": "track", "event": name, **ids, "properties": properties}, server=True)

    def _product(self, item: Product) -> dict[str, Any]:
        # Version 1 has id and sku. A warehouse column `id` is the message's, so Segment's sync loses a product's there.
        keys = ("id", "sku") if self._who.legacy else ("product_id",)
        fields = {"name": item.name, "category": item.category, "brand": item.brand, "price": item.price}
        return {**dict.fromkeys(keys, item.id), **fields}

    def _lines(self) -> list[dict[str, Any]]:
        return [self._product(item) | {"quantity": 1} for item in self._cart]

    def _chance(self, part: float) -> bool:
        return self._rng.random() < part
