"""Finished cards: made once, beside the answers, and kept while there is room. It always gives a picture."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from varde.cards import Cards

from . import cards
from .cards import Card
from .pictures import PictureError, Pictures

logger = logging.getLogger("varde.server")

K = TypeVar("K", bound=Hashable)

THREADS = 2
MOST_WAITING = 64
"""Cards that may be under way at once; for more the fallback card stands in: a mail is opened by many at once."""
PICTURE_S = 3600.0
"""How long a fetched picture is used, seconds."""
MISSING_S = 60.0
"""The same for one that could not be had, and for a card without it."""
MB = 1_000_000
DRAWN, KEPT, WITHOUT, BUSY, FAILED = "drawn", "kept", "without_picture", "busy", "failed"
"""What became of a card."""
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNgYGBgAAAABQABeqhXUAAAAABJRU5ErkJggg=="
)
"""A picture of one transparent dot: for a server whose cards cannot be drawn at all."""


class Kept(Generic[K]):
    """The bytes that were used last, each until its time, within a bound of bytes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all: OrderedDict[K, tuple[bytes | None, float]] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._all)

    def get(self, key: K) -> tuple[bytes | None] | None:
        """(what is kept,), or None where nothing is."""
        found = self._all.get(key)
        if found is None or found[1] < self._clock():
            return None
        self._all.move_to_end(key)
        return (found[0],)

    def put(self, key: K, data: bytes | None, seconds: float, most: int) -> None:
        """Keep bytes, or that there are none, for so long; the oldest go until `most` bytes are left."""
        before = self._all.pop(key, None)
        self.size += _cost(data) - (0 if before is None else _cost(before[0]))
        self._all[key] = data, self._clock() + seconds
        while self.size > most:
            _, (gone, _) = self._all.popitem(last=False)
            self.size -= _cost(gone)


def _cost(data: bytes | None) -> int:
    return 500 + len(data or b"")


class Gallery:
    """The cards of a server process."""

    def __init__(
        self,
        style: Callable[[], Cards],
        pictures: Pictures,
        counted: Callable[[str], None],
        picture_failed: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Empty.

        Args:
            style: what the configuration says now.
            pictures: fetches them.
            counted: told what became of each card.
            picture_failed: told why a picture could not be had.
            clock: seconds, monotonic.
        """
        self._style, self._pictures, self._counted, self._picture_failed = style, pictures, counted, picture_failed
        self._clock = clock
        self._cards: Kept[tuple[Card, Cards]] = Kept(clock)
        self._fetched: Kept[str] = Kept(clock)
        self._making: dict[tuple[Card, Cards], asyncio.Task[bytes]] = {}
        self._fetching: dict[str, asyncio.Task[bytes | None]] = {}
        self._fallback: tuple[Cards, bytes] | None = None
        self._pool = ThreadPoolExecutor(THREADS, "cards")

    async def close(self) -> None:
        """End what is under way."""
        tasks = [*self._making.values(), *self._fetching.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._pictures.close()
        await asyncio.to_thread(self._pool.shutdown)

    async def card(self, card: Card) -> bytes | None:
        """The PNG of a card; None when there is no time or no way to draw it."""
        key = card, self._style()
        if (found := self._cards.get(key)) is not None:
            self._counted(KEPT)
            return found[0]
        task = self._making.get(key)
        if task is None:
            if len(self._making) >= MOST_WAITING:
                self._counted(BUSY)
                return None
            task = self._making[key] = asyncio.create_task(self._made(*key))
            task.add_done_callback(lambda _: self._making.pop(key, None))
        try:
            return await asyncio.shield(task)  # whoever else waits for it still gets it
        except Exception as error:  # a font that cannot be read, or a bug
            logger.error("cards cannot be drawn: %s", type(error).__name__)
            logger.debug("cards cannot be drawn", exc_info=error)
            self._counted(FAILED)
            return None

    async def fallback(self) -> bytes:
        """The PNG that stands in for a card."""
        style = self._style()
        if self._fallback is None or self._fallback[0] != style:
            loop = asyncio.get_running_loop()
            try:
                self._fallback = style, await loop.run_in_executor(self._pool, cards.draw_fallback, style)
            except Exception as error:  # noqa: BLE001 - as of any card
                logger.error("the fallback card cannot be drawn: %s", type(error).__name__)
                self._fallback = style, DOT
        return self._fallback[1]

    async def _made(self, card: Card, style: Cards) -> bytes:
        data = await self._picture(card.image, style) if card.image and style.hosts else None
        loop = asyncio.get_running_loop()
        png = await loop.run_in_executor(self._pool, cards.draw, card, style, data)
        lacks = bool(card.image and style.hosts) and data is None
        self._counted(WITHOUT if lacks else DRAWN)
        self._cards.put((card, style), png, MISSING_S if lacks else PICTURE_S, style.memory_mb * MB)
        return png

    async def _picture(self, address: str, style: Cards) -> bytes | None:
        """The bytes of a picture; cards of one product in many currencies fetch it once."""
        if (found := self._fetched.get(address)) is not None:
            return found[0]
        task = self._fetching.get(address)
        if task is None:
            task = self._fetching[address] = asyncio.create_task(self._fetch(address, style))
            task.add_done_callback(lambda _: self._fetching.pop(address, None))
        return await asyncio.shield(task)

    async def _fetch(self, address: str, style: Cards) -> bytes | None:
        data: bytes | None = None
        try:
            data = await self._pictures.fetch(address)
        except PictureError as error:
            self._picture_failed(error.reason)
        self._fetched.put(address, data, MISSING_S if data is None else PICTURE_S, style.memory_mb * MB)
        return data
