"""What only the stand-in does: bounded memory, honest refusals, a clean end."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.pubsub_v1.services.publisher import PublisherClient as PlainPublisher

from varde.demo import emulator, process, pubsub
from varde.demo.pubsub import Names


@pytest.fixture
def small(tmp_path: Path) -> Iterator[str]:
    """A stand-in whose subscriptions may hold 100 kB."""
    port = process.free_port()
    command = [sys.executable, "-m", "varde.demo.standin", "--port", str(port), "--limit", "100000"]
    child = process.start("standin", command, tmp_path / "log")
    child.wait_until(lambda: emulator.answers(f"127.0.0.1:{port}"), 30)
    yield f"127.0.0.1:{port}"
    assert child.stop() == 0, child.tail()


def publish(publisher: Any, topic: str, data: bytes) -> None:
    plain = PlainPublisher(transport=publisher.transport)
    messages: list[Any] = [{"data": data}]
    plain.publish(topic=topic, messages=messages, timeout=10, retry=None)


def test_a_full_subscription_refuses_instead_of_dropping(small: str, names: Names) -> None:
    with pubsub.clients(small) as (publisher, subscriber):
        pubsub.ensure(publisher, subscriber, names)
        sent = 0
        with pytest.raises(exceptions.ResourceExhausted):
            for _ in range(20):
                publish(publisher, names.topic, b"%d " % sent * 5_000)
                sent += 1
        assert 5 < sent < 12
        kept = list(pubsub.drain(subscriber, names.subscription))
        assert [int(data.split()[0]) for data in kept] == list(range(sent))
        publish(publisher, names.topic, b"room again")


def test_retained_messages_make_room(small: str, names: Names) -> None:
    with pubsub.clients(small) as (publisher, subscriber):
        pubsub.ensure_topic(publisher, names.topic)
        pubsub.ensure_subscription(subscriber, names.subscription, names.topic, retain=True)
        for _ in range(30):
            publish(publisher, names.topic, b"x" * 10_000)
            assert len(pubsub.pull(subscriber, names.subscription)) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"filter": "attributes:x"},
        {"enable_message_ordering": True},
        {"enable_exactly_once_delivery": True},
        {"push_config": {"push_endpoint": "https://example.com/"}},
    ],
)
def test_what_it_cannot_do_it_says(standin: str, names: Names, options: dict[str, Any]) -> None:
    with pubsub.clients(standin) as (publisher, subscriber):
        pubsub.ensure_topic(publisher, names.topic)
        with pytest.raises(exceptions.MethodNotImplemented):
            subscriber.create_subscription(request={"name": names.subscription, "topic": names.topic, **options})


def test_a_taken_port_stops_the_start(standin: str) -> None:
    port = standin.rpartition(":")[2]
    second = subprocess.run(
        [sys.executable, "-m", "varde.demo.standin", "--port", port], capture_output=True, text=True, timeout=60
    )
    assert second.returncode != 0
    assert f"port {port} is taken" in second.stderr
