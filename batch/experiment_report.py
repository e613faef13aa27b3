"""`varde report`: what an experiment has shown, on the terminal, as JSON, and as a page for a manager."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from varde.settings import Settings, from_env

from . import arguments, cost, experiment_config, freshness
from .conclusion import conclude
from .experiment_page import page
from .experiments import measure
from .replacing import replace
from .report import Progress
from .report_table import table
from .warehouse import Warehouse, WarehouseError

MADE, MISUSED, FAILED = 0, arguments.MISUSED, arguments.FAILED
"""Exit codes: the report was made, whatever it says; bad use; the warehouse failed, and the same may succeed later."""
MINUTE_MS = 60_000


def share(text: str) -> float:
    """A positive part on the command line: `0.02` or `2%`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = 0.0
    if not 0 < number < 100:
        msg = f"not a part such as 0.02 or 2%: {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return number


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments that say how an experiment is measured."""
    parser.add_argument(
        "--as-of",
        type=arguments.instant,
        metavar="TIME",
        help="last event time that counts, ISO 8601 or ms since the epoch (default: the last moment of the newest day "
        "that the warehouse has whole)",
    )
    parser.add_argument(
        "--views-within",
        type=int,
        default=0,
        metavar="MINUTES",
        help="for shops without Product Clicked: a product viewed so soon after a list showed it counts as clicked",
    )


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde report",
        description="What an experiment of the file VARDE_CONFIG has shown: the verdict, every metric with its "
        "intervals, guardrails, and the quality of the data. The last line is one JSON object. Exit codes: 0 it was "
        "made, whatever it says; 2 bad use; 4 the warehouse failed: run it again.",
    )
    parser.add_argument("experiment", metavar="EXPERIMENT", help="its key in the file")
    arguments.add(parser)
    add(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page that needs nothing else")
    parser.add_argument(
        "--worth",
        type=share,
        metavar="PART",
        help="smallest relative lift that matters, such as 0.02 or 2%%: allows the verdict that there is none",
    )
    return parser


def moment_of(given: argparse.Namespace, warehouse: Warehouse, settings: Settings) -> int:
    """The last event time that counts, ms: as given, else as far as the warehouse is whole.

    Raises:
        WarehouseError: the warehouse failed.
        freshness.NoMessagesError: it is empty.
    """
    if given.as_of is not None:
        return int(given.as_of)
    fresh = freshness.look(warehouse, settings.mapping, time.time_ns() // 1_000_000)
    sys.stderr.write(f"{fresh.told()}\n")
    return fresh.as_of


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable or the configuration file makes no sense, or no such experiment is in it.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    found = experiment_config.load(settings)
    experiment_config.known(found, given.experiment)
    progress = Progress(sys.stderr)
    try:
        with arguments.opened(given, settings, cost.of_report(given.as_of is None)) as warehouse:
            warehouse.define()
            as_of = moment_of(given, warehouse, settings)
            views = given.views_within * MINUTE_MS
            told = measure(warehouse, settings, found.experiments, given.experiment, as_of, views, progress)
    except (freshness.NoMessagesError, WarehouseError) as error:
        return arguments.failed("report", given, error)
    finally:
        progress.done()
    result = conclude(told, given.worth)
    if given.html is not None:
        try:
            replace(given.html, page(result).encode())
        except OSError as error:
            sys.stderr.write(f"varde report: {given.html}: {error.strerror or error}\n")
            return MISUSED
    sys.stdout.write(f"{table(result)}\n{orjson.dumps(result.figures()).decode()}\n")
    return MADE
