"""Experiments of a running server: from a request to the variation that answers it.

Nothing here may cost anybody an answer: whatever fails is logged once, counted, and the list is made without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

import orjson

from varde import interleaving
from varde.assignment import NOT_FIXED, Assignment, Request, first, merged, needs_sticky
from varde.config import Config
from varde.experiments import Variation
from varde.placements import Placement

from . import lists
from .asked import Asked, at
from .drafted import drafted
from .lists import Made, Memory, Read

logger = logging.getLogger("varde.server")

T = TypeVar("T")
TEAM_DRAFT = "team_draft"
_MAY_BE_FIXED = frozenset({"ranking", "relation"})


class Trial(NamedTuple):
    """A list that an experiment is about.

    request: as assignment saw it. rivals: the request as the variation answers it, or as both sides of a draft do.
    remembered: what the sticky documents say, by kind of id; None where they were not read.
    """

    assignment: Assignment
    request: Request
    rivals: tuple[Asked, ...]
    remembered: Mapping[str, Mapping[str, str]] | None = None


class Look(NamedTuple):
    """What a list is about to be made of: a reading for each rival, or one for the request as it is."""

    asked: Asked
    trial: Trial | None
    reads: tuple[Read, ...]


class Listed(NamedTuple):
    """A list with its experiment. asked: the request as it was answered. teams: in a draft, of each pick, or None."""

    asked: Asked
    made: Made
    trial: Trial | None = None
    teams: tuple[str | None, ...] | None = None


class Trials:
    """The experiments of a server process, whichever configuration a request was read under."""

    def __init__(self, clock: Callable[[], int], min_customers: int, failed: Callable[[str], None]) -> None:
        """Without any state of its own but what it has worked out of the configuration.

        Args:
            clock: ms since the epoch.
            min_customers: floor of rankings that have none of their own.
            failed: told the kind of what went wrong.
        """
        self._clock, self._floor, self._failed = clock, min_customers, failed
        self._config: Config | None = None
        self._renamed: dict[tuple[str, str], Placement] = {}
        self._logged: set[str] = set()

    async def read(self, memory: Memory, asked: Asked, seeds: tuple[str, ...], client: str = "") -> Look:
        """Everything that the list needs of Redis; sticky variations come along in the same trip.

        Args:
            memory: the server's.
            asked: the request.
            seeds: item ids; none: the customer's latest views.
            client: whose key the request shows.
        """
        if not asked.config.experiments.at(asked.placement.name):
            return Look(asked, None, (await lists.read(memory, asked, seeds),))
        request = self._request(asked, client)
        sticky = bool(
            asked.config.experiments.some_sticky
            and (request.uid or request.aid)
            and self._safe("assignment", True, lambda: needs_sticky(asked.config.experiments, request))
        )
        try:
            trial = self._trial(asked, request, None)
        except Exception as error:  # noqa: BLE001 - an experiment must not cost an answer
            self.failed("assignment", error)
            trial = None
        begun = asked if trial is None else trial.rivals[0]
        found = await lists.read(memory, begun, seeds, sticky)
        if sticky:
            trial = self._stuck(asked, request, found)
        if trial is not None and len(trial.rivals) == 1 and trial.rivals[0] is begun:
            return Look(asked, trial, (found,))
        rivals = (asked,) if trial is None else trial.rivals
        reads = [found if one is begun else await lists.reread(memory, one, found) for one in rivals]
        return Look(asked, trial, tuple(reads))

    def compose(self, memory: Memory, look: Look, taken: Collection[int] = ()) -> Listed:
        """The list, from what was read and what is in memory now."""
        trial, reads = look.trial, look.reads
        if trial is None:
            return Listed(look.asked, lists.compose(memory, look.asked, reads[0], taken))
        asked = trial.rivals[0]
        if len(trial.rivals) == 1:
            return Listed(asked, lists.compose(memory, asked, reads[0], taken), trial)
        try:
            return _interleaved(memory, trial, reads, taken)
        except Exception as error:  # noqa: BLE001 - an experiment must not cost an answer
            self.failed("draft", error)
            return Listed(asked, lists.compose(memory, asked, reads[0], taken))

    def _request(self, asked: Asked, client: str) -> Request:
        fixed = asked.given & _MAY_BE_FIXED if asked.given else NOT_FIXED
        name = asked.placement.name
        said = (asked.uid, asked.aid, name, asked.lang, asked.currency, client, self._clock(), fixed)
        return tuple.__new__(Request, said)  # for every list: half the time of a NamedTuple's own

    def _stuck(self, asked: Asked, request: Request, found: Read) -> Trial | None:
        """The trial by what the customer was dealt before; none when that is not known: it might be another one."""
        documents = found.person.sticky
        if documents is None:
            self._failed("sticky_unread")
            return None
        own, fallback = documents.get("uid"), documents.get("aid")
        trial = self._safe("assignment", None, lambda: self._trial(asked, request, merged(own, fallback)))
        return trial and trial._replace(remembered=documents)

    def _trial(self, asked: Asked, request: Request, sticky: Mapping[str, str] | None) -> Trial | None:
        found = first(asked.config.experiments, request, sticky)
        if found is None:
            return None
        experiment = found.experiment
        if experiment.mode == TEAM_DRAFT and found.counts and not found.forced:
            return Trial(found, request, tuple([self._as(asked, one) for one in experiment.variations]))
        return Trial(found, request, (self._as(asked, found.variation),))

    def _as(self, asked: Asked, variation: Variation) -> Asked:
        """The request as a variation answers it; itself where that overrides nothing."""
        if variation.placement is None and variation.ranking is None and variation.relation is None:
            return asked
        if asked.config is not self._config:
            self._config, self._renamed = asked.config, {}
        ranking = None if variation.ranking is None else asked.config.rankings[variation.ranking]
        return at(asked, self._placement(asked, variation), ranking, variation.relation, self._floor)

    def _placement(self, asked: Asked, variation: Variation) -> Placement:
        own = asked.placement
        if variation.placement is None:
            return own
        pair = own.name, variation.placement
        if pair not in self._renamed:
            self._renamed[pair] = replace(asked.config.placements[variation.placement], name=own.name)
        return self._renamed[pair]

    def _safe(self, kind: str, otherwise: T, make: Callable[[], T]) -> T:
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - an experiment must not cost an answer
            self.failed(kind, error)
            return otherwise

    def failed(self, kind: str, error: Exception) -> None:
        """Count what went wrong; say it once, without its message, which may hold ids."""
        self._failed(kind)
        if kind not in self._logged:
            self._logged.add(kind)
            logger.error("experiments: %s failed, lists go on without: %s", kind, type(error).__name__)
            logger.debug("experiments: %s", kind, exc_info=error)


NO_TRIAL = b'"experiment":null,"variation":null,'
"""The fields of a list that no experiment is about."""


def said_of(listed: Listed) -> bytes:
    """Experiment and variation as fields of the answer, each with a comma after it; null once a decision was taken."""
    trial = listed.trial
    if trial is None:
        return NO_TRIAL
    experiment, variation = trial.assignment[:2]
    return NO_TRIAL if experiment.stopped else _said(experiment.key, variation.key)


@lru_cache(maxsize=1024)
def _said(experiment: str, variation: str) -> bytes:
    return b'"experiment":%b,"variation":%b,' % (orjson.dumps(experiment), orjson.dumps(variation))


def _interleaved(memory: Memory, trial: Trial, reads: tuple[Read, ...], taken: Collection[int]) -> Listed:
    assignment, (one, other) = trial.assignment, trial.rivals
    experiment, asked = assignment.experiment, trial.rivals[0]
    # The same unit sees the same list, however often a mail is rendered.
    names = (experiment.seed, str(experiment.bucket_version), assignment.unit_kind, assignment.unit)
    seed = "\n".join((*names, asked.placement.name, asked.campaign or "", asked.send_id or "", *reads[0].seeds))
    made, sides = drafted(memory, (one, other), (reads[0], reads[1]), taken, interleaving.bits(seed))
    keys = [variation.key for variation in experiment.variations]
    return Listed(asked, made, trial, tuple(None if side is None else keys[side] for side in sides))
