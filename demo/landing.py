"""Second subscriptions, into the warehouse: what Segment's sync to BigQuery does for its messages elsewhere, and a
BigQuery subscription of the topic of exposures."""

from __future__ import annotations

import time
import urllib.request
from collections import Counter
from collections.abc import Callable

from google.api_core import exceptions
from prometheus_client.parser import text_string_to_metric_families

from . import pubsub
from .system import System

POLL_S = 0.1
ACCOUNTED_WITHIN_S = 30.0
ACK_DEADLINE_S = 600

Take = Callable[[bytes, int], None]
"""Given a message's data, and when the queue took it, ms."""


class UnaccountedError(RuntimeError):
    """The server did not say what became of its exposures."""


def prepare(system: System) -> None:
    """Create them; what is published from here on will land."""
    names, client = system.names, system.subscriber
    for subscription, topic in (
        (names.warehouse_subscription, names.topic),
        (names.exposures_subscription, names.exposures),
    ):
        pubsub.ensure_subscription(client, subscription, topic, ACK_DEADLINE_S)


def land(
    system: System,
    subscription: str,
    take: Take,
    expected: int,
    told: Callable[[int], None] = lambda _: None,
    patience_s: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Take `expected` messages of a subscription; the number that came.

    Fewer when nothing has come for `patience_s` seconds. Redelivered ones are taken again, as a sync would: the
    queries deduplicate.
    """
    came, last = 0, clock()
    while came < expected and clock() - last < patience_s:
        try:
            answer = system.subscriber.pull(subscription=subscription, max_messages=pubsub.PULL, timeout=2, retry=None)
        except exceptions.DeadlineExceeded:
            continue
        received = answer._pb.received_messages  # plain protobuf: several times faster to read
        if not received:
            continue
        for item in received:
            published = item.message.publish_time
            take(item.message.data, published.seconds * 1000 + published.nanos // 1_000_000)
        pubsub.acknowledge(system.subscriber, subscription, (item.ack_id for item in received))
        came, last = came + len(received), clock()
        told(len(received))
    return came


def exposures(url: str, shown: int, clock: Callable[[], float] = time.monotonic) -> Counter[str]:
    """What became of exposures, by result (docs/metrics.md), once the server has accounted for so many.

    Args:
        url: of the server, without a path.
        shown: lists that its answers said to be in an experiment.
        clock: seconds, monotonic.

    Raises:
        UnaccountedError: it had not after half a minute.
    """
    deadline = clock() + ACCOUNTED_WITHIN_S
    while True:
        fates = _fates(url)
        if fates.total() >= shown:
            return fates
        if clock() > deadline:
            msg = f"{shown:,} lists were in an experiment, and the server has accounted for {dict(fates)}"
            raise UnaccountedError(msg)
        time.sleep(POLL_S)


def _fates(url: str) -> Counter[str]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - the address of our own server
        families = text_string_to_metric_families(answer.read().decode())
    found = Counter[str]()
    for family in families:
        for sample in family.samples:
            if sample.name == "varde_exposures_total":
                found[sample.labels["result"]] += int(sample.value)
    return found
