"""GET /v1/items: items by id, name or brand, for people who type."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

import orjson
from aiohttp import web

from varde.delivery import popularity
from varde.history import Signal

from .errors import bad_parameter
from .params import ITEM_BYTES, MOST_ITEMS, Query
from .parts import PARTS, REQUEST_ID, json_answer
from .shelf import Shelf

BUDGET_S = 0.25
"""Longest time that one search looks; then what was found so far is the answer."""
_AT_ONCE = 1_000
"""Items that are looked at before others have their turn: about a millisecond."""


async def items(request: web.Request) -> web.Response:
    """GET /v1/items: the item of that id, then popular ones, then others whose id, name or brand has every word."""
    parts = request.app[PARTS]
    query = Query(request.rel_url.raw_query_string, ("q", "n"))
    text, n = query.text("q", ITEM_BYTES), query.number("n", 10, MOST_ITEMS)
    if text is None:
        raise bad_parameter("q", "give an id, or words of a name")
    memory = parts.running.memory
    now = popularity(parts.clock(), parts.settings.half_life_days)
    popular = (slot for slot, *_ in memory.popular.over_all(int(Signal.VIEW), now))
    found = await search(memory.shelf, text, n, popular)
    return json_answer({"request_id": request[REQUEST_ID], "items": [shown(memory.shelf, slot) for slot in found]})


async def search(shelf: Shelf, text: str, n: int, first: Iterator[int]) -> list[int]:
    """At most n slots of items that are not hidden, the one of this very id before all others.

    Args:
        shelf: all items.
        text: an id, or words.
        n: from 1.
        first: slots that are looked at before the others.
    """
    exact = shelf.slots.get(text)
    out = [exact] if exact is not None and shelf.shown[exact] else []
    words = text.casefold().split()
    until = time.monotonic() + BUDGET_S
    seen = set(out)
    for looked, slot in enumerate(itertools.chain(list(first), range(len(shelf))), 1):
        if len(out) >= n or not words:
            break
        if looked % _AT_ONCE == 0:
            await asyncio.sleep(0)
            if time.monotonic() > until:
                break
        if slot not in seen and shelf.shown[slot] and _has(shelf, slot, words):
            seen.add(slot)
            out.append(slot)
    return out


def _has(shelf: Shelf, slot: int, words: list[str]) -> bool:
    entry = shelf.entries[slot]
    text = shelf.ids[slot] if entry is None else f"{shelf.ids[slot]} {entry.title or ''} {entry.brand or ''}"
    text = text.casefold()
    return all(word in text for word in words)


def shown(shelf: Shelf, slot: int) -> dict[str, Any]:
    """What the catalogue says of an item, as lists have it."""
    fields: dict[str, Any] = orjson.loads(b"{%b}" % shelf.fragment(slot))
    return fields
