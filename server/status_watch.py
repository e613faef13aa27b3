"""The task that keeps the status page's record. It reads the counters little by little, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from varde import keys, progress
from varde.store.serving import ServingStore
from varde.store.vitals import Vitals

from .snapshots import Sample
from .status_readings import of_server
from .status_seen import MEMORY, UNDER_WAY, Seen
from .tally import Tally

logger = logging.getLogger("varde.server")

EVERY_S = 5.0
"""From one look to the next."""
PARTS = 8
"""In so many commands, evenly over that time: the counters of all 64 shards at once would hold answers up for 4 ms."""
WITHIN_S = 2.0
"""Longest time for a reply; then Redis is away."""

Counted = Callable[[], tuple[Tally, list[Sample], list[Sample]]]
"""Answers, counters and gauges of all processes that share the port."""


class Watch:
    """Of a process."""

    def __init__(
        self,
        store: ServingStore,
        counted: Counted,
        stale: Callable[[], bool],
        seconds: Callable[[], float],
        now_ms: Callable[[], int],
        every_s: float,
    ) -> None:
        """Nothing seen yet.

        Args:
            store: with connections that no request waits for.
            counted: by the processes.
            stale: whether lists are made without Redis.
            seconds: monotonic.
            now_ms: since the epoch.
            every_s: from one look to the next.
        """
        self._store, self._counted, self._stale = store, counted, stale
        self.seconds, self.now_ms, self._pause = seconds, now_ms, every_s / PARTS
        self.seen = Seen(began=seconds())
        self._failing = False
        self._parts: list[dict[str, int]] = [{} for _ in range(PARTS)]

    async def run(self) -> None:
        """Look for ever; Redis' loss is part of what is seen."""
        pause = 0.0  # the first look is at once
        while True:
            try:
                vitals = await self._read(pause)
            except Exception:  # noqa: BLE001 - whatever it is, Redis has not answered
                vitals = None
            self._look(vitals)
            pause = self._pause
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise asyncio.CancelledError  # the client's own timeouts may have swallowed it
            if vitals is None:
                await asyncio.sleep(self._pause * PARTS)

    async def _read(self, pause: float) -> Vitals:
        for part in range(PARTS):
            await asyncio.sleep(pause)
            async with asyncio.timeout(WITHIN_S):
                self._parts[part] = await self._store.stats_of(range(part, keys.SHARDS, PARTS))
        async with asyncio.timeout(WITHIN_S):
            return await self._store.vitals()

    def _look(self, vitals: Vitals | None) -> None:
        try:
            self.look(vitals)
        except Exception as error:  # one look that fails must not be the last
            if not self._failing:
                logger.error("the status page's record: a look failed", exc_info=error)
            self._failing = True
        else:
            self._failing = False

    def look(self, vitals: Vitals | None) -> None:
        """Take what was read into the record; None: Redis has not answered."""
        seen, at = self.seen, self.seconds()
        seen.at, seen.at_ms = at, self.now_ms()
        tally, counts, seen.gauges = self._counted()
        seen.server.add(at, of_server(tally, counts))
        seen.stale, seen.looks = self._stale(), seen.looks + 1
        if vitals is None:
            seen.away_since = seen.at_ms if seen.away_since is None else seen.away_since
            seen.stream.add(at, None)
            return
        seen.away_since, seen.vitals = None, vitals
        counters = summed(self._parts)
        memory = vitals.memory.values()
        levels = {UNDER_WAY: float(progress.under_way(counters))}
        levels |= {MEMORY: float(max(one.used for one in memory))} if memory else {}
        seen.stream.add(at, counters, levels)


def summed(parts: Sequence[dict[str, int]]) -> dict[str, int]:
    """Counters of all parts, added up."""
    out: dict[str, int] = {}
    for part in parts:
        for name, n in part.items():
            out[name] = out.get(name, 0) + n
    return out
