"""The nightly job: count the warehouse at a moment, compare with the live counts of it, and put the result in place.

The moment is the end of a day (UTC) when it is to be written: the stream dates its differences by day, so what came
after it stays on top, and nothing has to stop.
"""

from __future__ import annotations

import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Protocol

from varde import events
from varde.history import DAY_MS, Limits
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.night import Reconciled

from . import apply, bootstrap, drift, freshness, guard, lock, nightly, outputs, tombstones
from .counting import Counter, Here, here
from .drift import Summary
from .freshness import Freshness
from .warehouse import Warehouse

_log = logging.getLogger(__name__)

CAUSES = ("link_conflict_older", "flooded", "withdrawn", "idle", "bad_seeds")
"""Counters of the stream that name a cause of drift (docs/counting.md)."""


class NotAtMidnightError(ValueError):
    """The counted time ends within a day, so that what came after it cannot be told from what came before."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a run is to do.

    as_of: last event time that counts, ms; None takes the last moment of the newest day that the warehouse has whole.
    apply: write the result. resume: go on where a try that was interrupted stopped. force: write it in spite of
    refusals. thresholds: what is refused. counter: who counts the pairs, this machine or the warehouse.
    start: a name that no other start of the job has, for the tables of runs.
    """

    as_of: int | None = None
    apply: bool = False
    resume: bool = False
    force: bool = False
    thresholds: guard.Thresholds = field(default_factory=guard.Thresholds)
    counter: Counter = field(default_factory=here)
    start: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found and did.

    drift: how the live counts differed. freshness: up to when the warehouse was complete, None when it was not asked.
    causes: counters of the stream that explain differences. refusals: why the night should not be written. applied:
    what was written, None for nothing; after: the comparison once more, then.
    """

    run: str
    night: nightly.Night
    drift: Summary
    seconds: float
    freshness: Freshness | None = None
    causes: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    applied: apply.Applied | None = None
    after: Summary | None = None

    def figures(self) -> dict[str, Any]:
        """The JSON object of the last line; see docs/sql.md."""
        return {
            "run": self.run,
            "as_of": self.night.as_of,
            "window_start": self.night.window_start,
            "complete_until": self.freshness.until if self.freshness else None,
            "decided_by": self.freshness.table if self.freshness else None,
            "behind": dict(self.freshness.behind) if self.freshness else {},
            "ended": dict(self.freshness.ended) if self.freshness else {},
            "customers": self.night.customers,
            "items": len(self.night.counted.items),
            "pairs_compared": self.drift.pairs_compared,
            "pairs_different": self.drift.pairs_different,
            "supports_different": self.drift.supports_different,
            "pairs": {name: found.figures() for name, found in self.drift.pairs.items()},
            "supports": {name: found.figures() for name, found in self.drift.supports.items()},
            "causes": dict(self.causes),
            "faults": {f"{signal}.{reason}": n for (signal, reason), n in self.night.faults.items()},
            "rows": self.night.rows_of,
            "refusals": list(self.refusals),
            "applied": self.applied is not None,
            "rows_written": self.applied.rows if self.applied else 0,
            "rows_changed": self.applied.rows_changed if self.applied else 0,
            "steps_skipped": self.applied.skipped if self.applied else 0,
            "pairs_different_after": self.after.pairs_different if self.after else None,
            "seconds": round(self.seconds, 3),
        }


class LiveStore(drift.LiveCounts, apply.LiveRows, bootstrap.LiveItems, lock.Lockable, Protocol):
    """What is asked of varde.store.night.NightStore."""

    def all_items(self) -> dict[str, int]:
        """Every item that was ever counted."""
        ...

    def tombstones(self) -> Mapping[str, int]:
        """Customers who were erased: customer key -> up to when, ms."""
        ...

    def stats(self) -> Mapping[str, int]:
        """The stream's counters."""
        ...


