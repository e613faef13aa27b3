"""Messages of many requests published together; each request learns whether all of its own were taken."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from .errors import PublishError, RefusedError

logger = logging.getLogger("varde.server")

LINGER_S = 0.005
"""How long a message waits for those of other requests: one call to Pub/Sub costs as much as dozens of messages."""
CALL_MESSAGES, CALL_BYTES = 1_000, 4_000_000
"""Most of one call; Pub/Sub takes 1,000 messages and 10 MB."""
MESSAGE_BYTES = 40
"""What a call adds to each message."""
CALLS = 4
"""Calls under way at once."""
BEGUN_WITHIN_S = 1.4
"""A message for which no call has begun by then is given back: its request is answered, and sent again."""
MOST_BYTES = 64_000_000
"""Bytes of messages that may wait, all together."""

Called = Callable[[str], None]
"""Told TAKEN, FAILED or REFUSED of every call."""
TAKEN, FAILED, REFUSED = "taken", "failed", "refused"


class FullError(Exception):
    """Too many messages wait already."""


class _Parcel:
    """The messages of one request: how many are not taken yet, and what its handler waits for."""

    __slots__ = ("begin_by", "done", "left", "refused")

    def __init__(self, left: int, begin_by: float, done: asyncio.Future[int]) -> None:
        self.left, self.begin_by, self.done, self.refused = left, begin_by, done, 0

    def took(self) -> None:
        """Another of its messages need not be sent any more."""
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(self.refused)

    def failed(self, error: PublishError) -> None:
        """One is not; what still waits of it is not sent any more."""
        if not self.done.done():
            self.done.set_exception(error)


class Post:
    """What goes to one topic. All of it is called in the event loop."""

    def __init__(self, send: Callable[[Sequence[bytes]], Awaitable[None]], most: int, called: Called) -> None:
        """Nothing waits.

        Args:
            send: publishes up to 1,000 messages; raises PublishError. It has a deadline of its own.
            most: messages that may wait, those of calls under way among them.
            called: told how calls end.
        """
        self._send, self._most, self._called = send, most, called
        self._waiting: deque[tuple[bytes, _Parcel]] = deque()
        self._held, self._bytes = 0, 0
        self._failing = False
        self._some = asyncio.Event()
        self._slots = asyncio.Semaphore(CALLS)
        self._calls: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Messages that are not taken yet."""
        return self._held

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run())

    async def deliver(self, messages: Sequence[bytes]) -> int:
        """Return when Pub/Sub has taken all of them but those that it never will: how many these are.

        Raises:
            FullError: there is no room; none of them is sent.
            PublishError: not all were taken, as far as is known.
        """
        if not messages:
            return 0
        size = sum(map(len, messages))
        # What is larger than all the room there is goes when nothing else waits: it would come again for ever.
        if self._held and (self._held + len(messages) > self._most or self._bytes + size > MOST_BYTES):
            raise FullError
        loop = asyncio.get_running_loop()
        parcel = _Parcel(len(messages), loop.time() + BEGUN_WITHIN_S, loop.create_future())
        self._held += len(messages)
        self._bytes += size
        self._waiting.extend((data, parcel) for data in messages)
        self._some.set()
        try:
            return await parcel.done
        finally:
            self._held -= len(messages)
            self._bytes -= size

    async def stop(self) -> None:
        """End. The handlers have ended before, so nobody waits for what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, *self._calls, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            if len(self._waiting) < CALL_MESSAGES:
                await asyncio.sleep(LINGER_S)
            await self._slots.acquire()
            batch = self._batch()
            if not self._waiting:
                self._some.clear()
            if not batch:
                self._slots.release()
                continue
            call = asyncio.create_task(self._call(batch))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    def _batch(self) -> list[tuple[bytes, _Parcel]]:
        """The next messages, without those that nobody waits for any more."""
        out: list[tuple[bytes, _Parcel]] = []
        size, now = 0, asyncio.get_running_loop().time()
        while self._waiting and len(out) < CALL_MESSAGES:
            data, parcel = self._waiting[0]
            if now > parcel.begin_by:
                parcel.failed(PublishError(f"no call could begin within {BEGUN_WITHIN_S:g} s"))
            if not parcel.done.done():
                size += len(data) + MESSAGE_BYTES
                if out and size > CALL_BYTES:
                    break
                out.append((data, parcel))
            self._waiting.popleft()
        return out

    async def _call(self, batch: Sequence[tuple[bytes, _Parcel]]) -> None:
        try:
            await self._published(batch)
        finally:
            self._slots.release()

    async def _published(self, batch: Sequence[tuple[bytes, _Parcel]]) -> None:
        try:
            await self._send([data for data, _ in batch])
        except RefusedError:
            self._called(REFUSED)
            if len(batch) > 1:  # one that is refused must not keep the others
                half = len(batch) // 2
                await self._published(batch[:half])
                await self._published(batch[half:])
                return
            batch[0][1].refused += 1  # it would be refused again: its sender is to forget it
            batch[0][1].took()
        except PublishError as error:
            self._called(FAILED)
            if not self._failing:  # once: every request would say it
                logger.error("Pub/Sub does not take the collector's messages: %s", error)
            self._failing = True
            for _, parcel in batch:
                parcel.failed(error)
        else:
            self._called(TAKEN)
            self._failing = False
            for _, parcel in batch:
                parcel.took()
