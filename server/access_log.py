"""One JSON line per request, with the route instead of the path and without the query: no personal id gets in."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

logger = logging.getLogger("varde.server.access")


class Entry(NamedTuple):
    """What is logged of a request. time: ms since the epoch; seconds: time taken."""

    time: int
    method: str
    route: str
    status: int
    seconds: float
    request_id: str
    rung: str | None


def write(entry: Entry) -> None:
    """Log one request at INFO."""
    if logger.isEnabledFor(logging.INFO):
        line = {
            "time": datetime.fromtimestamp(entry.time / 1000, UTC).isoformat(timespec="milliseconds"),
            "method": entry.method,
            "route": entry.route,
            "status": entry.status,
            "ms": round(entry.seconds * 1000, 3),
            "request_id": entry.request_id,
            "rung": entry.rung,
        }
        logger.info(orjson.dumps(line).decode())


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
    """Access lines bare on standard output, everything else as text on standard error."""
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=False
    )
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
