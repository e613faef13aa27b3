"""`varde reconcile`: the nightly job from the command line, on a DuckDB file or on BigQuery."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing

import orjson
from redis.exceptions import RedisError

from varde.settings import from_env
from varde.store import schema
from varde.store.night import NightStore

from . import arguments, cost, count, freshness, guard
from .counting import here, there
from .lock import BusyError
from .reconcile import NotAtMidnightError, Request, reconcile
from .report import Progress, table
from .warehouse import WarehouseError

AGREES, DIFFERS, MISUSED, REFUSED, FAILED, BUSY = 0, 1, arguments.MISUSED, 3, arguments.FAILED, 5
"""Exit codes: all agrees or was written; counts differ; bad use; the night was not believed; Redis or
the warehouse failed, and the same may succeed later; another run is under way."""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde reconcile",
        description="Count the warehouse's messages anew and compare with the live counts, pair by pair; with --apply, "
        "put the result in place while stream and server go on. The last line is one JSON object. Exit codes: 0 all "
        "agrees, or was written; 1 counts differ; 2 bad use; 3 refused; 4 Redis or the warehouse failed: run it again; "
        "5 another run is under way.",
    )
    arguments.add(parser)
    parser.add_argument(
        "--as-of",
        type=arguments.instant,
        metavar="TIME",
        help="last event time that counts, ISO 8601 or ms since the epoch (default: the last moment of the newest day "
        "that the warehouse has whole, by the table that lags most, less an hour)",
    )
    parser.add_argument("--apply", action="store_true", help="write the result")
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted --apply stopped")
    parser.add_argument("--force", action="store_true", help="write in spite of a refusal")
    parser.add_argument("--count-here", action="store_true", help="count pairs on this machine, not in BigQuery")
    parser.add_argument(
        "--cells",
        type=int,
        default=count.CELLS,
        metavar="N",
        help=f"pairs held at once when counting here [{count.CELLS}]",
    )
    fields = {field.name: field.default for field in dataclasses.fields(guard.Thresholds)}
    for option, name, help_ in (
        ("--max-drop", "max_drop", "refuse when a sum of counts would fall by more than this part"),
        ("--max-growth", "max_growth", "refuse when a sum of counts would rise by more than this part"),
        ("--max-stale-hours", "max_stale_hours", "refuse when the newest message is older"),
        ("--max-faulty", "max_faulty", "refuse when more than this part of a signal's messages cannot be read"),
    ):
        parser.add_argument(option, dest=name, type=float, default=fields[name], help=f"{help_} [{fields[name]}]")
    return parser


def _request(given: argparse.Namespace) -> Request:
    thresholds = guard.Thresholds(given.max_drop, given.max_growth, given.max_stale_hours, given.max_faulty)
    counter = there if _there(given) else here(given.cells)
    return Request(given.as_of, given.apply, given.resume, given.force, thresholds, counter)


def _there(given: argparse.Namespace) -> bool:
    """Whether the warehouse counts the pairs."""
    return given.bigquery is not None and not given.count_here


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    progress = Progress(sys.stderr)
    asked = cost.of_reconcile(_there(given), given.apply, given.as_of is None)
    try:
        with (
            arguments.opened(given, settings, asked) as warehouse,
            closing(NightStore.from_settings(settings)) as store,
        ):
            schema.check(store)
            outcome = reconcile(warehouse, store, settings, _request(given), progress)
            store.note_night(time.time_ns() // 1_000_000, len(outcome.refusals), outcome.drift.relative)
    except RedisError as error:
        sys.stderr.write(f"varde reconcile: Redis: {error}\n")
        return FAILED
    except BusyError as error:
        sys.stderr.write(f"varde reconcile: {error}\n")
        return BUSY
    except (freshness.NoMessagesError, NotAtMidnightError, WarehouseError) as error:
        return arguments.failed("reconcile", given, error)
    finally:
        progress.done()
    sys.stdout.write(f"{table(outcome)}\n{orjson.dumps(outcome.figures()).decode()}\n")
    if outcome.applied is not None:
        return AGREES
    if outcome.refusals:
        return REFUSED
    return DIFFERS if outcome.drift.pairs_different or outcome.drift.supports_different else AGREES
