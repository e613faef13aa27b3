"""What compose.yaml needs beside Varde's commands, and Google Cloud does by itself: topics, a warehouse that fills.

python local.py topics: topics and subscriptions of the emulator, unless they are there.
python local.py archive FILE: what came since the last time, into the warehouse in this DuckDB file. On Google Cloud
subscriptions that write into BigQuery do it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from google.api_core import exceptions
from google.cloud.pubsub_v1 import SubscriberClient

from varde.demo import pubsub
from varde.settings import from_env

QUIET_S = 3.0
"""Nothing has come for so long: that was all."""


def topics(names: pubsub.Names) -> None:
    """Create them. Google's client tries again for a minute while nobody answers."""
    with pubsub.clients(os.environ["PUBSUB_EMULATOR_HOST"]) as (publisher, subscriber):
        pubsub.ensure(publisher, subscriber, names)
        pubsub.ensure_subscription(subscriber, names.warehouse_subscription, names.topic)
        pubsub.ensure_subscription(subscriber, names.exposures_subscription, names.exposures)


def archive(names: pubsub.Names, file: Path) -> tuple[int, int]:
    """Load what the two subscriptions of the warehouse hold; the numbers of messages and of exposures."""
    # Only the image of the night has these.
    from varde.batch.arguments import check
    from varde.batch.exposures_loader import ExposureLoader
    from varde.batch.loader import Loader
    from varde.batch.warehouse.duckdb_file import DuckDBWarehouse

    settings = from_env(os.environ)
    with (
        pubsub.clients(os.environ["PUBSUB_EMULATOR_HOST"]) as (_, subscriber),
        DuckDBWarehouse(file, check(settings)) as warehouse,
    ):
        messages = Loader(warehouse, settings.mapping, secret=settings.id_secret.encode())
        exposures = ExposureLoader(warehouse)
        came = _take(subscriber, names.warehouse_subscription, messages.add, messages.flush)
        shown = _take(subscriber, names.exposures_subscription, lambda data, _: exposures.add(data), exposures.flush)
    return came, shown


def _take(
    client: SubscriberClient, subscription: str, add: Callable[[bytes, int], None], flush: Callable[[], None]
) -> int:
    """All that the subscription holds, acknowledged once it is written. What comes twice is taken twice."""
    came, last = 0, time.monotonic()
    while time.monotonic() - last < QUIET_S:
        try:
            answer = client.pull(subscription=subscription, max_messages=pubsub.PULL, timeout=QUIET_S, retry=None)
        except exceptions.DeadlineExceeded:
            continue
        if not answer.received_messages:
            continue
        for received in answer.received_messages:
            add(received.message.data, int(received.message.publish_time.timestamp() * 1000))
        flush()
        pubsub.acknowledge(client, subscription, (received.ack_id for received in answer.received_messages))
        came, last = came + len(answer.received_messages), time.monotonic()
    return came


def main(words: list[str]) -> int:
    """The exit code."""
    names = pubsub.Names()
    match words:
        case ["topics"]:
            topics(names)
        case ["archive", file]:
            came, shown = archive(names, Path(file))
            sys.stdout.write(f"{came} messages and {shown} exposures into {file}\n")
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
