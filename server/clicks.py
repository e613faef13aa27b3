"""Clicks on slots of mails: held back for some seconds, and sent as Segment's "Product Clicked" unless a scanner made
them.

Mail gateways open every link of a mail at once to look for harm; people open one or two. Which slots were opened is
noted in Redis, because the links of one mail lead to several processes.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from varde.cards import Cards
from varde.store.opened import Opened
from varde.store.serving import ServingStore

from .outbox import Outbox
from .tokens import Link
from .trips import reason_of

MOST = 10_000
"""Clicks that may be held back."""
AT_ONCE = 500
FLUSH_S = 3.0
"""Time to send what is held back when the process ends."""
KEEP = 3
"""Times `scanner_seconds` that opened slots are kept in Redis."""
SENT, DROPPED, SCANNER, REPEATED, NO_TOPIC, FULL = "sent", "dropped", "scanner", "repeated", "no_topic", "full"

Counted = Callable[[str, str, int], None]


class Click(NamedTuple):
    """An opened link. opened: whose, and when. item: where it led. list_id: request id of the list; empty texts where
    there is no experiment.
    """

    opened: Opened
    link: Link
    item: str
    list_id: str
    experiment: str
    variation: str
    message_id: str


def message(click: Click, item_key: str) -> bytes:
    """Segment's "Product Clicked".

    Args:
        click: what was opened.
        item_key: the product field that the shop's ids stand in.
    """
    link, at = click.link, datetime.fromtimestamp(click.opened.at / 1000, UTC)
    time = at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    properties: dict[str, Any] = {
        "product_id": click.item,
        item_key: click.item,
        "position": click.opened.slot,
        "list_id": link.placement,
        "request_id": click.list_id,
        "experiment": click.experiment or None,
        "variation": click.variation or None,
        "campaign": link.campaign,
        "send_id": link.send_id,
    }
    whole = {
        "type": "track",
        "event": "Product Clicked",
        "messageId": click.message_id,
        "userId": link.uid,
        "anonymousId": link.aid,
        "timestamp": time,
        "receivedAt": time,
        "channel": "server",
        "context": {"library": {"name": "varde"}, "campaign": {"name": link.campaign, "medium": "email"}},
        "properties": properties,
    }
    return orjson.dumps(whole)


class Clicks:
    """The clicks of a server process that are held back, by whose mail and slot they are."""

    def __init__(
        self,
        store: ServingStore,
        outbox: Outbox | None,
        style: Callable[[], Cards],
        clock: Callable[[], int],
        counted: Counted,
        item_key: str,
    ) -> None:
        """None yet.

        Args:
            store: one that no request waits for.
            outbox: of the topic of Segment's messages; None where there is none.
            style: bounds of a scanner, as they are now.
            clock: ms since the epoch.
            counted: told (result, reason or "", how many).
            item_key: the product field that ids stand in.
        """
        self._store, self._outbox, self._style = store, outbox, style
        self._clock, self._counted, self._item_key = clock, counted, item_key
        self._held: dict[tuple[str, str, int], Click] = {}
        self._new: list[Click] = []
        self._some, self._closing = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._held)

    def note(self, click: Click) -> None:
        """Hold a click back; one on a slot that another is held of is the same click."""
        key = click.opened[:3]
        if self._outbox is None:
            self._counted(DROPPED, NO_TOPIC, 1)
        elif key in self._held:
            self._counted(REPEATED, "", 1)
        elif len(self._held) >= MOST:
            self._counted(DROPPED, FULL, 1)
        else:
            self._held[key] = click
            self._new.append(click)
            self._some.set()

    def start(self) -> None:
        """Begin to send."""
        if self._outbox is not None:
            self._outbox.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Judge by what is known and send what is held back, for at most some seconds."""
        self._closing.set()
        self._some.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=FLUSH_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._held:
            self._counted(DROPPED, "unsent", len(self._held))
            self._held.clear()
        if self._outbox is not None:
            await self._outbox.stop(FLUSH_S)

    async def _run(self) -> None:
        while True:
            self._some.clear()
            while self._new:
                some, self._new = self._new[:AT_ONCE], self._new[AT_ONCE:]
                await self._tried(self._store.open_slots([one.opened for one in some], KEEP * self._seconds))
            now = self._clock() if not self._closing.is_set() else None
            due = [one for one in self._held.values() if now is None or one.opened.at + self._seconds * 1000 <= now]
            for start in range(0, len(due), AT_ONCE):
                await self._judge(due[start : start + AT_ONCE])
            if self._closing.is_set():
                return
            await self._wait()

    @property
    def _seconds(self) -> int:
        return self._style().scanner_seconds

    async def _wait(self) -> None:
        """Until there is a new click, or the oldest one is due."""
        first = next(iter(self._held.values()), None)
        ms = None if first is None else first.opened.at + self._seconds * 1000 - self._clock()
        try:
            await asyncio.wait_for(self._some.wait(), None if ms is None else max(0.05, ms / 1000))
        except TimeoutError:
            return

    async def _judge(self, due: Sequence[Click]) -> None:
        within = self._seconds
        counts = await self._tried(self._store.opened([one.opened for one in due], within))
        local = self._here(due, within)
        most = self._style().scanner_slots
        for click, known, here in zip(due, counts or local, local, strict=True):
            del self._held[click.opened[:3]]
            if max(known, here) > most:
                self._counted(SCANNER, "", 1)
            elif self._outbox is not None:
                self._outbox.put(message(click, self._item_key))

    def _here(self, due: Sequence[Click], within_s: int) -> list[int]:
        """Of each: how many slots of its customer this process holds back: what is known without Redis."""
        reach, times = within_s * 1000, defaultdict[str, list[int]](list)
        for one in self._held.values():
            times[one.opened.customer].append(one.opened.at)
        return [sum(abs(at - one.opened.at) <= reach for at in times[one.opened.customer]) for one in due]

    async def _tried(self, call: Awaitable[Any]) -> Any:
        """What Redis says; None where it does not answer."""
        try:
            return await call
        except Exception as error:  # noqa: BLE001 - a click is judged without Redis then
            reason_of(error)
            return None
