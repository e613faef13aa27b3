"""`varde reconcile`: the night's counts from the warehouse, held against the live ones. It changes nothing yet."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import orjson

from varde import timestamps
from varde.pairs import ANY_ITEM
from varde.settings import Settings, SettingsError, from_env
from varde.store.sync import Store

from . import drift, nightly
from .warehouse import Warehouse, WarehouseError, segment
from .warehouse.duckdb_file import DuckDBWarehouse


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found: the night's result and how the live counts differ from it."""

    night: nightly.Night
    drift: drift.Summary
    seconds: float

    def figures(self) -> dict[str, Any]:
        """The JSON object of the last line; see docs/sql.md."""
        return {
            "as_of": self.night.as_of,
            "window_start": self.night.window_start,
            "customers": self.night.customers,
            "items": len(self.night.incidence.items),
            "pairs_compared": self.drift.pairs_compared,
            "pairs_different": self.drift.pairs_different,
            "supports_different": self.drift.supports_different,
            "pairs": {name: found.figures() for name, found in self.drift.pairs.items()},
            "supports": {name: found.figures() for name, found in self.drift.supports.items()},
            "faults": {f"{signal}.{reason}": n for (signal, reason), n in self.night.faults.items()},
            "rows": self.night.rows_of,
            "seconds": round(self.seconds, 3),
        }


def reconcile(
    warehouse: Warehouse,
    store: drift.LiveCounts,
    settings: Settings,
    as_of: int | None = None,
    tick: nightly.Tick = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Count the warehouse at `as_of` and compare.

    Args:
        warehouse: Segment's tables.
        store: the live counts.
        settings: cap, window and item keys; the same as the stream's.
        as_of: last event time that counts, ms; None takes the newest time of receipt in the warehouse.
        tick: called with the name of what is being done, often.
        clock: seconds, for the duration.

    Raises:
        nightly.UnknownItemKeyError: an item key that the SQL does not know.
        nightly.NoMessagesError: no `as_of` and an empty warehouse.
    """
    start = clock()
    moment = nightly.newest(warehouse) if as_of is None else as_of
    night = nightly.build(warehouse, moment, settings.limits, settings.item_keys, tick)
    found = drift.against_store(store, night.rows, night.supports, tick)
    return Outcome(night, found, clock() - start)


def check(settings: Settings) -> segment.EventTables:
    """Which tables hold the events of the settings, once it is known that the warehouse can count by them.

    Raises:
        SettingsError: it cannot; the message begins with the variable's name.
    """
    variable = "VARDE_ITEM_KEYS"
    try:
        nightly.parameters(0, settings.limits, settings.item_keys)
        variable = "VARDE_EVENTS"
        return segment.event_tables(settings.events)
    except ValueError as error:
        msg = f"{variable}: {error}"
        raise SettingsError(msg) from None


def run(
    settings: Settings, warehouse_path: Path, as_of: int | None = None, tick: nightly.Tick = lambda _: None
) -> Outcome:
    """`reconcile` on a DuckDB file and the Redis of the settings; opens and closes both.

    Raises:
        SettingsError: the warehouse cannot count by these settings.
        WarehouseError: the file cannot be opened.
        nightly.NoMessagesError: no `as_of` and an empty warehouse.
    """
    tables = check(settings)
    with DuckDBWarehouse(warehouse_path, tables) as warehouse, closing(Store.from_settings(settings)) as store:
        return reconcile(warehouse, store, settings, as_of, tick)


def table(outcome: Outcome) -> str:
    """The comparison for people: one line per relation and universe, then the largest differences."""
    lines = [f"{'':16}{'compared':>12}{'equal':>12}{'different':>12}"]
    both = [*outcome.drift.pairs.items(), *((f"support {n}", d) for n, d in outcome.drift.supports.items())]
    lines += [f"{name:16}{d.compared:>12,}{d.equal:>12,}{d.different:>12,}" for name, d in both]
    for name, found in both:
        lines += [
            f"  {name}: {_shown(worst)}: live {worst.live:,}, nightly {worst.nightly:,}" for worst in found.worst[:3]
        ]
    lines += [f"  {signal} messages, {reason}: {n:,}" for (signal, reason), n in outcome.night.faults.items()]
    return "\n".join(lines)


def _shown(difference: drift.Difference) -> str:
    """Ids as JSON text, so that a hostile one does not reach the terminal as it is."""
    other = "customers" if difference.other == ANY_ITEM else orjson.dumps(difference.other).decode()
    return f"{orjson.dumps(difference.item).decode()} {other}" if difference.item else other


class Progress:
    """Says what is being done: one changing line on a terminal, a line for each new step elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._step = ""
        self._times = 0

    def __call__(self, step: str) -> None:
        """Note one more unit of a step."""
        self._times = self._times + 1 if step == self._step else 1
        fresh, self._step = step != self._step, step
        if self._out.isatty() and (fresh or self._times % 100 == 0):
            self._out.write(f"\r\x1b[K{step} {self._times:,}")
        elif fresh:
            self._out.write(f"{step}\n")
        self._out.flush()

    def done(self) -> None:
        """Clear the line."""
        if self._out.isatty():
            self._out.write("\r\x1b[K")
            self._out.flush()


def _moment(text: str) -> int:
    moment = timestamps.read(text)
    if moment is None:
        msg = f"not a time: {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return moment


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde reconcile",
        description="Count the warehouse's messages anew and compare with the live counts, pair by pair. The last line "
        "is one JSON object; the exit code is 0 when all pairs agree and 1 when any differs.",
    )
    parser.add_argument("--warehouse", type=Path, required=True, metavar="FILE", help="DuckDB file to read")
    parser.add_argument(
        "--as-of",
        type=_moment,
        metavar="TIME",
        help="last event time that counts, ISO 8601 or ms since the epoch (default: newest message in the warehouse)",
    )
    return parser


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    progress = Progress(sys.stderr)
    if not given.warehouse.exists():
        sys.stderr.write(f"varde reconcile: no such file: {given.warehouse}\n")
        return 2
    try:
        outcome = run(settings, given.warehouse, given.as_of, progress)
    except (nightly.NoMessagesError, WarehouseError) as error:
        sys.stderr.write(f"varde reconcile: {given.warehouse}: {error}\n")
        return 2
    finally:
        progress.done()
    sys.stdout.write(f"{table(outcome)}\n{orjson.dumps(outcome.figures()).decode()}\n")
    return 1 if outcome.drift.pairs_different or outcome.drift.supports_different else 0
