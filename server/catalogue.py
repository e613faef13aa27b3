"""The catalogue in a server's memory: loaded whole, then followed change by change, without a pause in answering."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable

from varde.catalogue import Entry
from varde.store.catalogue_aio import AsyncCatalogue

from .shelf import Shelf

BLOCK_MS = 1_000
"""Longest wait for the next change."""
HEARTBEAT_S = 1.0
_TOGETHER = 500


class CatalogueFollower:
    """Keeps a shelf's entries like Redis."""

    def __init__(self, shelf: Shelf, store: AsyncCatalogue, clock: Callable[[], int]) -> None:
        """For a shelf.

        Args:
            shelf: is filled.
            store: the catalogue in Redis.
            clock: ms since the epoch.
        """
        self._shelf, self._store, self._clock = shelf, store, clock
        self._position = ""
        self.process = secrets.token_hex(8)
        """This process's name among the followers."""

    async def load(self) -> None:
        """The whole catalogue; entries that are gone from it go from the shelf, too."""
        _, position = await self._store.follow("", 0)
        found: set[str] = set()
        async for some in self._store.scan():
            self._put(some)
            found.update(item for item, _ in some)
        for item, slot in list(self._shelf.slots.items()):
            if self._shelf.entries[slot] is not None and item not in found:
                self._shelf.put(item, None)
        self._position = position
        await self.heartbeat()

    async def follow(self) -> float:
        """Wait for the next changes and apply them."""
        ids, position = await self._store.follow(self._position, BLOCK_MS)
        if ids is None:
            await self.load()
            return 0.0
        for start in range(0, len(ids), _TOGETHER):
            part = ids[start : start + _TOGETHER]
            self._put(zip(part, await self._store.entries(part), strict=True))
        if position != self._position:
            self._position = position
            await self.heartbeat()
        return 0.0

    async def heartbeat(self) -> float:
        """Say up to which change this process answers."""
        await self._store.heartbeat(self.process, self._position, self._clock())
        return HEARTBEAT_S

    async def leave(self) -> None:
        """Say that this process answers no more; its silence would say the same, later."""
        try:
            async with asyncio.timeout(1):
                await self._store.leave(self.process)
        except Exception:  # noqa: BLE001 - the end must come, whatever Redis says
            return

    def _put(self, entries: Iterable[tuple[str, Entry | None]]) -> None:
        for item, entry in entries:
            self._shelf.put(item, entry)
