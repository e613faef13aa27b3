"""Exposures: which list of an experiment was shown to whom, on their way to the topic without delaying an answer.

A request leaves a tuple; a task makes the records, leaves out lists that were rendered before, and hands the rest on.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

import orjson

from varde import robots
from varde.assignment import Assignment
from varde.exposure import Served, Shown, exposure_id, record, viewed

from . import exposure_line
from .experiments import Listed, Trial
from .exposure_line import Line
from .outbox import DROPPED, FULL, UNSENT, Counted, Outbox

SEEN = 50_000
"""Lists, and exposures, whose ids are remembered: one that is rendered again is not sent again."""
AT_ONCE = 25
"""Records that are made before answers have their turn again."""
GATHER_S = 0.05
"""How long a list waits for others before its record is made."""
FLUSH_S = 4.0
"""Time to send what waits when the process ends."""
REPEATED, FAILED = "repeated", "failed"
NO_TOPIC = "no_topic"


class Entry(NamedTuple):
    """What a request leaves. agent: its User-Agent, or ""; latency_ms: until its list was made."""

    listed: Listed
    trial: Trial
    route: str
    request_id: str
    latency_ms: float
    agent: str


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


class Exposures:
    """The exposures of a server process."""

    def __init__(
        self,
        most: int,
        name: Callable[[int], str],
        outbox: Outbox | None,
        viewed_outbox: Outbox | None,
        counted: Counted,
        failed: Callable[[str, Exception], None],
    ) -> None:
        """Of a process.

        Args:
            most: VARDE_EXPOSURES_QUEUE.
            name: the item id of a slot.
            outbox: of the topic of exposures; None where there is none.
            viewed_outbox: of the topic of Segment's messages; None where there is none.
            counted: told what became of exposures.
            failed: told of a fault.
        """
        self._most, self._name, self._counted, self._failed = most, name, counted, failed
        self._outbox, self._viewed_outbox = outbox, viewed_outbox
        self._entries: deque[Entry] = deque()
        self._lists, self._exposures = Ids(), Ids()
        self._some, self._closing = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._entries) + (0 if self._outbox is None else len(self._outbox))

    def put(self, entry: Entry) -> None:
        """Note that a list was shown. It takes no time, and it never fails."""
        viewed = self._viewed_outbox is not None and _announced(entry.trial.assignment)
        if self._outbox is None and not viewed:
            self._counted(DROPPED, NO_TOPIC, 1)
        elif len(self) >= self._most:
            self._counted(DROPPED, FULL, 1)
        else:
            self._entries.append(entry)
            if not self._some.is_set():
                self._some.set()

    def start(self) -> None:
        """Begin to send."""
        for outbox in self._outboxes:
            outbox.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self, within_s: float = FLUSH_S) -> None:
        """Send what waits, for at most so many seconds; what is left then is dropped and counted."""
        self._closing.set()
        self._some.set()
        until = asyncio.get_running_loop().time() + within_s
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._entries:
            self._counted(DROPPED, UNSENT, len(self._entries))
            self._entries.clear()
        left_s = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.gather(*(outbox.stop(left_s) for outbox in self._outboxes))

    @property
    def _outboxes(self) -> list[Outbox]:
        return [outbox for outbox in (self._outbox, self._viewed_outbox) if outbox is not None]

    async def _run(self) -> None:
        while self._entries or not self._closing.is_set():
            await self._some.wait()
            if not self._closing.is_set():
                await asyncio.sleep(GATHER_S)
            self._some.clear()
            while self._entries:
                for _ in range(min(AT_ONCE, len(self._entries))):
                    self._send(self._entries.popleft())
                await asyncio.sleep(0)

    def _send(self, entry: Entry) -> None:
        try:
            self._record(entry)
        except Exception as error:  # noqa: BLE001 - the next one may be sound
            self._counted(FAILED, "fault", 1)
            self._failed("exposure", error)

    def _record(self, entry: Entry) -> None:
        assignment, request = entry.trial.assignment, entry.trial.request
        line = line_of(entry, self._name)
        exposure = exposure_id(assignment, request.now, line.send_id)
        this_list = exposure_line.list_id(exposure, request.placement, line)
        if not self._lists.new(this_list):
            self._counted(REPEATED, "", 1)
            return
        ids = exposure, this_list
        if self._outbox is None:
            self._counted(DROPPED, NO_TOPIC, 1)
        else:
            self._outbox.put(exposure_line.message(assignment, request, line, ids))
        if self._viewed_outbox is not None and _announced(assignment) and self._exposures.new(exposure):
            self._viewed_outbox.put(orjson.dumps(viewed(record(assignment, request, served(line), ids))))


def _announced(assignment: Assignment) -> bool:
    return assignment.experiment.emit_experiment_viewed and not assignment.forced


def line_of(entry: Entry, name: Callable[[int], str]) -> Line:
    """The list as an exposure has it.

    Args:
        entry: what the request left.
        name: the item id of a slot.
    """
    listed, trial = entry.listed, entry.trial
    made, asked = listed.made, listed.asked
    one, other = trial.rivals[0], trial.rivals[-1]
    picks = made.picks
    return Line(
        [name(pick[0]) for pick in picks],
        [pick[4] for pick in picks],
        listed.teams,
        made.seeds,
        one.ranking.name if one.ranking is other.ranking else None,
        one.relation.label if one.relation is other.relation else None,
        made.rung,
        made.stale,
        round(entry.latency_ms, 3),
        entry.route,
        entry.request_id,
        asked.campaign,
        asked.send_id,
        entry.agent != "" and robots.crawls(entry.agent[: robots.LONGEST]),
    )


def served(line: Line) -> Served:
    """A line as `varde.exposure` takes it."""
    teams = line.teams or (None,) * len(line.items)
    every = zip(line.items, line.rungs, teams, strict=True)
    return Served([Shown(item, n, rung, team) for n, (item, rung, team) in enumerate(every, 1)], *line[3:])
