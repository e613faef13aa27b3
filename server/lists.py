"""The two lists, similar and recommendations: read rows, blend, fall to what is popular, never fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from varde import keys
from varde.delivery import popularity
from varde.history import Signal

from .blend import SEEDS, best, named
from .errors import StoreError
from .params import Listing
from .parts import Parts


class Answered(NamedTuple):
    """Items of a list as JSON objects, the rung they come from, and whether Redis failed to give better ones."""

    items: list[dict[str, Any]]
    rung: str
    stale: bool = False


NOTHING = Answered([], "none")
FAILED = Answered([], "none", stale=True)


async def of_seeds(parts: Parts, seeds: Sequence[str], asked: Listing) -> Answered:
    """Neighbours of the seeds (most recent first), or popular items, without the seeds themselves."""
    try:
        return await parts.read(_ladder(parts, seeds, asked))
    except StoreError:
        return FAILED


async def of_customer(parts: Parts, uid: str | None, aid: str | None, asked: Listing) -> Answered:
    """The same with the customer's latest items as seeds: those of `uid`, or of `aid` where it has none."""
    try:
        return await parts.read(_customer(parts, uid, aid, asked))
    except StoreError:
        return FAILED


async def _customer(parts: Parts, uid: str | None, aid: str | None, asked: Listing) -> Answered:
    secret = parts.settings.id_secret.encode()
    seeds: list[str] = []
    for user_id, anonymous_id in ((uid, None), (None, aid)):
        if not seeds and (user_id or anonymous_id):
            customer = keys.customer_key(user_id, anonymous_id, secret)
            seeds = [item for item, _ in await parts.store.recents(customer)]
    return await _ladder(parts, seeds, asked)


async def _ladder(parts: Parts, seeds: Sequence[str], asked: Listing) -> Answered:
    items = await _pairs(parts, seeds, asked)
    if items:
        return Answered(items, "pairs")
    items = await _popular(parts, seeds, asked)
    return Answered(items, "popular") if items else NOTHING


async def _pairs(parts: Parts, seeds: Sequence[str], asked: Listing) -> list[dict[str, Any]]:
    if not seeds:
        return []
    rows = await parts.store.rows(asked.relation, seeds[:SEEDS])
    wanted = asked.n + len(seeds)
    candidates = best(rows, asked.ranking, parts.settings.min_customers, wanted)
    names = await parts.store.names([candidate.number for candidate in candidates])
    return [
        {"id": item.id, "score": item.score, "customers": item.customers, "because": seeds[item.seed]}
        for item in named(candidates, names, seeds, asked.n)
    ]


async def popular(parts: Parts, signal: Signal, n: int) -> list[tuple[str, float]]:
    """The n most popular items and how many interactions of this moment theirs are worth, best first.

    The store's sums grow with time (delivery.popularity); divided by the weight of an interaction of now they are the
    number of interactions, each worth half as much after every half-life.
    """
    now = popularity(parts.clock(), parts.settings.half_life_days)
    return [(item, weight / now) for item, weight in await parts.store.popular(signal, n)]


async def _popular(parts: Parts, seeds: Sequence[str], asked: Listing) -> list[dict[str, Any]]:
    found = await popular(parts, asked.relation.column_signal, asked.n + len(seeds))
    kept = [(item, interactions) for item, interactions in found if item not in seeds]
    return [{"id": item, "score": score, "customers": None, "because": None} for item, score in kept[: asked.n]]
