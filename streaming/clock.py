"""The clock of the steps; each takes it as an argument."""

from __future__ import annotations

import time


def wall_clock() -> int:
    """Now, ms since the epoch."""
    return time.time_ns() // 1_000_000
