"""What the nightly job does in Redis: read the counts of a past midnight, and put the warehouse's in their place.

Every write here may be repeated at any time, by the same run or a later one: a hash becomes the given counts plus the
differences of the days since, which the stream keeps apart and nothing here consumes. So stream and server go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import msgpack
from redis.exceptions import ConnectionError as RedisConnectionError

from varde import keys
from varde.pairs import ANY_ITEM, Relation, Universe
from varde.store import packing
from varde.store.past import PastStore
from varde.store.reads import flat
from varde.store.scripts import REWRITE, Command, call, command
from varde.store.sync import SERVERS

Cells = Mapping[str, int]

ROWS_PER_CALL = 64
CELLS_PER_CALL = 1_000
"""Rows and counts that one call writes, and counts read together for their rows: 1 to 2 ms of Redis."""
FILL = 1_000
"""Counts in one command that fills the successor of a larger row."""
SUCCESSOR_S = 3_600


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The last nightly rewrite that ended well: `day` is the first day whose differences it kept; `run` names it."""

    day: int
    run: str


class _Hash(NamedTuple):
    """One hash of counts to be rewritten: its key, those of its days, what it becomes, and a number of its shard."""

    key: str
    days: list[str]
    cells: Cells
    number: int


class NightStore(PastStore):
    """The store with the nightly job's reads and writes."""

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
            return [_Hash(keys.pairs(relation, n), self._pair_days(relation, n, day), cells, n) for n, cells in mine]

        for chunk in self._chunks(rows):
            changed += self._rewrite(hashes, dict(chunk))
            # Each, not only those that changed: the supports in them may have.
            numbers = self._intern(item for item, _ in chunk)
            self._patch({(int(relation), number): None for number in numbers.values()})
        return changed

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

            changed += self._rewrite(hashes, {ANY_ITEM: mine})
        self._table.forget()
        return changed

    def reconciled(self) -> Reconciled | None:
        """The last rewrite that ended well."""
        found = flat(self._send([command("HGETALL", keys.reconciled())])[0])
        fields = {found[i].decode(): found[i + 1].decode() for i in range(0, len(found), 2)}
        return Reconciled(int(fields["day"]), fields["run"]) if fields else None

    def raise_popularity(self, signal: int, weights: Mapping[str, float]) -> None:
        """Let each item of a signal weigh at least this (delivery.popularity)."""
        numbers = self._intern(weights)
        shards: dict[int, list[float]] = {}
        for item, weight in weights.items():
            if item in numbers:
                shards.setdefault(keys.shard_of(item), []).extend((weight, numbers[item]))
        commands = [
            command("ZADD", keys.popular(signal, shard), "GT", *entries[i : i + 2 * FILL])
            for shard, entries in shards.items()
            for i in range(0, len(entries), 2 * FILL)
        ]
        commands += [
            command("ZREMRANGEBYRANK", keys.popular(signal, shard), 0, -1 - packing.POPULAR) for shard in shards
        ]
        if commands:
            self._send(commands)

    def mark(self, run: str, step: str) -> None:
        """Note that a run has done a step, for a try that goes on where it stopped."""
        self._send([command("HSET", keys.under_way(), "run", run, "step", step)])

    def marked(self, run: str) -> str:
        """The last step that a run has noted; empty when the last marks are another run's, or none."""
        (reply,) = self._send([command("HMGET", keys.under_way(), "run", "step")])
        name, step = (b"" if field is None else field for field in reply)
        return step.decode() if name.decode() == run else ""

    def finish(self, done: Reconciled, items: Iterable[str], before: int) -> None:
        """Note that a rewrite has ended well, then let go of the differences of the days from `before` up to it.

        Args:
            done: the rewrite.
            items: all items that may have differences.
            before: the first day that may still have any.
        """
        self._send(
            [command("HSET", keys.reconciled(), "day", done.day, "run", done.run), command("DEL", keys.under_way())]
        )
        days = range(max(before, done.day - self._settings.live_days), done.day)
        if not days:
            return
        commands = [
            command("UNLINK", keys.supports_day(where, shard, d))
            for where in Universe
            for shard in range(keys.SHARDS)
            for d in days
        ]
        numbers = [number for number in self.numbers(list(items)) if number is not None]
        commands += [
            Command("UNLINK", [keys.pairs_day(relation, number, d) for d in days])
            for relation in Relation
            for number in numbers
        ]
        for start in range(0, len(commands), 5_000):
            self._send(commands[start : start + 5_000])

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
    ) -> int:
        """Call rewrite.lua for hashes of one slot, with numbers of the server that it runs on; how many changed.

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
                    return 0
                reply = self._try(hashes(numbers, rows), numbers)
            if isinstance(reply, int):
                return reply
            shard, server = reply
            if self._servers.get(shard):
                self._names.clear()
                self._table.forget()
            self._servers[shard] = server
        msg = "Redis was another server each time"
        raise RedisConnectionError(msg)

    def _try(self, hashes: list[_Hash], numbers: packing.Numbers) -> int | tuple[int, str]:
        """The number of hashes that have changed; or the shard and the run id of its server, when it is another one."""
        shard = keys.shard_of_number(hashes[0].number)
        server = self._servers.get(shard, "")
        bases = [_texts(cells, numbers) for _, _, cells, _ in hashes]
        large = len(bases) == 1 and len(bases[0]) > 2 * CELLS_PER_CALL
        if large and server and self._stands(hashes[0], bases[0]):
            return 0
        names: list[str] = []
        successor = keys.successor(shard)
        for place, days, _, _ in hashes:
            names += place, successor, *days
        if large:
            self._fill(successor, bases[0])
        payload = msgpack.packb([False] if large else bases)
        (reply,) = self._send([call(REWRITE, names, (len(hashes[0].days), payload, server))])
        return (shard, reply.decode()) if isinstance(reply, bytes) else int(sum(reply))

    def _stands(self, one: _Hash, base: Sequence[str]) -> bool:
        """Whether a hash is already what it is to become: differences since do not matter, they are on both sides."""
        (found,) = self._at([(one.key, one.days)])
        return len(found) == len(base) and _dict(found) == _dict([word.encode() for word in base])

    def _fill(self, successor: str, base: Sequence[str]) -> None:
        """Put the counts of a large row beside it, in commands that hold nobody up."""
        commands = [command("UNLINK", successor)]
        commands += [command("HSET", successor, *base[i : i + 2 * FILL]) for i in range(0, len(base), 2 * FILL)]
        self._send([*commands, command("EXPIRE", successor, SUCCESSOR_S)])


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
