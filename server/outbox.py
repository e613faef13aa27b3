"""Messages on their way to a topic: bounded, sent in batches beside the answers, tried again while there is room."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from .errors import PublishError, RefusedError

logger = logging.getLogger("varde.server")

BATCH = 500
"""Most messages of one request; Pub/Sub takes 1,000."""
BATCH_BYTES = 2_000_000
"""Most bytes of one request; Pub/Sub takes 10 MB."""
LINGER_S = 0.25
"""How long a message waits for others: a request for 20 messages costs three times as much a message as one for 200."""
FIRST_PAUSE_S, MOST_PAUSE_S = 0.2, 15.0
"""Pauses after a failure: each twice the one before."""
SENT, DROPPED = "sent", "dropped"
FULL, UNSENT, REFUSED = "full", "unsent", "refused"
"""Why messages are dropped: no room; still there at the end; Pub/Sub will not take them."""

Counted = Callable[[str, str, int], None]
"""Told (result, reason or "", how many messages)."""


class Outbox:
    """The messages for one topic. `run` is a task of the event loop whose thread alone calls the rest."""

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], Awaitable[None]],
        most: int,
        counted: Counted,
        failed: Callable[[], None],
    ) -> None:
        """Empty.

        Args:
            send: publishes a batch; raises PublishError.
            most: messages that may wait.
            counted: told what became of messages.
            failed: told of a batch that is tried again.
        """
        self._send, self._most, self._counted, self._failed = send, most, counted, failed
        self._waiting: deque[bytes] = deque()
        self._some = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run())

    def put(self, data: bytes) -> None:
        """Leave a message; it is dropped and counted when there is no room."""
        if len(self._waiting) >= self._most:
            self._counted(DROPPED, FULL, 1)
            return
        self._waiting.append(data)
        self._some.set()

    async def stop(self, within_s: float) -> None:
        """Send what waits, for at most so many seconds; what is left then is dropped and counted."""
        self._closing.set()
        self._some.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._waiting:
            logger.error("%d messages could not be sent before the end", len(self._waiting))
            self._counted(DROPPED, UNSENT, len(self._waiting))
            self._waiting.clear()

    async def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while self._waiting or not self._closing.is_set():
            await self._some.wait()
            if len(self._waiting) < BATCH:
                await self._pause(LINGER_S)
            self._some.clear()
            while self._waiting:
                if await self._sent(self._batch()):
                    pause = FIRST_PAUSE_S
                    continue
                await self._pause(pause)
                pause = FIRST_PAUSE_S if self._closing.is_set() else min(MOST_PAUSE_S, 2 * pause)

    def _batch(self) -> list[bytes]:
        out: list[bytes] = []
        size = 0
        for data in self._waiting:
            size += len(data)
            if out and (len(out) == BATCH or size > BATCH_BYTES):
                break
            out.append(data)
        return out

    async def _sent(self, batch: list[bytes]) -> bool:
        """Send the first messages, which wait until it is done; whether nothing is to be tried again."""
        try:
            await self._send(batch)
        except RefusedError as error:
            if len(batch) > 1:  # one that is refused must not keep the others
                half = len(batch) // 2
                return await self._sent(batch[:half]) and await self._sent(batch[half:])
            self._tell(error)
            self._take(1, DROPPED, REFUSED)
            return True
        except PublishError as error:
            self._tell(error)
            self._failed()
            return False
        self._failing = False
        self._take(len(batch), SENT, "")
        return True

    def _take(self, n: int, result: str, reason: str) -> None:
        for _ in range(n):
            self._waiting.popleft()
        self._counted(result, reason, n)

    def _tell(self, error: PublishError) -> None:
        if not self._failing:
            logger.error("messages are not taken: %s", error)
        self._failing = True

    async def _pause(self, seconds: float) -> None:
        """Sleep; at the end only as long as a server that has just failed needs."""
        if self._closing.is_set():
            seconds = min(seconds, FIRST_PAUSE_S) if self._failing else 0.0
            await asyncio.sleep(seconds)
            return
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return
