"""Trips to Redis: what many requests want at the same moment is read together, within a deadline, or not at all.

Every request's wish is a future. All wishes of one turn of the event loop leave in one pipeline; at most two pipelines
are under way, so that what comes meanwhile gathers. A wish that is not answered within its deadline fails; when too
many wait, a new one fails at once (shed); when Redis has failed several times in a row, all fail at once until a probe
finds it well again (a circuit breaker). Whoever fails answers from memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .errors import StoreError

logger = logging.getLogger("varde.server")

W = TypeVar("W")
R = TypeVar("R")

UNDER_WAY = 2
MOST_TOGETHER = 500
"""Wishes in one pipeline."""
FAILURES = 5
"""Failed trips in a row after which the circuit opens."""
PROBE_S = 0.25
LAG = 0.25
"""Part of the deadline by which a timer may be late before a missed deadline says nothing about Redis."""


def reason_of(error: BaseException) -> str:
    """A label of the metrics for what went wrong with Redis.

    `fault` is an error of ours, which is logged with its trace: whoever asked is answered as if Redis had failed, and
    what goes on for ever goes on.
    """
    if isinstance(error, StoreError):
        return error.reason
    if isinstance(error, (TimeoutError, RedisTimeoutError)):
        return "timeout"
    if isinstance(error, (RedisConnectionError, OSError)):
        return "connection"
    if isinstance(error, (RedisError, ValueError)):  # ValueError: bytes that are no serving row
        return "answer"
    logger.error("a read failed in a way that Redis does not fail", exc_info=error)
    return "fault"


class Circuit:
    """Open while Redis fails; a probe closes it again."""

    def __init__(self, probe: Callable[[], Awaitable[object]]) -> None:
        """`probe` asks Redis for a sign of life; its failure is a Redis error or a TimeoutError."""
        self._probe = probe
        self._failed = 0
        self._probing: asyncio.Task[None] | None = None

    @property
    def open(self) -> bool:
        """Whether Redis is not to be asked."""
        return self._probing is not None

    def succeeded(self) -> None:
        """A trip came back."""
        self._failed = 0

    def failed(self) -> None:
        """A trip did not."""
        self._failed += 1
        if self._failed >= FAILURES and self._probing is None:
            self._probing = asyncio.create_task(self._close())

    async def stop(self) -> None:
        """End the probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _close(self) -> None:
        while True:
            await asyncio.sleep(PROBE_S)
            try:
                await self._probe()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next probe may succeed
                reason_of(error)
                continue
            self._failed, self._probing = 0, None
            return


class _Wish(asyncio.Future[R]):
    """Many requests may wait for one wish, so a request that is cancelled must not cancel it for the others.

    Such a request ends when the wish does, which is within the deadline. asyncio.shield would cost each its own future.
    """

    def cancel(self, msg: object = None) -> bool:
        """Never."""
        return False


class Trips(Generic[W, R]):
    """Wishes of one kind and how to fulfil a batch of them."""

    def __init__(
        self,
        send: Callable[[Sequence[W]], Awaitable[Sequence[R | StoreError]]],
        circuit: Circuit,
        deadline_s: float,
        most_waiting: int,
        failed: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """Send batches with `send`, which answers wish by wish.

        Args:
            send: one round trip; a StoreError among the answers fails that wish alone.
            circuit: shared by all kinds.
            deadline_s: from the wish to its answer.
            most_waiting: wishes that may wait; more are shed.
            failed: told the reason of every failed wish: timeout, connection, answer, fault, shed or open.
        """
        self._send, self._circuit, self._failed = send, circuit, failed
        self._deadline_s, self._most = deadline_s, most_waiting
        # In the order of their deadlines, since all have the same time: one timer serves all.
        self._waiting: dict[asyncio.Future[R], tuple[W, float]] = {}
        self._gathered: list[asyncio.Future[R]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None

    def wish(self, what: W) -> asyncio.Future[R]:
        """The answer to `what`, to be awaited; raises StoreError when there will be none.

        Raises:
            StoreError: at once, when too many wait or the circuit is open.
        """
        if self._circuit.open:
            self._failed("open")
            raise StoreError("open")
        if len(self._waiting) >= self._most:
            self._failed("shed")
            raise StoreError("shed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = _Wish(loop=loop)
        until = loop.time() + self._deadline_s
        self._waiting[future] = (what, until)
        if self._timer is None:
            self._timer = loop.call_at(until, self._expire)
        self._gathered.append(future)
        self._schedule()
        return future

    def _schedule(self) -> None:
        if self._gathered and not self._scheduled and len(self._under_way) < UNDER_WAY:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._scheduled = False
        together, self._gathered = self._gathered[:MOST_TOGETHER], self._gathered[MOST_TOGETHER:]
        asked = {future: self._waiting[future][0] for future in together if not future.done()}
        if asked:
            task = asyncio.get_running_loop().create_task(self._trip(asked))
            self._under_way.add(task)
            task.add_done_callback(self._back)
        self._schedule()

    async def _trip(self, asked: dict[asyncio.Future[R], W]) -> None:
        try:
            async with asyncio.timeout(2 * self._deadline_s):  # frees the lane when Redis is frozen
                answers = await self._send(list(asked.values()))
        except Exception as error:  # noqa: BLE001 - reason_of logs what is not Redis's
            self._fail(asked, reason_of(error))
            self._circuit.failed()
            return
        self._circuit.succeeded()
        for future, answer in zip(asked, answers, strict=True):
            if isinstance(answer, StoreError):
                self._fail((future,), answer.reason)
                continue
            self._waiting.pop(future, None)
            if not future.done():
                future.set_result(answer)

    def _back(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._schedule()
        if not task.cancelled():
            task.result()  # asyncio logs a fault of ours

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        now, lag = loop.time(), 0.0
        self._timer, late = None, []
        for future, (_, until) in self._waiting.items():
            if until > now:
                self._timer = loop.call_at(until, self._expire)
                break
            lag = max(lag, now - until)
            late.append(future)
        # When this very timer comes late, it is this process that is slow, and Redis may have answered long ago.
        if lag < self._deadline_s * LAG and any(not future.done() for future in late):
            self._circuit.failed()
        self._fail(late, "timeout")

    def _fail(self, futures: Iterable[asyncio.Future[R]], reason: str) -> None:
        for future in futures:
            self._waiting.pop(future, None)
            if not future.done():
                self._failed(reason)
                future.set_exception(StoreError(reason))
                future.exception()  # the request may be gone
