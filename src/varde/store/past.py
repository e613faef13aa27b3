"""Counts as they were when a day began: what stands, without the differences that the stream has dated since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from varde import keys
from varde.history import DAY_MS
from varde.pairs import Relation
from varde.store.scripts import COUNTS_AT, call
from varde.store.sync import Store

ROWS_PER_READ = 8
"""Hashes that one call reads."""


class PastStore(Store):
    """The store with reads of a past midnight."""

    def days_since(self, day: int) -> range:
        """The days whose differences may be there, from `day` (since the epoch) on; one ahead for fast clocks."""
        today = self._clock() // DAY_MS
        return range(max(day, today - self._settings.live_days - 1), today + 2)

    def rows_at(self, relation: Relation | int, items: Sequence[str], day: int) -> list[dict[str, int]]:
        """Every neighbour of items with its pair count as it was when `day` began; 0 to 1 round trips."""
        numbers = self.numbers(items)
        there = [number for number in numbers if number is not None]
        found = iter(self._at([(keys.pairs(relation, n), self._pair_days(relation, n, day)) for n in there]))
        named = iter(self._named(list(found)))
        return [{} if number is None else next(named) for number in numbers]

    def supports_at(self, where: int, day: int) -> dict[str, int]:
        """Every item of a universe with its support as it was when `day` began; pairs.ANY_ITEM for all customers."""
        hashes = [
            (keys.supports(where, shard), [keys.supports_day(where, shard, d) for d in self.days_since(day)])
            for shard in range(keys.SHARDS)
        ]
        out: dict[str, int] = {}
        for cells in self._named(self._at(hashes)):
            out.update(cells)
        return out

    def _pair_days(self, relation: int, number: int, day: int) -> list[str]:
        return [keys.pairs_day(relation, number, d) for d in self.days_since(day)]

    def _at(self, hashes: Sequence[tuple[str, list[str]]]) -> list[list[Any]]:
        """What counts_at.lua says of each hash; hashes of one slot share a call."""
        groups: dict[str, list[int]] = {}
        for index, (place, _) in enumerate(hashes):
            groups.setdefault(place.split("}", 1)[0], []).append(index)
        calls, order = [], []
        for indices in groups.values():
            for start in range(0, len(indices), ROWS_PER_READ):
                some = indices[start : start + ROWS_PER_READ]
                names = [name for i in some for name in (hashes[i][0], *hashes[i][1])]
                calls.append(call(COUNTS_AT, names, (len(hashes[some[0]][1]),)))
                order += some
        # One by one: Redis would answer them all before it answers anybody else.
        replies = [entries for made in calls for entries in self._send([made])[0]]
        out: list[list[Any]] = [[]] * len(hashes)
        for index, entries in zip(order, replies, strict=True):
            out[index] = entries
        return out

    def _named(self, replies: Sequence[Sequence[bytes]]) -> list[dict[str, int]]:
        numbers = {int(member) for entries in replies for member in entries[::2]}
        known = list(numbers)
        ids = dict(zip(known, self.names(known), strict=True))
        return [
            {
                name: int(n)
                for member, n in zip(entries[::2], entries[1::2], strict=True)
                if (name := "" if int(member) == keys.ANY_NUMBER else ids[int(member)]) is not None
            }
            for entries in replies
        ]
