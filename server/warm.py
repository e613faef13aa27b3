"""Rows are read before anybody asks for them, the most popular items' first, and again when they have been written.

So the first visitor of an item waits for Redis no longer than the thousandth. What does not fit into the memory of rows
is read when it is asked for.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from varde.experiments import Variation
from varde.history import Signal
from varde.placements import Placement
from varde.store.serving import RowKey

from .hot import CHECK_S, RowStore
from .hot_row import Name
from .lists import Memory

TOGETHER = 16
"""Rows of one step, which holds up answers."""
SHARE = 0.2
"""Part of the processor's time that this may take."""
MOST_ORDERS = 4
"""Orders of a row that are ready."""
SOURCES = ("similar", "recommendations")
"""Of placements that begin with rows."""


class Warmer:
    """Fills the memory of rows in the background."""

    def __init__(
        self, memory: Memory, store: RowStore, floor: int, clock: Callable[[], float] = time.thread_time
    ) -> None:
        """For the server's memory.

        Args:
            memory: its rows are filled.
            store: is read; over connections that no request waits for.
            floor: VARDE_MIN_CUSTOMERS.
            clock: seconds that this thread has worked.
        """
        self._memory, self._store, self._floor, self._clock = memory, store, floor, clock
        self._era = -1
        self._names: Mapping[int, tuple[Name, ...]] = {}
        self._left: Iterator[RowKey] = iter(())
        self._again: deque[RowKey] = deque()

    async def step(self) -> float:
        """A few rows further; the pause until the next step, seconds.

        Raises:
            redis.exceptions.RedisError: Redis does not answer.
        """
        hot = self._memory.hot
        if hot.era != self._era:
            self._era, self._names, self._left = hot.era, _names(self._memory, self._floor), self._all()
        wanted = self._next()
        if not wanted:
            return CHECK_S
        began = hot.now()
        found = list(zip(wanted, await self._store.rows_of(wanted), strict=True))
        worked = self._clock()
        for relation, names in self._names.items():
            hot.prepare([(key, data) for key, data in found if key.relation == relation], began, names)
        return (self._clock() - worked) * (1 - SHARE) / SHARE

    def _next(self) -> list[RowKey]:
        """Up to TOGETHER rows: those that have been written first, since they are asked for."""
        hot = self._memory.hot
        if hot.replaced:
            self._again.extend(key for key in hot.replaced if key.relation in self._names)
            hot.replaced.clear()
        wanted: list[RowKey] = []
        while self._again and len(wanted) < TOGETHER:
            wanted.append(self._again.popleft())
        if hot.full:
            return wanted
        for key in self._left:
            if not hot.prepared(key):
                wanted.append(key)
            if len(wanted) >= TOGETHER:
                break
        return wanted

    def _all(self) -> Iterator[RowKey]:
        """Every item's rows, the popular ones' first."""
        shelf = self._memory.shelf
        popular = [slot for slot, *_ in self._memory.popular.over_all(int(Signal.VIEW), 1.0)]
        first = set(popular)
        slot = 0
        for place in popular:
            yield from self._of(place)
        while slot < len(shelf):  # it grows meanwhile
            if slot not in first:
                yield from self._of(slot)
            slot += 1

    def _of(self, slot: int) -> Iterator[RowKey]:
        number = self._memory.shelf.numbers[slot]
        if number >= 0:
            yield from (RowKey(relation, number) for relation in self._names)


def _names(memory: Memory, floor: int) -> dict[int, tuple[Name, ...]]:
    """What each relation's rows are ordered by: as placements and variations of experiments want it."""
    config = memory.config
    wanted: list[tuple[Placement, Variation | None]] = [(placement, None) for placement in config.placements.values()]
    wanted += [
        (config.placements[variation.placement or place], variation)
        for experiment in config.experiments.values()
        for place in experiment.placements
        for variation in experiment.variations
    ]
    names: dict[int, dict[Name, None]] = {}
    for placement, variation in wanted:
        if placement.source not in SOURCES:
            continue
        ranking = config.rankings[(variation and variation.ranking) or placement.ranking]
        relation = placement.relation if variation is None or variation.relation is None else variation.relation
        names.setdefault(int(relation), {})[ranking, floor if ranking.floor is None else ranking.floor] = None
    return {relation: tuple(found)[:MOST_ORDERS] for relation, found in names.items()}
