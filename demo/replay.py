"""`varde replay`: a file of events becomes Segment messages in Pub/Sub, at a chosen rate or as fast as it goes."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.pubsub_v1.publisher.exceptions import MessageTooLargeError

from varde.settings import from_env

from . import formats
from .arguments import positive, whole_from
from .emulator import VARIABLE, answers
from .messages import Message, last_time, shift
from .progress import Meter
from .pubsub import Names, clients, ensure_topic

OUTSTANDING = 10_000
"""Messages that Pub/Sub has not confirmed yet: enough for ten full batches, and a few MB."""
PUBLISH_TIMEOUT_S = 120.0
COUNT_EVERY = 100
EMULATOR_WITHIN_S = 5.0

log = logging.getLogger(__name__)


class Publisher(Protocol):
    """The one method that is used of Google's PublisherClient."""

    def publish(self, topic: str, data: bytes) -> Future[str]:
        """Queue a message; the future gives its id, or raises."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run has published: messages, their bytes, and the seconds it took until all were confirmed.

    `unsendable` are messages that Pub/Sub cannot carry (empty, or over 10 MB); each was logged.
    """

    messages: int
    bytes: int
    seconds: float
    unsendable: int = 0

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds if self.seconds else 0.0


def publish(
    messages: Iterable[Message],
    publisher: Publisher,
    topic: str,
    rate: float | None = None,
    progress: Callable[[int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Sent:
    """Publish all messages and return when Pub/Sub has confirmed every one.

    Args:
        messages: in the order in which they are sent; read as they are sent, so an endless stream is welcome.
        publisher: Google's client (see `pubsub.publisher` for its batching).
        topic: full name.
        rate: messages per second; None for as fast as possible.
        progress: told how many more have been sent.
        clock: seconds, monotonic.
        sleep: waits seconds.

    Raises:
        GoogleAPIError: Pub/Sub refused a message for good; what was sent before stays sent.
        TimeoutError: no confirmation came for two minutes.
    """
    begun, count, size, told, unsendable = clock(), 0, 0, 0, 0
    unconfirmed: deque[Future[str]] = deque()
    for message in messages:
        if rate is not None and (early := begun + count / rate - clock()) > 0:
            sleep(early)
        try:
            unconfirmed.append(_publish(publisher, topic, message.data))
        except MessageTooLargeError as error:
            unsendable += 1
            log.warning("message %d (%d bytes) is not sent: %s", count + unsendable, len(message.data), error)
            continue
        count += 1
        size += len(message.data)
        if len(unconfirmed) >= OUTSTANDING or unconfirmed[0].done():
            unconfirmed.popleft().result(PUBLISH_TIMEOUT_S)
        if progress is not None and (rate is not None or count - told >= COUNT_EVERY):
            progress(count - told)
            told = count
    while unconfirmed:
        unconfirmed.popleft().result(PUBLISH_TIMEOUT_S)
    if progress is not None and count > told:
        progress(count - told)
    return Sent(count, size, clock() - begun, unsendable)


def _publish(publisher: Publisher, topic: str, data: bytes) -> Future[str]:
    if not data:  # Pub/Sub would refuse the whole batch for it
        msg = "an empty message"
        raise MessageTooLargeError(msg)
    return publisher.publish(topic, data)


def write(messages: Iterable[Message], out: IO[bytes], progress: Callable[[int], None] | None = None) -> None:
    """Write messages one per line (ndjson). A message with a line break of its own would be two lines."""
    for message in messages:
        out.write(message.data + b"\n")
        if progress is not None:
            progress(1)
    out.flush()


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that `replay` and `simulate` share: where the messages go."""
    parser.add_argument(
        "--topic",
        default=Names().topic,
        help="full name of the Pub/Sub topic; with PUBSUB_EMULATOR_HOST it is created when missing (%(default)s)",
    )
    parser.add_argument("--stdout", action="store_true", help="write ndjson to standard output instead; nothing waits")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `varde replay`."""
    parser.add_argument("file", type=Path, help="the file, plain or .gz")
    parser.add_argument(
        "--format",
        required=True,
        choices=sorted(formats.FORMATS),
        help="online-retail: the UCI table of invoices; sessions: SessionId, ItemId, Time with tabs; segment: ndjson",
    )
    parser.add_argument("--limit", type=whole_from(1), help="read at most so many invoices, clicks or lines")
    parser.add_argument("--rate", type=positive, help="messages per second (as fast as possible)")
    parser.add_argument(
        "--to-now",
        action="store_true",
        help="shift all event times so that the last event is now; reads the file twice",
    )
    add_output_arguments(parser)


def command(argv: Sequence[str] | None = None) -> int:
    """`varde replay` with its own arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="varde replay", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(argv)
    from_env(os.environ)  # an unknown VARDE_ variable stops every command
    return run(options)


def run(options: argparse.Namespace) -> int:
    """`varde replay`; the exit code."""
    path: Path = options.file
    try:
        with Meter("replay") as meter:
            messages: Iterable[Message] = formats.read(options.format, path, options.limit, meter.part)
            if options.to_now:
                latest = last_time(formats.read(options.format, path, options.limit))
                messages = shift(messages, int(time.time() * 1000) - (latest or 0))
            return send(messages, options, meter, options.rate)
    except (OSError, formats.FormatError) as error:
        return failed(f"varde replay: {error}")


def send(messages: Iterable[Message], options: argparse.Namespace, meter: Meter, rate: float | None) -> int:
    """Send messages to where the shared options say; the exit code. Ctrl-C ends it in good order."""
    try:
        if options.stdout:
            write(messages, sys.stdout.buffer, meter.count)
            return 0
        emulator = os.environ.get(VARIABLE)
        if emulator and not answers(emulator, EMULATOR_WITHIN_S):  # Google's client would try on for minutes
            return failed(f"varde: {VARIABLE}={emulator}: no Pub/Sub emulator answers there")
        with clients() as (publisher, _):
            if emulator:
                ensure_topic(publisher, options.topic)
            sent = publish(messages, publisher, options.topic, rate, meter.count)
        log.info("%d messages (%d bytes) in %.1f s: %.0f/s", sent.messages, sent.bytes, sent.seconds, sent.rate)
    except DefaultCredentialsError:
        return failed("varde: no Google credentials, and PUBSUB_EMULATOR_HOST is not set")
    except (GoogleAPIError, TimeoutError) as error:
        return failed(f"varde: {options.topic}: {error}")
    except BrokenPipeError:
        # `varde simulate --stdout | head` is a fine thing to do; nothing must be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


def failed(message: str) -> int:
    """Say on standard error why it failed; the exit code."""
    sys.stderr.write(f"{message}\n")
    return 1
