"""The shop's pages: home, department, category, search, product, cart, checkout, thanks, who you are, privacy."""

from __future__ import annotations

from aiohttp import web

from . import shop_events, shop_goods, shop_people
from .catalogue import BY_SLUG
from .shop_orders import ORDERS, new_order_id
from .shop_render import SHOP, Page, show, who
from .shop_visit import YES

BEST = 4
"""Goods of each category that a department shows."""
PERSONAL = "for-you"
TELLS = {"trending": "home", "personal": PERSONAL, "cart": "cart", "viewed": "also-viewed", "tried": "product-page"}
"""What a list is on a page -> the placement of the demo's configuration that it asks for."""


async def home(request: web.Request) -> web.StreamResponse:
    """GET /."""
    fresh = shop_goods.new_in()
    tiles = [(one, shop_goods.shelf(one.categories[0].slug)[1]) for one in shop_goods.departments().values()]
    more = {"fresh": fresh, "tiles": tiles, "lists": TELLS, "personal": who(request).consent == YES}
    return show(request, Page("home.html", "", [shop_events.page("Home")], fresh, more=more))


async def department(request: web.Request) -> web.StreamResponse:
    """GET /d/{department}."""
    found = shop_goods.departments().get(request.match_info["department"])
    if found is None:
        return await missing(request)
    rows = [(one, shop_goods.shelf(one.slug)[:BEST]) for one in found.categories]
    shown = [good for _, goods in rows for good in goods]
    calls = [shop_events.page(found.name, category="Department")]
    return show(request, Page("department.html", found.name, calls, shown, more={"found": found, "rows": rows}))


async def category(request: web.Request) -> web.StreamResponse:
    """GET /c/{category}; `brand` and `sort` choose."""
    found = BY_SLUG.get(request.match_info["category"])
    if found is None:
        return await missing(request)
    everything = shop_goods.shelf(found.slug)
    brands = sorted({good.product.brand for good in everything})
    brand, sort = request.query.get("brand", ""), request.query.get("sort", "")
    brand, sort = brand if brand in brands else "", sort if sort in shop_goods.SORTS else ""
    shown = shop_goods.chosen(everything, brand, sort)
    list_id = f"category-{found.slug}"
    calls = [shop_events.page(found.title, category="Category")]
    if brand or sort:
        calls.append(shop_events.filtered(list_id, brand, sort, shown))
    else:
        calls.append(shop_events.listed(list_id, found.title, shown))
    more = {
        "found": found,
        "goods": shown,
        "brands": brands,
        "brand": brand,
        "sort": sort,
        "parent": shop_goods.department_of(found.slug),
    }
    return show(request, Page("category.html", found.title, calls, shown, more=more))


async def search(request: web.Request) -> web.StreamResponse:
    """GET /search?q=."""
    words = " ".join(request.query.get("q", "").split())[:80]
    shown = shop_goods.search(words)
    calls = [shop_events.page("Search")]
    if words:
        calls += [shop_events.searched(words), shop_events.listed("search", "Search", shown)]
    more = {"words": words, "goods": shown, "lists": TELLS}
    return show(request, Page("search.html", "Search", calls, shown, more=more))


async def product(request: web.Request) -> web.StreamResponse:
    """GET /p/{item}."""
    good = shop_goods.goods().get(request.match_info["item"])
    if good is None:
        return await missing(request)
    line = shop_goods.family(good)[:4]
    calls = [shop_events.page("Product", category="Product"), shop_events.viewed(good)]
    more = {
        "good": good,
        "family": line,
        "parent": shop_goods.department_of(good.product.category),
        "lists": TELLS,
        "cart": ",".join(who(request).cart.items),
    }
    return show(request, Page("product.html", good.product.name, calls, line, good.id, more=more))


async def cart(request: web.Request) -> web.StreamResponse:
    """GET /cart."""
    visitor = who(request)
    calls = [shop_events.page("Cart")]
    if visitor.cart.lines:
        calls.append(shop_events.cart_viewed(visitor.cart_id, visitor.cart))
    return show(request, Page("cart.html", "Your cart", calls, more={"cart": visitor.cart, "lists": TELLS}))


async def checkout(request: web.Request) -> web.StreamResponse:
    """GET /checkout."""
    visitor = who(request)
    if not visitor.cart.lines:
        raise web.HTTPSeeOther("/cart")
    order_id = new_order_id()
    calls = [shop_events.page("Checkout"), shop_events.checkout_started(order_id, visitor.cart)]
    return show(request, Page("checkout.html", "Checkout", calls, more=filled(visitor.cart, order_id, {}, {})))


def filled(cart: object, order_id: str, values: dict[str, str], wrong: dict[str, str]) -> dict[str, object]:
    """What the checkout's template needs: cart, order, what was typed, and what is wrong with it, by field."""
    return {"cart": cart, "order_id": order_id, "values": values, "wrong": wrong}


async def thanks(request: web.Request) -> web.StreamResponse:
    """GET /thanks/{order}: for as long as this process remembers the order; its event is told once."""
    order_id = request.match_info["order"]
    done = request.app[ORDERS].get(order_id)
    if done is None:
        return await missing(request)
    calls = [shop_events.page("Thanks")]
    if who(request).told == f"ordered {order_id}":
        calls.append(shop_events.ordered(order_id, done))
    more = {"cart": done, "order_id": order_id, "lists": TELLS, "personal": who(request).consent == YES}
    return show(request, Page("thanks.html", "Thank you", calls, more=more))


async def login(request: web.Request) -> web.StreamResponse:
    """GET /login: whom one may be."""
    people = shop_people.people(request.app[SHOP].seed)
    more = {"people": people, "wrong": "", "name": ""}
    return show(request, Page("login.html", "Log in", [shop_events.page("Log in")], more=more))


async def privacy(request: web.Request) -> web.StreamResponse:
    """GET /privacy: what is measured, and the choice."""
    return show(request, Page("privacy.html", "Privacy", [shop_events.page("Privacy")]))


async def missing(request: web.Request) -> web.StreamResponse:
    """Whatever there is not."""
    more = {"lists": TELLS}
    return show(request, Page("missing.html", "Not found", [shop_events.page("Not found")], status=404, more=more))
