"""What an experiment costs `similar` when an `aid` is given: the same server in the same run, with and without one.

Needs wrk. Exposures go to a process that takes them and keeps nothing, so that publishing is part of what is measured.
With the experiment everybody is in it, half of them with another ranking; every row has been ordered in both before, as
it is in a shop after some minutes. Rounds alternate; read the ratio of CPU a request.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.parts import redis_server
from tests.bench.serve import world
from tests.bench.serve.load import Figures, free_port, load, process, server
from tests.bench.table import machine, median, say, table

WARM_S = 4
ITEMS = 2_000
EVERYBODY = """
[experiments.cosine]
[[experiments.cosine.variations]]
key = "control"
[[experiments.cosine.variations]]
key = "cosine"
ranking = "cosine"
"""


def main() -> None:
    """Fill, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each load")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    say(f"Experiments, {ITEMS:,} items, {machine()}")
    places = world.zipf(ITEMS, 200_000)
    with ExitStack() as stack:
        url = stack.enter_context(redis_server())
        world.fill(url, ITEMS, time.time_ns() // 1_000_000)
        plain, ours = stack.enter_context(server(url))
        tried, trying = stack.enter_context(server(url, more=stack.enter_context(_environment())))
        # Each visitor looks at five items: an exposure of one window, five lists, and never one of them again.
        every = [f"/v1/similar/{world.item(place)}?aid=visitor-{at // 5}" for at, place in enumerate(places)]
        share = len(every) // (asked.rounds + 1)
        both = [f"/v1/similar/{world.item(at)}?ranking={name}" for at in range(ITEMS) for name in ("llr", "cosine")]
        for base, pid in ((plain, ours.pid), (tried, trying.pid)):
            load(base, pid, both, seconds=WARM_S)
            load(base, pid, every[:share], seconds=WARM_S)
        rounds = [
            (
                load(plain, ours.pid, paths, seconds=asked.seconds),
                load(tried, trying.pid, paths, seconds=asked.seconds),
            )
            for turn in range(1, asked.rounds + 1)
            for paths in [every[turn * share : (turn + 1) * share]]
        ]
    _print(rounds)


@contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """VARDE_* of a server with an experiment and a topic."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, process(["-m", "tests.bench.serve.sink", str(port)]):
        config = Path(folder, "varde.toml")
        config.write_text(EVERYBODY)
        yield {
            "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{port}",
            "VARDE_CONFIG": str(config),
            "VARDE_EXPOSURES_TOPIC": "projects/bench/topics/exposures",
        }


def _print(rounds: list[tuple[Figures, Figures]]) -> None:
    rows = []
    for name, at in (("no experiment", 0), ("everybody in one", 1)):
        found = [pair[at] for pair in rounds]
        rate = median([pair[at].rate / pair[0].rate for pair in rounds])
        cpu = median([pair[at].cpu / pair[0].cpu for pair in rounds])
        rows.append(
            [
                name, f"{median([one.rate for one in found]):,.0f}", f"{rate:.3f}",
                f"{median([one.cpu for one in found]):.0f}", f"{cpu:.3f}",
                f"{median([one.p50 for one in found]):.2f}", f"{median([one.p99 for one in found]):.2f}",
                str(sum(one.failed for one in found)),
            ]
        )  # fmt: skip
    say("similar with aid, 32 connections, one process:")
    table(["experiment", "requests/s", "of none", "CPU µs", "of none", "p50 ms", "p99 ms", "not 2xx"], rows)


if __name__ == "__main__":
    main()
