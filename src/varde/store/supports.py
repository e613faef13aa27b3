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

PAGE = 65_536
"""Item numbers a page; a multiple of keys.SHARDS."""


class _Pages:
    """Item number -> uint32, in pages that are there only where a number is: numbers go up to 2^32, with gaps."""

    def __init__(self) -> None:
        self._slots = np.zeros(2**32 // PAGE, dtype=np.int32)  # page -> row of `_values`; row 0 stays zero
        self._values = np.zeros((1, PAGE), dtype=np.uint32)

    def of(self, numbers: NDArray[np.integer[Any]]) -> NDArray[np.uint32]:
        wanted = numbers.astype(np.int64)
        found: NDArray[np.uint32] = self._values[self._slots[wanted // PAGE], wanted % PAGE]
        return found

    def put(self, numbers: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        self._make_room(numbers)
        self._values[self._slots[numbers // PAGE], numbers % PAGE] = np.clip(values, 0, 0xFFFFFFFF)

    def replace(self, shard: int, numbers: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        """Set a whole shard at once: a reader in another thread sees the old sums or the new ones."""
        self._make_room(numbers)
        part = np.zeros((len(self._values), PAGE // keys.SHARDS), dtype=np.uint32)
        part[self._slots[numbers // PAGE], numbers % PAGE // keys.SHARDS] = np.clip(values, 0, 0xFFFFFFFF)
        self._values[:, shard :: keys.SHARDS] = part

    def _make_room(self, numbers: NDArray[np.int64]) -> None:
        pages = np.unique(numbers // PAGE)
        new = pages[self._slots[pages] == 0]
        if len(new):
            have = len(self._values)
            self._values = np.vstack([self._values, np.zeros((len(new), PAGE), dtype=np.uint32)])
            self._slots[new] = np.arange(have, have + len(new))


class SupportTable:
    """Universe -> item number -> support, as of at most `max_age` ago and own writes sooner.

    16 bytes an item as items usually come; 1 kB in the worst case, all ids crafted into one shard. A shard is read
    again when it is older than `max_age`; after the first load the shards fall due one after the other, so that no
    batch waits for all of them.
    """

    def __init__(self, send: Send, clock: Callable[[], int], max_age: float = 30.0) -> None:
        self._send = send
        self._clock = clock
        self._max_age = int(max_age * 1000)
        self._lock = threading.Lock()
        self._sums = {where: _Pages() for where in Universe}
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

    def forget(self) -> None:
        """Read everything again at the next refresh."""
        with self._lock:
            self._due = None

    def learn(self, sums: Iterable[tuple[int, int, int]]) -> None:
        """Note (universe, item number, support) as a script has returned it."""
        groups: dict[int, list[tuple[int, int]]] = {}
        for where, number, n in sums:
            groups.setdefault(where, []).append((number, n))
        with self._lock:
            for where, entries in groups.items():
                numbers, values = np.array(entries, dtype=np.int64).T
                self._sums[Universe(where)].put(numbers, values)

    def of(self, where: int, numbers: NDArray[np.integer[Any]]) -> NDArray[np.uint32]:
        """Supports of item numbers, shape (m,); 0 for an unknown one."""
        return self._sums[Universe(where)].of(numbers)

    def total(self, where: int) -> int:
        """The number of customers in a universe."""
        return int(self.of(where, np.array([keys.ANY_NUMBER]))[0])

    def _load(self, shards: Iterable[int]) -> None:
        wanted = [(where, shard) for where in Universe for shard in shards]
        replies = self._send([command("HGETALL", keys.supports(where, shard)) for where, shard in wanted])
        for (where, shard), reply in zip(wanted, replies, strict=True):
            entries = np.array(list(map(int, flat(reply))), dtype=np.int64).reshape(-1, 2)
            self._sums[where].replace(shard, entries[:, 0], entries[:, 1])
