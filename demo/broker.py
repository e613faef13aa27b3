"""Topics and subscriptions of the Pub/Sub stand-in: each method answers one request of google.pubsub.v1, or refuses.

Messages are protobuf classes (`types.X.pb()`), not proto-plus: the wrapper costs more than the rest. Single-threaded.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
from google.pubsub_v1 import types

from .queues import Entry, Holder, Queue, Stored

NAME = r"projects/[^/]+/{}/(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{{2,254}}"
TOPIC_NAME = re.compile(NAME.format("topics"))
SUBSCRIPTION_NAME = re.compile(NAME.format("subscriptions"))
DELETED_TOPIC = "_deleted-topic_"
ACK_DEADLINE_S = (0, 600)
RETENTION_S = (600, 7 * 86_400)
ATTEMPTS = (5, 100)
PUBLISH_MESSAGES = 1000
PUBLISH_BYTES = 10_000_000
OVERHEAD = 200
"""Bytes counted for a message besides its body: about what its objects take."""
SUPPORTED = {
    "name", "topic", "ack_deadline_seconds", "retain_acked_messages", "message_retention_duration", "labels",
    "expiration_policy", "dead_letter_policy",
}  # fmt: skip

Code = grpc.StatusCode


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """A request that gets a gRPC status instead of an answer."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def _missing(kind: str) -> Refused:
    return Refused(Code.NOT_FOUND, f"{kind} not found")


def _invalid(message: str) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, message)


def _within(name: str, value: float, bounds: tuple[int, int]) -> None:
    if not bounds[0] <= value <= bounds[1]:
        message = f"{name} out of bounds"
        raise _invalid(message)


