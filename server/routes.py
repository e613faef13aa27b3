"""The /v1 routes: check the request, call the core, shape the answer. docs/http-api.md describes each."""

from __future__ import annotations

import re
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

from varde import figures, keys
from varde.delivery import popularity
from varde.pairs import Relation

from . import explain as why
from .answers import Answer
from .asked import COMMON, SEEDS, Asked, asked
from .desk import Desk
from .errors import ApiError, StoreError, bad_parameter
from .experiments import Listed
from .lists import POPULAR
from .params import ITEM_BYTES, MOST_FIELDS, MOST_ITEMS, MOST_SEEDS, Query, item_in_path
from .parts import OWN, PARTS, REQUEST_ID, Parts, json_answer
from .rules import Picker, Rules
from .search import shown
from .shortcut import RECOMMENDATIONS, SIMILAR

T = TypeVar("T")
_SEEDED = tuple(f"{name}=" for name in SEEDS)
_LISTED = f"{SEEDS[0]}="
_BEFORE_ITEM = len(SIMILAR) - len("{item}")
_PLAIN = re.compile(r"[\w.:,-]+", re.ASCII).fullmatch
"""Ids that stand for themselves in a query string, with commas between them."""
NOTHING = keys.ANY_NUMBER
"""The number of no item."""


async def similar(request: web.Request) -> web.StreamResponse:
    """GET /v1/similar/{item}."""
    started = time.perf_counter()
    parts: Parts = request._state[OWN]
    desk = parts.desk
    target = request._message.path
    answer = desk.known(target)
    if answer is None:
        path, _, query = target.partition("?")
        item = path[_BEFORE_ITEM:]
        if not _PLAIN(item) or len(item) > ITEM_BYTES:
            item = item_in_path(path, 3, "item")
        wanted = _asked_before(desk, parts, query)
        answer = desk.quick(target, wanted, item, (item,)) or await desk.answer(
            target, wanted, item, parts.guard.client(request) if wanted.personal else ""
        )
    response = desk.respond(request, request._state[REQUEST_ID], answer, parts.guard.cors(request))
    if answer.listed is not None:
        _shown(request, parts, SIMILAR, answer.listed, response, started)
    return response


def _shown(
    request: web.Request, parts: Parts, route: str, listed: Listed, response: web.StreamResponse, started: float
) -> None:
    """Note a list of an experiment, unless nobody sees it or it is the one that the client has already."""
    if parts.shown is not None and response.status == 200 and request.method == "GET":
        parts.shown.note(request, route, request[REQUEST_ID], listed, started)


def _asked_before(desk: Desk, parts: Parts, query: str) -> Asked:
    """The parameters of `similar`; few shops use more than a handful of query strings, so they are kept as read."""
    wanted = desk.queries.get(query)
    if wanted is None or wanted.config is not parts.config:
        wanted = _asked(parts, query, COMMON, ())
        if not wanted.personal:
            desk.keep(query, wanted)
    return wanted


async def recommendations(request: web.Request) -> web.StreamResponse:
    """GET /v1/recommendations, by seeds or by customer."""
    started = time.perf_counter()
    parts: Parts = request._state[OWN]
    desk = parts.desk
    target = request._message.path
    answer = desk.known(target)
    if answer is None:
        query = target.partition("?")[2]
        answer = _of_known(desk, parts, target, query)
    if answer is None:
        wanted, seeds = _seeded(desk, parts, query)
        source = wanted.placement.source
        if not seeds and not wanted.personal and source not in ("trending", "popular"):
            raise bad_parameter("items", "give items, item, uid or aid")
        answer = desk.quick(target, wanted, None, seeds) or await desk.answer(
            target, wanted, None, parts.guard.client(request) if wanted.personal else "", seeds
        )
    response = desk.respond(request, request._state[REQUEST_ID], answer, parts.guard.cors(request))
    if answer.listed is not None:
        _shown(request, parts, RECOMMENDATIONS, answer.listed, response, started)
    return response


def _of_known(desk: Desk, parts: Parts, target: str, raw: str) -> Answer | None:
    """The answer to a request with nothing but seeds, of items that are all known as they are written."""
    if not raw.startswith(_LISTED) or not raw.isascii() or "&" in raw or "%" in raw or "+" in raw:
        return None
    names = raw[len(_LISTED) :].split(",")
    if len(names) > MOST_SEEDS:
        return None
    return desk.quick(target, _asked_before(desk, parts, ""), None, tuple(dict.fromkeys(names)))


def _seeded(desk: Desk, parts: Parts, raw: str) -> tuple[Asked, tuple[str, ...]]:
    """The parameters of `recommendations` and its seeds: every request has others, while the rest seldom changes."""
    if raw.startswith(_LISTED) and _PLAIN(raw, len(_LISTED)):
        names = raw[len(_LISTED) :].split(",")
        if len(names) <= MOST_SEEDS and "" not in names and len(max(names, key=len)) <= ITEM_BYTES:
            return _asked_before(desk, parts, ""), tuple(dict.fromkeys(names))
    fields = raw.split("&")
    rest = "&".join([field for field in fields if not field.startswith(_SEEDED)])
    try:
        wanted = _asked_before(desk, parts, rest) if "%" not in rest and len(fields) <= MOST_FIELDS else None
    except ApiError:  # to be said of the whole request
        wanted = None
    if wanted is None:  # a name may be written in many ways
        wanted = _asked(parts, raw, (*COMMON, *SEEDS), None)
        return wanted, wanted.seeds
    return wanted, Query("&".join([field for field in fields if field.startswith(_SEEDED)]), SEEDS).items(*SEEDS)


def _asked(parts: Parts, raw: str, allowed: tuple[str, ...], seeds: tuple[str, ...] | None) -> Asked:
    query = Query(raw, allowed)
    found = query.items(*SEEDS) if seeds is None else seeds
    return asked(query, parts.config, parts.settings.min_customers, found)


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
