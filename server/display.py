"""What is done about a list that was shown, when an experiment is about it: its exposure, and a sticky variation."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from varde.settings import Settings

from .experiments import Listed, Trials
from .exposure_pipe import Pipe
from .exposure_writer import Order
from .exposures import Exposures
from .metrics import Metrics
from .stickiness import Stickiness

if TYPE_CHECKING:
    from .parts import Running

FLUSH_S = 4.0
"""Time to send what waits when the process ends."""
REPLY_S = 0.5
"""Of these, what is left for the exposure writer to say what became of the last ones."""


class Display(NamedTuple):
    """Both, of a process."""

    exposures: Exposures
    stickiness: Stickiness
    trials: Trials
    pipe: Pipe | None
    """To the exposure writer; None where there is no topic."""
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
        if trial is None:
            return
        experiment, variation, _, _, _, _, forced, _ = trial.assignment
        if experiment.stopped:
            return
        latency_ms = (time.perf_counter() - started) * 1000
        try:
            if not forced:
                dealt, lists = (experiment.key, variation.key), self.lists
                lists[dealt] = lists.get(dealt, 0) + 1
            if trial.remembered is not None:
                self.stickiness.note(trial)
            # Past the request's property, which would be a call more.
            agent = request._message.headers.get("User-Agent")
            self.exposures.put(listed, trial, route, request_id, latency_ms, agent)
        except Exception as error:  # noqa: BLE001 - an experiment must not cost an answer
            self.trials.failed("exposure", error)

    def start(self) -> None:
        """Begin to send and to write."""
        if self.pipe is not None:
            self.pipe.start()
        self.stickiness.start()

    async def stop(self) -> None:
        """Send and write what waits."""
        sent = [] if self.pipe is None else [self.pipe.stop(FLUSH_S)]
        await asyncio.gather(*sent, self.stickiness.stop())


def made(settings: Settings, running: Running, metrics: Metrics, trials: Trials) -> Display:
    """Of a process that is about to answer.

    Args:
        settings: topics, the bound of the queue, the secret of customer keys.
        running: the memory, and the store that no request waits for.
        metrics: what becomes of exposures is counted there.
        trials: told of faults.
    """
    memory, topics = running.memory, (settings.exposures_topic, settings.topic)
    exposures = Exposures(
        settings.exposures_queue, memory.shelf.ids, (bool(topics[0]), bool(topics[1])), metrics.exposed, trials.failed
    )

    def wanted() -> bool:
        """Whether the configuration of now makes exposures."""
        found = [one for one in memory.config.experiments.values() if not one.stopped]
        return bool(found and topics[0]) or any(one.emit_experiment_viewed for one in found)

    pipe = None
    if any(topics):
        order = Order(*topics, settings.exposures_queue, max(REPLY_S, FLUSH_S - REPLY_S), settings.log_level)
        pipe = Pipe(exposures, order, wanted, metrics.retried, lambda: metrics.experiment_failed("exposure"))
    tasks = running.stores.tasks
    stickiness = Stickiness(lambda some, moved: tasks.stick(some, moved), settings.id_secret.encode(), metrics.stuck)
    return Display(exposures, stickiness, trials, pipe, {})
