"""Waiting until the stream is done with what it was sent, with progress for whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable

from varde.progress import settled, under_way
from varde.store.sync import Store

from . import figures
from .progress import Meter
from .system import System

POLL_S = 0.1
STALLED_S = 180.0


class StalledError(RuntimeError):
    """The system made no progress for STALLED_S seconds."""


def wait_until_settled(
    system: System, store: Store, messages: int, title: str = "stream", clock: Callable[[], float] = time.monotonic
) -> None:
    """Return when `messages` messages have had all their effect on the counts.

    Raises:
        ChildError: a part of the system has ended.
        StalledError: nothing moved any more.
    """
    before: figures.Stats = {}
    last = clock()
    with Meter(title) as meter:
        while not settled(before, messages):
            system.check()
            stats = store.stats()
            if stats != before:
                meter.count(figures.processed(stats) - figures.processed(before))
                meter.part(min(1.0, figures.processed(stats) / messages))
                before, last = stats, clock()
            elif clock() - last > STALLED_S:
                msg = (
                    f"no progress any more: {figures.processed(stats):,} of {messages:,} messages, "
                    f"{under_way(stats):,} elements under way; the stream's log ends:\n{system.log_of('stream')}"
                )
                raise StalledError(msg)
            time.sleep(POLL_S)
