"""The nightly job's writes: rows per second into a real Redis, what a reader feels of it, and a whole night.

    python -m tests.bench night

A reader in a process of its own asks every 2 ms for a plain value (GET) and for a serving row, first while nothing
else happens, then while rows are put into an empty Redis, put again (nothing changes), and put with other counts. Then
the whole job on online_retail.csv.gz, phase by phase: queries, compare, apply, and what is written for reports; left
out when it is not in ../shared/data, or with --no-retail.
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis

from varde.batch import apply as writing
from varde.batch import bootstrap, count, drift, freshness, nightly, outputs
from varde.batch.counting import Here
from varde.batch.loader import Loader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.demo import formats
from varde.history import DAY_MS
from varde.pairs import Relation
from varde.settings import Settings
from varde.store import rewrite
from varde.store.night import NightStore

from .bench_apply import server
from .bench_count import DATA, generated
from .table import machine, quantile, say, table

RETAIL = DATA / "online_retail.csv.gz"
WINDOW_DAYS = 400
"""All of the file."""
NOW = 20_400 * DAY_MS
EVERY_S = 0.002
ITEM = "SKU-000000"
QUIET_S = 5.0
BLOCK = 256
WRITES = ("evalsha", "hset", "hgetall")

Cells = Mapping[str, int]


def read(url: str) -> None:
    """Ask until standard input is closed, then print [[ms of a GET, …], [ms of a row, …]]."""
    client = redis.Redis.from_url(url)
    with closing(NightStore.from_settings(Settings(redis_url=url))) as store:
        took: tuple[list[float], list[float]] = ([], [])
        asked: tuple[Callable[[], object], Callable[[], object]] = (
            lambda: client.get("bench"),
            lambda: store.row(Relation.ALSO_VIEWED, ITEM),
        )
        for ask in asked:
            ask()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], EVERY_S)[0]:
            for ask, times in zip(asked, took, strict=True):
                start = time.perf_counter()
                ask()
                times.append((time.perf_counter() - start) * 1000)
    sys.stdout.write(json.dumps(took))


class Reader:
    """The reader's process; `line` has what it felt once the block is left."""

    def __init__(self, url: str) -> None:
        self._command = [sys.executable, "-m", "tests.bench.bench_night", "--read", url]
        self.line: list[str] = []

    def __enter__(self) -> Reader:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        told = self._process.communicate("\n")[0]
        for times in json.loads(told):
            self.line += [f"{n:.2f}" for n in (quantile(times, 0.5), quantile(times, 0.99), max(times))]


def slowest(client: Any) -> str:
    """The 99.9th percentile of the slowest kind of command by Redis' own clock, ms; from Redis 7.0 on."""
    told = client.info("latencystats")
    of_all = [float(found["p99.9"]) / 1000 for name, found in told.items() if name.split("_")[-1] in WRITES]
    return f"{max(of_all):.2f}" if of_all else "?"


