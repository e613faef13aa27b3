"""Supports held in the process, so that a patch of serving rows needs no read of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varde import keys
from varde.pairs import Universe
from varde.store.reads import flat
from varde.store.scripts import Command, command

Send = Callable[[Sequence[Command]], list[Any]]


class SupportTable:
    """Universe -> item number -> support, as of at most `max_age` ago and own writes sooner.

    One uint32 an item number and universe: 1 kB for an item id in the worst case (all ids crafted into one shard),
    16 bytes in the usual one. A shard is read again when it is older than `max_age`; after the first load the shards
    fall due one after the other, so that no batch waits for all of them.
    """

    def __init__(self, send: Send, clock: Callable[[], int], max_age: float = 30.0) -> None:
        self._send = send
        self._clock = clock
        self._max_age = int(max_age * 1000)
        self._lock = threading.Lock()
        self._sums = {where: np.zeros(keys.SHARDS, dtype=np.uint32) for where in Universe}
        self._due: list[int] | None = None

    def refresh(self) -> None:
        """Read what is due."""
        with self._lock:
            now = self._clock()
            if self._due is None:
                self._load(range(keys.SHARDS))
                self._due = [now + self._max_age * (s + 1) // keys.SHARDS for s in range(keys.SHARDS)]
                return
            # A clock that was set back must not stop the reading for longer than it ought to.
            due = [s for s, time in enumerate(self._due) if time <= now or time > now + self._max_age]
            if due:
                self._load(due)
                for shard in due:
                    self._due[shard] = now + self._max_age

    def learn(self, sums: Iterable[tuple[int, int, int]]) -> None:
        """Note (universe, item number, support) as a script has returned it."""
        with self._lock:
            for where, number, n in sums:
                self._room(where, number)
                self._sums[Universe(where)][number] = max(n, 0)

    def of(self, where: int, numbers: NDArray[np.integer[Any]]) -> NDArray[np.uint32]:
        """Supports of item numbers, shape (m,); 0 for an unknown one."""
        sums = self._sums[Universe(where)]
        known = np.minimum(numbers.astype(np.int64), len(sums) - 1)
        return np.where(known == numbers, sums[known], np.uint32(0))

    def total(self, where: int) -> int:
        """The number of customers in a universe."""
        return int(self._sums[Universe(where)][keys.ANY_NUMBER])

    def _load(self, shards: Iterable[int]) -> None:
        wanted = [(where, shard) for where in Universe for shard in shards]
        replies = self._send([command("HGETALL", keys.supports(where, shard)) for where, shard in wanted])
        for (where, shard), reply in zip(wanted, replies, strict=True):
            entries = flat(reply)
            numbers = np.fromiter(map(int, entries[::2]), dtype=np.int64, count=len(entries) // 2)
            values = np.fromiter(map(int, entries[1::2]), dtype=np.int64, count=len(entries) // 2)
            self._room(where, int(numbers.max(initial=0)))
            part = np.zeros(len(self._sums[where]) // keys.SHARDS, dtype=np.uint32)
            part[numbers // keys.SHARDS] = np.clip(values, 0, 0xFFFFFFFF)
            self._sums[where][shard :: keys.SHARDS] = part

    def _room(self, where: int, number: int) -> None:
        sums = self._sums[Universe(where)]
        if number >= len(sums):
            size = (max(number + 1, 2 * len(sums)) // keys.SHARDS + 1) * keys.SHARDS
            grown = np.zeros(size, dtype=np.uint32)
            grown[: len(sums)] = sums
            self._sums[Universe(where)] = grown
