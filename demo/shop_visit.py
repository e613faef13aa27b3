"""Who visits the shop, by the cookies of a request: cart, person, consent, and what happened on the way here."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from aiohttp import web

from . import shop_cart, shop_events, shop_people
from .shop_cart import Cart
from .shop_events import Call
from .shop_people import Person

YES, NO = "yes", "no"
KEPT_S = 30 * 86_400
CART, CART_ID, PERSON, CONSENT, TOLD = "shop_cart", "shop_cart_id", "shop_person", "shop_consent", "shop_told"
_CART_ID = re.compile(r"cart-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request's visitor.

    cart_id: empty while nothing was ever in the cart. consent: YES, NO or empty for somebody who was not asked yet.
    told: words about what the last form did, to be told by the next page.
    """

    cart: Cart
    cart_id: str
    person: Person | None
    consent: str
    told: str

    @property
    def asked(self) -> bool:
        """Whether the visitor has said yes or no."""
        return self.consent in (YES, NO)

    def calls(self) -> list[Call]:
        """Events of what the last form did to the cart."""
        what, _, rest = self.told.partition(" ")
        name, _, number = rest.partition(" ")
        lines = shop_cart.read(f"{name}~{number}").lines
        make = {"added": shop_events.added, "removed": shop_events.removed}.get(what)
        return [make(self.cart_id, line) for line in lines] if make else []

    @property
    def notice(self) -> str:
        """What the last form did, for the visitor."""
        what, _, rest = self.told.partition(" ")
        lines = shop_cart.read(rest.replace(" ", "~")).lines
        words = {"added": "is in your cart.", "removed": "was taken out of your cart."}.get(what)
        return f"{lines[0].good.product.name} {words}" if words and lines else ""


def visit(request: web.Request, seed: int) -> Visit:
    """The visitor of a request; a cookie that makes no sense is as if it were not there.

    Args:
        request: any.
        seed: of the simulated shoppers.
    """
    said = {name: unquote(request.cookies.get(name, "")) for name in (CART, CART_ID, PERSON, CONSENT, TOLD)}
    return Visit(
        shop_cart.read(said[CART]),
        said[CART_ID] if _CART_ID.fullmatch(said[CART_ID]) else "",
        shop_people.known(seed, said[PERSON]) if said[PERSON] else None,
        said[CONSENT] if said[CONSENT] in (YES, NO) else "",
        said[TOLD],
    )


def new_cart_id() -> str:
    """For the first thing that is put into a cart."""
    return f"cart-{secrets.token_hex(6)}"


def keep(response: web.StreamResponse, name: str, value: str, seconds: int | None = KEPT_S) -> None:
    """Set a cookie, or with an empty value remove it. None: it goes with the browser's session."""
    if not value:
        response.del_cookie(name, path="/")
        return
    response.set_cookie(name, quote(value), max_age=seconds, path="/", httponly=True, samesite="Lax")


def back(text: str, otherwise: str = "/") -> str:
    """A path of the shop's own to go back to: never another site's."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable():
        return otherwise
    parts = urlsplit(text)
    return text if not parts.netloc and not parts.scheme else otherwise


def here(path: str, told: str = "") -> web.Response:
    """Go on to a page of the shop after a form (303)."""
    response = web.Response(status=303, headers={"Location": path})
    if told:
        keep(response, TOLD, told, None)
    return response
