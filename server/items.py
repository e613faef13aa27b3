"""PATCH /v1/items/{item}: hide an item, or say its stock or price, for the next request of every server process."""

from __future__ import annotations

import asyncio

from aiohttp import web
from redis.exceptions import RedisError

from varde.catalogue import CHANGEABLE
from varde.feed import Refused, change
from varde.store.catalogue import reached
from varde.store.catalogue_aio import AsyncCatalogue

from .bodies import json_object
from .errors import ApiError, bad_parameter
from .params import item_in_path
from .parts import PARTS, REQUEST_ID, Clock, json_answer

FOLLOWED_S = 2.0
"""How long the answer waits for the other server processes."""
WRITTEN_S = 5.0
"""How long Redis has for the change."""
_LOOK_S = 0.005
_FIELDS = (*CHANGEABLE, "at")


async def patch(request: web.Request) -> web.Response:
    """PATCH /v1/items/{item}.

    It answers 200 when every server process answers by the change, 202 when one has not said so in time.
    """
    parts = request.app[PARTS]
    item = item_in_path(request.rel_url.raw_path, 3, "item")
    body = await json_object(request, '{"hidden": true}')
    for name in body:
        if name not in _FIELDS:
            raise bad_parameter(name[:64], f"no such field; there are {', '.join(_FIELDS)}")
    wanted = change({"id": item, **body}, parts.clock())
    if isinstance(wanted, Refused):
        raise _bad(wanted)
    catalogue = parts.running.stores.catalogue
    try:
        async with asyncio.timeout(WRITTEN_S):
            applied = await catalogue.change(wanted)
            followed, processes = await _followed(catalogue, applied.position, parts.clock)
    except (RedisError, TimeoutError, OSError) as error:
        message = "the change was not written, as far as is known; send it again"
        raise ApiError(503, "store_unavailable", message) from error
    if applied.refused:
        raise ApiError(409, "too_many_items", "there are VARDE_MAX_ITEMS items already, and this is not one of them")
    answer = {
        "request_id": request[REQUEST_ID],
        "item": item,
        "changed": bool(applied.changed),
        "processes": processes,
        "followed": followed,
    }
    return json_answer(answer, 200 if followed >= processes else 202)


async def _followed(catalogue: AsyncCatalogue, position: str, clock: Clock) -> tuple[int, int]:
    """How many server processes answer by the change, of how many that live; waits until it is all of them."""
    loop = asyncio.get_running_loop()
    until = loop.time() + FOLLOWED_S
    while True:
        followers = await catalogue.followers(clock())
        there = sum(reached(follower.applied, position) for follower in followers.values())
        if there == len(followers) or loop.time() > until:
            return there, len(followers)
        await asyncio.sleep(_LOOK_S)


def _bad(refused: Refused) -> ApiError:
    """400 that names the field, which is how the detail of a refusal begins."""
    field = refused.detail.split(":", 1)[0].split(" ", 1)[0]
    if field == "id":  # the path says it
        return bad_parameter("item", refused.detail)
    return bad_parameter(field if field in _FIELDS else "body", refused.detail or refused.reason)