def put(store: NightStore, rows: list[tuple[str, Cells]]) -> None:
    """As varde.batch.apply does it."""
    for start in range(0, len(rows), BLOCK):
        store.rewrite_rows(Relation.ALSO_VIEWED, dict(rows[start : start + BLOCK]), NOW // DAY_MS)


def stalls(customers: int) -> None:
    """The table of what a reader feels."""
    rows: list[tuple[str, Cells]] = list(count.rows(count.incidence(generated(customers)), Relation.ALSO_VIEWED))
    cells = sum(len(row) for _, row in rows)
    largest = max(len(row) for _, row in rows)
    say(f"\n{len(rows):,} rows, {cells:,} counts, {largest:,} in the largest row")
    with server() as url, closing(NightStore.from_settings(Settings(redis_url=url), lambda: NOW)) as store:
        client = redis.Redis.from_url(url)
        lines = []
        with Reader(url) as reader:
            time.sleep(QUIET_S)  # the reader's own figures, with nothing to wait for
        lines.append(["nothing else", "", "", *reader.line, ""])
        one_more: list[tuple[str, Cells]] = [(item, {other: n + 1 for other, n in row.items()}) for item, row in rows]
        for name, given in (("new rows", rows), ("the same again", rows), ("every count changed", one_more)):
            client.config_resetstat()
            with Reader(url) as reader:
                start = time.perf_counter()
                put(store, given)
                seconds = time.perf_counter() - start
            rates = f"{len(rows) / seconds:,.0f}", f"{cells / seconds:,.0f}"
            lines.append([name, *rates, *reader.line, slowest(client)])
        item, expected = max(one_more, key=lambda row: len(row[1]))
        assert store.counts(Relation.ALSO_VIEWED, item) == expected
    head = ["GET ms p50", "p99", "max", "row ms p50", "p99", "max", "a command's p99.9"]
    table(["", "rows/s", "counts/s", *head], lines)


class Clock:
    """Seconds of wall, of this process and of a Redis since the last question."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._last = self._now()

    def _now(self) -> list[float]:
        told = self._client.info("cpu")
        return [time.perf_counter(), time.process_time(), told["used_cpu_user"] + told["used_cpu_sys"]]

    def lap(self) -> list[str]:
        """The three, as shown in a table."""
        before, self._last = self._last, self._now()
        return [f"{after - first:.1f}" for first, after in zip(before, self._last, strict=True)]


@contextmanager
def loaded(folder: str, settings: Settings) -> Iterator[DuckDBWarehouse]:
    """A warehouse with the file's messages."""
    with DuckDBWarehouse(Path(folder) / "night.duckdb") as warehouse:
        loader = Loader(warehouse, settings.mapping)
        for message in formats.read("online-retail", RETAIL):
            loader.add(message.data, message.time)
        loader.flush()
        yield warehouse


def whole(settings: Settings, warehouse: DuckDBWarehouse) -> None:
    """The table of a whole night, phase by phase, and of another one with the same counts.

    Raises:
        AssertionError: Redis does not hold what the night says.
    """
    clock = Clock(redis.Redis.from_url(settings.redis_url))
    as_of = freshness.newest(warehouse)
    day = as_of // DAY_MS + 1
    lines = [["freshness", *clock.lap()]]
    warehouse.define()
    result = nightly.build(warehouse, as_of, settings.limits, settings.mapping)
    lines.append(["queries", *clock.lap()])
    with closing(NightStore.from_settings(settings, lambda: as_of)) as store:
        for name in ("an empty Redis", "again"):
            found = drift.against_store(store, result.rows, result.supports, day)
            lines.append([f"compare, {name}: {found.pairs_different:,} pairs different", *clock.lap()])
            if name == "an empty Redis":
                bootstrap.fill(warehouse, store, result, settings)
                lines.append(["popularity and latest items", *clock.lap()])
            done = writing.apply(result, store, day, name)
            lines.append([f"apply, {name}: {done.rows_changed:,} of {done.rows:,} rows changed", *clock.lap()])
        found = drift.against_store(store, result.rows, result.supports, day)
        assert found.pairs_different == found.supports_different == 0
        lines.append([f"compare afterwards: {found.pairs_compared:,} pairs", *clock.lap()])
    lines += reported(warehouse, result, found, clock)
    say(f"\n{RETAIL.name}: {result.rows_of['histories']:,} rows of histories")
    table(["", "wall s", "CPU s", "Redis CPU s"], lines)
    say(f"  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB at most, loading included")


def reported(
    warehouse: DuckDBWarehouse, result: nightly.Night, found: drift.Summary, clock: Clock
) -> Iterator[list[str]]:
    """The lines of what is written for reports."""
    assert isinstance(result.counted, Here)
    pairs = outputs.fill_pairs(warehouse, result.counted.incidence)
    yield [f"report, pairs: {pairs:,}", *clock.lap()]
    rows = outputs.publish(warehouse)
    yield [f"report, supports and neighbours: {sum(rows.values()):,} rows", *clock.lap()]
    counted = outputs.Counted(
        result.as_of, result.window_start, result.customers, len(result.counted.items), pairs, result.faults
    )
    outputs.record(warehouse, outputs.Run("bench", result.as_of, 0.0, "bench", (), True), counted, found)
    yield ["report, the run", *clock.lap()]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_night", description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000, help="customers of the generated histories")
    parser.add_argument("--no-retail", action="store_true", help="leave the whole job out")
    parser.add_argument("--no-stalls", action="store_true", help="the whole job alone")
    parser.add_argument("--read", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.read)
        return
    say(f"the nightly job's writes; {machine()}")
    say(f"at most {rewrite.CELLS_PER_CALL:,} counts and {rewrite.ROWS_PER_CALL} rows a call")
    if not given.no_stalls:
        stalls(given.customers)
    if given.no_retail:
        return
    if not RETAIL.exists():
        say(f"\n{RETAIL.name}: not in {DATA}, left out")
        return
    with server() as url, tempfile.TemporaryDirectory(prefix="varde-bench-") as folder:
        settings = replace(Settings(), redis_url=url, window_days=WINDOW_DAYS)
        with loaded(folder, settings) as warehouse:
            whole(settings, warehouse)


if __name__ == "__main__":
    main()
