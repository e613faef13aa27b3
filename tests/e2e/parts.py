"""The parts of a running stream, each a real process: Pub/Sub, Redis, `varde stream`; and what is in Redis."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.cloud.pubsub_v1 import PublisherClient
from tests.property import oracle
from tests.streaming.world import live

from varde import progress
from varde.batch import apply, nightly
from varde.batch.arguments import check
from varde.batch.loader import Loader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.demo import emulator, pubsub, replay
from varde.demo.messages import Message
from varde.demo.process import Child, Children
from varde.history import DAY_MS
from varde.settings import PREFIX, Settings
from varde.store.night import NightStore
from varde.store.sync import Store

POLL_S = 0.05
STALLED_S = 180.0
"""A busy machine may need so long for one step; a healthy one moves several times a second."""


@dataclass
class Stream:
    """A queue with one subscription, and the stream's processes that have read from it, of which one may run."""

    settings: Settings
    names: pubsub.Names
    publisher: PublisherClient
    children: Children
    env: Mapping[str, str]
    store: Store
    started: list[Child] = field(default_factory=list)

    def start(self, seeds: Path | None = None) -> Child:
        """Start `varde stream`."""
        words = ["--runner=BundleBasedDirectRunner", f"--project={self.names.project}"]
        words += [f"--input_subscription={self.names.subscription}", f"--dead_letter_topic={self.names.dead_letters}"]
        words += [f"--seeds={seeds}"] if seeds else []
        command = [sys.executable, "-m", "varde.cli", "stream", *words]
        self.started.append(self.children.start(f"stream-{len(self.started)}", command, self.env))
        return self.started[-1]

    def varde(self, *words: str) -> dict[str, object]:
        """Run another command to its end; the JSON object of its last line."""
        command = [sys.executable, "-m", "varde.cli", *words]
        done = subprocess.run(command, env={**os.environ, **self.env}, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        summary: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return summary

    def publish(self, messages: Iterable[Message]) -> int:
        """Publish all; how many they were."""
        return replay.publish(messages, self.publisher, self.names.topic).messages

    def wait_until(self, done: Callable[[Mapping[str, int]], bool]) -> dict[str, int]:
        """The stream's counters once `done` says so of them; fails when the process ends or nothing moves."""
        before: dict[str, int] = {}
        moved = time.monotonic()
        while True:
            self.started[-1].check()
            stats = self.store.stats()
            if done(stats):
                return stats
            if stats != before:
                before, moved = stats, time.monotonic()
            assert time.monotonic() - moved < STALLED_S, f"no progress: {stats}\n{self.started[-1].tail()}"
            time.sleep(POLL_S)

    def settle(self, messages: int, seeds: int = 0) -> None:
        """Return when so many messages and seeds have had all their effect on the counts (varde.progress)."""
        self.wait_until(
            lambda stats: progress.settled(stats, messages) and stats.get("seeds", 0) >= seeds and "messages" in stats
        )

    def counts(self) -> oracle.Totals:
        """Everything that Redis counts."""
        return live(self.store)


@contextmanager
def streaming(
    broker: emulator.Emulator, settings: Settings, logs: Path, ack_deadline_s: int = pubsub.ACK_DEADLINE_S
) -> Iterator[Stream]:
    """A queue and a subscription of their own in a running Pub/Sub, and whatever streams the test starts on them.

    What a process that died had pulled, or had asked for, comes again after `ack_deadline_s` (10 at least).
    """
    names = pubsub.Names().with_suffix(secrets.token_hex(4))
    with pubsub.clients(broker.host) as (publisher, subscriber), Children(logs) as children:
        pubsub.ensure_topic(publisher, names.topic)
        pubsub.ensure_subscription(subscriber, names.subscription, names.topic, ack_deadline_s)
        pubsub.ensure(publisher, subscriber, names)
        env = {
            **broker.env,
            f"{PREFIX}REDIS_URL": settings.redis_url,
            f"{PREFIX}REDIS_CLUSTER": settings.redis_cluster,
            f"{PREFIX}CAP": str(settings.cap),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
        }
        try:
            with closing(Store.from_settings(settings)) as store:
                yield Stream(settings, names, publisher, children, env, store)
        finally:
            children.stop()
            pubsub.remove(publisher, subscriber, names)


def load(file: Path, messages: Iterable[Message], settings: Settings) -> Path:
    """A warehouse that holds these messages, as Segment's own sync would have put them there."""
    with DuckDBWarehouse(file, check(settings)) as warehouse:
        loader = Loader(warehouse, settings.mapping)
        for message in messages:
            loader.add(message.data, message.time)
        loader.flush()
    return file


def nightly_run(file: Path, messages: Iterable[Message], settings: Settings, day: int) -> None:
    """Put the counts of a warehouse that holds these messages in the place of the live ones, as of the begin of a day.

    Args:
        file: of the warehouse, which is made.
        messages: all from before that day.
        settings: the stream's.
        day: since the epoch; differences from then on stay.
    """
    load(file, messages, settings)
    with DuckDBWarehouse(file, check(settings)) as warehouse, closing(NightStore.from_settings(settings)) as store:
        night = nightly.build(warehouse, day * DAY_MS - 1, settings.limits, settings.mapping)
        apply.apply(night, store, day, "test")


def differing(found: oracle.Totals, expected: oracle.Totals) -> list[tuple[Any, int, int]]:
    """(pair or support, found, expected) wherever the two are not the same; empty when all is exact."""
    both: list[tuple[Mapping[Any, int], Mapping[Any, int]]] = list(zip(found, expected, strict=True))
    return [
        (key, mine.get(key, 0), theirs.get(key, 0))
        for mine, theirs in both
        for key in mine.keys() | theirs.keys()
        if mine.get(key, 0) != theirs.get(key, 0)
    ]
