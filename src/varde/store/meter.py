"""How far long work has come: a changing line on a terminal, a line each ten seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

EVERY_S = 10.0


class Meter:
    """Told what is done, and how many."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """To a stream; `clock` in seconds."""
        self._out, self._clock = out, clock
        self._last = clock()

    def __call__(self, what: str, n: int) -> None:
        """So many by now."""
        if self._out.isatty():
            self._out.write(f"\r\x1b[K{what}: {n:,}")
            self._out.flush()
        elif self._clock() - self._last >= EVERY_S:
            self._last = self._clock()
            self._out.write(f"{what}: {n:,}\n")
            self._out.flush()

    def done(self) -> None:
        """Clear the line."""
        if self._out.isatty():
            self._out.write("\r\x1b[K")
            self._out.flush()
