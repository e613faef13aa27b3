"""What an experiment costs `similar` when an `aid` is given: the same server in the same run, without one and with two.

Needs wrk. Exposures go to a process that takes them and keeps nothing, so that publishing is part of what is measured.
In both experiments is everybody. In the first the variations are alike: what it costs is the dealing and the exposures.
In the second half of all get another ranking; every row has been ordered in both before, as it is in a shop after some
minutes. The servers take turns: each round begins with another one, and every other goes backwards. Read the ratios,
which are medians of those of the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.parts import redis_server
from tests.bench.serve import world
from tests.bench.serve.load import Figures, free_port, load, process, server
from tests.bench.table import machine, median, say, table

WARM_S = 4
ITEMS = 2_000
ALIKE = """
[experiments.cosine]
[[experiments.cosine.variations]]
key = "control"
[[experiments.cosine.variations]]
key = "cosine"
"""
SERVERS = {"no experiment": "", "variations alike": ALIKE, "another ranking": ALIKE + 'ranking = "cosine"\n'}


def main() -> None:
    """Fill, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=int, default=1, help="of each load: short, so that a machine is alike in a round"
    )
    parser.add_argument("--rounds", type=int, default=30)
    asked = parser.parse_args()
    say(f"Experiments, {ITEMS:,} items, {machine()}")
    places = world.zipf(ITEMS, 200_000)
    with ExitStack() as stack:
        url = stack.enter_context(redis_server())
        world.fill(url, ITEMS, time.time_ns() // 1_000_000)
        sink = stack.enter_context(_sink())
        loaded = [
            stack.enter_context(server(url, more=stack.enter_context(_environment(sink, text))))
            for text in SERVERS.values()
        ]
        # Each visitor looks at five items: an exposure of one window, five lists, and never one of them again.
        every = [f"/v1/similar/{world.item(place)}?aid=visitor-{at // 5}" for at, place in enumerate(places)]
        share = len(every) // (asked.rounds + 1)
        both = [f"/v1/similar/{world.item(at)}?ranking={name}" for at in range(ITEMS) for name in ("llr", "cosine")]
        for base, process_ in loaded:
            load(base, process_.pid, both, seconds=WARM_S)
            load(base, process_.pid, every[:share], seconds=WARM_S)
        rounds = []
        for turn in range(1, asked.rounds + 1):
            paths = every[turn * share : (turn + 1) * share]
            order = [(turn + at) % len(loaded) for at in range(len(loaded))][:: 1 if turn % 2 else -1]
            found = {at: load(loaded[at][0], loaded[at][1].pid, paths, seconds=asked.seconds) for at in order}
            rounds.append([found[at] for at in range(len(loaded))])
    _print(rounds)


@contextmanager
def _sink() -> Iterator[str]:
    """Where there is what takes exposures."""
    port = free_port()
    with process(["-m", "tests.bench.serve.sink", str(port)]):
        yield f"127.0.0.1:{port}"


@contextmanager
def _environment(sink: str, text: str) -> Iterator[dict[str, str]]:
    """VARDE_* of a server with a topic and a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "varde.toml")
        config.write_text(text)
        yield {
            "PUBSUB_EMULATOR_HOST": sink,
            "VARDE_CONFIG": str(config),
            "VARDE_EXPOSURES_TOPIC": "projects/bench/topics/exposures",
        }


def _print(rounds: list[list[Figures]]) -> None:
    def of_none(at: int, figure: Callable[[Figures], float]) -> str:
        return f"{median([figure(one[at]) / figure(one[0]) for one in rounds]):.3f}"

    rows = []
    for at, name in enumerate(SERVERS):
        found = [one[at] for one in rounds]
        rows.append(
            [
                name, f"{median([one.rate for one in found]):,.0f}", of_none(at, lambda one: one.rate),
                f"{median([one.own for one in found]):.0f}", of_none(at, lambda one: one.own),
                f"{median([one.cpu - one.own for one in found]):.0f}", of_none(at, lambda one: one.cpu),
                f"{median([one.p50 for one in found]):.2f}", f"{median([one.p99 for one in found]):.2f}",
                str(sum(one.failed for one in found)),
            ]
        )  # fmt: skip
    say("similar with aid, 32 connections, one process; CPU in µs a request:")
    heads = ["experiment", "requests/s", "of none", "CPU", "of none", "its writer's", "both, of none"]
    table([*heads, "p50 ms", "p99 ms", "not 2xx"], rows)


if __name__ == "__main__":
    main()
