"""Freshness: from the confirmation of the event that completes a pair to the HTTP answer that shows it.

    python -m tests.bench freshness

The whole system runs as real processes (demo/system.py) under simulated shoppers. About every second a probe sends
two items that nobody has seen, viewed by as many new customers as a pair needs to be shown, and asks
/v1/similar/{item} until the other one is there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from dataclasses import dataclass

import aiohttp

from varde.demo.system import System, running
from varde.freshness import BOUNDS_MS, PREFIX, quantile
from varde.settings import Settings
from varde.store.sync import Store

from . import table as figures
from .table import machine, say, table
from .traffic import probe

RATE = 100.0
SECONDS = 75.0
EVERY_S = 1.03
"""Not a whole second, so that probes meet the stream's panes at all phases."""
ASK_EVERY_S = 0.02
LOST_AFTER_S = 30.0
WARM_UP_S = 15.0


@dataclass(frozen=True)
class Probed:
    """Seconds from the last confirmation to: the exact count in Redis, and the answer over HTTP."""

    counted: float
    shown: float


async def one_probe(number: int, system: System, store: Store, http: aiohttp.ClientSession) -> Probed:
    """Send one pair and wait for it.

    Raises:
        TimeoutError: it did not come within LOST_AFTER_S.
    """
    customers = system.settings.min_customers
    a, b = f"probe-{number}-a", f"probe-{number}-b"
    messages = [probe(f"probe-{number}-{who}", item) for who in range(customers) for item in (a, b)]
    sent = [system.publisher.publish(system.names.topic, data) for data in messages]
    await asyncio.gather(*map(asyncio.wrap_future, sent))
    confirmed = time.perf_counter()
    async with asyncio.timeout(LOST_AFTER_S):
        counted, shown = await asyncio.gather(
            _counted(store, a, b, customers), _shown(http, system.url, a, b, customers)
        )
    return Probed(counted - confirmed, shown - confirmed)


async def _counted(store: Store, a: str, b: str, customers: int) -> float:
    while store.pair_count(0, a, b) < customers:
        await asyncio.sleep(ASK_EVERY_S)
    return time.perf_counter()


async def _shown(http: aiohttp.ClientSession, url: str, a: str, b: str, customers: int) -> float:
    while True:
        async with http.get(f"{url}/v1/similar/{a}?n=5") as answer:
            answer.raise_for_status()
            body = await answer.json()
        if body["rung"] == "pairs":
            (entry,) = body["items"]
            assert (entry["id"], entry["customers"]) == (b, customers)
            return time.perf_counter()
        await asyncio.sleep(ASK_EVERY_S)


async def probes(system: System, store: Store, seconds: float) -> list[Probed]:
    """Probes at a steady pace, however long each one takes."""
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        began = time.monotonic()
        tasks: list[asyncio.Task[Probed]] = []
        while (passed := time.monotonic() - began) < seconds:
            system.check()
            tasks.append(group.create_task(one_probe(len(tasks), system, store, http)))
            await asyncio.sleep(len(tasks) * EVERY_S - passed)
    return [task.result() for task in tasks]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rate", type=float, default=RATE)
    given = parser.parse_args()
    say(f"freshness: {given.rate:g} simulated events/s; {machine()}")
    with running(Settings()) as system, contextlib.closing(Store.from_settings(system.settings)) as store:
        say(system.kinds)
        system.varde("simulate", f"--rate={given.rate}", f"--topic={system.names.topic}")
        _warm_up(system, store)
        before, began = store.stats(), time.monotonic()
        found = asyncio.run(probes(system, store, given.seconds))
        seconds = time.monotonic() - began
        after = store.stats()
    grown = {name: n - before.get(name, 0) for name, n in after.items()}
    _report(found, grown, seconds)


def _warm_up(system: System, store: Store) -> None:
    """Until the stream keeps up: messages of the last seconds are counted."""
    deadline = time.monotonic() + 120
    while store.stats().get("messages", 0) < RATE * WARM_UP_S:
        system.check()
        assert time.monotonic() < deadline, "the stream does not get going"
        time.sleep(0.5)


def _report(found: list[Probed], grown: dict[str, int], seconds: float) -> None:
    say(f"{len(found)} probes in {seconds:.0f} s; {grown['messages'] / seconds:.0f} messages/s, all parts together")
    parts = {
        "confirmed -> shown over HTTP": [p.shown for p in found],
        "confirmed -> counted in Redis": [p.counted for p in found],
        "counted -> shown": [max(0.0, p.shown - p.counted) for p in found],
    }
    rows = [
        [name, *(f"{figures.quantile(values, q):.2f}" for q in (0.5, 0.9, 0.99, 1.0))] for name, values in parts.items()
    ]
    table(["seconds", "p50", "p90", "p99", "max"], rows)
    pipeline = {name: n for name, n in grown.items() if name.startswith(PREFIX) and n > 0}
    shown = ", ".join(f"<= {bound} ms: {pipeline.get(f'{PREFIX}{bound}', 0)}" for bound in BOUNDS_MS
                      if pipeline.get(f"{PREFIX}{bound}"))  # fmt: skip
    say(f"the stream's own histogram (published -> applied): p50 <= {quantile(pipeline, 0.5)} s, "
        f"p99 <= {quantile(pipeline, 0.99)} s; {shown}")  # fmt: skip


if __name__ == "__main__":
    main()
