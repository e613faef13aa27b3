"""Backups: how long `varde export` and `varde import` take, how much memory, and how large the file is.

python -m tests.bench backup
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from varde import keys
from varde.settings import PREFIX

from .bench_apply import server
from .table import machine, say, table

NEIGHBOURS, VIEWS, DAYS = 64, 20, 2
PER_ITEM = 1 + DAYS
"""Keys of an item: its counts in one relation, and the days on which they changed."""


def fill(client: redis.Redis, total: int) -> int:
    """About so many keys, 60 % of items and 40 % of customers; how many there are."""
    rng = random.Random(1)
    items = int(total * 0.6 / PER_ITEM)
    today = int(time.time()) // 86_400
    numbers = [keys.SHARDS * (1 + n // keys.SHARDS) + n % keys.SHARDS for n in range(items)]
    pipe = client.pipeline(transaction=False)
    for at, number in enumerate(numbers):
        shard = number % keys.SHARDS
        pipe.hset(keys.numbers(shard), f"item-{at:06d}", number)
        pipe.hset(keys.names(shard), number, f"item-{at:06d}")
        pipe.hset(keys.supports(0, shard), number, 500)
        counts: dict[Any, Any] = {rng.choice(numbers): rng.randrange(1, 300) for _ in range(NEIGHBOURS)}
        pipe.hset(keys.pairs(0, number), mapping=counts)
        for day in range(today - DAYS, today):
            changed: dict[Any, Any] = {rng.choice(numbers): 1 for _ in range(NEIGHBOURS // 2)}
            pipe.hset(keys.pairs_day(0, number, day), mapping=changed)
            pipe.expire(keys.pairs_day(0, number, day), 900_000)
        if at % 500 == 0:
            pipe.execute()
    for who in range(total - items * PER_ITEM):
        name = keys.recents(f"{who:024x}", 0)
        pipe.zadd(name, {f"item-{rng.randrange(items):06d}": 1_790_000_000_000 + n for n in range(VIEWS)})
        pipe.expire(name, 7_000_000)
        if who % 500 == 0:
            pipe.execute()
    pipe.execute()
    return int(client.dbsize())


def run(url: str, *words: str) -> tuple[float, float, float]:
    """A command of `varde`: seconds, of these CPU, and the most memory that it had, MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "varde.cli", *words],
        env=os.environ | {f"{PREFIX}REDIS_URL": url},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    assert status == 0, words
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench backup", description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    given = parser.parse_args()
    say(machine())
    with server() as url, tempfile.TemporaryDirectory() as folder, redis.Redis.from_url(url) as client:
        there = fill(client, given.keys)
        file = Path(folder) / "varde.export"
        measured = [("export", run(url, "export", str(file)))]
        measured.append(("check", run(url, "import", str(file), "--check")))
        client.flushall()
        measured.append(("import, with serving rows", run(url, "import", str(file))))
        used, size = client.info("memory")["used_memory"] / 1e6, file.stat().st_size / 1e6
    say(f"{there:,} keys, {used:.0f} MB in Redis with rows, a file of {size:.1f} MB")
    rows = [[name, f"{seconds:.1f} s", f"{cpu:.1f} s", f"{memory:.0f} MB"] for name, (seconds, cpu, memory) in measured]
    table(["", "time", "CPU", "memory"], rows)


if __name__ == "__main__":
    main()
