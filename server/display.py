"""What is done about a list that was shown, when an experiment is about it: its exposure, and a sticky variation."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from varde.settings import Settings

from .experiments import Listed, Trials
from .exposures import FLUSH_S, Entry, Exposures
from .metrics import Metrics
from .outbox import Outbox
from .stickiness import Stickiness

if TYPE_CHECKING:
    from .parts import Running
    from .publish import Publisher

PUBLISHED_WITHIN_S = 5.0
"""For a batch: a process that ends waits no longer for it."""


class Display(NamedTuple):
    """Both, of a process."""

    exposures: Exposures
    stickiness: Stickiness
    trials: Trials
    publishers: tuple[Publisher, ...]
    lists: dict[tuple[str, str], int]
    """Lists that were shown, by experiment and variation."""

    def note(self, request: web.Request, route: str, request_id: str, listed: Listed, started: float) -> None:
        """Note a list that is answered with 200 to a GET or POST; never fails.

        Args:
            request: for its User-Agent.
            route: as docs/http-api.md writes it.
            request_id: of the answer.
            listed: the list.
            started: when the request came, seconds of time.perf_counter.
        """
        trial = listed.trial
        if trial is None or not trial.assignment.counts:
            return
        latency_ms = (time.perf_counter() - started) * 1000
        try:
            experiment, variation, _, _, _, _, forced, _ = trial.assignment
            if not forced:
                dealt = experiment.key, variation.key
                self.lists[dealt] = self.lists.get(dealt, 0) + 1
            self.stickiness.note(trial)
            agent = request.headers.get("User-Agent", "")
            self.exposures.put(Entry(listed, trial, route, request_id, latency_ms, agent))
        except Exception as error:  # noqa: BLE001 - an experiment must not cost an answer
            self.trials.failed("exposure", error)

    def start(self) -> None:
        """Begin to send and to write."""
        self.exposures.start()
        self.stickiness.start()

    async def stop(self) -> None:
        """Send and write what waits."""
        await asyncio.gather(self.exposures.stop(FLUSH_S), self.stickiness.stop())
        await asyncio.gather(*(publisher.close() for publisher in self.publishers))


def made(settings: Settings, running: Running, metrics: Metrics, trials: Trials) -> Display:
    """Of a process that is about to answer.

    Args:
        settings: topics, the bound of the queue, the secret of customer keys.
        running: the memory, and the store that no request waits for.
        metrics: what becomes of exposures is counted there.
        trials: told of faults.
    """
    publishers: list[Publisher] = []

    def outbox(topic: str, counted: bool) -> Outbox | None:
        if not topic:
            return None
        from .publish import Publisher  # Google's client costs a second and 40 MB: only where there is a topic

        publisher = Publisher(topic, PUBLISHED_WITHIN_S)
        publishers.append(publisher)
        told = metrics.exposed if counted else _uncounted
        return Outbox(publisher.publish_all, settings.exposures_queue, told, metrics.retried)

    shelf = running.memory.shelf
    exposures = Exposures(
        settings.exposures_queue,
        shelf.ids.__getitem__,
        outbox(settings.exposures_topic, True),
        outbox(settings.topic, False),
        metrics.exposed,
        trials.failed,
    )
    tasks = running.stores.tasks
    stickiness = Stickiness(lambda some, moved: tasks.stick(some, moved), settings.id_secret.encode(), metrics.stuck)
    return Display(exposures, stickiness, trials, tuple(publishers), {})


def _uncounted(result: str, reason: str, n: int) -> None:
    """ "Experiment Viewed" is a copy of an exposure that is counted."""
