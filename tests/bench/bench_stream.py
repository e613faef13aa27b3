"""The stream on the local runner, from a Pub/Sub that holds the messages to the last write in Redis.

    python -m tests.bench stream

Against a pipeline that only reads and counts with the same repaired source, and against the same graph on Beam's
stock source and runner. Every run is a process of its own with a fresh subscription and an empty Redis; the variants
take turns. What the runs have counted is compared with the definition.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

from varde.store.sync import Store

from .parts import Queue, check_counts, in_a_process, queue, redis_server, settings
from .table import machine, median, say, table
from .traffic import counts_of_views, mix, views

ROUNDS = 3
MESSAGES = 80_000
CUSTOMERS = 8_000
"""Ten views each: 4.5 new pairs a message on average."""
STOCK_MESSAGES = 1_000
"""The stock source is slow, and gets slower with the number of customers it has met."""


class Variant(NamedTuple):
    """One line of the table; `without`: the repairs that are left out."""

    name: str
    messages: int
    graph: str = "full"
    without: tuple[str, ...] = ()


VARIANTS = (
    Variant("read, and count in a DoFn", MESSAGES, "read"),
    Variant("read, and count with Beam's own Count", MESSAGES, "count"),
    Variant("full graph", MESSAGES),
    Variant("full graph, only the source stock", STOCK_MESSAGES, without=("source",)),
    Variant("full graph, stock source and runner", STOCK_MESSAGES, without=("all",)),
)
REPAIR_MESSAGES = 10_000
SWITCHED_OFF = (
    Variant("all repairs", REPAIR_MESSAGES),
    Variant("without specs: signatures inspected for every bundle", REPAIR_MESSAGES, without=("specs",)),
    Variant("without copies: a pickled copy of the DoFn for every bundle", REPAIR_MESSAGES, without=("copies",)),
    Variant("without empty: bundles without elements go on", REPAIR_MESSAGES, without=("empty",)),
    Variant("without timers: every key is asked on every turn", REPAIR_MESSAGES, without=("timers",)),
    Variant("without states: timers copied deeply", REPAIR_MESSAGES, without=("states",)),
    Variant("without metrics: counters keep the first bundle only", REPAIR_MESSAGES, without=("metrics",)),
    Variant("without collector: cycles are looked for every 700 new objects", REPAIR_MESSAGES, without=("collector",)),
)


def measure(variant: Variant, messages: Sequence[bytes], pubsub: Queue, known: bool) -> tuple[float, float]:
    """One run: (messages per second, CPU us of its process per message). Counts of views (`known`) are checked."""
    some = messages[: variant.messages]
    subscription = pubsub.holding(some)
    with redis_server() as url:
        without = ["--without", *variant.without] if variant.without else []
        words = [subscription, str(len(some)), url, f"--graph={variant.graph}", *without]
        ran: dict[str, Any] = in_a_process("stream_variant", *words, env=pubsub.broker.env)
        if variant.graph == "full":
            store = Store.from_settings(settings(url))
            if known:
                assert check_counts(store, counts_of_views(some, settings(url)))
            assert ran["stats"]["messages"] == len(some)
            store.close()
    return len(some) / float(ran["seconds"]), float(ran["cpu"]) / len(some) * 1e6


def block(title: str, variants: Sequence[Variant], messages: Sequence[bytes], rounds: int, known: bool) -> None:
    """One table: the variants on the same messages."""
    runs: dict[str, list[tuple[float, float]]] = {variant.name: [] for variant in variants}
    with queue() as pubsub:
        say(f"\n{title}; Pub/Sub: {pubsub.broker.kind}; {machine()}")
        for _ in range(rounds):
            for variant in variants:
                runs[variant.name].append(measure(variant, messages, pubsub, known))
    rates = {name: median([rate for rate, _ in found]) for name, found in runs.items()}
    cpu = {name: median([used for _, used in found]) for name, found in runs.items()}
    base = variants[0].name
    rows = [
        [v.name, f"{min(v.messages, len(messages)):,}", f"{rates[v.name]:,.0f}", f"{rates[v.name] / rates[base]:.3f}",
         f"{cpu[v.name]:,.0f}", f"{cpu[base] / cpu[v.name]:.3f}", " ".join(f"{rate:,.0f}" for rate, _ in runs[v.name])]
        for v in variants
    ]  # fmt: skip
    table(["", "messages", "messages/s", "ratio", "CPU us", "ratio", "all rounds"], rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--repairs", action="store_true", help="also switch the repairs off, one by one (ADR 0006)")
    given = parser.parse_args()
    shop = views(MESSAGES, customers=CUSTOMERS)
    block(f"views of 600 bytes, {CUSTOMERS:,} customers, 3,000 items", VARIANTS, shop, given.rounds, True)
    block("the simulator's mix", VARIANTS[:3], mix(MESSAGES), given.rounds, False)
    if given.repairs:
        block("repairs switched off in turn, views", SWITCHED_OFF, shop, given.rounds, True)


if __name__ == "__main__":
    main()
