"""The nightly job: count the warehouse at a moment, compare with the live counts of it, and put the result in place.

The moment is the end of a day (UTC) when it is to be written: the stream dates its differences by day, so what came
after it stays on top, and nothing has to stop.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Protocol

from varde.history import DAY_MS, Limits, Signal
from varde.pairs import Relation
from varde.settings import Settings, SettingsError
from varde.store.night import Reconciled

from . import apply, bootstrap, drift, guard, nightly, outputs, tombstones
from .counting import Counter, Here, There, here
from .drift import Summary
from .warehouse import Warehouse, segment

MARGIN_MS = guard.HOUR_MS
"""How long before the newest message the warehouse is taken to be complete: a sync writes its tables one by one."""

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

    drift: how the live counts differed. causes: counters of the stream that explain differences. refusals: why the
    night should not be written. applied: what was written, None for nothing; after: the comparison once more, then.
    """

    run: str
    night: nightly.Night
    drift: Summary
    seconds: float
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


class LiveStore(drift.LiveCounts, apply.LiveRows, bootstrap.LiveItems, Protocol):
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


def complete(newest: int) -> int:
    """The last moment of the newest day that a warehouse has whole, ms, by its newest time of receipt."""
    return (newest - MARGIN_MS) // DAY_MS * DAY_MS - 1


def name(night: nightly.Night, limits: Limits) -> str:
    """The name of a night: the same for every try to write the same result."""
    text = repr((night.as_of, night.window_start, limits, sorted(night.rows_of.items())))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


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
        nightly.UnknownItemKeyError: an item key that the SQL does not know.
        nightly.NoMessagesError: an empty warehouse.
        NotAtMidnightError: `apply` with a moment that is not the end of a day.
    """
    start = now()
    newest, as_of, day = _moment(warehouse, request, start)
    warehouse.define()
    tick("tombstones")
    tombstones.merge(warehouse, store.tombstones())
    secret = settings.id_secret.encode()
    night = nightly.build(warehouse, as_of, settings.limits, settings.mapping, secret, tick, request.counter)
    _expect(tick, len(store.all_items().keys() | set(night.counted.items)))
    found = drift.against_store(store, night.rows, night.supports, day, tick)
    causes = {cause: n for cause, n in store.stats().items() if cause in CAUSES and n}
    run = name(night, settings.limits)
    if not request.apply:
        return Outcome(run, night, found, (now() - start) / 1000, causes)
    refusals = guard.refusals(
        _judged(warehouse, store.reconciled(), night, found, newest, start, settings, day), request.thresholds
    )
    outcome = Outcome(run, night, found, (now() - start) / 1000, causes, tuple(refusals))
    if request.force or not refusals:
        if store.reconciled() is None:
            bootstrap.fill(warehouse, store, night, settings, tick)
        applied = apply.apply(night, store, day, run, request.resume, tick)
        after = drift.against_store(store, night.rows, night.supports, day, tick)
        outcome = replace(outcome, applied=applied, after=after, seconds=(now() - start) / 1000)
    tick("reports")
    _report(warehouse, outcome, start, request.start)
    return outcome


def _moment(warehouse: Warehouse, request: Request, now: int) -> tuple[int, int, int]:
    """(newest message, ms; last event time that counts, ms; the first day after it, or drift.NOW within a day)."""
    # A date of receipt ahead of the clock must not make a day whole that is not over.
    newest = min(nightly.newest(warehouse), now) if request.as_of is None or request.apply else 0
    as_of = complete(newest) if request.as_of is None else request.as_of
    day, within = divmod(as_of + 1, DAY_MS)
    if not within:
        return newest, as_of, day
    if request.apply:
        msg = "only the end of a day (UTC) can be written: the stream keeps its differences by day"
        raise NotAtMidnightError(msg)
    return newest, as_of, drift.NOW


def _expect(tick: Any, rows: int) -> None:
    """Tell a progress bar what to expect; a plain function need not be told."""
    if isinstance(tick, nightly.Expecting):
        tick.expect({relation.label: rows for relation in Relation})


def _report(warehouse: Warehouse, outcome: Outcome, started: int, start: str) -> None:
    """What holds now, if it was written, and a row for this start of the job in the tables of runs."""
    night = outcome.night
    applied = outcome.applied is not None
    if isinstance(night.counted, There):
        pairs = night.counted.pairs
    elif isinstance(night.counted, Here) and applied:
        pairs = outputs.fill_pairs(warehouse, night.counted.incidence)
    else:
        pairs = sum(len(cells) for relation in Relation for _, cells in night.rows(relation))
    if applied:
        outputs.publish(warehouse)
    counted = outputs.Counted(
        night.as_of, night.window_start, night.customers, len(night.counted.items), pairs, night.faults
    )
    run = outputs.Run(start, started, outcome.seconds, version("varde"), outcome.refusals, applied)
    outputs.record(warehouse, run, counted, outcome.drift)


def _judged(
    warehouse: Warehouse,
    last: Reconciled | None,
    night: nightly.Night,
    found: Summary,
    newest: int,
    now: int,
    settings: Settings,
    day: int,
) -> guard.Figures:
    sums = {f"pairs of {label}": (d.live, d.nightly) for label, d in found.pairs.items()}
    sums |= {f"supports of {label}": (d.live, d.nightly) for label, d in found.supports.items()}
    messages = {
        Signal(row["signal"]): row["messages"]
        for row in warehouse.query("volumes", {}).to_pylist()
        if row["signal"] in list(Signal)
    }
    # A night that was written has let go of the days before it.
    oldest = max(now // DAY_MS - settings.live_days, last.day if last else 0)
    return guard.Figures(newest, now, day, oldest, sums, messages, night.faults, first=last is None)


def check(settings: Settings, raw_table: str | None = None) -> segment.EventTables:
    """How the warehouse's tables are read by the settings, once it is known that the warehouse can count by them.

    Args:
        settings: item keys, events and consent.
        raw_table: a table of raw messages to read instead of Segment's tables.

    Raises:
        SettingsError: it cannot; the message begins with the variable's name.
    """
    variable, mapping = "VARDE_ITEM_KEYS", settings.mapping
    try:
        nightly.plan(0, settings.limits, mapping)
        variable = "VARDE_EVENTS"
        return segment.event_tables(mapping.custom_events, mapping.consent, mapping.consent_default, raw_table)
    except segment.CategoryError as error:
        msg = f"VARDE_CONSENT_CATEGORIES: {error}"
        raise SettingsError(msg) from None
    except ValueError as error:
        msg = f"{variable}: {error}"
        raise SettingsError(msg) from None
