"""One JSON line per request, with the route instead of the path and without the query: no personal id gets in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

logger = logging.getLogger("varde.server.access")

SLOW_A_SECOND = 20


class Entry(NamedTuple):
    """What is logged of a request. time: ms since the epoch; seconds: time taken."""

    time: int
    method: str
    route: str
    status: int
    seconds: float
    request_id: str
    rung: str | None


class AccessLog:
    """Which requests are logged: all, or only faults and what took longer than the deadline.

    Of the slow ones SLOW_A_SECOND at most: a server that has no time left for answers has none for lines about them.
    """

    __slots__ = ("_all", "_clock", "_deadline_s", "_left", "_second")

    def __init__(self, *, everything: bool, deadline_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._all, self._deadline_s, self._clock = everything, deadline_s, clock
        self._second, self._left = -1, 0

    def wants(self, status: int, seconds: float) -> bool:
        """Whether to log a request. Asked once of each."""
        if self._all or status >= 400:
            return True
        return seconds > self._deadline_s and self._one_more()

    def _one_more(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._left = second, SLOW_A_SECOND
        self._left -= 1
        return self._left >= 0


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