def name(night: nightly.Night, limits: Limits, mapping: events.Mapping) -> str:
    """The name of a night: the same for every try to write the same result.

    Of its moments, the settings that count, the tables' sizes and every support. What could be counted otherwise with
    all these the same is written by the first try as well as by the last.
    """
    settings = (night.as_of, night.window_start, limits, mapping, version("varde"), apply.BLOCK)
    found = hashlib.blake2b(repr((settings, sorted(night.rows_of.items()))).encode(), digest_size=6)
    for universe, cells in sorted(night.supports.items()):
        found.update(repr((universe, sorted(cells.items()))).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def reconcile(
    warehouse: Warehouse,
    store: LiveStore,
    settings: Settings,
    request: Request = Request(),
    tick: nightly.Tick = lambda _: None,
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Outcome:
    """Note in the warehouse who was erased, count it, compare, and write if asked to.

    Args:
        warehouse: Segment's tables.
        store: the live counts and tombstones.
        settings: cap, window, item keys, robots and secret; the same as the stream's.
        request: what to do.
        tick: called with the name of what is being done, often.
        now: ms, for durations, and to tell how old the warehouse's newest message is.

    Raises:
        lock.BusyError: another run is under way.
        nightly.UnknownItemKeyError: an item key that the SQL does not know.
        freshness.NoMessagesError: an empty warehouse.
        NotAtMidnightError: `apply` with a moment that is not the end of a day.
    """
    with lock.Lock(store, request.start, request.resume) as held:
        return _reconcile(warehouse, store, settings, request, _Checked(held, tick), now)


class _Checked:
    """A tick that first sees that the run still holds its lock."""

    def __init__(self, held: lock.Lock, tick: Any) -> None:
        self._held, self._tick = held, tick

    def __call__(self, step: str) -> None:
        self._held.check()
        self._tick(step)

    def expect(self, rows: int) -> None:
        """Tell a progress bar how many rows of each relation will come; a plain function need not be told."""
        if isinstance(self._tick, nightly.Expecting):
            self._tick.expect({relation.label: rows for relation in Relation})


def _reconcile(
    warehouse: Warehouse,
    store: LiveStore,
    settings: Settings,
    request: Request,
    tick: _Checked,
    now: Callable[[], int],
) -> Outcome:
    start = now()
    fresh, as_of, day = _moment(warehouse, request, settings.mapping, start)
    warehouse.define()
    tick("tombstones")
    tombstones.merge(warehouse, store.tombstones())
    secret = settings.id_secret.encode()
    night = nightly.build(warehouse, as_of, settings.limits, settings.mapping, secret, tick, request.counter)
    tick.expect(len(store.all_items().keys() | set(night.counted.items)))
    found = drift.against_store(store, night.rows, night.supports, day, tick)
    causes = {cause: n for cause, n in store.stats().items() if cause in CAUSES and n}
    run = name(night, settings.limits, settings.mapping)
    outcome = Outcome(run, night, found, (now() - start) / 1000, fresh, causes)
    if not request.apply or fresh is None:
        return outcome
    figures = _judged(store.reconciled(), night, found, fresh, start, settings, day)
    outcome = replace(outcome, refusals=tuple(guard.refusals(figures, request.thresholds)))
    if request.force or not outcome.refusals:
        if figures.first:
            bootstrap.fill(warehouse, store, night, settings, tick)
        applied = apply.apply(night, store, day, run, request.resume, tick)
        after = drift.against_store(store, night.rows, night.supports, day, tick)
        outcome = replace(outcome, applied=applied, after=after, seconds=(now() - start) / 1000)
    tick("reports")
    _report(warehouse, outcome, start, request.start)
    return outcome


def _moment(
    warehouse: Warehouse, request: Request, mapping: events.Mapping, now: int
) -> tuple[Freshness | None, int, int]:
    """How fresh the warehouse is, if it matters; the last event time that counts, ms; the first day after it, or
    drift.NOW within a day."""
    fresh = freshness.look(warehouse, mapping, now) if request.as_of is None or request.apply else None
    if fresh is not None:
        _log.info("%s", fresh.told())
    as_of = fresh.as_of if request.as_of is None and fresh is not None else request.as_of
    assert as_of is not None
    day, within = divmod(as_of + 1, DAY_MS)
    if not within:
        return fresh, as_of, day
    if request.apply:
        msg = "only the end of a day (UTC) can be written: the stream keeps its differences by day"
        raise NotAtMidnightError(msg)
    return fresh, as_of, drift.NOW


def _report(warehouse: Warehouse, outcome: Outcome, started: int, start: str) -> None:
    """What holds now, if it was written, and a row for this start of the job in the tables of runs."""
    night = outcome.night
    applied = outcome.applied is not None
    if applied:
        if isinstance(night.counted, Here):
            outputs.fill_pairs(warehouse, night.counted.incidence, min(night.counted.cells, outputs.CELLS))
        outputs.publish(warehouse)
    counted = outputs.Counted(
        night.as_of,
        night.window_start,
        night.customers,
        len(night.counted.items),
        outcome.drift.pairs_counted,
        night.faults,
    )
    run = outputs.Run(start, started, outcome.seconds, version("varde"), outcome.refusals, applied)
    outputs.record(warehouse, run, counted, outcome.drift)


def _judged(
    last: Reconciled | None,
    night: nightly.Night,
    found: Summary,
    fresh: Freshness,
    now: int,
    settings: Settings,
    day: int,
) -> guard.Figures:
    sums = {f"pairs of {label}": (d.live, d.nightly) for label, d in found.pairs.items()}
    sums |= {f"supports of {label}": (d.live, d.nightly) for label, d in found.supports.items()}
    # A night that was written has let go of the days before it.
    oldest = max(now // DAY_MS - settings.live_days, last.day if last else 0)
    return guard.Figures(
        fresh.until, fresh.table, now, day, oldest, sums, night.volumes, night.faults, first=last is None
    )
