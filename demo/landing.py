"""A second subscription to the same messages, into the warehouse: what Segment's sync to BigQuery does elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from google.api_core import exceptions

from varde.batch.loader import Loader

from . import pubsub
from .system import System


def prepare(system: System) -> None:
    """Create it; messages published from here on will land."""
    names = system.names
    pubsub.ensure_subscription(system.subscriber, names.warehouse_subscription, names.topic, ack_deadline_s=600)


def land(
    system: System,
    loader: Loader,
    expected: int,
    told: Callable[[int], None] = lambda _: None,
    patience_s: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Take `expected` messages into the warehouse, with the time at which the queue took each; the number that came.

    Fewer when nothing has come for `patience_s` seconds. Redelivered ones are loaded again, as a sync would: the
    queries deduplicate.
    """
    subscription = system.names.warehouse_subscription
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
            loader.add(item.message.data, published.seconds * 1000 + published.nanos // 1_000_000)
        pubsub.acknowledge(system.subscriber, subscription, (item.ack_id for item in received))
        came, last = came + len(received), clock()
        told(len(received))
    loader.flush()
    return came
