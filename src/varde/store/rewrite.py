"""Counts become what the warehouse says of a past midnight, plus the differences of the days since.

Every rewrite may be repeated at any time, by the same run or a later one: the differences are only read. So stream and
server go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgpack
from redis.exceptions import ConnectionError as RedisConnectionError

from varde import keys
from varde.pairs import ANY_ITEM, Relation
from varde.rows import REVISION_SLICE
from varde.store import packing
from varde.store.merge import Read
from varde.store.past import PastStore
from varde.store.patch import write_whole
from varde.store.scripts import FILL, REWRITE, call
from varde.store.sync import SERVERS

Cells = Mapping[str, int]

ROWS_PER_CALL = 64
CELLS_PER_CALL = 500
"""Rows and counts that one call writes, and counts read together for their rows: about a millisecond of Redis."""
CELLS_PER_FILL = 500
"""Counts in one command that fills the successor of a larger row."""
ROWS_PER_PATCH = 16
"""Hashes after which their serving rows are made: many together cost less; those of the first wait for the last."""
SUCCESSOR_S = 3_600


class _Hash(NamedTuple):
    """One hash of counts to be rewritten: its key, those of its days, what it becomes, and a number of its shard.

    relation: with `number`, names the serving row that is made of the counts; None: no row is.
    """

    key: str
    days: list[str]
    cells: Cells
    number: int
    relation: int | None = None


class _Rewritten(NamedTuple):
    """What has become of a hash: whether it changed, and its row, to be made of `read`, or of what is read anew."""

    changed: int
    row: tuple[int, int]
    read: Read | None = None


class RewriteStore(PastStore):
    """The store with the rewrites of counts, and of their serving rows."""

    def rewrite_rows(self, relation: Relation | int, rows: Mapping[str, Cells], day: int) -> int:
        """Make pair counts what they were when `day` began by `rows`, plus the differences since; rows too.

        Args:
            relation: of all the rows.
            rows: row item -> column item -> customers; an empty row leaves only the differences since.
            day: since the epoch.

        Returns:
            The number of rows that changed.
        """
        changed = 0

        def hashes(numbers: packing.Numbers, some: Mapping[str, Cells]) -> list[_Hash]:
            mine = [(numbers[item], cells) for item, cells in some.items()]
            return [
                _Hash(keys.pairs(relation, n), self._pair_days(relation, n, day), cells, n, int(relation))
                for n, cells in mine
            ]

        waiting: list[_Rewritten] = []
        for chunk in self._chunks(rows):
            done = self._rewrite(hashes, dict(chunk))
            changed += sum(one.changed for one in done)
            waiting += done
            if len(waiting) >= ROWS_PER_PATCH:
                self._make_rows(waiting)
                waiting = []
        self._make_rows(waiting)
        return changed

    def _make_rows(self, rewritten: Sequence[_Rewritten]) -> None:
        """Serving rows of hashes: each, not only of those that changed, for the supports in them may have."""
        anew = [one.row for one in rewritten if one.read is None]
        known = [
            one.read
            for one in rewritten
            if one.read is not None and (one.changed or one.read.columns or one.read.revision)
        ]
        self._table.refresh()
        late = write_whole(known, self._send, self._table, self._settings, self._clock(), self._entropy)
        self._patch(dict.fromkeys([*anew, *late]))

    def rewrite_supports(self, where: int, supports: Cells, day: int) -> int:
        """Make the supports of a universe what they were when `day` began by `supports`, plus the differences since.

        Returns:
            The number of shards that changed.
        """
        shards: dict[int, dict[str, int]] = {shard: {} for shard in range(keys.SHARDS)}
        for item, n in supports.items():
            shards[keys.shard_of(item)][item] = n
        changed = 0
        for shard, mine in shards.items():
            dated = [keys.supports_day(where, shard, d) for d in self.days_since(day)]

            def hashes(
                _: packing.Numbers, some: Mapping[str, Cells], shard: int = shard, dated: list[str] = dated
            ) -> list[_Hash]:
                return [_Hash(keys.supports(where, shard), dated, some[ANY_ITEM], shard)]

            changed += sum(one.changed for one in self._rewrite(hashes, {ANY_ITEM: mine}))
        self._table.forget()
        return changed

    def _chunks(self, rows: Mapping[str, Cells]) -> Iterator[list[tuple[str, Cells]]]:
        """Rows of one shard, few enough for one call; a large row comes alone."""
        shards: dict[int, list[tuple[str, Cells]]] = {}
        for item, cells in rows.items():
            shards.setdefault(keys.shard_of(item), []).append((item, cells))
        for some in shards.values():
            chunk: list[tuple[str, Cells]] = []
            size = 0
            for item, cells in some:
                if chunk and (len(chunk) == ROWS_PER_CALL or size + len(cells) > CELLS_PER_CALL):
                    yield chunk
                    chunk, size = [], 0
                chunk.append((item, cells))
                size += len(cells)
            yield chunk

    def _rewrite(
        self, hashes: Callable[[packing.Numbers, Mapping[str, Cells]], list[_Hash]], rows: Mapping[str, Cells]
    ) -> list[_Rewritten]:
        """Call rewrite.lua for hashes of one slot, with numbers of the server that it runs on; what became of each.

        Items of `rows` that have come too late for a number (VARDE_MAX_ITEMS) are left out.
        """
        for _ in range(SERVERS):
            numbers: packing.Numbers = self._names.numbers
            try:
                reply = self._try(hashes(numbers, rows), numbers)
            except KeyError:  # looking for new items first would take as long as the rest
                numbers = self._intern({item for row, cells in rows.items() for item in (row, *cells)})
                rows = {
                    row: {item: n for item, n in cells.items() if item in numbers}
                    for row, cells in rows.items()
                    if row in numbers
                }
                if not rows:
                    return []
                reply = self._try(hashes(numbers, rows), numbers)
            if isinstance(reply, list):
                return reply
            shard, server = reply
            if self._servers.get(shard):
                self._names.clear()
                self._table.forget()
            self._servers[shard] = server
        msg = "Redis was another server each time"
        raise RedisConnectionError(msg)

    def _try(self, hashes: list[_Hash], numbers: packing.Numbers) -> list[_Rewritten] | tuple[int, str]:
        """What became of hashes; or the shard and the run id of its server, when it is another one."""
        shard = keys.shard_of_number(hashes[0].number)
        server = self._servers.get(shard, "")
        bases = [_texts(one.cells, numbers) for one in hashes]
        large = len(bases) == 1 and len(bases[0]) > 2 * CELLS_PER_CALL
        if large and server and self._stands(hashes[0], bases[0]):
            return [_told(hashes[0], numbers, 0, None)]
        names: list[str] = []
        successor = keys.successor(shard)
        for one in hashes:
            names += one.key, successor
            if one.relation is not None:
                names.append(keys.row(one.relation, one.number))
            names += one.days
        if large:
            self._fill(successor, bases[0])
        payload = msgpack.packb([False] if large else bases)
        revisions = ("", "") if hashes[0].relation is None else REVISION_SLICE
        (reply,) = self._send([call(REWRITE, names, (len(hashes[0].days), payload, server, *revisions))])
        if isinstance(reply, bytes):
            return shard, reply.decode()
        return [_told(one, numbers, *told) for one, told in zip(hashes, reply, strict=True)]

    def _stands(self, one: _Hash, base: Sequence[str]) -> bool:
        """Whether a hash is already what it is to become: differences since do not matter, they are on both sides."""
        (found,) = self._at([(one.key, one.days)])
        return len(found) == len(base) and _dict(found) == _dict([word.encode() for word in base])

    def _fill(self, successor: str, base: Sequence[str]) -> None:
        """Put the counts of a large row beside it, in commands that hold nobody up."""
        step = 2 * CELLS_PER_FILL
        parts = [msgpack.packb(base[i : i + step]) for i in range(0, len(base), step)]
        self._send([call(FILL, [successor], (part, int(not i), SUCCESSOR_S)) for i, part in enumerate(parts)])


def _told(one: _Hash, numbers: packing.Numbers, changed: int, revision: bytes | None) -> _Rewritten:
    """The answer of rewrite.lua for a hash; with a revision its counts are the given ones, so none need be read."""
    row = one.relation or 0, one.number
    if revision is None:
        return _Rewritten(changed, row)
    columns, counts = [numbers[item] for item in one.cells], list(one.cells.values())
    return _Rewritten(changed, row, Read(*row, revision, None, sum(map(bool, counts)), columns, counts))


def _texts(cells: Cells, numbers: packing.Numbers) -> list[str]:
    """[member, n, member, n, ...] as Redis writes them, zeros left out.

    Raises:
        KeyError: an item has no number.
    """
    members, counts = map(str, map(numbers.__getitem__, cells)), map(str, cells.values())
    if 0 in cells.values():
        return [word for entry in zip(members, counts, strict=True) if entry[1] != "0" for word in entry]
    return list(chain.from_iterable(zip(members, counts, strict=True)))


def _dict(flat_: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat_[::2], flat_[1::2], strict=True))
