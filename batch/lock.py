"""One run of `varde reconcile` at a time: a lock in Redis that is renewed while a run lives and ends when it does not.

Two runs would replace each other's tables in the warehouse and mix two nights in Redis. Whoever holds the lock asks
`check` before every step: a run that could not renew it in time stops, because another one may have begun.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from redis.exceptions import RedisError

TERM_MS = 60_000
"""How long the lock outlives its last renewal."""
RENEWALS = 6
"""Renewals in a term."""
STALE_MS = TERM_MS // 2
"""A lock that ends within this was not renewed three times: with `resume` it is taken over."""

_log = logging.getLogger(__name__)


class BusyError(RuntimeError):
    """Another run is under way, or has taken over."""


class Lockable(Protocol):
    """What is asked of varde.store.night.NightStore."""

    def take_lock(self, token: str, ms: int, stale_ms: int = 0) -> str:
        """Hold the lock; or the token of the run that does."""
        ...

    def renew_lock(self, token: str, ms: int) -> bool:
        """Hold it longer; False when it is no longer held."""
        ...

    def release_lock(self, token: str) -> None:
        """Let it go."""
        ...


class Lock:
    """The lock of one run, held inside a `with` block and renewed by a thread of its own.

    Args:
        store: where it is; threads may share it.
        start: a name that no other start of the job has.
        resume: take over a lock that has not been renewed for a while.
        term_ms: how long it outlives its last renewal.
        clock: seconds, of this machine.

    Raises:
        BusyError: on entering, another run holds it.
        RedisError: on entering, Redis is not reached.
    """

    def __init__(
        self,
        store: Lockable,
        start: str,
        resume: bool = False,
        term_ms: int = TERM_MS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._clock = store, clock
        self._token = f"{start} {socket.gethostname()} {os.getpid()}"
        self._term_ms, self._stale_ms = term_ms, STALE_MS if resume else 0
        self._renewed = 0.0
        self._lost = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="varde-lock", daemon=True)

    def __enter__(self) -> Self:
        self._renewed = self._clock()
        holder = self._store.take_lock(self._token, self._term_ms, self._stale_ms)
        if holder:
            start, host, process = [*holder.split(" "), "?", "?"][:3]
            msg = (
                f"another run is under way (start {start}, process {process} on {host}); should it have died, "
                f"its lock ends within {self._term_ms // 1000} seconds, for --resume within {STALE_MS // 1000}"
            )
            raise BusyError(msg)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        with suppress(RedisError):  # it ends by itself; what happened inside the block is to be told
            self._store.release_lock(self._token)

    def check(self) -> None:
        """See that the lock is still held.

        Raises:
            BusyError: it is not, or may not be by now.
        """
        # By this machine's own clock it has to have ended before it does in Redis.
        if self._lost or (self._clock() - self._renewed) * 1000 > self._term_ms * 0.9:
            msg = "this run could not renew its lock in time, so another one may have begun; start it again"
            raise BusyError(msg)

    def _renew(self) -> None:
        while not self._done.wait(self._term_ms / RENEWALS / 1000):
            asked = self._clock()
            try:
                if not self._store.renew_lock(self._token, self._term_ms):
                    self._lost = True
                    return
            except RedisError as error:
                _log.warning("the lock of the nightly job was not renewed: %s", error)
                continue
            self._renewed = asked
