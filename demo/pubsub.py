"""Pub/Sub with Google's own clients, against the service or an emulator: clients, topics, subscriptions, draining."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import grpc
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import BatchSettings, LimitExceededBehavior, PublisherOptions, PublishFlowControl
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

ACK_DEADLINE_S = 60
REMOVED_WITHIN_S = 2.0
BATCHES = BatchSettings(max_messages=1000, max_bytes=4_000_000, max_latency=0.02)
"""Google's limits for one Publish are 1,000 messages and 10 MB. Twenty milliseconds cost freshness little."""
NO_LIMIT = PublisherOptions(flow_control=PublishFlowControl(limit_exceeded_behavior=LimitExceededBehavior.IGNORE))
CHANNEL = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
PULL = 1000


@dataclass(frozen=True, slots=True)
class Names:
    """Full names of what one installation uses. Ids have at least three characters and begin with a letter."""

    project: str = "varde-local"
    topic_id: str = "segment-events"
    subscription_id: str = "varde-stream"
    dead_letters_id: str = "varde-dead-letters"
    warehouse_id: str = "varde-warehouse"
    exposures_id: str = "varde-exposures"

    def with_suffix(self, suffix: str) -> Names:
        """The same with `-suffix` at the end of every id, to share a Pub/Sub with others."""
        return replace(
            self,
            topic_id=f"{self.topic_id}-{suffix}",
            subscription_id=f"{self.subscription_id}-{suffix}",
            dead_letters_id=f"{self.dead_letters_id}-{suffix}",
            warehouse_id=f"{self.warehouse_id}-{suffix}",
            exposures_id=f"{self.exposures_id}-{suffix}",
        )

    @property
    def topic(self) -> str:
        """Where Segment's Pub/Sub destination publishes."""
        return f"projects/{self.project}/topics/{self.topic_id}"

    @property
    def subscription(self) -> str:
        """What the stream reads."""
        return f"projects/{self.project}/subscriptions/{self.subscription_id}"

    @property
    def dead_letters(self) -> str:
        """The topic of what the stream could not use."""
        return f"projects/{self.project}/topics/{self.dead_letters_id}"

    @property
    def dead_letters_subscription(self) -> str:
        """Keeps dead letters until somebody looks."""
        return f"projects/{self.project}/subscriptions/{self.dead_letters_id}"

    @property
    def warehouse_subscription(self) -> str:
        """A second one to the same messages, for the warehouse."""
        return f"projects/{self.project}/subscriptions/{self.warehouse_id}"

    @property
    def exposures(self) -> str:
        """Where the server publishes which lists of experiments it has shown."""
        return f"projects/{self.project}/topics/{self.exposures_id}"

    @property
    def exposures_subscription(self) -> str:
        """Keeps them for the warehouse."""
        return f"projects/{self.project}/subscriptions/{self.exposures_id}"


def publisher(endpoint: str | None = None) -> PublisherClient:
    """A publisher that batches; `endpoint` is an emulator's host:port, else PUBSUB_EMULATOR_HOST or Google decide.

    Bounding what is outstanding is the caller's part (`replay.publish`): the client's own flow control takes a lock
    per message.
    """
    if endpoint is None:
        return PublisherClient(BATCHES, NO_LIMIT)
    channel = grpc.insecure_channel(endpoint, CHANNEL)
    return PublisherClient(BATCHES, NO_LIMIT, transport=PublisherGrpcTransport(channel=channel, host=endpoint))


def subscriber(endpoint: str | None = None) -> SubscriberClient:
    """A subscriber; `endpoint` as for `publisher`."""
    if endpoint is None:
        return SubscriberClient()
    channel = grpc.insecure_channel(endpoint, CHANNEL)
    return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel, host=endpoint))


