"""GET /v1/feeds/{feed}.json and .xml: lists for everybody, made before they are asked for. docs/email.md: for whom."""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from aiohttp import web

from varde.config import Config
from varde.mailing import Feed

from . import lists
from .asked import Asked, asked
from .email import rfc3339
from .errors import ApiError
from .lists import Memory
from .mail_body import Value, body, media
from .mail_items import Printer, Where
from .params import Query
from .parts import PARTS, Parts
from .shelf import Shelf

logger = logging.getLogger("varde.server")

ROUTE = "/v1/feeds/{feed}.{shape}"
MOST_BYTES = 3_000_000
"""Klaviyo takes 3.3 MB, others more."""
LOOK_S = 1.0
"""How often it is looked whether a feed is due."""


class Ready(NamedTuple):
    """A finished feed. bodies: by shape, with the ETag of each. slots: of its items. due: monotonic seconds."""

    config: Config
    bodies: Mapping[str, tuple[bytes, str]]
    slots: tuple[int, ...]
    due: float


class Feeds:
    """The feeds of a server process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ready: dict[str, Ready] = {}
        self._printer: tuple[Config, Printer] | None = None

    async def follow(self) -> None:
        """Make feeds anew when they are due, for ever."""
        await self._parts.running.loaded.wait()
        while True:
            for feed in self._parts.config.feeds.values():
                kept = self._ready.get(feed.name)
                if kept is None or kept.config is not self._parts.config or kept.due <= time.monotonic():
                    try:
                        await self._make(feed)
                    except Exception:  # the last one stays, and the next may succeed
                        logger.exception("the feed %s was not made", feed.name)
                    await asyncio.sleep(0)  # answers have their turn between two feeds
            await asyncio.sleep(LOOK_S)

    async def get(self, name: str, shape: str) -> tuple[bytes, str]:
        """A feed's bytes and ETag.

        Raises:
            ApiError: 404, there is none of that name and shape.
        """
        feed = self._parts.config.feeds.get(name)
        if feed is None or shape not in ("json", "xml"):
            raise ApiError(404, "not_found", "there is no such feed")
        kept = self._ready.get(name)
        if kept is None or kept.config is not self._parts.config or not self._good(kept, feed):
            kept = await self._make(feed)  # not later: what is hidden or sold out vanishes at the next request
        return kept.bodies[shape]

    def _good(self, kept: Ready, feed: Feed) -> bool:
        shelf, in_stock = self._memory.shelf, kept.config.placements[feed.placement].in_stock
        open_ = shelf.buyable if in_stock else shelf.shown
        return all(open_[slot] for slot in kept.slots)

    @property
    def _memory(self) -> Memory:
        return self._parts.running.memory

    async def _make(self, feed: Feed) -> Ready:
        config, shelf = self._parts.config, self._memory.shelf
        made = await lists.made(self._memory, _asked(feed, config, self._parts.settings.min_customers))
        slots = [pick.slot for pick in made.picks]
        items = self._items(feed, config, shelf, slots)
        bodies, kept = _bodies(feed, config, items, rfc3339(self._parts.clock()))
        if kept < len(slots):
            logger.warning("the feed %s has %d items only: more would be too large", feed.name, kept)
        due = time.monotonic() + (feed.refresh if self._parts.running.loaded.is_set() else 0)
        ready = self._ready[feed.name] = Ready(config, bodies, tuple(slots[:kept]), due)
        return ready

    def _items(self, feed: Feed, config: Config, shelf: Shelf, slots: list[int]) -> list[dict[str, str]]:
        if self._printer is None or self._printer[0] is not config:
            self._printer = config, Printer(config.email)
        printer, where = self._printer[1], Where(campaign=feed.name, placement=feed.placement)
        out = []
        for place, slot in enumerate(slots, 1):
            item = printer.item(shelf, slot, feed.lang, feed.currency)
            url = printer.link(item["url"], item["id"], place, where)
            out.append({**item, "position": str(place), "url": url, "click_url": url})
        return out


def _asked(feed: Feed, config: Config, min_customers: int) -> Asked:
    given = [("placement", feed.placement), ("fill", "true"), ("lang", feed.lang), ("currency", feed.currency)]
    query = Query.of_pairs([pair for pair in given if pair[1]], tuple(name for name, _ in given))
    return replace(asked(query, config, min_customers, ()), n=feed.n)


def _bodies(
    feed: Feed, config: Config, items: list[dict[str, str]], now: str
) -> tuple[dict[str, tuple[bytes, str]], int]:
    """The feed in each shape, and how many items are in it: as many as there is room for."""
    form = config.email.formats[feed.format]
    while True:
        head: dict[str, Value] = {"feed": feed.name, "title": feed.title, "count": len(items)}
        out = {}
        for shape in ("json", "xml"):
            shaped = replace(form, shape=shape)
            tag = f'W/"{zlib.crc32(body(head, items, shaped)):08x}"'  # of everything but when it was made
            out[shape] = body({**head, "generated_at": now}, items, shaped), tag
        largest = max(len(content) for content, _ in out.values())
        if largest <= MOST_BYTES or not items:
            return out, len(items)
        items = items[: len(items) * MOST_BYTES // (largest + 1) * 19 // 20]


FEEDS: web.AppKey[Feeds] = web.AppKey("feeds", Feeds)


async def feed(request: web.Request) -> web.StreamResponse:
    """GET /v1/feeds/{feed}.{shape}."""
    parts = request.app[PARTS]
    raw = request.rel_url.raw_query_string
    Query("&".join(field for field in raw.split("&") if not field.startswith("key=")), ())
    name, shape = request.match_info["feed"], request.match_info["shape"]
    content, tag = await request.app[FEEDS].get(name, shape)
    public = "read" in parts.config.access.public
    headers = {"ETag": tag, "Cache-Control": f"{'public' if public else 'private'}, max-age=60"}
    same = request.headers.get("If-None-Match")
    if same is not None and (same == "*" or tag[2:] in same):  # weak comparison (RFC 9110, 13.1.2)
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, headers={**headers, "Content-Type": media(shape)})


async def open_feeds(app: web.Application) -> AsyncIterator[None]:
    """Make feeds beside the answers while the process runs."""
    feeds = app[FEEDS] = Feeds(app[PARTS])
    task = asyncio.create_task(feeds.follow())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
