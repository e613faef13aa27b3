"""What the shop's forms do: put into the cart, change it, order, log in and out, consent. Each goes on to a page."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiohttp import web

from . import shop_cart, shop_events, shop_goods, shop_people
from .shop_cart import Cart
from .shop_orders import ORDERS, order_id
from .shop_pages import filled, missing
from .shop_render import SHOP, Page, show, who
from .shop_visit import CART, CART_ID, CONSENT, NO, PERSON, YES, back, here, keep, new_cart_id

FIELDS = {
    "name": "your name",
    "email": "an e-mail address",
    "street": "street and number",
    "city": "post code and city",
}
LONGEST = 120
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


async def add(request: web.Request) -> web.StreamResponse:
    """POST /cart/add: item, size, quantity."""
    form, visitor = await _form(request), who(request)
    good, count = shop_goods.goods().get(form.get("item", "")), shop_cart.quantity(form.get("quantity", "1"))
    if good is None:
        return await missing(request)
    if good.entry.sold_out or not count:
        return here(good.url)
    size = shop_cart.sized(good, form.get("size", ""))
    name = shop_cart.Line(good, size, count).name
    return _carted(visitor.cart.added(good, size, count), visitor.cart_id or new_cart_id(), f"added {name} {count}")


async def change(request: web.Request) -> web.StreamResponse:
    """POST /cart/change: line, quantity (0 takes it out)."""
    form, visitor = await _form(request), who(request)
    line, count = visitor.cart.line(form.get("line", "")), shop_cart.quantity(form.get("quantity", "0"))
    if line is None or line.quantity == count:
        return here("/cart")
    more = count - line.quantity
    told = f"{'added' if more > 0 else 'removed'} {line.name} {abs(more)}"
    return _carted(visitor.cart.changed(line.name, count), visitor.cart_id or new_cart_id(), told)


def _carted(cart: Cart, cart_id: str, told: str) -> web.Response:
    response = here("/cart", told)
    keep(response, CART, cart.text())
    keep(response, CART_ID, cart_id)
    return response


async def order(request: web.Request) -> web.StreamResponse:
    """POST /checkout: an order, or the form again with what is wrong in it."""
    form, visitor = await _form(request), who(request)
    if not visitor.cart.lines:
        return here("/cart")
    values = {name: form.get(name, "").strip()[:LONGEST] for name in FIELDS}
    wrong = {name: f"Please give {what}." for name, what in FIELDS.items() if not values[name]}
    if values["email"] and not _EMAIL.fullmatch(values["email"]):
        wrong["email"] = "This is no e-mail address: it needs an @ and a domain, such as kari@example.com."
    made = order_id(form.get("order", ""))
    if wrong:
        more = filled(visitor.cart, made, values, wrong)
        calls = [shop_events.page("Checkout")]
        return show(request, Page("checkout.html", "Checkout", calls, status=422, more=more))
    request.app[ORDERS].put(made, visitor.cart)
    response = here(f"/thanks/{made}", f"ordered {made}")
    keep(response, CART, "")
    keep(response, CART_ID, "")
    return response


async def log_in(request: web.Request) -> web.StreamResponse:
    """POST /login: `person` is the id of a simulated shopper, or `name` is a name."""
    form, seed = await _form(request), request.app[SHOP].seed
    name = form.get("name", "")
    person = shop_people.known(seed, form["person"]) if form.get("person") else shop_people.named(name)
    if person is None:
        more = {"people": shop_people.people(seed), "name": name[:LONGEST]}
        more["wrong"] = "A name begins with a letter and has at most 40 characters."
        return show(request, Page("login.html", "Log in", status=422, more=more))
    response = here("/")
    keep(response, PERSON, person.user_id if person.likes else person.name)
    return response


async def log_out(_request: web.Request) -> web.StreamResponse:
    """POST /logout."""
    response = here("/")
    keep(response, PERSON, "")
    return response


async def consent(request: web.Request) -> web.StreamResponse:
    """POST /consent: `answer` is yes or no; then back to where it was asked."""
    form = await _form(request)
    response = here(back(form.get("back", "")))
    keep(response, CONSENT, YES if form.get("answer") == YES else NO)
    return response


async def _form(request: web.Request) -> Mapping[str, str]:
    """The form's texts; files and the like are as if they were not there."""
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
