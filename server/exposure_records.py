"""What the exposure writer does with the lists that it is told of: each is one message, unless it was one before."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from varde import robots

from . import exposure_line
from .exposure_line import Line
from .outbox import DROPPED, Counted, Outbox

SEEN = 50_000
"""Lists, and exposures, whose ids are remembered: one that is rendered again is not sent again."""
REPEATED, FAILED = "repeated", "failed"
NO_TOPIC, FAULT = "no_topic", "fault"
"""Why there is no message: nowhere to send it to; an error."""


class Ids:
    """The ids that were met last."""

    def __init__(self, most: int = SEEN) -> None:
        self._most = most
        self._ids: OrderedDict[str, None] = OrderedDict()

    def new(self, one: str) -> bool:
        """Whether it was not met lately; from now on it was."""
        ids = self._ids
        if one in ids:
            ids.move_to_end(one)
            return False
        ids[one] = None
        if len(ids) > self._most:
            ids.popitem(last=False)
        return True


class Records:
    """The exposures of a server process, once they have left it. Each has one fate."""

    def __init__(
        self,
        outbox: Outbox | None,
        viewed_outbox: Outbox | None,
        counted: Counted,
        failed: Callable[[Exception], None],
    ) -> None:
        """Of a server process.

        Args:
            outbox: of the topic of exposures, which tells the fate of what it takes; None where there is none.
            viewed_outbox: of the topic of Segment's messages; None where there is none.
            counted: told the fate of the others.
            failed: told of a fault.
        """
        self._outbox, self._viewed_outbox = outbox, viewed_outbox
        self._counted, self._failed = counted, failed
        self._lists, self._exposures = Ids(), Ids()

    def start(self) -> None:
        """Begin to send."""
        for outbox in self._outboxes:
            outbox.start()

    async def stop(self, within_s: float) -> None:
        """Send what waits, for at most so many seconds; what is left then is dropped and counted."""
        await asyncio.gather(*(outbox.stop(within_s) for outbox in self._outboxes))

    def take(self, fields: Sequence[Any]) -> None:
        """Send a list, given the fields of its `Line`, if it is new."""
        try:
            line = Line._make(fields)
            exposure = exposure_line.exposure_id(line)
            this_list = exposure_line.list_id(exposure, line)
            if not self._lists.new(this_list):
                self._counted(REPEATED, "", 1)
                return
            data = None if self._outbox is None else _message(line, (exposure, this_list))
        except Exception as error:  # noqa: BLE001 - the next one may be sound
            self._counted(FAILED, FAULT, 1)
            self._failed(error)
            return
        if self._outbox is None or data is None:
            self._counted(DROPPED, NO_TOPIC, 1)
        else:
            self._outbox.put(data)
        if self._viewed_outbox is not None and line.announced and self._exposures.new(exposure):
            self._viewed_outbox.put(exposure_line.viewed(line, exposure))

    @property
    def _outboxes(self) -> list[Outbox]:
        return [outbox for outbox in (self._outbox, self._viewed_outbox) if outbox is not None]


def _message(line: Line, ids: tuple[str, str]) -> bytes:
    return exposure_line.message(line, ids, robot=line.agent != "" and robots.crawls(line.agent))
