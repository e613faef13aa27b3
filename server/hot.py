"""Serving rows in memory: read once, scored once per ranking, used until Redis tells that they were written again.

Every writer notes in Redis which rows it wrote (put_rows.lua); these notes are read every CHECK_S, a few short replies
for all rows in memory. A request waits for Redis only when a row is not in memory. So an answer is at most CHECK_S and
two trips older than the row in Redis; when the notes cannot be read, no row is fresh after FRESH_S.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import numpy as np

from varde import keys
from varde.config import Ranking
from varde.rows import decode
from varde.store.serving import RowKey, Touched

from .errors import StoreError
from .hot_row import NO_CODE, NO_ORDERS, HotRow, Name, place
from .scored import EMPTY, Ordered, ordered
from .shelf import Shelf
from .trips import Trips, reason_of

CHECK_S = 0.25
FRESH_S = 1.5
"""For how long rows are fresh after the notes were read."""
ROWS = 100_000
"""Rows in memory."""
_REMEMBERED_S = 10.0
"""How long it is known that a row was written: longer than any reading of a row is under way."""


class RowStore(Protocol):
    """What this room reads of Redis."""

    async def rows_of(self, wanted: Sequence[RowKey], /) -> Sequence[bytes | None]:
        """Packed rows."""

    async def touched(self, since: Sequence[int], /) -> Sequence[Touched]:
        """What was written in each shard after these calls."""


class Wanted(NamedTuple):
    """A row that is to be read, and the order that it is wanted in."""

    key: RowKey
    ranking: Ranking
    floor: int


class HotRows:
    """The rows of a server process, least recently read ones dropped."""

    def __init__(
        self,
        store: RowStore,
        trips: Callable[[Callable[[Sequence[Wanted]], object]], Trips[Wanted, HotRow]],
        shelf: Shelf,
        clock: Callable[[], float],
        most: int = ROWS,
    ) -> None:
        """Over a store.

        Args:
            store: reads rows, and which were written.
            trips: makes the coalescer of this kind of wish, given how a batch is sent.
            shelf: numbers to slots.
            clock: seconds, monotonic.
            most: rows kept.
        """
        self._store, self._shelf, self._clock, self._most = store, shelf, clock, most
        self._rows: OrderedDict[RowKey, HotRow] = OrderedDict()
        self._places: dict[int, HotRow] = {}
        self.known: Callable[[int], HotRow | None] = self._places.get
        """The row at a `place`, if it is in memory. It is good while `fresh`."""
        self._under_way: dict[RowKey, asyncio.Future[HotRow]] = {}
        self._trips = trips(self._send)
        self._codes: dict[Name, int] = {}
        self._turns: list[int] | None = None
        self._written: dict[RowKey, float] = {}
        self._all_written = -math.inf
        self._nameless: set[RowKey] = set()
        self.checked = -math.inf
        """When the notes were read last, of `clock`."""
        self.hits = self.misses = 0
        self.era = 0
        """Goes up when nothing that was made of rows is good any more."""
        self.replaced: set[RowKey] = set()
        """Rows that were in memory and have been written since; whoever reads them again empties this."""

    def __len__(self) -> int:
        return len(self._rows)

    def now(self) -> float:
        """This moment: what `keep` wants to know of a reading's begin."""
        return self._clock()

    @property
    def fresh(self) -> bool:
        """Whether rows in memory are those in Redis, but for CHECK_S."""
        return self.checked + FRESH_S >= self._clock()

    def old(self, key: RowKey) -> HotRow | None:
        """The row as it was last known, for when Redis does not answer."""
        return self._rows.get(key)

    def ask(self, key: RowKey, ranking: Ranking, floor: int) -> HotRow | Awaitable[HotRow]:
        """The row from memory, or an awaitable of the row from Redis, in the order of a ranking.

        The awaitable raises StoreError when Redis does not answer.
        """
        row = self._rows.get(key)
        if row is not None and self.fresh:
            self.hits += 1
            return row
        self.misses += 1
        under_way = self._under_way.get(key)
        if under_way is None or under_way.done():
            try:
                under_way = self._trips.wish(Wanted(key, ranking, floor))
            except StoreError as error:
                return _failed(error)
            self._under_way[key] = under_way
            under_way.add_done_callback(lambda _: self._under_way.pop(key, None))
        return under_way

    def order(self, rows: Sequence[HotRow], ranking: Ranking, floor: int) -> list[Ordered]:
        """The rows' candidates under a ranking; those that were not ordered yet are scored together."""
        code = self.code(ranking, floor)
        missing = [hot for hot in rows if hot.packed is not None and code not in hot.orders]
        if missing:
            for hot, order in zip(missing, self._scored(missing, ranking, floor), strict=True):
                first = not hot.orders
                hot.orders = {**hot.orders, code: order}
                if first:
                    hot.code, hot.where = code, order.where
            self._put([hot for hot in missing if hot.code == code])
        return [hot.orders.get(code, EMPTY) for hot in rows]

    def _put(self, rows: Sequence[HotRow]) -> None:
        """Note where the first orders of these rows lie, of those that are kept."""
        slots = self._shelf.of_numbers(np.array([hot.key.number for hot in rows], np.uint32)).tolist()
        for hot, slot in zip(rows, slots, strict=True):
            if slot >= 0 and self._rows.get(hot.key) is hot:
                hot.slot = slot
                self._shelf.places.put(hot.key.relation, slot, hot.code, hot.where)

    def _take(self, row: HotRow) -> None:
        """A row is kept no longer."""
        row.current = False
        self._shelf.places.take(row.key.relation, row.slot, row.where)

    def code(self, ranking: Ranking, floor: int) -> int:
        """What an order is kept under, until `era` changes."""
        return self._codes.setdefault((ranking, floor), len(self._codes))

    def _scored(self, rows: Sequence[HotRow], ranking: Ranking, floor: int) -> list[Ordered]:
        found = ordered([decode(hot.packed) for hot in rows if hot.packed is not None], ranking, floor, self._shelf)
        self._nameless.update(hot.key for hot, order in zip(rows, found, strict=True) if order.nameless)
        return found

    def reorder(self) -> None:
        """Forget every order: rankings mean something else now."""
        self._shelf.places.forget()
        for row in self._rows.values():
            row.orders, row.code, row.where = NO_ORDERS, NO_CODE, EMPTY.where
        self._codes.clear()
        self.era += 1

    def forget(self) -> None:
        """Drop every row: numbers mean something else now."""
        self._shelf.places.forget()
        self._all_written = self._clock()
        for row in self._rows.values():
            row.current = False
        self._rows.clear()
        self._places.clear()
        self.era += 1

    async def check(self) -> None:
        """Read what was written since the last time, and drop it.

        Raises:
            StoreError: Redis does not answer.
        """
        now = self._clock()
        try:
            told = await self._store.touched(self._turns or [0] * keys.SHARDS)
        except Exception as error:
            raise StoreError(reason_of(error)) from error
        lost = {shard for shard, one in enumerate(told) if one.rows is None}
        if self._turns is None or lost:
            self._all_written = self._clock()
            self._drop([key for key in self._rows if self._turns is None or keys.shard_of_number(key.number) in lost])
        for one in told:
            self._drop(one.rows or ())
        nameless, self._nameless = self._nameless, set()
        self._drop(nameless)  # read and ordered again with the names that are learned beside this
        self._turns = [one.newest for one in told]
        self._written = {key: at for key, at in self._written.items() if at > now - _REMEMBERED_S}
        self.checked = now

    def _drop(self, written: Iterable[RowKey]) -> None:
        now = self._clock()
        for key in written:
            self._written[key] = now
            row = self._rows.pop(key, None)
            if row is not None:
                del self._places[place(*key)]
                self._take(row)
                self.replaced.add(key)

    async def _send(self, wanted: Sequence[Wanted]) -> list[HotRow | StoreError]:
        began = self._clock()
        found: list[HotRow | StoreError] = []
        by_order: dict[tuple[Ranking, int], list[HotRow]] = {}
        for wish, data in zip(wanted, await self._store.rows_of([wish.key for wish in wanted]), strict=True):
            try:
                row = self.keep(HotRow(wish.key, data), began)
            except ValueError:  # no serving row: costs those who want it their answer, and nobody else
                found.append(StoreError("answer"))
                continue
            found.append(row)
            by_order.setdefault((wish.ranking, wish.floor), []).append(row)
        for (ranking, floor), rows in by_order.items():
            self.order(rows, ranking, floor)
        return found

    def prepare(self, found: Sequence[tuple[RowKey, bytes | None]], began: float, names: Sequence[Name]) -> None:
        """Remember rows that nobody has asked for yet, and put them in order.

        Args:
            found: rows as they were read; what is no row is left to whoever asks for it.
            began: when the reading began (`now`).
            names: what they are ordered by.
        """
        rows = []
        for key, data in found:
            with suppress(ValueError):
                row = self.keep(HotRow(key, data), began)
                rows.append(row)
                if not row.current:  # written while it was read
                    self.replaced.add(key)
        for name in names:
            self.order(rows, *name)

    def prepared(self, key: RowKey) -> bool:
        """Whether the row is in memory and in some order, if it has any candidates."""
        row = self._rows.get(key)
        return row is not None and (row.packed is None or len(row.orders) > 0)

    @property
    def full(self) -> bool:
        """Whether another row would push one out."""
        return len(self._rows) >= self._most

    def keep(self, row: HotRow, began: float) -> HotRow:
        """Remember a row that was just read, and return what is kept: the one in memory if it is the same.

        Args:
            row: as read.
            began: when its reading began (`now`); one that was written since is used once and not kept.
        """
        before = self._rows.get(row.key)
        if before is not None and before.revision == row.revision:  # its orders are good
            self._rows.move_to_end(row.key)
            return before
        if max(self._written.get(row.key, -math.inf), self._all_written) >= began:
            row.current = False
            return row
        if before is not None:
            self._take(before)
        self._rows[row.key] = self._places[place(*row.key)] = row
        self._rows.move_to_end(row.key)
        while len(self._rows) > self._most:
            key, dropped = self._rows.popitem(last=False)
            del self._places[place(*key)]
            self._take(dropped)
        return row


def _failed(error: StoreError) -> asyncio.Future[HotRow]:
    future: asyncio.Future[HotRow] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    future.exception()  # the request may be gone
    return future
