"""What the nightly job does in Redis: read the counts of a past midnight, and put the warehouse's in their place.

Every write here may be repeated at any time, by the same run or a later one: a hash becomes the given counts plus the
differences of the days since, which the stream keeps apart and nothing here consumes. So stream and server go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from varde import keys
from varde.pairs import Relation, Universe
from varde.store import packing
from varde.store.reads import flat
from varde.store.rewrite import Cells, RewriteStore
from varde.store.scripts import LOCK, Command, call, command
from varde.store.vitals import DRIFT, ENDED, REFUSALS

__all__ = ["Cells", "NightStore", "Reconciled"]

ENTRIES = 1_000
"""Popularities in one command."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The last nightly rewrite that ended well: `day` is the first day whose differences it kept; `run` names it."""

    day: int
    run: str


class NightStore(RewriteStore):
    """The store with the nightly job's reads and writes."""

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
            command("ZADD", keys.popular(signal, shard), "GT", *entries[i : i + 2 * ENTRIES])
            for shard, entries in shards.items()
            for i in range(0, len(entries), 2 * ENTRIES)
        ]
        commands += [
            command("ZREMRANGEBYRANK", keys.popular(signal, shard), 0, -1 - packing.POPULAR) for shard in shards
        ]
        if commands:
            self._send(commands)

    def take_lock(self, token: str, ms: int, stale_ms: int = 0) -> str:
        """Let a run begin, when no other one is under way.

        Args:
            token: of this run alone; a repetition with it changes nothing.
            ms: how long the lock is held without being renewed.
            stale_ms: another run's lock that ends within so many ms is taken over.

        Returns:
            Empty when this run holds the lock; else the token of the run that does.
        """
        return self._lock(token, "take", ms, stale_ms)

    def renew_lock(self, token: str, ms: int) -> bool:
        """Hold the lock for so many ms from now; False when it is another run's, or nobody's, by now."""
        return not self._lock(token, "renew", ms)

    def release_lock(self, token: str) -> None:
        """Let the next run begin. Does nothing when another run holds the lock."""
        self._lock(token, "release")

    def _lock(self, token: str, what: str, ms: int = 0, stale_ms: int = 0) -> str:
        (reply,) = self._send([call(LOCK, [keys.lock()], (token, what, ms, stale_ms))])
        return str(reply.decode())

    def mark(self, run: str, step: str) -> None:
        """Note that a run has done a step, for a try that goes on where it stopped."""
        self._send([command("HSET", keys.under_way(), "run", run, "step", step)])

    def marked(self, run: str) -> str:
        """The last step that a run has noted; empty when the last marks are another run's, or none."""
        (reply,) = self._send([command("HMGET", keys.under_way(), "run", "step")])
        name, step = (b"" if field is None else field for field in reply)
        return step.decode() if name.decode() == run else ""

    def note_night(self, ended: int, refusals: int, drift: Mapping[str, float]) -> None:
        """Say how a run went, for metrics: when it ended, ms; its reasons not to write; what was how far apart."""
        told = {ENDED: ended, REFUSALS: refusals} | {f"{DRIFT}{name}": round(part, 9) for name, part in drift.items()}
        self._send([command("HSET", keys.night(), *(part for field in told.items() for part in field))])

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
