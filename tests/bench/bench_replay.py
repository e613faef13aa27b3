"""Bounded replay: the graph of the stream over a file of messages, on the in-process batch runner, through Redis.

    python -m tests.bench replay

Against a pipeline that only reads the file and parses on the same runner. The runner is named, and its state cache is
off (local_runner.repair); the last line shows what the cache would cost. Every run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from varde.progress import settled
from varde.settings import Settings
from varde.store.sync import Store
from varde.streaming import local_runner
from varde.streaming.dead_letters import DEAD
from varde.streaming.options import StreamParameters
from varde.streaming.parse import ANONYMOUS, KNOWN, TALLY, ParseMessage
from varde.streaming.pipeline import build

from .parts import check_counts, in_a_process, redis_server, settings
from .table import machine, median, say, table
from .traffic import counts_of_views, mix, views

RUNNER = "FnApiRunner"
ROUNDS = 3
MESSAGES = 50_000
CACHED_MESSAGES = 5_000
READ_VIEWS, READ_MIX = "read and parse, views", "read and parse, the simulator's mix"


class Lines(beam.PTransform):
    """A file of messages, one a line -> (data, published ms)."""

    def __init__(self, file: str, published: int) -> None:
        super().__init__()
        self._file = file
        self._published = published

    def expand(self, start: Any) -> Any:
        """Read, and say when it was published: now, for all."""
        published = self._published
        return (
            start
            | "Lines" >> beam.io.ReadFromText(self._file, coder=BytesCoder())
            | "Published" >> beam.Map(lambda data: (data, published)).with_output_types(tuple[bytes, int])
        )


def run(graph: str, file: str, redis_url: str, cache_mb: int) -> dict[str, Any]:
    """Run the file through; the figures. Building the graph is not timed, running it is, start-up included."""
    local_runner.repair()
    local_runner.spare_the_collector()
    worker_handlers.STATE_CACHE_SIZE_MB = cache_mb
    pipeline = beam.Pipeline(options=PipelineOptions([f"--runner={RUNNER}"]))
    messages = pipeline | Lines(file, time.time_ns() // 1_000_000)
    parameters = StreamParameters(settings(redis_url), "bench")
    if graph == "full":
        build(messages, parameters, bounded=True)
    else:
        parsed = messages | beam.ParDo(ParseMessage(parameters.settings, 1)).with_outputs(ANONYMOUS, KNOWN, DEAD, TALLY)
        assert parsed is not None
    start, cpu = time.perf_counter(), time.process_time()
    pipeline.run().wait_until_finish()
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def measure(graph: str, messages: Sequence[bytes], known: bool, cache_mb: int = 0) -> tuple[float, float]:
    """One run: (messages per second, CPU us of its process per message). Counts of views (`known`) are checked."""
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file, redis_server() as url:
        Path(file.name).write_bytes(b"".join(line + b"\n" for line in messages))
        ran = in_a_process("bench_replay", "--run", graph, file.name, url, str(cache_mb))
        if graph == "full":
            _check(settings(url), messages, known)
    return len(messages) / float(ran["seconds"]), float(ran["cpu"]) / len(messages) * 1e6


def _check(chosen: Settings, messages: Sequence[bytes], known: bool) -> None:
    store = Store.from_settings(chosen)
    assert settled(store.stats(), len(messages))
    assert store.stats()["messages"] == len(messages)
    if known:
        assert check_counts(store, counts_of_views(messages, chosen))
    store.close()


def main() -> None:
    """Print the table, or (in the inner process) the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs=4, metavar=("GRAPH", "FILE", "REDIS", "CACHE_MB"), help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    if given.run:
        graph, file, url, cache_mb = given.run
        print(json.dumps(run(graph, file, url, int(cache_mb))))
        return
    say(f"replay: {MESSAGES:,} messages, {RUNNER}; {machine()}")
    # A line that is not JSON may hold a line break of its own; replay's files hold none.
    shop, mixed = views(MESSAGES, customers=MESSAGES // 10), [data for data in mix(MESSAGES) if b"\n" not in data]
    regulars = views(MESSAGES, customers=MESSAGES // 25)
    cases = {
        READ_VIEWS: (("read", shop, True), 0),
        "full graph, views, 10 a customer": (("full", shop, True), 0),
        "full graph, views, 25 a customer": (("full", regulars, True), 0),
        READ_MIX: (("read", mixed, False), 0),
        "full graph, the simulator's mix": (("full", mixed, False), 0),
        "full graph, views, 10 a customer, 100 MB state cache": (("full", shop[:CACHED_MESSAGES], True), 100),
    }
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(given.rounds):
        for name, (words, cache_mb) in cases.items():
            runs[name].append(measure(*words, cache_mb))
    rows = []
    for name, found in runs.items():
        rate, cpu = median([rate for rate, _ in found]), median([used for _, used in found])
        base = median([rate for rate, _ in runs[READ_VIEWS if "views" in name else READ_MIX]])
        every = " ".join(f"{rate:,.0f}" for rate, _ in found)
        rows.append([name, f"{len(cases[name][0][1]):,}", f"{rate:,.0f}", f"{rate / base:.3f}", f"{cpu:,.0f}", every])
    table(["", "messages", "messages/s", "ratio", "CPU us", "all rounds"], rows)


if __name__ == "__main__":
    main()
