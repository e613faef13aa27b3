"""`varde import`: a file of `varde export` back into Redis."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from redis.exceptions import RedisError

from varde.settings import Settings, from_env
from varde.store.export_file import ExportError, read_whole
from varde.store.imported import MAX_AGE_DAYS, Importer, RefusedError, compare
from varde.store.meter import Meter

DONE, MISUSED, REFUSED, FAILED = 0, 2, 3, 4


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde import",
        description="Write a file of `varde export` into an empty Redis, and make serving rows anew. The file is read "
        "and compared with the settings as a whole before anything is written; while it is written, and after an "
        "interruption, no other program of Varde begins there. End the stream first. The last line is one JSON object. "
        "Exit codes: 0 done; 2 bad use; 3 refused, and nothing was written; 4 Redis failed: run it again, with "
        "--replace.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--check", action="store_true", help="read and compare the file; write nothing, ask no Redis")
    parser.add_argument("--replace", action="store_true", help="take away what Varde has in Redis, first")
    parser.add_argument(
        "--max-age",
        type=_days,
        default=MAX_AGE_DAYS,
        metavar="DAYS",
        help=f"refuse an older file: what was erased since would come back [{MAX_AGE_DAYS:g}]",
    )
    return parser


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 < days <= 36_500:
        msg = f"a number of days is wanted, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return days


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    meter, begun = Meter(sys.stderr), time.monotonic()
    try:
        figures = _check(given, settings) if given.check else _take(given, settings, meter)
    except (ExportError, RefusedError) as error:
        sys.stderr.write(f"varde import: {given.file}: {error}\n")
        return REFUSED
    except RedisError as error:
        sys.stderr.write(f"varde import: Redis: {error}\n")
        return FAILED
    except OSError as error:
        sys.stderr.write(f"varde import: {given.file}: {error.strerror or error}\n")
        return MISUSED
    finally:
        meter.done()
    sys.stdout.write(f"{orjson.dumps(figures | {'seconds': round(time.monotonic() - begun, 3)}).decode()}\n")
    return DONE


def _check(given: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    with given.file.open("rb") as file:
        whole = read_whole(file)
    compare(whole, settings, time.time_ns() // 1_000_000, given.max_age)
    return {"header": whole.header} | {name: whole.trailer.get(name) for name in ("ended", "quiet", "keys", "entries")}


def _take(given: argparse.Namespace, settings: Settings, meter: Meter) -> dict[str, Any]:
    with given.file.open("rb") as file, closing(Importer.from_settings(settings)) as importer:
        return importer.take(file, given.replace, given.max_age, meter)
