"""What the benches of the stream start: a Pub/Sub, a Redis, a subscription with messages; and a check of counts."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from varde.counts import Counts
from varde.demo import emulator, pubsub
from varde.demo.messages import Message
from varde.demo.redis import start_redis
from varde.demo.replay import publish
from varde.settings import Settings
from varde.store.sync import Store

PROJECT = "varde-bench"
DEAD_LETTERS = f"projects/{PROJECT}/topics/dead-letters"
ROWS_CHECKED = 200


@contextmanager
def redis_server() -> Iterator[str]:
    """A Redis of this bench's own; its URL."""
    server = start_redis()
    try:
        yield server.url
    finally:
        server.stop()


@dataclass
class Queue:
    """A running Pub/Sub and clients to it."""

    broker: emulator.Emulator
    publisher: PublisherClient
    subscriber: SubscriberClient
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def holding(self, messages: Sequence[bytes]) -> str:
        """A new subscription that holds these messages; its full name."""
        name = f"load-{next(self._ids)}"
        topic, subscription = f"projects/{PROJECT}/topics/{name}", f"projects/{PROJECT}/subscriptions/{name}"
        pubsub.ensure_topic(self.publisher, topic)
        pubsub.ensure_subscription(self.subscriber, subscription, topic, ack_deadline_s=600)
        sent = publish((Message(data, 0) for data in messages), self.publisher, topic)
        assert sent.messages == len(messages)
        return subscription


@contextmanager
def queue() -> Iterator[Queue]:
    """Google's emulator where it is installed, else the stand-in (`broker.kind` says which)."""
    with contextlib.ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="varde-bench-")))
        broker = emulator.find_or_start(logs)
        stack.callback(broker.stop)
        publisher, subscriber = stack.enter_context(pubsub.clients(broker.host))
        pubsub.ensure_topic(publisher, DEAD_LETTERS)
        yield Queue(broker, publisher, subscriber)


def in_a_process(module: str, *words: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Run `python -m tests.bench.MODULE words` and read the JSON of its last line."""
    ran = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{module}", *words],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env={**os.environ, **(env or {})},
    )
    result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return result


def check_counts(store: Store, expected: Counts) -> int:
    """Compare rows of Redis with the definition; the number of pair counts compared.

    Raises:
        AssertionError: a count differs.
    """
    rows: dict[tuple[int, str], dict[str, int]] = {}
    for (relation, item, other), n in expected.totals()[0].items():
        rows.setdefault((relation, item), {})[other] = n
    largest = sorted(rows, key=lambda key: (-len(rows[key]), key))[:ROWS_CHECKED]
    for relation, item in largest:
        assert store.counts(relation, item) == rows[relation, item], item
    return sum(len(rows[key]) for key in largest)


def settings(url: str) -> Settings:
    """The defaults, and this Redis."""
    return Settings(redis_url=url)
