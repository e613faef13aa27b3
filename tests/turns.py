"""Whose turn it is when the tests run in several processes: one marked `alone` has the machine to itself."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait until nobody is alone in the room, or with `alone` until it is empty; be in it meanwhile.

    Who waits to be alone stands in the door, so that those who come later cannot keep the room occupied for ever.
    The kernel lets go of the locks of a process that dies.

    Args:
        folder: one for all processes of a run of the tests.
        alone: whether nothing may run beside.
    """
    with (folder / "door").open("a") as door, (folder / "room").open("a") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)  # said, as closing is not enough while a forked child has the file, too
