"""`varde experiment plan|list|stop`: how many units an experiment needs, which there are, and the end of one."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from varde.config import ConfigError
from varde.settings import Settings, SettingsError, from_env
from varde.watched import Beside

from . import analysis, experiment_config, experiment_plan, stopping
from .conclusion import state
from .experiment_result import definition
from .replacing import replace
from .report_table import aligned
from .wording import moment, percent

DONE, MISUSED, FAILED = 0, 2, 4
"""Exit codes: done; bad use or refused; the warehouse failed or the file was not written."""
NOW: Callable[[], int] = lambda: time.time_ns() // 1_000_000  # noqa: E731 - a default of an argument below


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde experiment",
        description="Experiments of the file VARDE_CONFIG. Each prints one JSON object as its last line. Exit codes: 0 "
        "done; 2 bad use or refused; 4 the warehouse failed, or the file could not be written.",
    )
    which = parser.add_subparsers(dest="what", required=True, metavar="plan|list|stop")
    plan = which.add_parser("plan", help="units and days that an experiment needs", description=experiment_plan.HELP)
    experiment_plan.add(plan)
    listed = which.add_parser(
        "list", help="the experiments and their states", description="The experiments and their states."
    )
    listed.add_argument("--running", metavar="FILE", help="also write the keys of those that run, one a line")
    stop = which.add_parser(
        "stop",
        help="end one in the file",
        description="Set `end` of an experiment in the file VARDE_CONFIG to now, or with --winner `stopped` to the "
        "variation that everybody gets from now on. All else in the file stays as it is, byte for byte; servers that "
        "read the same file follow within seconds.",
    )
    stop.add_argument("experiment", metavar="EXPERIMENT", help="its key in the file")
    stop.add_argument("--winner", metavar="VARIATION", help="what everybody gets from now on")
    return parser


def command(argv: Sequence[str], now: Callable[[], int] = NOW) -> int:
    """Run with command line words; the exit code.

    Args:
        argv: the words.
        now: ms.

    Raises:
        SettingsError: a VARDE_* variable or the configuration file makes no sense.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    if given.what == "list":
        return _list(settings, given.running, now())
    if given.what == "stop":
        return _stop(settings, given.experiment, given.winner, now())
    return experiment_plan.command(given, settings)


def _list(settings: Settings, running: str | None, now: int) -> int:
    found = experiment_config.load(settings).experiments
    rows = [("experiment", "state", "from", "to", "shares", "metric", "coverage")]
    for key, one in found.items():
        parts = zip(one.variations, analysis.shares(one), strict=True)
        shares = ", ".join(f"{variation.key} {percent(part, signed=False)} %" for variation, part in parts)
        told = f"stopped: {one.stopped}" if one.stopped else state(one, now)
        when = (moment(one.start), moment(one.end))
        rows.append((key, told, *when, shares, one.metric, f"{percent(one.coverage, signed=False)} %"))
    lines = aligned(rows) if found else ["no experiments"]
    figures = {key: {"state": state(one, now)} | definition(one) for key, one in found.items()}
    sys.stdout.write("\n".join([*lines, orjson.dumps(figures).decode()]) + "\n")
    return (
        DONE
        if running is None
        else _write(running, [key for key, one in found.items() if state(one, now) == "running"])
    )


def _write(file: str, keys: Sequence[str]) -> int:
    try:
        Path(file).write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"varde experiment: {file}: {error.strerror or error}\n")
        return FAILED
    return DONE


def _stop(settings: Settings, key: str, winner: str | None, now: int) -> int:
    path = experiment_config.file_of(settings)
    before = experiment_config.text_of(path)
    try:
        after = stopping.stop(before, settings.rankings, key, winner, now, Beside(path.parent))
    except ConfigError as error:
        msg = f"VARDE_CONFIG: {path}: {error}"
        raise SettingsError(msg) from None
    except stopping.StopError as error:
        sys.stderr.write(f"varde experiment: {key}: {error}\n")
        return MISUSED
    if experiment_config.text_of(path) != before:
        sys.stderr.write(f"varde experiment: {path}: somebody has changed it meanwhile: look at it and try again\n")
        return MISUSED
    try:
        replace(path, after.encode())
    except OSError as error:
        sys.stderr.write(f"varde experiment: {path}: {error.strerror or error}\n")
        return FAILED
    done = f"everybody gets {winner}" if winner else f"ended at {moment(now)}"
    figures = {"experiment": key, "winner": winner, "end": None if winner else now // 1000 * 1000, "file": str(path)}
    sys.stdout.write(f"{key}: {done} ({path})\n{orjson.dumps(figures).decode()}\n")
    return DONE
