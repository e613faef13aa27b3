"""Serving: requests a second and latencies against a bare aiohttp route in the same run, and what a server weighs.

Needs wrk. The client runs on the same machine, so absolute rates are low; read the ratios, and the CPU of the server.
"""

from __future__ import annotations

import argparse
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.bench.parts import redis_server
from tests.bench.serve import quota, world
from tests.bench.serve.load import Figures, bare, children, load, server, warm
from tests.bench.table import machine, median, say, table

WARM_S = 8
PART = 0.3
"""Of a core, for each of one and of two processes."""


def main() -> None:
    """Fill, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=6, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="also start a server with a million catalogue items")
    parser.add_argument("--two", action="store_true", help="also load two processes on one port")
    asked = parser.parse_args()
    say(f"Serving, {asked.items:,} items, {machine()}")
    with redis_server() as url:
        world.fill(url, asked.items, _now())
        _one_process(url, asked)
        if asked.two:
            _two_processes(url, asked)
    for items in (100_000, *((1_000_000,) if asked.large else ())):
        _weight(items)


def _now() -> int:
    return time.time_ns() // 1_000_000


ZIPF, COLD, FIRST, AGAIN, FIVE = (
    "similar, Zipf(1.0)",
    "similar, any item, just started",
    "similar, any item, for the first time",
    "similar, any item, other parameters",
    "recommendations, 5 seeds",
)
EARLY = 12_000
"""Requests before the rows are in memory."""


def _paths(items: int) -> dict[str, list[str]]:
    similar = "/v1/similar/"
    seeds = world.zipf(items, 500_000, seed=4).reshape(-1, 5).tolist()
    once = [similar + world.item(at) for at in world.uniform(items, items, seed=5)]
    some = world.uniform(items, min(items, 15_000))
    return {
        ZIPF: [similar + world.item(at) for at in world.zipf(items, 400_000)],
        COLD: once[:EARLY],
        FIRST: once[EARLY:],
        AGAIN: [f"{similar}{world.item(at)}?n=10" for at in some],
        FIVE: ["/v1/recommendations?items=" + ",".join(map(world.item, dict.fromkeys(five))) for five in seeds],
    }


def _one_process(url: str, asked: argparse.Namespace) -> None:
    paths = _paths(asked.items)
    zipf, first, again = paths[ZIPF], paths[FIRST], paths[AGAIN]
    with server(url) as (base, process):
        with urllib.request.urlopen(base + zipf[0]) as answer:
            size = len(answer.read())
        say(f"an answer has {size:,} bytes")
        with bare(size) as (bare_base, bare_process):

            def pair(chosen: Sequence[str], seconds: int) -> tuple[Figures, Figures]:
                bar = load(bare_base, bare_process.pid, chosen, seconds=seconds)
                return bar, load(base, process.pid, chosen, seconds=seconds)

            found: dict[str, list[tuple[Figures, Figures]]] = {}
            found[COLD] = [pair(part, 1) for part in _parts(paths[COLD], asked.rounds)]
            say(f"rows of all items are in memory after {warm(base):.0f} s more")
            found[FIRST] = [pair(part, 2) for part in _parts(first, asked.rounds)]
            load(base, process.pid, [path.replace("n=10", "n=9") for path in again], seconds=WARM_S)
            found[AGAIN] = [
                pair([path + "&in_stock=true" * (turn > 0) + "&fill=false" * (turn > 1) for path in again], 1)
                for turn in range(asked.rounds)
            ]
            load(base, process.pid, paths[FIVE], seconds=WARM_S)
            found[FIVE] = [pair(paths[FIVE], asked.seconds) for _ in range(asked.rounds)]
            load(base, process.pid, zipf, seconds=WARM_S)
            found[ZIPF] = [pair(zipf, asked.seconds) for _ in range(asked.rounds)]
            _print_rates(found)
            _latencies(base, process.pid, bare_base, bare_process.pid, zipf, asked.seconds)


def _parts(paths: Sequence[str], n: int) -> list[Sequence[str]]:
    """n parts: no item is asked for twice."""
    share = len(paths) // n
    return [paths[turn * share : (turn + 1) * share] for turn in range(n)]


def _print_rates(found: dict[str, list[tuple[Figures, Figures]]]) -> None:
    rows = []
    for name, pairs in found.items():
        rows.append(
            [
                name,
                f"{median([own.rate for _, own in pairs]):,.0f}",
                f"{median([own.rate / bar.rate for bar, own in pairs]):.2f}",
                f"{median([own.cpu for _, own in pairs]):.0f}",
                f"{median([bar.cpu / own.cpu for bar, own in pairs]):.2f}",
                f"{median([own.p50 for _, own in pairs]):.2f}",
                f"{median([own.p99 for _, own in pairs]):.2f}",
                str(sum(own.failed for _, own in pairs)),
            ]
        )
    bars = [bar for pairs in found.values() for bar, _ in pairs]
    bar_row = [
        "bare aiohttp route",
        f"{median([bar.rate for bar in bars]):,.0f}",
        "1",
        f"{median([b.cpu for b in bars]):.0f}",
    ]
    rows.append([*bar_row, "1", f"{median([b.p50 for b in bars]):.2f}", f"{median([b.p99 for b in bars]):.2f}", "0"])
    say("32 connections, one process:")
    table(["route", "requests/s", "of bare", "CPU µs", "of bare", "p50 ms", "p99 ms", "not 2xx"], rows)


def _latencies(base: str, pid: int, bare_base: str, bare_pid: int, paths: Sequence[str], seconds: int) -> None:
    """At concurrency 1, at half of capacity, and the most with p90 below 7 ms."""
    rows = []
    for name, at, of in (("bare aiohttp route", bare_base, bare_pid), (ZIPF, base, pid)):
        alone = load(at, of, paths, connections=1, seconds=seconds)
        full = load(at, of, paths, connections=32, seconds=seconds)
        pause_ms = 5
        half = load(
            at,
            of,
            paths,
            connections=max(2, round(full.rate / 2 * (pause_ms + 1) / 1000)),
            seconds=seconds,
            pause_ms=pause_ms,
        )
        best = full
        for connections in (64, 128):
            tried = load(at, of, paths, connections=connections, seconds=seconds)
            if tried.p90 < 7 and tried.rate > best.rate:
                best = tried
        rows.append(
            [
                name, f"{alone.p50:.2f}", f"{half.rate / full.rate:.2f}", f"{half.p50:.2f}", f"{half.p99:.2f}",
                f"{best.rate:,.0f}" if best.p90 < 7 else "none",
            ]
        )  # fmt: skip
    table(["route", "p50 ms alone", "part of capacity", "p50 ms there", "p99 ms there", "requests/s, p90 < 7 ms"], rows)


def _two_processes(url: str, asked: argparse.Namespace) -> None:
    """Two processes against one, each with PART of a core, so that wrk and Redis have the rest for themselves."""
    if not quota.possible():
        say("two processes: not measured, quotas of the processor cannot be given out here")
        return
    paths = _paths(asked.items)[ZIPF]
    found: dict[int, list[Figures]] = {1: [], 2: []}
    for processes, figures in found.items():
        with server(url, processes) as (base, process):
            warm(base)
            load(base, process.pid, paths, connections=64, seconds=WARM_S)
            with quota.limited(children(process.pid) or [process.pid], PART):
                load(base, process.pid, paths, connections=64, seconds=2)
                figures += [load(base, process.pid, paths, connections=64, seconds=asked.seconds) for _ in range(3)]
    say(f"{PART:.0%} of a core for each process, 64 connections:")
    table(
        ["processes", "requests/s", "of one", "CPU µs"],
        [
            [
                str(processes),
                f"{median([one.rate for one in figures]):,.0f}",
                f"{median([one.rate for one in figures]) / median([one.rate for one in found[1]]):.2f}",
                f"{median([one.cpu for one in figures]):.0f}",
            ]
            for processes, figures in found.items()
        ],
    )


def _weight(items: int) -> None:
    """How long a server takes to start with a catalogue, and its memory."""
    with redis_server() as url:
        world.fill(url, items, _now(), rows=False)
        began = time.monotonic()
        with server(url) as (_, process):
            took = time.monotonic() - began
            status = Path(f"/proc/{process.pid}/status").read_text()
            resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
    table(["catalogue items", "ready after s", "memory MB"], [[f"{items:,}", f"{took:.1f}", f"{resident:,.0f}"]])


if __name__ == "__main__":
    main()
