"""What both emulators answer to Google's real clients: the stand-in is held to the same contract as Google's own."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import FlowControl
from google.pubsub_v1.services.publisher import PublisherClient as PlainPublisher

from varde.demo import pubsub
from varde.demo.pubsub import Names

DEADLINE_S = 20.0

# The one way to ask "is there anything now?"; deprecated for production, where it makes for busy waiting.
pytestmark = pytest.mark.filterwarnings("ignore:The return_immediately flag:DeprecationWarning")


class Queue:
    """Clients, one topic and one subscription, with the plain calls that the tests repeat."""

    def __init__(self, publisher: PublisherClient, subscriber: SubscriberClient, names: Names) -> None:
        self.publisher, self.subscriber, self.names = publisher, subscriber, names
        self._plain = PlainPublisher(transport=publisher.transport)

    def create(self, **options: Any) -> None:
        pubsub.ensure_topic(self.publisher, self.names.topic)
        self.subscriber.create_subscription(
            request={"name": self.names.subscription, "topic": self.names.topic, **options}
        )

    def publish(self, *datas: bytes) -> list[str]:
        messages: list[Any] = [{"data": data} for data in datas]
        return list(self._plain.publish(topic=self.names.topic, messages=messages, timeout=10, retry=None).message_ids)

    def raw_publish(self, topic: str, messages: list[Any]) -> None:
        self._plain.publish(topic=topic, messages=messages, timeout=10, retry=None)

    def pull(self, count: int = 100, timeout_s: float = DEADLINE_S, *, now: bool = False) -> list[Any]:
        request = {"subscription": self.names.subscription, "max_messages": count, "return_immediately": now}
        return list(self.subscriber.pull(request=request, timeout=timeout_s, retry=None).received_messages)

    def pull_all(self, count: int) -> list[Any]:
        """A pull may bring fewer than there are."""
        received: list[Any] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(received) < count and time.monotonic() < deadline:
            received += self.pull(count - len(received))
        return received

    def acknowledge(self, received: list[Any]) -> None:
        self.subscriber.acknowledge(subscription=self.names.subscription, ack_ids=[r.ack_id for r in received])

    def modify(self, received: list[Any], seconds: int) -> None:
        self.subscriber.modify_ack_deadline(
            subscription=self.names.subscription,
            ack_ids=[r.ack_id for r in received],
            ack_deadline_seconds=seconds,
        )

    def seek(self, when: datetime) -> None:
        self.subscriber.seek(request={"subscription": self.names.subscription, "time": when})


@pytest.fixture
def queue(pubsub_host: str, names: Names) -> Iterator[Queue]:
    with pubsub.clients(pubsub_host) as (publisher, subscriber):
        yield Queue(publisher, subscriber, names)


def datas(received: list[Any]) -> list[bytes]:
    return [r.message.data for r in received]


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_topics_are_created_found_listed_and_deleted(queue: Queue) -> None:
    publisher, topic = queue.publisher, queue.names.topic
    publisher.create_topic(name=topic)
    assert publisher.get_topic(topic=topic).name == topic
    assert topic in [t.name for t in publisher.list_topics(project=f"projects/{queue.names.project}")]
    with pytest.raises(exceptions.AlreadyExists):
        publisher.create_topic(name=topic)
    publisher.delete_topic(topic=topic)
    with pytest.raises(exceptions.NotFound):
        publisher.get_topic(topic=topic)
    with pytest.raises(exceptions.NotFound):
        publisher.delete_topic(topic=topic)


def test_lists_come_in_pages(queue: Queue) -> None:
    made = [f"projects/paged-project/topics/{queue.names.topic_id}-{n}" for n in range(5)]
    for name in made:
        queue.publisher.create_topic(name=name)
    pages = queue.publisher.list_topics(request={"project": "projects/paged-project", "page_size": 2}).pages
    listed = [[topic.name for topic in page.topics] for page in pages]
    assert max(map(len, listed)) == 2
    assert set(made) <= {name for page in listed for name in page}


@pytest.mark.parametrize("bad", ["ab", "1abc", "a/b", "googabc", "a" * 256, "a b c", "ééé", "-abc", ""])
def test_names_follow_googles_rules(queue: Queue, bad: str) -> None:
    pubsub.ensure_topic(queue.publisher, queue.names.topic)
    with pytest.raises(exceptions.InvalidArgument):
        queue.publisher.create_topic(name=f"projects/varde-local/topics/{bad}")
    with pytest.raises(exceptions.InvalidArgument):
        queue.subscriber.create_subscription(name=f"projects/varde-local/subscriptions/{bad}", topic=queue.names.topic)


@pytest.mark.parametrize("good", ["abc", "a.b~c+d%e_f-g", "Z" * 255])
def test_names_that_are_allowed(queue: Queue, good: str) -> None:
    name = f"projects/names-project/topics/{good}"
    pubsub.ensure_topic(queue.publisher, name)
    assert queue.publisher.get_topic(topic=name).name == name


def test_subscriptions_are_created_found_listed_and_deleted(queue: Queue) -> None:
    queue.create()
    subscriber, name = queue.subscriber, queue.names.subscription
    found = subscriber.get_subscription(subscription=name)
    assert (found.topic, found.ack_deadline_seconds) == (queue.names.topic, 10)
    assert found.message_retention_duration == timedelta(days=7)
    assert name in [s.name for s in subscriber.list_subscriptions(project=f"projects/{queue.names.project}")]
    assert list(queue.publisher.list_topic_subscriptions(topic=queue.names.topic)) == [name]
    with pytest.raises(exceptions.AlreadyExists):
        queue.create()
    subscriber.delete_subscription(subscription=name)
    for call in (subscriber.get_subscription, subscriber.delete_subscription):
        with pytest.raises(exceptions.NotFound):
            call(subscription=name)


@pytest.mark.parametrize(
    "options",
    [
        {"ack_deadline_seconds": 601},
        {"message_retention_duration": timedelta(seconds=60)},
        {"message_retention_duration": timedelta(days=40)},
    ],
)
def test_subscriptions_have_limits(queue: Queue, options: dict[str, Any]) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        queue.create(**options)


def test_what_is_not_there_is_not_found(queue: Queue) -> None:
    with pytest.raises(exceptions.NotFound):
        queue.publish(b"x")
    with pytest.raises(exceptions.NotFound):
        queue.subscriber.create_subscription(name=queue.names.subscription, topic=queue.names.topic)
    with pytest.raises(exceptions.NotFound):
        queue.pull(now=True)
    with pytest.raises(exceptions.NotFound):
        queue.seek(datetime.now(UTC))
    with pytest.raises(exceptions.NotFound):
        queue.subscriber.acknowledge(subscription=queue.names.subscription, ack_ids=["x:1"])


def test_a_subscription_outlives_its_topic(queue: Queue) -> None:
    queue.create()
    queue.publish(b"left")
    queue.publisher.delete_topic(topic=queue.names.topic)
    found = queue.subscriber.get_subscription(subscription=queue.names.subscription)
    assert found.topic == "_deleted-topic_"
    with pytest.raises(exceptions.NotFound):
        queue.publish(b"x")


def test_a_message_arrives_as_it_was_published(queue: Queue) -> None:
    queue.create()
    before = datetime.now(UTC) - timedelta(seconds=1)
    data = bytes(range(256))
    message_id = queue.publisher.publish(queue.names.topic, data, key="värde").result(DEADLINE_S)
    (received,) = queue.pull_all(1)
    assert received.message.data == data
    assert dict(received.message.attributes) == {"key": "värde"}
    assert received.message.message_id == message_id
    assert before <= received.message.publish_time <= datetime.now(UTC) + timedelta(seconds=1)
    assert received.delivery_attempt == 0  # told only under a dead-letter policy


def test_every_subscription_gets_every_message(queue: Queue) -> None:
    queue.create()
    other = f"{queue.names.subscription}-2"
    queue.subscriber.create_subscription(name=other, topic=queue.names.topic)
    queue.publish(b"1", b"2")
    assert sorted(datas(queue.pull_all(2))) == [b"1", b"2"]
    assert sorted(pubsub.drain(queue.subscriber, other)) == [b"1", b"2"]


def test_bad_publishes_are_refused_whole(queue: Queue) -> None:
    queue.create()
    for messages in ([], [{"data": b"fine"}, {"data": b""}], [{"data": b"x"}] * 1001):
        with pytest.raises(exceptions.InvalidArgument):
            queue.raw_publish(queue.names.topic, messages)
    assert queue.pull(now=True) == []


def test_ids_that_were_never_given_out_are_refused(queue: Queue) -> None:
    queue.create()
    subscription = queue.names.subscription
    for ids in ([], ["bogus"]):
        with pytest.raises(exceptions.InvalidArgument):
            queue.subscriber.acknowledge(subscription=subscription, ack_ids=ids)
    with pytest.raises(exceptions.InvalidArgument):
        queue.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=["bogus"], ack_deadline_seconds=0)
    with pytest.raises(exceptions.InvalidArgument):
        queue.pull(0)


def test_acknowledged_messages_do_not_come_again(queue: Queue) -> None:
    queue.create()
    queue.publish(*(b"%d" % n for n in range(50)))
    received = queue.pull_all(50)
    assert sorted(int(data) for data in datas(received)) == list(range(50))
    queue.acknowledge(received)
    queue.acknowledge(received)  # a repeat is fine
    assert queue.pull(now=True) == []


def test_leased_messages_are_not_delivered_twice(queue: Queue) -> None:
    queue.create(ack_deadline_seconds=60)
    queue.publish(b"once")
    assert datas(queue.pull_all(1)) == [b"once"]
    assert queue.pull(now=True) == []


def test_a_pull_waits_for_a_message_and_not_past_its_deadline(queue: Queue) -> None:
    queue.create()
    begun = time.monotonic()
    with contextlib.suppress(exceptions.DeadlineExceeded):
        assert queue.pull(timeout_s=2.0) == []
    assert 0.5 < time.monotonic() - begun < 4.0
    timer = threading.Timer(0.3, queue.publish, [b"late"])
    timer.start()
    assert datas(queue.pull()) == [b"late"]
    timer.join()


def test_given_back_messages_come_at_once(queue: Queue) -> None:
    queue.create(ack_deadline_seconds=600)
    queue.publish(b"again")
    for _ in range(3):
        received = queue.pull_all(1)
        assert datas(received) == [b"again"]
        queue.modify(received, 0)


def test_an_expired_lease_redelivers_and_its_id_is_worth_nothing(queue: Queue) -> None:
    queue.create(ack_deadline_seconds=600)
    queue.publish(b"slow")
    first = queue.pull_all(1)
    queue.modify(first, 1)
    begun = time.monotonic()
    second = queue.pull_all(1)
    assert datas(second) == [b"slow"]
    assert time.monotonic() - begun > 0.5
    queue.modify(second, 1)
    queue.acknowledge(first)
    third = queue.pull_all(1)
    assert datas(third) == [b"slow"]
    queue.acknowledge(third)
    assert queue.pull(now=True) == []


def test_an_extended_lease_keeps_the_message_away(queue: Queue) -> None:
    queue.create(ack_deadline_seconds=600)
    queue.publish(b"first", b"second")
    received = queue.pull_all(2)
    queue.modify(received, 2)
    queue.modify([r for r in received if r.message.data == b"first"], 600)
    assert datas(queue.pull_all(1)) == [b"second"]
    assert queue.pull(now=True) == []


def test_seek_goes_back_to_a_time_when_acknowledged_messages_are_retained(queue: Queue) -> None:
    queue.create(retain_acked_messages=True)
    start = datetime.now(UTC) - timedelta(seconds=1)
    queue.publish(b"old")
    (old,) = queue.pull_all(1)
    queue.acknowledge([old])
    # Times are compared to the publish time, and emulators may round these up to a second.
    middle = old.message.publish_time + timedelta(seconds=1)
    assert until(lambda: datetime.now(UTC) > middle)
    queue.publish(b"new")
    queue.acknowledge(queue.pull_all(1))
    queue.seek(middle)
    assert list(pubsub.drain(queue.subscriber, queue.names.subscription)) == [b"new"]
    queue.seek(start)
    assert sorted(pubsub.drain(queue.subscriber, queue.names.subscription)) == [b"new", b"old"]


def test_seek_forward_skips_the_backlog(queue: Queue) -> None:
    queue.create()
    queue.publish(b"skipped")
    queue.seek(datetime.now(UTC) + timedelta(seconds=1))
    assert queue.pull(now=True) == []


def test_a_stream_delivers_everything_once_when_all_is_acknowledged(queue: Queue) -> None:
    queue.create()
    got: list[bytes] = []
    finished = threading.Event()

    def receive(message: Any) -> None:
        got.append(message.data)
        message.ack()
        if len(got) >= 300:
            finished.set()

    flow = FlowControl(max_messages=20)
    stream = queue.subscriber.subscribe(queue.names.subscription, receive, flow_control=flow)
    futures = [queue.publisher.publish(queue.names.topic, b"%d" % n) for n in range(300)]
    for future in futures:
        future.result(DEADLINE_S)
    assert finished.wait(DEADLINE_S)
    stream.cancel()
    stream.result()
    assert sorted(int(data) for data in got) == list(range(300))
    assert queue.pull(now=True) == []


def test_a_stream_redelivers_what_is_given_back(queue: Queue) -> None:
    queue.create()
    tries: list[bytes] = []

    def receive(message: Any) -> None:
        tries.append(message.data)
        message.nack() if len(tries) < 3 else message.ack()

    stream = queue.subscriber.subscribe(queue.names.subscription, receive)
    queue.publish(b"third time lucky")
    assert until(lambda: len(tries) >= 3)
    stream.cancel()
    stream.result()
    assert queue.pull(now=True) == []


def test_after_five_attempts_a_dead_letter_policy_moves_the_message(queue: Queue) -> None:
    names = queue.names
    pubsub.ensure_topic(queue.publisher, names.dead_letters)
    pubsub.ensure_subscription(queue.subscriber, names.dead_letters_subscription, names.dead_letters)
    queue.create(dead_letter_policy={"dead_letter_topic": names.dead_letters, "max_delivery_attempts": 5})
    queue.publish(b"poison")
    attempts = []
    for _ in range(5):
        received = queue.pull_all(1)
        attempts += [r.delivery_attempt for r in received]
        queue.modify(received, 0)
    assert attempts == [1, 2, 3, 4, 5]
    assert queue.pull(now=True) == []
    assert pubsub.pull(queue.subscriber, names.dead_letters_subscription, timeout_s=DEADLINE_S) == [b"poison"]
