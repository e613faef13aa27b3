"""Progress of long work: a bar on a terminal, a plain log line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LOG_EVERY_S = 5.0
SHOW_EVERY_S = 0.1

log = logging.getLogger(__name__)


class Meter:
    """Counts messages of one piece of work: `with Meter("replay") as meter`, then `meter.count(n)`.

    `meter.part(x)` says how much is done (0 to 1), where that is known; the bar runs without it as well. Everything
    goes to standard error, so that standard output stays free for data.
    """

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._title = title
        self._clock = clock
        self._begun = self._told = clock()
        self._part: float | None = None
        self.total = 0
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
            self._bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
            self._task = self._bar.add_task(title, total=None, note="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            if error is None and self._part is not None:
                self._part = 1.0  # a limit ends the work before the file does
            self._show()
            self._bar.stop()
        else:
            log.info("%s: %s, %s", self._title, "done" if error is None else "stopped", self._note())

    def count(self, messages: int) -> None:
        """So many messages more."""
        self.total += messages
        now = self._clock()
        if now - self._told < (LOG_EVERY_S if self._bar is None else SHOW_EVERY_S):
            return
        self._told = now
        if self._bar is None:
            log.info("%s: %s", self._title, self._note())
        else:
            self._show()

    def part(self, done: float) -> None:
        """This part of all is done, 0 to 1."""
        self._part = done

    def _show(self) -> None:
        if self._bar is not None:
            total = None if self._part is None else 1.0
            self._bar.update(self._task, total=total, completed=self._part or 0.0, note=self._note())

    def _note(self) -> str:
        rate = self.total / max(self._clock() - self._begun, 1e-3)
        done = "" if self._part is None else f", {self._part:.0%} read"
        return f"{self.total:,} messages, {rate:,.0f}/s{done}"
