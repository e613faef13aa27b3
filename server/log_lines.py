"""The process's own words as JSON lines on standard error, without what a caller has written."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson

from . import access_log


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, logger, pid, message; of an error its type and where it arose.

    The text of an error is left out: it may repeat what a caller has written (`KeyError: 'jane'`).
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "pid": os.getpid(),
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line |= {"error": record.exc_info[0].__name__, "trace": _places(record.exc_info[2])}
        return orjson.dumps(line).decode()


def _places(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]


class _WithoutRequestBytes(logging.Filter):
    """aiohttp logs a malformed request with its first line, query included: keep only what kind of fault it was."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else record.levelname
        record.msg, record.args, record.exc_info, record.exc_text = f"a connection was refused: {kind}", (), None, None
        return True


def http_logger() -> logging.Logger:
    """The logger for aiohttp's own words about connections, made safe."""
    safe = logging.getLogger("varde.server.http")
    if not safe.filters:
        safe.addFilter(_WithoutRequestBytes())
    return safe


def configure(level: str) -> None:
    """Access lines on standard output, everything else on standard error, all as JSON lines."""
    own = logging.StreamHandler(sys.stderr)
    own.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[own], force=True)  # in place of the command line's text
    logging.captureWarnings(capture=True)
    access = access_log.logger
    if not access.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        access.addHandler(handler)
        access.propagate = False
