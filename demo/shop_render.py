"""Pages out of templates (shop/*.html), with what every page has: header, consent, what its scripts need to know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web
from jinja2 import Environment, FunctionLoader, StrictUndefined

from . import shop_events, shop_goods
from .shop_cart import FREE_FROM, MOST_OF_ONE
from .shop_goods import Good
from .shop_visit import TOLD, YES, Visit, keep, visit


@dataclass(frozen=True, slots=True)
class Shop:
    """What the pages know of the system.

    server: address of Varde's server. write_key: of its collector. seed: of the simulated shoppers.
    """

    server: str
    write_key: str
    seed: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page. calls: events that it tells; shown: goods whose cards may be clicked; item: the product it is about."""

    template: str
    title: str
    calls: list[shop_events.Call] = field(default_factory=list)
    shown: Iterable[Good] = ()
    item: str = ""
    status: int = 200
    more: dict[str, Any] = field(default_factory=dict)


SHOP: web.AppKey[Shop] = web.AppKey("shop", Shop)


def file(name: str) -> bytes:
    """A file of the shop's folder."""
    return files(__package__).joinpath("shop", *name.split("/")).read_bytes()


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FunctionLoader(lambda name: file(name).decode()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "departments": shop_goods.departments(),
        "money": shop_goods.money,
        "sorts": shop_goods.SORTS,
        "free_from": FREE_FROM,
        "most_of_one": MOST_OF_ONE,
    }
    return made


def who(request: web.Request) -> Visit:
    """The visitor."""
    return visit(request, request.app[SHOP].seed)


def show(request: web.Request, page: Page) -> web.Response:
    """The page as the visitor gets it; what the last form did is told once."""
    shop, visitor = request.app[SHOP], who(request)
    html = (
        _templates()
        .get_template(page.template)
        .render(
            {
                "title": page.title,
                "visit": visitor,
                "path": request.path_qs,
                "shop": shop,
                "item": page.item,
                "data": _data(shop, visitor, page),
                **page.more,
            }
        )
    )
    response = web.Response(text=html, content_type="text/html", status=page.status)
    response.headers["Cache-Control"] = "no-store"
    if visitor.told:
        keep(response, TOLD, "")
    return response


def _data(shop: Shop, visitor: Visit, page: Page) -> str:
    """What shop.js reads, as JSON that cannot end its script element."""
    person = visitor.person
    told = {
        "server": shop.server,
        "writeKey": shop.write_key,
        "consent": visitor.consent,
        "person": {"id": person.user_id, "name": person.name} if person else None,
        "calls": [*visitor.calls(), *page.calls] if visitor.consent == YES else [],
        "shown": {good.id: shop_events.product(good) for good in page.shown},
        "item": page.item,
    }
    return orjson.dumps(told).decode().replace("<", "\\u003c")
