"""One JSON line per request, with the route instead of the path and without the query: no personal id gets in."""

from __future__ import annotations

import logging
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


class AccessLog(NamedTuple):
    """Which requests are logged: all, or only faults and what took longer than the deadline."""

    all: bool
    deadline_s: float

    def wants(self, status: int, seconds: float) -> bool:
        """Whether to log a request."""
        return self.all or status >= 400 or seconds > self.deadline_s


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
