"""`varde export`: everything of Varde in Redis into one file."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import orjson
from redis.exceptions import RedisError

from varde.settings import from_env
from varde.store.exported import Exporter
from varde.store.meter import Meter

DONE, MISUSED, FAILED = 0, 2, 4


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde export",
        description="Write counts, item numbers, customers' latest items, tombstones, catalogue and all else that "
        "cannot be made anew into one file, while stream and server go on; `varde import` takes it. The file appears "
        "when it is whole. It holds personal data, customers as keyed hashes: keep it for days. The last line is one "
        "JSON object. Exit codes: 0 written; 2 bad use; 4 Redis failed: run it again.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="is replaced when it is there")
    parser.add_argument("--require-quiet", action="store_true", help="fail (4) when anything was counted meanwhile")
    return parser


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file for its owner alone that takes its name when all of it is on disk; what was there stays on a failure."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class RestlessError(RuntimeError):
    """Something was counted meanwhile."""


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense, or the data are of another schema.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    meter, begun = Meter(sys.stderr), time.monotonic()
    try:
        with closing(Exporter.from_settings(settings)) as exporter, replaced(given.file) as file:
            done = exporter.write(file, lambda n: meter("keys", n))
            if given.require_quiet and not done["quiet"]:
                msg = "something was counted meanwhile: end or drain the stream, and try again"
                raise RestlessError(msg)
    except (RedisError, RestlessError) as error:
        sys.stderr.write(f"varde export: {error}\n")
        return FAILED
    except OSError as error:
        sys.stderr.write(f"varde export: {given.file}: {error.strerror or error}\n")
        return MISUSED
    finally:
        meter.done()
    figures = {name: done[name] for name in ("begun", "ended", "quiet", "keys", "entries", "bytes")}
    sys.stdout.write(f"{orjson.dumps(figures | {'seconds': round(time.monotonic() - begun, 3)}).decode()}\n")
    return DONE