@contextlib.contextmanager
def clients(endpoint: str | None = None) -> Iterator[tuple[PublisherClient, SubscriberClient]]:
    """Both clients, closed afterwards."""
    publishes, subscribes = publisher(endpoint), subscriber(endpoint)
    try:
        yield publishes, subscribes
    finally:
        publishes.stop()
        publishes.transport.close()
        subscribes.close()


def ensure_topic(client: PublisherClient, topic: str) -> None:
    """Create the topic unless it is there."""
    with contextlib.suppress(exceptions.AlreadyExists):
        client.create_topic(name=topic)


def ensure_subscription(
    client: SubscriberClient, subscription: str, topic: str, ack_deadline_s: int = ACK_DEADLINE_S, retain: bool = False
) -> None:
    """Create the subscription unless it is there.

    Args:
        client: Google's subscriber.
        subscription: full name.
        topic: full name of a topic that exists; messages published earlier are not delivered.
        ack_deadline_s: seconds until an unacknowledged message is delivered again, 10 to 600.
        retain: keep acknowledged messages, so that the subscription can seek back in time.
    """
    with contextlib.suppress(exceptions.AlreadyExists):
        client.create_subscription(
            request={
                "name": subscription,
                "topic": topic,
                "ack_deadline_seconds": ack_deadline_s,
                "retain_acked_messages": retain,
            }
        )


def ensure(publishes: PublisherClient, subscribes: SubscriberClient, names: Names) -> None:
    """Create every topic of one installation and the subscriptions that are always read, unless they are there."""
    for topic in (names.topic, names.dead_letters, names.exposures):
        ensure_topic(publishes, topic)
    ensure_subscription(subscribes, names.subscription, names.topic)
    ensure_subscription(subscribes, names.dead_letters_subscription, names.dead_letters, retain=True)


def remove(publishes: PublisherClient, subscribes: SubscriberClient, names: Names) -> None:
    """Delete every topic and subscription of one installation, as far as they are there and Pub/Sub still answers."""
    for subscription in (
        names.subscription,
        names.dead_letters_subscription,
        names.warehouse_subscription,
        names.exposures_subscription,
    ):
        with contextlib.suppress(exceptions.GoogleAPIError):
            subscribes.delete_subscription(subscription=subscription, timeout=REMOVED_WITHIN_S, retry=None)
    for topic in (names.topic, names.dead_letters, names.exposures):
        with contextlib.suppress(exceptions.GoogleAPIError):
            publishes.delete_topic(topic=topic, timeout=REMOVED_WITHIN_S, retry=None)


def drain(client: SubscriberClient, subscription: str, quiet_s: float = 1.0) -> Iterator[bytes]:
    """Take and acknowledge what the subscription holds, until nothing has come for `quiet_s` seconds."""
    last = time.monotonic()
    while time.monotonic() - last < quiet_s:
        received = pull(client, subscription, timeout_s=quiet_s)
        if received:
            yield from received
            last = time.monotonic()


def pull(client: SubscriberClient, subscription: str, limit: int = PULL, timeout_s: float = 1.0) -> list[bytes]:
    """Take and acknowledge at most `limit` messages; an empty list if none came within `timeout_s`."""
    try:
        # No retry: the client's own would wait on after the deadline.
        answer = client.pull(subscription=subscription, max_messages=limit, timeout=timeout_s, retry=None)
    except exceptions.DeadlineExceeded:
        return []
    messages = list(answer.received_messages)
    if messages:
        acknowledge(client, subscription, (m.ack_id for m in messages))
    return [m.message.data for m in messages]


def acknowledge(client: SubscriberClient, subscription: str, ack_ids: Iterable[str]) -> None:
    """Acknowledge, in requests that stay under Google's limit of 512 KiB."""
    batch: list[str] = []
    for ack_id in ack_ids:
        batch.append(ack_id)
        if len(batch) == PULL:
            client.acknowledge(subscription=subscription, ack_ids=batch)
            batch = []
    if batch:
        client.acknowledge(subscription=subscription, ack_ids=batch)