class Broker:
    """All state of one stand-in. `clock` gives seconds since the epoch, `limit` is what a subscription may hold."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._clock = clock
        self._topics: dict[str, Any] = {}
        self._subscriptions: dict[str, Any] = {}
        self._queues: dict[str, Queue] = {}
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._numbers: Iterator[int] = itertools.count(1)

    def create_topic(self, topic: Any) -> Any:
        """A new topic."""
        if not TOPIC_NAME.fullmatch(topic.name):
            message = f"Invalid [topics] name: (name={topic.name})"
            raise _invalid(message)
        if topic.name in self._topics:
            raise Refused(Code.ALREADY_EXISTS, "Topic already exists")
        self._topics[topic.name] = topic
        return topic

    def get_topic(self, request: Any) -> Any:
        """The topic."""
        return self._topic(request.topic)

    def delete_topic(self, request: Any) -> None:
        """Its subscriptions stay, with what they hold."""
        self._topic(request.topic)
        del self._topics[request.topic]
        for subscription in self._subscriptions.values():
            if subscription.topic == request.topic:
                subscription.topic = DELETED_TOPIC

    def list_topics(self, request: Any) -> Any:
        """The topics of a project, by name, in pages."""
        names, token = _page(_within_project(self._topics, request.project), request)
        return types.ListTopicsResponse.pb()(topics=[self._topics[name] for name in names], next_page_token=token)

    def list_topic_subscriptions(self, request: Any) -> Any:
        """Names of the subscriptions of a topic, in pages."""
        names, token = _page(self._attached(request.topic), request)
        return types.ListTopicSubscriptionsResponse.pb()(subscriptions=names, next_page_token=token)

    def publish(self, request: Any) -> Any:
        """Store 1 to 1,000 messages for every subscription of the topic; all or none."""
        self._topic(request.topic)
        if not request.messages:
            raise _invalid("No messages to publish")
        if len(request.messages) > PUBLISH_MESSAGES:
            raise _invalid("Too many messages to publish")
        if any(not (message.data or message.attributes) for message in request.messages):
            raise _invalid("Some messages are empty")
        if any(message.ordering_key for message in request.messages):
            raise Refused(Code.UNIMPLEMENTED, "The stand-in does not order messages")
        if request.ByteSize() > PUBLISH_BYTES:
            raise _invalid("Request payload size exceeds the limit")
        self._make_room(request)
        return types.PublishResponse.pb()(message_ids=self._store(request.topic, request.messages))

    def _make_room(self, request: Any) -> None:
        now, size = self._clock(), request.ByteSize() + OVERHEAD * len(request.messages)
        for name in self._attached(request.topic):
            queue = self._queues[name]
            queue.expire(now)
            if queue.size + size > self._limit:
                queue.shed(self._limit * 9 // 10 - size)
            if queue.size and queue.size + size > self._limit:
                raise Refused(Code.RESOURCE_EXHAUSTED, f"{name} holds too many messages that nobody acknowledges")

    def _store(self, topic: str, messages: Iterable[Any]) -> list[str]:
        now, names, ids = self._clock(), self._attached(topic), []
        for message in messages:
            body = types.PubsubMessage.pb()()  # a copy: a part would keep the whole request in memory
            body.CopyFrom(message)
            number = next(self._numbers)
            body.message_id = str(number)
            body.publish_time.FromNanoseconds(int(now * 1e6) * 1000)
            stored = Stored(number, now, body, body.ByteSize() + OVERHEAD)
            for name in names:
                self._queues[name].put(stored)
            ids.append(body.message_id)
        for name in names:
            self.wake(name)
        return ids

    def create_subscription(self, subscription: Any) -> Any:
        """A new subscription; defaults as at Google: 10 s to acknowledge, 7 days of retention."""
        if not SUBSCRIPTION_NAME.fullmatch(subscription.name):
            message = f"Invalid [subscriptions] name: (name={subscription.name})"
            raise _invalid(message)
        _only_supported(subscription)
        if subscription.topic not in self._topics:
            raise _missing("Subscription topic")
        if subscription.name in self._subscriptions:
            raise Refused(Code.ALREADY_EXISTS, "Subscription already exists")
        subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or 10
        if not subscription.HasField("message_retention_duration"):
            subscription.message_retention_duration.seconds = RETENTION_S[1]
        retention = subscription.message_retention_duration.seconds
        _within("ack_deadline_secs", subscription.ack_deadline_seconds, ACK_DEADLINE_S)
        _within("message_retention_duration", retention, RETENTION_S)
        if subscription.HasField("dead_letter_policy"):
            policy = subscription.dead_letter_policy
            policy.max_delivery_attempts = policy.max_delivery_attempts or ATTEMPTS[0]
            _within("max_delivery_attempts", policy.max_delivery_attempts, ATTEMPTS)
            self._topic(policy.dead_letter_topic)
        self._subscriptions[subscription.name] = subscription
        self._queues[subscription.name] = Queue(
            subscription.name, subscription.ack_deadline_seconds, retention, subscription.retain_acked_messages
        )
        return subscription

    def get_subscription(self, request: Any) -> Any:
        """The subscription."""
        self.queue(request.subscription)
        return self._subscriptions[request.subscription]

    def delete_subscription(self, request: Any) -> None:
        """Gone, with what it holds."""
        self.queue(request.subscription)
        del self._subscriptions[request.subscription], self._queues[request.subscription]
        self.wake(request.subscription)

    def list_subscriptions(self, request: Any) -> Any:
        """The subscriptions of a project, by name, in pages."""
        names, token = _page(_within_project(self._subscriptions, request.project), request)
        found = [self._subscriptions[name] for name in names]
        return types.ListSubscriptionsResponse.pb()(subscriptions=found, next_page_token=token)

    def acknowledge(self, request: Any) -> None:
        """These messages are done."""
        queue = self.queue(request.subscription)
        queue.acknowledge(self._clock(), _checked(request.ack_ids, queue))
        self.wake(queue.name)

    def modify_ack_deadline(self, request: Any) -> None:
        """More time for these messages; 0 seconds give them back at once."""
        queue = self.queue(request.subscription)
        _within("ack_deadline_secs", request.ack_deadline_seconds, ACK_DEADLINE_S)
        queue.modify(self._clock(), _checked(request.ack_ids, queue), request.ack_deadline_seconds)
        self.wake(queue.name)

    def seek(self, request: Any) -> Any:
        """Back to a time (as far as messages are kept), or forward over the backlog."""
        queue = self.queue(request.subscription)
        if request.WhichOneof("target") != "time":
            raise Refused(Code.UNIMPLEMENTED, "The stand-in seeks to times, not to snapshots")
        queue.seek(request.time.ToMicroseconds() / 1e6)
        self.wake(queue.name)
        return types.SeekResponse.pb()()

    def queue(self, name: str) -> Queue:
        """What a subscription holds."""
        if name not in self._queues:
            raise _missing("Subscription")
        return self._queues[name]

    def take(
        self, name: str, count: int, size: int, holder: Holder | None = None, seconds: float | None = None
    ) -> list[Any]:
        """Lease what there is: protobuf ReceivedMessages. Dead letters go to their topic instead."""
        queue, now = self.queue(name), self._clock()
        subscription = self._subscriptions[name]
        policed = subscription.HasField("dead_letter_policy")
        if policed:
            queue.expire(now)
            policy = subscription.dead_letter_policy
            exhausted = queue.take_exhausted(policy.max_delivery_attempts)
            if exhausted and policy.dead_letter_topic in self._topics:
                self._store(policy.dead_letter_topic, (stored.body for stored in exhausted))
        return [_received(ack_id, entry, policed) for ack_id, entry in queue.lease(now, count, size, holder, seconds)]

    async def changed(self, name: str, event: asyncio.Event, timeout_s: float) -> None:
        """Return when something about the subscription changed, a lease has ended, or `timeout_s` is over."""
        end = self.queue(name).next_end()
        if end is not None:
            timeout_s = min(timeout_s, max(0.0, end - self._clock()) + 0.001)
        waiting = self._waiting.setdefault(name, set())
        waiting.add(event)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            event.clear()
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(name, None)

    def wake(self, name: str) -> None:
        """Let everyone look again who waits for the subscription."""
        for event in self._waiting.get(name, ()):
            event.set()

    def _topic(self, name: str) -> Any:
        if name not in self._topics:
            raise _missing("Topic")
        return self._topics[name]

    def _attached(self, topic: str) -> list[str]:
        return sorted(name for name, subscription in self._subscriptions.items() if subscription.topic == topic)


def _only_supported(subscription: Any) -> None:
    for descriptor, value in subscription.ListFields():
        if descriptor.name not in SUPPORTED and value != type(value)():
            raise Refused(Code.UNIMPLEMENTED, f"The stand-in has no {descriptor.name}")


def _within_project(names: Iterable[str], project: str) -> list[str]:
    return sorted(name for name in names if name.startswith(f"{project}/"))


def _page(names: list[str], request: Any) -> tuple[list[str], str]:
    rest = [name for name in names if name > request.page_token]
    page = rest[: request.page_size] if request.page_size else rest
    return page, page[-1] if len(page) < len(rest) else ""


def _checked(ack_ids: Iterable[str], queue: Queue) -> list[str]:
    checked = list(ack_ids)
    if not checked:
        raise _invalid("No ack ids specified.")
    for ack_id in checked:
        if not ack_id.startswith(f"{queue.name}:"):
            message = f"Invalid ack id (ack_id={ack_id})"
            raise _invalid(message)
    return checked


def _received(ack_id: str, entry: Entry, policed: bool) -> Any:
    # As at Google, attempts are told only where a dead-letter policy makes somebody count them.
    attempt = entry.attempts if policed else 0
    return types.ReceivedMessage.pb()(ack_id=ack_id, message=entry.message.body, delivery_attempt=attempt)
