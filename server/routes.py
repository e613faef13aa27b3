"""The /v1 routes: check the request, call the core, shape the answer. docs/http-api.md describes each."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

from varde import figures
from varde.pairs import Relation, Universe

from . import explain as why
from . import lists
from .errors import ApiError, StoreError, bad_parameter
from .params import MOST_ITEMS, Listing, Query, item_in_path
from .parts import PARTS, REQUEST_ID, RUNG, Parts, json_answer

T = TypeVar("T")
_LISTING = ("n", "relation", "ranking")


def _query(request: web.Request, *allowed: str) -> Query:
    return Query(request.rel_url.raw_query_string, allowed)


def _answer(request: web.Request, asked: Listing, got: lists.Answered, **echo: Any) -> web.Response:
    """The contract of every list (docs/http-api.md)."""
    request[RUNG] = got.rung
    body = {
        "request_id": request[REQUEST_ID],
        **echo,
        "relation": asked.relation.label,
        "ranking": asked.ranking,
        "rung": got.rung,
        "stale": got.stale,
        "experiment": None,
        "variation": None,
        "items": got.items,
    }
    return json_answer(body)


async def similar(request: web.Request) -> web.Response:
    """GET /v1/similar/{item}."""
    parts = request.app[PARTS]
    item = item_in_path(request.rel_url.raw_path, 3, "item")
    asked = _query(request, *_LISTING).listing(parts.settings.rankings)
    got = await lists.of_seeds(parts, [item], asked)
    for entry in got.items:
        del entry["because"]  # there is one seed, and the answer names it
    return _answer(request, asked, got, item=item)


async def recommendations(request: web.Request) -> web.Response:
    """GET /v1/recommendations, by seeds or by customer."""
    parts = request.app[PARTS]
    query = _query(request, *_LISTING, "items", "item", "uid", "aid")
    asked = query.listing(parts.settings.rankings)
    seeds, uid, aid = query.seeds(), query.customer("uid"), query.customer("aid")
    if seeds:
        return _answer(request, asked, await lists.of_seeds(parts, seeds, asked))
    if uid is None and aid is None:
        raise bad_parameter("items", "give items, item, uid or aid")
    return _answer(request, asked, await lists.of_customer(parts, uid, aid, asked))


async def explain(request: web.Request) -> web.Response:
    """GET /v1/explain/{item}/{other}."""
    parts = request.app[PARTS]
    item = item_in_path(request.rel_url.raw_path, 3, "item")
    other = item_in_path(request.rel_url.raw_path, 4, "other")
    relation = _query(request, "relation").relation()
    if item == other:
        raise bad_parameter("other", "must be another item")
    evidence = await _or_503(parts, _evidence(parts, relation, item, other))
    body = {
        "request_id": request[REQUEST_ID],
        "item": item,
        "other": other,
        "relation": relation.label,
        "customers": evidence.customers,
        "item_customers": evidence.item_customers,
        "other_customers": evidence.other_customers,
        "total_customers": evidence.total_customers,
        "scores": why.scored(evidence),
        "window": why.window(parts.settings.limits, parts.clock()),
        "text": why.sentence(item, other, relation, evidence, parts.settings.window_days),
    }
    return json_answer(body)


async def _evidence(parts: Parts, relation: Relation, item: str, other: str) -> why.Evidence:
    store = parts.store
    customers = await store.pair_count(relation, item, other)
    (item_customers,) = await store.supports(Universe(relation.row_signal), [item])
    (other_customers,) = await store.supports(Universe(relation.column_signal), [other])
    total = await store.total(relation)
    return why.Evidence(customers, item_customers, other_customers, total)


async def popular(request: web.Request) -> web.Response:
    """GET /v1/popular."""
    parts = request.app[PARTS]
    query = _query(request, "signal", "n")
    signal, n = query.signal(), query.number("n", 10, MOST_ITEMS)
    try:
        found, stale = await parts.read(lists.popular(parts, signal, n)), False
    except StoreError:
        found, stale = [], True
    body = {
        "request_id": request[REQUEST_ID],
        "signal": signal.name.lower(),
        "stale": stale,
        "items": [{"id": item, "score": score} for item, score in found],
    }
    return json_answer(body)


async def stats(request: web.Request) -> web.Response:
    """GET /v1/stats."""
    parts = request.app[PARTS]
    _query(request)
    return json_answer(await _or_503(parts, _figures(parts)))


async def _figures(parts: Parts) -> dict[str, Any]:
    counters = dict(await parts.store.stats())
    customers = await parts.store.total(Relation.VIEWED_BOUGHT)  # the relation that is about every customer
    return {**figures.totals(counters), "customers": customers, "counters": counters}


async def _or_503(parts: Parts, read: Coroutine[Any, Any, T]) -> T:
    try:
        return await parts.read(read)
    except StoreError as error:
        raise ApiError(503, "store_unavailable", "the counts cannot be read at the moment") from error
