"""What the commands over a warehouse have in common: how it is named, opened and closed, and how they fail."""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from varde import timestamps
from varde.settings import Settings, SettingsError

from . import cost, freshness, nightly
from .warehouse import Shared, UnavailableError, WarehouseError
from .warehouse.duckdb_file import DuckDBWarehouse
from .warehouse.segment import CategoryError, EventTables, event_tables

MISUSED, FAILED = 2, 4
"""Exit codes: bad use; the warehouse (or Redis) failed, and the same may succeed later."""


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


def add(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The arguments that name a warehouse."""
    which = parser.add_mutually_exclusive_group(required=required)
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


def check(settings: Settings, raw_table: str | None = None) -> EventTables:
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
        return event_tables(mapping.custom_events, mapping.consent, mapping.consent_default, raw_table)
    except CategoryError as error:
        msg = f"VARDE_CONSENT_CATEGORIES: {error}"
        raise SettingsError(msg) from None
    except ValueError as error:
        msg = f"{variable}: {error}"
        raise SettingsError(msg) from None


@contextmanager
def opened(
    given: argparse.Namespace,
    settings: Settings,
    asked: cost.Asked,
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Iterator[Shared]:
    """The warehouse that the arguments name; of BigQuery standard error is told first how much will be read.

    Args:
        given: of `add`, and `as_of`: the last event time that counts, ms, or None.
        settings: cap, window, item keys, events and consent.
        asked: the queries that will be asked.
        now: ms; without `as_of` the estimate is for the newest whole day by it.

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
    as_of = freshness.complete(now()) if given.as_of is None else given.as_of
    with _bigquery(given, tables, nightly.plan(as_of, settings.limits, settings.mapping), asked) as warehouse:
        yield warehouse


@contextmanager
def _bigquery(
    given: argparse.Namespace, tables: EventTables, plan: nightly.Plan, asked: cost.Asked
) -> Iterator[Shared]:
    if not given.segment or not given.varde:
        msg = "--bigquery needs --segment and --varde, each as project.dataset"
        raise WarehouseError(msg)
    # Imported here: Google's client takes a second to import, and a DuckDB file does not need it.
    from .warehouse.bigquery import BigQueryWarehouse
    from .warehouse.bigquery_options import Options, Places, connect

    places, options = Places(given.segment, given.varde, given.store), Options(maximum_bytes_billed=given.max_bytes)
    with BigQueryWarehouse(connect(given.bigquery), places, uuid.uuid4().hex, tables, options) as warehouse:
        sys.stderr.write(f"BigQuery will read {cost.estimate(warehouse, plan, asked)}\n")
        yield warehouse


def failed(command: str, given: argparse.Namespace, error: Exception) -> int:
    """Say in one line on standard error why a command on a warehouse has failed; its exit code."""
    again = isinstance(error, UnavailableError)
    advice = "; run it again later" if again and "again" not in str(error) else ""
    sys.stderr.write(f"varde {command}: {given.warehouse or given.bigquery}: {error}{advice}\n")
    return FAILED if again else MISUSED
