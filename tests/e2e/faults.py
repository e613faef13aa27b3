"""Faults at random in a pipeline of this process, never more in a row than the local runner has tries."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis

TRIES = 4
"""Of a bundle on Beam's local streaming runner; after them the pipeline fails."""


class Bundles:
    """Knows how often the bundle at hand has been tried, and decides when something is to fail.

    With more than one step watched, a step fails at the end of its bundle; a client fails at each of its calls.
    """

    def __init__(self, rng: random.Random, chance: float, steps: list[type], monkeypatch: pytest.MonkeyPatch) -> None:
        self.faults: Counter[str] = Counter()
        self._rng, self._chance = rng, chance
        self._lock = threading.Lock()  # the sink writes from two threads
        self._tries = {step.__name__: 0 for step in steps}
        self._steps = len(steps)
        for step in steps:
            self._watch(step, monkeypatch)

    def maybe(self, name: str, where: str) -> None:
        """Raise, by chance, while the bundle of step `name` has another try."""
        with self._lock:
            if self._tries[name] >= TRIES or self._rng.random() >= self._chance:
                return
            self.faults[where] += 1
        msg = f"injected: {where}"
        raise redis.ConnectionError(msg)

    def _watch(self, step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        name, start, finish = step.__name__, step.start_bundle, step.finish_bundle

        def start_bundle(dofn: Any) -> None:
            self._tries[name] += 1
            start(dofn)

        def finish_bundle(dofn: Any) -> Iterator[Any]:
            yield from finish(dofn)
            if self._steps > 1:
                self.maybe(name, name)
            self._tries[name] = 0

        monkeypatch.setattr(step, "start_bundle", start_bundle)
        monkeypatch.setattr(step, "finish_bundle", finish_bundle)


class FaultyClient:
    """A client of Redis whose calls fail before they are sent, or after Redis has done what they ask for."""

    def __init__(self, client: Any, bundles: Bundles, step: str = "ApplyDeliveries") -> None:
        self._client, self._bundles, self._step = client, bundles, step

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One call."""
        return self.around(lambda: self._client.execute_command(*args, **options))

    def pipeline(self, transaction: bool = True) -> Any:
        """Several calls in one."""
        return _FaultyPipeline(self._client.pipeline(transaction=transaction), self)

    def close(self) -> None:
        """Close the real one."""
        self._client.close()

    def around(self, call: Any) -> Any:
        """Make a call, with a chance to fail on either side of it."""
        self._bundles.maybe(self._step, "before a call")
        reply = call()
        self._bundles.maybe(self._step, "after a call")
        return reply


class _FaultyPipeline:
    def __init__(self, pipeline: Any, client: FaultyClient) -> None:
        self._pipeline, self._client = pipeline, client

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self._pipeline.execute_command(*args, **options)

    def execute(self, raise_on_error: bool = True) -> Any:
        return self._client.around(lambda: self._pipeline.execute(raise_on_error=raise_on_error))
