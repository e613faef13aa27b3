"""A Pub/Sub source for Beam's local streaming runner that pulls full batches ahead of the worker.

The stock source pulls ten messages at a time and waits for each pull on the runner's only worker thread. Installed by
local_runner.repair(); touches private names, checked by tests/streaming/test_local_runner.py.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import deque
from typing import Any, ClassVar

from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.runners.direct import transform_evaluator
from apache_beam.utils.timestamp import Timestamp
from google.api_core import exceptions
from google.cloud.pubsub_v1 import SubscriberClient

_log = logging.getLogger(__name__)

MESSAGES_PER_PULL = 1000
"""Pub/Sub's own upper bound for one Pull."""
MESSAGES_PER_BUNDLE = 2000
_MESSAGES_AHEAD = 4 * MESSAGES_PER_BUNDLE
_PATIENCE_S = 0.02
"""How long the worker thread waits before it lets timers and other steps run."""
_RETRY_S = 1.0
_TRANSIENT = (
    exceptions.ServiceUnavailable,
    exceptions.InternalServerError,
    exceptions.Aborted,
    exceptions.TooManyRequests,
    exceptions.BadGateway,
    exceptions.Unknown,
)
"""What a queue says when it is restarted or busy; what Google's own client would try again."""
_GATHER_S = 0.1
"""Least time between two small bundles: each costs the runner milliseconds, whatever is in it."""


class _Puller:
    """A thread that pulls ahead of the worker and acknowledges what it has pulled.

    Like the stock source it acknowledges before the messages are processed: the local runner keeps its state in
    memory, so a crash loses that anyway (docs/counting.md, property 6).
    """

    def __init__(self, subscription: str) -> None:
        self._subscription = subscription
        self._client = SubscriberClient()  # here, so that missing credentials fail the bundle and not the thread
        self._messages: deque[Any] = deque()
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._stopped = False
        self._next_bundle = 0.0
        self._thread = threading.Thread(target=self._run, name="pubsub-pull", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        client = self._client
        while not self._stopped:
            try:
                answer = client.pull(
                    subscription=self._subscription, max_messages=MESSAGES_PER_PULL, timeout=10, retry=None
                )
                received = answer._pb.received_messages  # the plain protobuf: no wrapper object per field
                if received and self._offer([item.message for item in received]):
                    client.acknowledge(subscription=self._subscription, ack_ids=[item.ack_id for item in received])
            except exceptions.DeadlineExceeded:
                continue  # no message within the time limit
            except _TRANSIENT as error:
                _log.warning("Pub/Sub: %s; trying again", error)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped, _RETRY_S)
            except Exception as error:  # noqa: BLE001 - whatever ends this thread must end the pipeline, not idle it
                self._error = error  # for good: the runner tries a bundle several times
                return

    def _offer(self, messages: list[Any]) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(self._messages) < _MESSAGES_AHEAD or self._stopped)
            self._messages.extend(messages)
            self._changed.notify_all()
        return not self._stopped

    def take(self) -> list[Any]:
        """What has been pulled, up to MESSAGES_PER_BUNDLE; none when it is not worth a bundle yet.

        Never blocks for longer than _PATIENCE_S: the thread that calls it runs every other step, too.

        Raises:
            GoogleAPICallError: the queue refuses, for instance because the subscription does not exist.
        """
        with self._changed:
            if self._error is not None and not self._messages:
                raise self._error
            now = time.monotonic()
            early = max(self._next_bundle - now, 0.0)
            if len(self._messages) < MESSAGES_PER_PULL and (early or not self._messages):
                self._changed.wait_for(lambda: len(self._messages) >= MESSAGES_PER_PULL, min(early, _PATIENCE_S))
            if not self._messages:
                self._changed.wait_for(lambda: bool(self._messages), _PATIENCE_S - min(early, _PATIENCE_S))
            now = time.monotonic()
            if not self._messages or (now < self._next_bundle and len(self._messages) < MESSAGES_PER_PULL):
                return []
            self._next_bundle = now + _GATHER_S
            taken = [self._messages.popleft() for _ in range(min(len(self._messages), MESSAGES_PER_BUNDLE))]
            self._changed.notify_all()
            return taken

    def stop(self) -> None:
        """End the thread after the pull under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class PullingEvaluator(transform_evaluator._PubSubReadEvaluator):
    """Beam's evaluator of ReadFromPubSub with full pulls from a thread of its own."""

    _pullers: ClassVar[weakref.WeakKeyDictionary[Any, _Puller]] = weakref.WeakKeyDictionary()

    def _read_from_pubsub(self, timestamp_attribute: str | None) -> list[tuple[Timestamp, PubsubMessage]]:
        if timestamp_attribute:
            msg = "the repaired local source reads no timestamp attribute: Segment sets none"
            raise ValueError(msg)
        transform = self._applied_ptransform.transform
        puller = self._pullers.get(transform)
        if puller is None:
            puller = self._pullers[transform] = _Puller(self._sub_name)
            weakref.finalize(transform, puller.stop)
        messages = puller.take()
        if not messages:
            return []
        # One timestamp a bundle: event times come from the payload, and the runner stores equal ones once.
        oldest = messages[0].publish_time
        at = Timestamp(micros=oldest.seconds * 1_000_000 + oldest.nanos // 1000)
        return [(at, _element(message)) for message in messages]


def _element(message: Any) -> PubsubMessage:
    at = message.publish_time
    return PubsubMessage(
        message.data,
        dict(message.attributes),
        message_id=message.message_id,
        publish_time=at.seconds + at.nanos * 1e-9,
        ordering_key=message.ordering_key,
    )


def stop() -> None:
    """End all pulling threads of this process."""
    for puller in list(PullingEvaluator._pullers.values()):
        puller.stop()
