"""Pair updates per second through the token script, against plain pipelined HINCRBY of the same batches and run.

    python -m tests.bench apply

Both sides start from the same deliveries (item ids and differences) and write the same hashes; the script also checks
the batch, keeps the token and deletes zero sums. The rounds of all variants take turns, so that a busy machine is busy
for all of them; the median round counts.
"""

from __future__ import annotations

import itertools
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import redis

from varde import keys
from varde.delivery import Delivery, Token
from varde.history import DAY_MS
from varde.settings import Settings
from varde.store.sync import Store

BATCH = 1000
ROUNDS = 30
ITEMS = 60_000
NOW = 20_400 * DAY_MS
TODAY, LONG_AGO = 20_400, 20_000


@contextmanager
def server(binary: str = "redis-server") -> Iterator[str]:
    """A Redis of this bench's own on a socket; its URL."""
    with tempfile.TemporaryDirectory(prefix="varde-bench-") as folder:
        path = Path(folder) / "s"
        command = [
            binary,
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--dir",
            folder,
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not path.exists():
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait()


def deliveries(columns: int, day: int, lane: int) -> list[Delivery]:
    """Batches of one shard: rows of about `columns` new pairs each, popular items more often."""
    chance = random.Random(3)
    items = [f"SKU-{n:06d}" for n in range(ITEMS)]
    shard = keys.shard_of(items[0])
    rows = [item for item in items if keys.shard_of(item) == shard]
    popular = list(itertools.accumulate(1 / (n + 1) ** 0.5 for n in range(ITEMS)))
    out = []
    for index in range(ROUNDS):
        batch = []
        for _ in range(BATCH // columns):
            some = dict.fromkeys(chance.choices(items, cum_weights=popular, k=columns), 1)
            batch.append((0, day, chance.choice(rows), some))
        out.append(Delivery(Token("bench", lane, index, 0), shard, rows=batch))
    return out


def pipelined(client: redis.Redis, numbers: dict[str, int], delivery: Delivery, dated: bool) -> None:
    """What one would write without a script: not repeatable, zero sums stay."""
    pipe = client.pipeline(transaction=False)
    for relation, day, item, cells in delivery.rows:
        total, days = keys.pairs(relation, numbers[item]), keys.pairs_day(relation, numbers[item], day)
        for column, n in cells.items():
            pipe.hincrby(total, str(numbers[column]), n)
            if dated:
                pipe.hincrby(days, str(numbers[column]), n)
        if dated:
            pipe.expire(days, 14 * 86_400)
    pipe.execute()


def measure(columns: int) -> None:
    """One block of the table."""
    with server() as url:
        settings = Settings(redis_url=url)
        store = Store.from_settings(settings, lambda: NOW)
        client = redis.Redis.from_url(url)
        numbers = dict(zip(ids := [f"SKU-{n:06d}" for n in range(ITEMS)], store.intern(ids), strict=True))
        old, new = deliveries(columns, LONG_AGO, 0), deliveries(columns, TODAY, 1)
        store.apply(replace(old[0], token=Token("warm", 0, 0, 0)))
        variants: dict[str, tuple[list[Delivery], Callable[[Delivery], object]]] = {
            "pipelined HINCRBY, counts": (old, lambda d: pipelined(client, numbers, d, False)),
            "token script, counts": (old, store.apply),
            "pipelined HINCRBY, counts and days": (new, lambda d: pipelined(client, numbers, d, True)),
            "token script, counts and days": (new, store.apply),
            "serving rows after it": (new, store.refresh),
        }
        client.flushdb()
        store.intern(ids)
        rates: dict[str, list[float]] = {name: [] for name in variants}
        for index in range(ROUNDS):
            for name, (batches, run) in variants.items():
                start = time.perf_counter()
                run(batches[index])
                rates[name].append(batches[index].updates / (time.perf_counter() - start))
        say(f"\n{columns} pairs a row, batches of {BATCH}{'':24} updates/s      us  ratio")
        base = 1.0
        for name in variants:
            rate = statistics.median(rates[name])
            base = rate if name.startswith("pipelined") else base
            say(f"  {name:44} {rate:12,.0f} {1e6 / rate:7.2f} {rate / base:6.2f}")
        per_row = [b.updates / r / len(b.rows) * 1e6 for b, r in zip(new, rates["serving rows after it"], strict=True)]
        say(f"  a serving row patched in {statistics.median(per_row):.0f} us, Redis included")
        store.close()


def say(line: str) -> None:
    """A line of the table."""
    sys.stdout.write(line + "\n")


def main() -> None:
    """Print the table."""
    for columns in (1, 4, 20):
        measure(columns)


if __name__ == "__main__":
    main()
