"""A Pub/Sub stand-in for machines without Google's emulator: `python -m varde.demo.standin --port N`.

It speaks google.pubsub.v1 over gRPC to Google's own client libraries: topics, subscriptions, Publish, Pull,
StreamingPull, Acknowledge, ModifyAckDeadline, Seek to a time, dead-letter policies. All in memory, in one asyncio
thread, so no locks. What it does not do (push, filters, ordering, exactly-once delivery, snapshots, schemas) it
refuses with UNIMPLEMENTED instead of ignoring it. A contract test holds it and Google's emulator to the same answers.

Memory is bounded: a subscription that holds `limit` bytes first gives up its oldest acknowledged messages, then
Publish to its topic fails with RESOURCE_EXHAUSTED, which Google's publisher retries: pressure instead of loss.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.pubsub_v1 import types

from .broker import Broker, Refused
from .queues import Holder

LIMIT_BYTES = 256 * 2**20
PULL_BYTES = 4 * 2**20
STREAM_BATCH = 500
IDLE_PULL_S = 20.0
PULL_MARGIN_S = 0.2
GRACE_S = 0.5

Context = Any  # grpc.aio.ServicerContext; grpc ships no types


def handlers(broker: Broker) -> list[grpc.GenericRpcHandler]:
    """The two services of google.pubsub.v1 over one broker."""
    publisher = {
        "CreateTopic": _unary(broker.create_topic, types.Topic),
        "GetTopic": _unary(broker.get_topic, types.GetTopicRequest),
        "ListTopics": _unary(broker.list_topics, types.ListTopicsRequest),
        "ListTopicSubscriptions": _unary(broker.list_topic_subscriptions, types.ListTopicSubscriptionsRequest),
        "DeleteTopic": _unary(broker.delete_topic, types.DeleteTopicRequest),
        "Publish": _unary(broker.publish, types.PublishRequest),
    }
    deliveries = Deliveries(broker)
    subscriber = {
        "CreateSubscription": _unary(broker.create_subscription, types.Subscription),
        "GetSubscription": _unary(broker.get_subscription, types.GetSubscriptionRequest),
        "ListSubscriptions": _unary(broker.list_subscriptions, types.ListSubscriptionsRequest),
        "DeleteSubscription": _unary(broker.delete_subscription, types.DeleteSubscriptionRequest),
        "Acknowledge": _unary(broker.acknowledge, types.AcknowledgeRequest),
        "ModifyAckDeadline": _unary(broker.modify_ack_deadline, types.ModifyAckDeadlineRequest),
        "Seek": _unary(broker.seek, types.SeekRequest),
        "Pull": grpc.unary_unary_rpc_method_handler(deliveries.pull, types.PullRequest.pb().FromString, _encode),
        "StreamingPull": grpc.stream_stream_rpc_method_handler(
            deliveries.streaming_pull, types.StreamingPullRequest.pb().FromString, _encode
        ),
    }
    return [
        grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", publisher),
        grpc.method_handlers_generic_handler("google.pubsub.v1.Subscriber", subscriber),
    ]


def _encode(message: Any) -> bytes:
    encoded: bytes = message.SerializeToString()
    return encoded


def _unary(method: Callable[[Any], Any], request: Any) -> grpc.RpcMethodHandler:
    """A handler for a method of the broker; None is answered as google.protobuf.Empty, which has no bytes."""

    async def answer(message: Any, context: Context) -> Any:
        try:
            return method(message)
        except Refused as refused:
            await context.abort(refused.code, str(refused))

    return grpc.unary_unary_rpc_method_handler(
        answer, request.pb().FromString, lambda message: b"" if message is None else _encode(message)
    )


class Deliveries:
    """The two ways to receive: Pull, and StreamingPull with its flow control."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def pull(self, request: Any, context: Context) -> Any:
        """What there is, or what comes before shortly before the caller's deadline."""
        try:
            return types.PullResponse.pb()(received_messages=await self._pull(request, context))
        except Refused as refused:
            await context.abort(refused.code, str(refused))

    async def _pull(self, request: Any, context: Context) -> list[Any]:
        if request.max_messages < 1:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "No max_messages specified")
        remaining = context.time_remaining()
        idle = 0.0 if request.return_immediately else min(IDLE_PULL_S, remaining or IDLE_PULL_S) - PULL_MARGIN_S
        deadline, event = time.monotonic() + idle, asyncio.Event()
        while True:
            received: list[Any] = self._broker.take(request.subscription, request.max_messages, PULL_BYTES)
            left = deadline - time.monotonic()
            if received or left <= 0:
                return received
            await self._broker.changed(request.subscription, event, left)

    async def streaming_pull(self, requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        """Messages as they come, never more outstanding than the client allows, until it hangs up."""
        first = await anext(aiter(requests))
        stream = Stream(self._broker, first)
        reading = asyncio.create_task(stream.read(requests))
        try:
            stream.apply(first)
            async for response in stream.responses(reading):
                yield response
            await reading
        except Refused as refused:
            await context.abort(refused.code, str(refused))
        finally:
            reading.cancel()


class Stream:
    """One StreamingPull: what the client said first, and what it holds now."""

    def __init__(self, broker: Broker, first: Any) -> None:
        self._broker = broker
        self._name = first.subscription
        self._seconds = first.stream_ack_deadline_seconds
        self._messages = first.max_outstanding_messages if first.max_outstanding_messages > 0 else sys.maxsize
        self._bytes = first.max_outstanding_bytes if first.max_outstanding_bytes > 0 else sys.maxsize
        self._held = Holder()

    async def read(self, requests: AsyncIterator[Any]) -> None:
        """Apply what the client sends on the stream until it closes its side; then wake the sender."""
        try:
            async for request in requests:
                self.apply(request)
        finally:
            self._broker.wake(self._name)

    def apply(self, request: Any) -> None:
        """Acknowledgements and new deadlines that travel on the stream."""
        if request.stream_ack_deadline_seconds:
            self._seconds = request.stream_ack_deadline_seconds
        if request.ack_ids:
            self._broker.acknowledge(types.AcknowledgeRequest.pb()(subscription=self._name, ack_ids=request.ack_ids))
        for ack_id, seconds in zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=False):
            self._broker.modify_ack_deadline(
                types.ModifyAckDeadlineRequest.pb()(
                    subscription=self._name, ack_ids=[ack_id], ack_deadline_seconds=seconds
                )
            )

    async def responses(self, reading: asyncio.Task[None]) -> AsyncIterator[Any]:
        """Batches of messages until the client has closed its side."""
        event = asyncio.Event()
        while not reading.done():
            count = min(STREAM_BATCH, self._messages - self._held.messages)
            size = min(PULL_BYTES, self._bytes - self._held.size)
            received = self._broker.take(self._name, count, size, self._held, self._seconds)
            if received:
                yield types.StreamingPullResponse.pb()(received_messages=received)
            else:
                await self._broker.changed(self._name, event, IDLE_PULL_S)


async def serve(port: int, limit: int) -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT.

    Raises:
        OSError: the port is taken.
    """
    # Without so_reuseport=0 a second server would silently share the port.
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
        ]
    )
    server.add_generic_rpc_handlers(handlers(Broker(limit)))
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError as error:
        msg = f"port {port} is taken"
        raise OSError(msg) from error
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await server.start()
    sys.stdout.write(f"Pub/Sub stand-in on 127.0.0.1:{bound}\n")
    sys.stdout.flush()
    await stopping.wait()
    await server.stop(GRACE_S)


def main() -> None:
    """Run the stand-in until it is told to stop."""
    parser = argparse.ArgumentParser(prog="varde.demo.standin", description="A small Pub/Sub in memory.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one and prints it")
    parser.add_argument("--limit", type=int, default=LIMIT_BYTES, help="bytes that one subscription may hold")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.limit))


if __name__ == "__main__":
    main()
