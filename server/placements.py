"""POST /v1/placements: all lists of one page in one request, and no item twice across them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from aiohttp import web

from varde.placements import MOST_PRICE

from .answers import listing
from .asked import COMMON, SEEDS, Asked, asked
from .bodies import json_object
from .errors import ApiError, bad_parameter
from .lists import NONE
from .params import Query
from .parts import PARTS, REQUEST_ID, RUNG, Parts

MOST_LISTS = 20
MOST_ID = 64
"""Longest name of a list, characters."""
ROUTE = "/v1/placements"
SHARED = ("uid", "aid", "cart", "exclude", "lang", "currency", "campaign", "send_id")
"""Fields for the whole page, beside `placements`."""
_EXACT = 2.0**53
"""Whole numbers below this are what was sent, also where JSON has them with an exponent."""
OWN = ("id", "items", "item", *(name for name in COMMON if name not in (*SHARED, "cart_item", "exclude_item")))
"""Fields of one list; `id` is its name in the answer."""
_VERBATIM = {"items": "item", "cart": "cart_item", "exclude": "exclude_item"}
"""Arrays hold ids as they are: none is split at a comma."""
_NAMED = {"cart_item": "cart", "exclude_item": "exclude"}
_WHOLE, _PRICES, _FLAGS = ("n", "uid", "aid"), ("min_price", "max_price"), ("in_stock", "group_variants", "fill")
"""Fields that a JSON number or truth value may stand in; only the flags and n may not be text."""


async def placements(request: web.Request) -> web.StreamResponse:
    """POST /v1/placements. A page may send it as text/plain, which browsers allow without asking first."""
    started = time.perf_counter()
    parts = request.app[PARTS]
    lists = _lists(await _body(request), parts)
    memory, trials, client = parts.running.memory, parts.trials, parts.guard.client(request._message)
    taken: set[int] = set()
    out, shown = [], []
    rungs = set()
    stale = False
    # Together, within one deadline.
    looks = await asyncio.gather(*(trials.read(memory, wanted, wanted.seeds, client) for wanted in lists.values()))
    for name, look in zip(lists, looks, strict=True):
        listed = trials.compose(memory, look, taken)
        found = listed.made
        taken.update(pick.slot for pick in found.picks)
        rungs.add(found.rung)
        stale = stale or found.stale
        shown.append(listed)
        out.append(orjson.dumps(name) + b":{" + listing(memory.shelf, listed, because=True) + b"}")
    if stale:
        parts.metrics.stale.inc()
    if parts.shown is not None:
        for listed in shown:
            parts.shown.note(request, ROUTE, request[REQUEST_ID], listed, started)
    request[RUNG] = rungs.pop() if len(rungs) == 1 else NONE if not rungs else "mixed"
    head = b'{"request_id":"' + request[REQUEST_ID].encode() + b'","placements":{'
    return web.Response(
        body=head + b",".join(out) + b"}}",
        content_type="application/json",
        charset="utf-8",
        headers={"Cache-Control": "no-store"},
    )


async def _body(request: web.Request) -> dict[str, Any]:
    body = await json_object(request, '{"placements": [...]}')
    for name in body:
        if name not in (*SHARED, "placements"):
            raise bad_parameter(name[:64], f"no such field; there are placements, {', '.join(SHARED)}")
    return body


def _lists(body: Mapping[str, Any], parts: Parts) -> dict[str, Asked]:
    """The requests for lists by their names, in their order."""
    lists = body.get("placements")
    if not isinstance(lists, list) or not 1 <= len(lists) <= MOST_LISTS:
        raise bad_parameter("placements", f"must be an array of 1 to {MOST_LISTS} objects")
    shared = list(_pairs(body, SHARED, ""))
    out: dict[str, Asked] = {}
    for place, fields in enumerate(lists):
        at = f"placements[{place}]"
        if not isinstance(fields, dict):
            raise bad_parameter(at, "must be an object")
        for name in fields:
            if name not in OWN:
                raise bad_parameter(f"{at}.{name[:64]}", f"no such field; there are {', '.join(OWN)}")
        given = [fields.get("id"), fields.get("placement"), str(place)]
        name = next(name for name in given if name is not None)
        if not isinstance(name, str) or not 1 <= len(name) <= MOST_ID or name in out:
            raise bad_parameter(f"{at}.id", f"must be a text of 1 to {MOST_ID} characters that no other list has")
        own = _pairs({key: value for key, value in fields.items() if key != "id"}, OWN, f"{at}.")
        out[name] = _asked([*shared, *own], parts, at, _NAMED | ({"item": "items"} if fields.get("items") else {}))
    return out


def _asked(pairs: list[tuple[str, str]], parts: Parts, at: str, named: Mapping[str, str]) -> Asked:
    """The request of a list. named: what a parameter of a query string is called here, for errors."""
    try:
        query = Query.of_pairs(pairs, (*COMMON, *SEEDS))
        return asked(query, parts.config, parts.settings.min_customers, query.items(*SEEDS))
    except ApiError as error:
        field = named.get(str(error.field), str(error.field))
        where = field if field in SHARED else f"{at}.{field}"
        raise ApiError(error.status, error.code, error.message, where) from None


def _pairs(fields: Mapping[str, Any], names: tuple[str, ...], prefix: str) -> Iterator[tuple[str, str]]:
    """Fields as the pairs of a query string; null is as if it were not there."""
    for name in names:
        value = fields.get(name)
        if value is None:
            continue
        if name in _VERBATIM:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise bad_parameter(f"{prefix}{name}", "must be an array of texts")
            yield from ((_VERBATIM[name], item) for item in value)
        else:
            text = _text(name, value)
            if text is None:
                raise bad_parameter(f"{prefix}{name}", "is not of the type that this field has")
            yield name, text


def _text(name: str, value: Any) -> str | None:
    """A value as a query string has it; None when the field has another type."""
    if isinstance(value, bool):
        return str(value).lower() if name in _FLAGS else None
    if isinstance(value, str):
        return None if name in (*_FLAGS, "n") else value
    if not isinstance(value, (int, float)):
        return None
    if name in _PRICES:
        return f"{abs(value):.6f}" if 0 <= value < MOST_PRICE else None  # abs: there is a -0.0
    if name not in _WHOLE or (isinstance(value, float) and not (value.is_integer() and abs(value) < _EXACT)):
        return None
    return str(int(value))
