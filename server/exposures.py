"""Exposures: which list of an experiment was shown to whom, on their way out without delaying an answer.

A request leaves a tuple here; many of them are handed to the exposure writer together (`exposure_pipe`), another
process, which makes the records and publishes them. What was handed over counts as waiting until it is told what
became of it, so that all that waits is bounded here, wherever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from varde import robots
from varde.pairs import Relation

from .experiments import Listed, Trial
from .exposure_records import FAILED, FAULT, NO_TOPIC
from .outbox import DROPPED, FULL, UNSENT, Counted

AT_ONCE = 500
"""Most lists of one line: a millisecond's work at most, for answers must have their turn."""
LOST = "lost"
"""Why exposures are dropped: the exposure writer has died with them."""

_LABELS = tuple(relation.label for relation in sorted(Relation))
"""By number: a member of an enumeration takes a third of a microsecond to say its name."""


class Exposures:
    """The exposures of a server process: those that wait here, and how many the exposure writer has."""

    def __init__(
        self,
        most: int,
        ids: Sequence[str],
        topics: tuple[bool, bool],
        counted: Counted,
        failed: Callable[[str, Exception], None],
    ) -> None:
        """Of a process.

        Args:
            most: VARDE_EXPOSURES_QUEUE.
            ids: the item id of each slot.
            topics: whether there is a topic of exposures, and one of Segment's messages.
            counted: told what became of exposures.
            failed: told of a fault.
        """
        self._most = self._room = most
        self._ids, self._counted, self._failed = ids, counted, failed
        self._topic, self._viewed = topics
        self._lines: list[tuple[Any, ...]] = []
        self.out = 0
        """How many the exposure writer has, and has not told the fate of."""
        self.wake: Callable[[], None] | None = None
        """To be called, once, when there is something to hand over."""

    def __len__(self) -> int:
        """How many wait."""
        return self._most - self._room

    @property
    def here(self) -> int:
        """How many wait to be handed over."""
        return len(self._lines)

    def put(
        self, listed: Listed, trial: Trial, route: str, request_id: str, latency_ms: float, agent: str | None
    ) -> None:
        """Note that a list was shown. It takes no time, and it never fails.

        Args:
            listed: the list.
            trial: its experiment.
            route: as docs/http-api.md writes it.
            request_id: of the answer.
            latency_ms: until the list was made.
            agent: the request's User-Agent, if it says anything.
        """
        experiment, variation, _, kind, unit, _, forced, _ = trial.assignment
        announced = self._viewed and experiment.emit_experiment_viewed and not forced
        if not self._topic and not announced:
            self._counted(DROPPED, NO_TOPIC, 1)
            return
        if self._room <= 0:
            self._counted(DROPPED, FULL, 1)
            return
        try:
            dealt = (
                experiment.key, experiment.bucket_version, experiment.mode, experiment.window_minutes, announced,
                variation.key, kind, unit, forced,
            )  # fmt: skip
            told = latency_ms, route, request_id, agent[: robots.LONGEST] if agent else ""
            self._lines.append(_line(listed, trial, self._ids, dealt, told))
        except Exception as error:  # noqa: BLE001 - the next one may be sound
            self._fault(error)
            return
        self._room -= 1
        wake = self.wake
        if wake is not None:
            self.wake = None
            wake()

    def handed(self) -> bytes:
        """The oldest that wait here as a line of JSON, an array of `exposure_line.Line`s; empty for none.

        From now on the exposure writer has them.
        """
        some = self._lines[:AT_ONCE]
        del self._lines[:AT_ONCE]
        if not some:
            return b""
        self.out += len(some)
        try:
            return orjson.dumps(some) + b"\n"
        except TypeError:  # one that is no Unicode must not keep the others
            return b"[" + b",".join(filter(None, map(self._dumped, some))) + b"]\n"

    def account(self, result: str, reason: str, n: int) -> None:
        """Say what became of so many that the exposure writer had."""
        self.out -= n
        self._room += n
        self._counted(result, reason, n)

    def give_up(self, reason: str) -> None:
        """Count all that the exposure writer has as dropped."""
        if self.out:
            self.account(DROPPED, reason, self.out)

    def clear(self) -> None:
        """Count all that wait as dropped: there is no time left."""
        self.out += len(self._lines)
        self._lines.clear()
        self.give_up(UNSENT)

    def _dumped(self, line: tuple[Any, ...]) -> bytes:
        try:
            return orjson.dumps(line)
        except TypeError as error:
            self.out -= 1
            self._room += 1
            self._fault(error)
            return b""

    def _fault(self, error: Exception) -> None:
        self._counted(FAILED, FAULT, 1)
        self._failed("exposure", error)


def _line(
    listed: Listed,
    trial: Trial,
    ids: Sequence[str],
    dealt: tuple[Any, ...],
    told: tuple[float, str, str, str],
) -> tuple[Any, ...]:
    """The fields of `exposure_line.Line`: a plain tuple takes half the time of a named one.

    Args:
        listed: the list.
        trial: its experiment.
        ids: the item id of each slot.
        dealt: the fields up to `forced`.
        told: latency_ms, route, request_id, agent.
    """
    asked, (picks, rung, stale, _, seeds), _, teams = listed
    uid, aid, placement, _, _, _, now, _ = trial.request
    rivals = trial.rivals
    one, other = rivals[0], rivals[-1]
    rungs = [pick[4] for pick in picks]
    latency_ms, route, request_id, agent = told
    return (
        *dealt, uid, aid, placement, now,
        [ids[pick[0]] for pick in picks],
        None if rungs.count(rung) == len(rungs) else rungs,
        teams, seeds,
        one.ranking.name if one.ranking is other.ranking else None,
        _LABELS[one.relation] if one.relation is other.relation else None,
        rung, stale, latency_ms, route, request_id, asked.campaign, asked.send_id, agent,
    )  # fmt: skip
