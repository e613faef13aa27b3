"""A Pub/Sub source for Beam's local streaming runner that pulls full batches ahead of the worker.

The stock source pulls ten messages at a time and waits for each pull on the runner's only worker thread. Installed by
local_runner.repair(); touches private names, checked by tests/streaming/test_local_runner.py.
"""

from __future__ import annotations

import queue
import threading
import weakref
from typing import Any, ClassVar

from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.runners.direct import transform_evaluator
from apache_beam.utils.timestamp import Timestamp
from google.api_core import exceptions
from google.cloud.pubsub_v1 import SubscriberClient

MESSAGES_PER_PULL = 1000
"""Pub/Sub's own upper bound for one Pull."""
MESSAGES_PER_BUNDLE = 2000
_QUEUED_PULLS = 8
_PATIENCE_S = 0.02
"""How long the worker thread waits for messages before it lets timers fire."""


class _Puller:
    """A thread that pulls ahead of the worker and acknowledges what the worker has taken.

    Like the stock source it acknowledges before the messages are processed: the local runner keeps its state in
    memory, so a crash loses that anyway (DESIGN 2, property 6).
    """

    def __init__(self, subscription: str) -> None:
        self._subscription = subscription
        self._pulled: queue.Queue[Any] = queue.Queue(_QUEUED_PULLS)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pubsub-pull", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        client = SubscriberClient()
        while not self._stopped.is_set():
            try:
                answer = client.pull(
                    subscription=self._subscription, max_messages=MESSAGES_PER_PULL, timeout=10, retry=None
                )
            except (exceptions.DeadlineExceeded, exceptions.ServiceUnavailable):
                continue  # no message within the time limit, or a restart of the queue
            except exceptions.GoogleAPICallError as error:
                self._offer(error)
                return
            received = answer._pb.received_messages  # the plain protobuf: no wrapper object per field
            if received and self._offer([item.message for item in received]):
                client.acknowledge(subscription=self._subscription, ack_ids=[item.ack_id for item in received])

    def _offer(self, item: Any) -> bool:
        while not self._stopped.is_set():
            try:
                self._pulled.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def take(self) -> list[Any]:
        """What has been pulled, up to MESSAGES_PER_BUNDLE; none when there is nothing for a moment.

        Raises:
            GoogleAPICallError: the queue refuses, for instance because the subscription does not exist.
        """
        taken: list[Any] = []
        patience = _PATIENCE_S
        while len(taken) < MESSAGES_PER_BUNDLE:
            try:
                item = self._pulled.get(timeout=patience)
            except queue.Empty:
                break
            if isinstance(item, Exception):
                self._pulled.put(item)  # the runner tries a bundle several times: it fails each time
                raise item
            taken.extend(item)
            patience = 0.001  # what else is there goes into the same bundle: each costs the runner milliseconds
        return taken

    def stop(self) -> None:
        """End the thread after the pull under way."""
        self._stopped.set()


class PullingEvaluator(transform_evaluator._PubSubReadEvaluator):
    """Beam's evaluator of ReadFromPubSub with full pulls from a thread of its own."""

    _pullers: ClassVar[weakref.WeakKeyDictionary[Any, _Puller]] = weakref.WeakKeyDictionary()

    def _read_from_pubsub(self, timestamp_attribute: str | None) -> list[tuple[Timestamp, PubsubMessage]]:
        if timestamp_attribute:
            msg = "the repaired local source reads no timestamp attribute: Segment sets none"
            raise NotImplementedError(msg)
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
