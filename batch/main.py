"""`varde reconcile`: the nightly job from the command line, on a DuckDB file or on BigQuery."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from redis.exceptions import RedisError

from varde import timestamps
from varde.settings import Settings, from_env
from varde.store.night import NightStore

from . import count, guard, nightly
from .counting import here, there
from .reconcile import NotAtMidnightError, Outcome, Request, check, reconcile
from .report import Progress, table
from .warehouse import Warehouse, WarehouseError
from .warehouse.duckdb_file import DuckDBWarehouse

if TYPE_CHECKING:
    from .warehouse.bigquery import BigQueryWarehouse

AGREES, DIFFERS, MISUSED, REFUSED, FAILED = 0, 1, 2, 3, 4
"""Exit codes: all agrees or was written; counts differ; bad use; the night was not believed; Redis failed."""


def run(
    settings: Settings, warehouse_path: Path, request: Request | None = None, tick: nightly.Tick = lambda _: None
) -> Outcome:
    """`reconcile` on a DuckDB file and the Redis of the settings; opens and closes both.

    Raises:
        SettingsError: the warehouse cannot count by these settings.
        WarehouseError: the file cannot be opened.
        nightly.NoMessagesError: an empty warehouse.
        NotAtMidnightError: the moment cannot be written.
    """
    tables = check(settings)
    with DuckDBWarehouse(warehouse_path, tables) as warehouse, closing(NightStore.from_settings(settings)) as store:
        return reconcile(warehouse, store, settings, request or Request(), tick)


def instant(text: str) -> int:
    """A time on the command line, ISO 8601 or ms since the epoch, in ms.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    moment = timestamps.read(text)
    if moment is None:
        msg = f"not a time: {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return moment


def warehouse_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a warehouse."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--warehouse", type=Path, metavar="FILE", help="DuckDB file")
    which.add_argument("--bigquery", metavar="PROJECT", help="BigQuery; the project that is billed for the jobs")
    parser.add_argument("--segment", metavar="PROJECT.DATASET", help="where Segment writes (with --bigquery)")
    parser.add_argument("--varde", metavar="PROJECT.DATASET", help="our own dataset (with --bigquery)")
    parser.add_argument("--store", metavar="PROJECT.DATASET", help="the shop's own tables, if any (with --bigquery)")
    parser.add_argument(
        "--raw-table",
        metavar="NAME",
        help="read the messages from this table of a Pub/Sub subscription, in Segment's dataset, instead of its tables",
    )
    parser.add_argument("--max-bytes", type=int, metavar="N", help="refuse a query that would be billed for more bytes")


@contextmanager
def opened(given: argparse.Namespace, settings: Settings) -> Iterator[Warehouse]:
    """The warehouse that `warehouse_arguments` name.

    Raises:
        SettingsError: the warehouse cannot count by these settings.
        WarehouseError: it cannot be opened.
    """
    tables = check(settings, given.raw_table)
    if given.bigquery is None:
        if not given.warehouse.exists():
            msg = "no such file"
            raise WarehouseError(msg)
        with DuckDBWarehouse(given.warehouse, tables) as warehouse:
            yield warehouse
        return
    if not given.segment or not given.varde:
        msg = "--bigquery needs --segment and --varde, each as project.dataset"
        raise WarehouseError(msg)
    # Imported here: Google's client takes a second to import, and a DuckDB file does not need it.
    from .warehouse.bigquery import BigQueryWarehouse
    from .warehouse.bigquery_options import Options, Places, connect

    places, options = Places(given.segment, given.varde, given.store), Options(maximum_bytes_billed=given.max_bytes)
    with BigQueryWarehouse(connect(given.bigquery), places, uuid.uuid4().hex, tables, options) as bigquery:
        sys.stderr.write(f"BigQuery will read about {_estimate(bigquery, settings) / 1e9:,.2f} GB\n")
        yield bigquery


def _estimate(bigquery: BigQueryWarehouse, settings: Settings) -> int:
    """Bytes that the queries of a night will read, as far as their tables are there: at first, Segment's."""
    plan = nightly.plan(nightly.newest(bigquery), settings.limits, settings.mapping)
    total = 0
    for step in nightly.STEPS:
        if step not in nightly.DECIDED:
            with suppress(WarehouseError):
                total += bigquery.dry_run(step, plan.parameters)
    return total


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde reconcile",
        description="Count the warehouse's messages anew and compare with the live counts, pair by pair; with --apply, "
        "put the result in place while stream and server go on. The last line is one JSON object. Exit codes: 0 all "
        "agrees, or was written; 1 counts differ; 2 bad use; 3 refused; 4 Redis failed.",
    )
    warehouse_arguments(parser)
    parser.add_argument(
        "--as-of",
        type=instant,
        metavar="TIME",
        help="last event time that counts, ISO 8601 or ms since the epoch (default: the last moment of the newest day "
        "that the warehouse has whole, by its newest message less an hour)",
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
    counter = there if given.bigquery is not None and not given.count_here else here(given.cells)
    return Request(given.as_of, given.apply, given.resume, given.force, thresholds, counter)


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    progress = Progress(sys.stderr)
    try:
        with opened(given, settings) as warehouse, closing(NightStore.from_settings(settings)) as store:
            outcome = reconcile(warehouse, store, settings, _request(given), progress)
    except RedisError as error:
        sys.stderr.write(f"varde reconcile: Redis: {error}\n")
        return FAILED
    except (nightly.NoMessagesError, NotAtMidnightError, WarehouseError) as error:
        sys.stderr.write(f"varde reconcile: {given.warehouse or given.bigquery}: {error}\n")
        return MISUSED
    finally:
        progress.done()
    sys.stdout.write(f"{table(outcome)}\n{orjson.dumps(outcome.figures()).decode()}\n")
    if outcome.applied is not None:
        return AGREES
    if outcome.refusals:
        return REFUSED
    return DIFFERS if outcome.drift.pairs_different or outcome.drift.supports_different else AGREES
