"""The /v1 routes: check the request, call the core, shape the answer. docs/http-api.md describes each."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

from varde import figures, keys
from varde.delivery import popularity
from varde.pairs import Relation

from . import at_once
from . import explain as why
from .answers import Answer
from .asked import Asked
from .errors import ApiError, StoreError, bad_parameter
from .lists import POPULAR
from .params import MOST_ITEMS, Query, item_in_path
from .parts import OWN, PARTS, REQUEST_ID, RUNG, Parts, json_answer
from .rules import Picker, Rules
from .search import shown
from .shortcut import RECOMMENDATIONS, SIMILAR
from .written import Written

T = TypeVar("T")
NOTHING = keys.ANY_NUMBER
"""The number of no item."""


async def similar(request: web.Request) -> web.StreamResponse:
    """GET /v1/similar/{item}."""
    started = time.perf_counter()
    parts: Parts = request._state[OWN]
    target = request._message.path
    answer = at_once.similar(parts, target)
    if answer is None:
        path, _, query = target.partition("?")
        wanted = at_once.asked_before(parts.desk, parts, query)
        answer = await parts.desk.answer(target, wanted, at_once.item_of(path), _client(request, parts, wanted))
    return _respond(request, parts, SIMILAR, answer, started)


async def recommendations(request: web.Request) -> web.StreamResponse:
    """GET /v1/recommendations, by seeds or by customer."""
    started = time.perf_counter()
    parts: Parts = request._state[OWN]
    target = request._message.path
    answer = at_once.recommendations(parts, target)
    if answer is None:
        wanted, seeds = at_once.seeded(parts.desk, parts, target.partition("?")[2])
        answer = await parts.desk.answer(target, wanted, None, _client(request, parts, wanted), seeds)
    return _respond(request, parts, RECOMMENDATIONS, answer, started)


def _client(request: web.Request, parts: Parts, wanted: Asked) -> str:
    """Whose key a request for one customer shows."""
    return parts.guard.client(request._message) if wanted.personal else ""


def _respond(request: web.Request, parts: Parts, route: str, answer: Answer, started: float) -> Written:
    """The response; a list of an experiment is noted, unless nobody sees it or the client has this one already."""
    message, state = request._message, request._state
    state[RUNG] = answer.rung
    reply = parts.desk.reply(message, state[REQUEST_ID], answer, parts.guard.cors(message))
    if answer.listed is not None and parts.shown is not None and reply.status == 200 and message.method == "GET":
        parts.shown.note(request, route, state[REQUEST_ID], answer.listed, started)
    return Written(reply)


async def explain(request: web.Request) -> web.Response:
    """GET /v1/explain/{item}/{other}."""
    parts = request.app[PARTS]
    item = item_in_path(request.rel_url.raw_path, 3, "item")
    other = item_in_path(request.rel_url.raw_path, 4, "other")
    relation = Query(request.rel_url.raw_query_string, ("relation",)).relation()
    if item == other:
        raise bad_parameter("other", "must be another item")
    evidence = await _or_503(parts, _evidence(parts, relation, item, other))
    formulas = [ranking.formula for ranking in parts.config.rankings.values()]
    body = {
        "request_id": request[REQUEST_ID],
        "item": item,
        "other": other,
        "relation": relation.label,
        "customers": evidence.customers,
        "item_customers": evidence.item_customers,
        "other_customers": evidence.other_customers,
        "total_customers": evidence.total_customers,
        "scores": why.scored(evidence, formulas),
        "window": why.window(parts.settings.limits, parts.clock()),
        "text": why.sentence(item, other, relation, evidence, parts.settings.window_days),
    }
    return json_answer(body)


async def _evidence(parts: Parts, relation: Relation, item: str, other: str) -> why.Evidence:
    """Exact, in one round trip; an item that Varde has counted nothing of has number 0, which no item has."""
    shelf = parts.running.memory.shelf
    row, column = (
        NOTHING if slot is None else max(shelf.numbers[slot], NOTHING) for slot in map(shelf.slots.get, (item, other))
    )
    found = await parts.store.evidence(relation, row, column)
    if row == NOTHING:
        found = (0, 0, *found[2:])
    if column == NOTHING:
        found = (0, found[1], 0, found[3])
    return why.Evidence(*found)


async def popular(request: web.Request) -> web.Response:
    """GET /v1/popular."""
    parts = request.app[PARTS]
    query = Query(request.rel_url.raw_query_string, ("signal", "n"))
    signal, n = query.signal(), query.number("n", 10, MOST_ITEMS)
    memory = parts.running.memory
    now = popularity(parts.clock(), parts.settings.half_life_days)
    rules = Rules(listed_only=memory.shelf.entries_listed > 0, group_variants=False)
    picker = Picker(memory.shelf, rules, n)
    picker.offer(POPULAR, memory.popular.over_all(signal, now))
    body = {
        "request_id": request[REQUEST_ID],
        "signal": signal.name.lower(),
        "stale": memory.away(),
        "items": [{**shown(memory.shelf, pick.slot), "score": pick.score} for pick in picker.picks],
    }
    return json_answer(body)


async def stats(request: web.Request) -> web.Response:
    """GET /v1/stats."""
    parts = request.app[PARTS]
    Query(request.rel_url.raw_query_string, ())
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
