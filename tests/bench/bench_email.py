"""Email tools in a hurry: 1,500 look-ups a second over 3,000 connections, against a bare aiohttp route in the same run.

Needs wrk, on the same machine as the server. Recipients have looked at three items each.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tests.bench.parts import redis_server
from tests.bench.serve import world
from tests.bench.serve.load import Figures, bare, load, server, warm
from tests.bench.table import machine, median, say, table

from varde import keys
from varde.delivery import Recent
from varde.settings import Settings
from varde.store.sync import Store

KEY = "bench-only"
CONFIG = f"""
[access]
public = ["read", "explain"]
[[clients]]
name = "tool"
keys = ["sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"]
scopes = ["email"]
[placements.mail]
source = "recommendations"
n = 4
[email]
shop_url = "https://shop.example"
utm = {{ utm_source = "varde", utm_campaign = "{{campaign}}" }}
"""
VIEWS = 3
BARE, FIRST, AGAIN, NOW_BEST = "bare aiohttp route", "first render", "render again", "without send_id"


def main() -> None:
    """Fill, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--recipients", type=int, default=40_000)
    parser.add_argument("--rate", type=int, default=1_500, help="requests a second that are tried")
    parser.add_argument("--connections", type=int, default=3_000)
    parser.add_argument("--processes", type=int, default=1, help="of the server, on one port")
    parser.add_argument("--seconds", type=int, default=8, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    say(f"Email, {asked.items:,} items, {asked.recipients:,} recipients, {machine()}")
    with redis_server() as url, tempfile.TemporaryDirectory() as folder:
        world.fill(url, asked.items, _now())
        _customers(url, asked.items, asked.recipients)
        file = Path(folder, "varde.toml")
        file.write_text(CONFIG)
        with server(url, asked.processes, more={"VARDE_CONFIG": str(file)}) as (base, process):
            warm(base)
            _loads(base, process.pid, asked)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _customers(url: str, items: int, recipients: int) -> None:
    """Recipients with their latest views."""
    store, now = Store.from_settings(Settings(redis_url=url, max_items=2_000_000)), _now()
    seen = world.zipf(items, recipients * VIEWS, seed=6).reshape(-1, VIEWS).tolist()
    made = [
        Recent(keys.customer_key(f"u-{at}", None), {world.item(place): now - n for n, place in enumerate(views)})
        for at, views in enumerate(seen)
    ]
    for start in range(0, len(made), 1_000):
        store.remember(made[start : start + 1_000])
    store.close()


def _loads(base: str, pid: int, asked: argparse.Namespace) -> None:
    order = np.random.default_rng(7).permutation(asked.recipients).tolist()
    target = f"/v1/email/recs?key={KEY}&placement=mail&campaign=spring&uid=u-%d"
    size = len(_answer(f"{base}{target % 1}&send_id=size"))
    say(f"an answer has {size:,} bytes; {asked.rate:,} requests/s, {asked.connections:,} connections")
    say(f"processes of the server: {asked.processes}")
    found: dict[str, list[Figures]] = {BARE: [], FIRST: [], AGAIN: [], NOW_BEST: []}
    with bare(size) as (bare_base, bare_process):
        for turn in range(asked.rounds):
            found[BARE].append(_burst(bare_base, bare_process.pid, ["/v1/similar/x"], asked))
            paths = [f"{target % at}&send_id=s-{turn}" for at in order]
            found[FIRST].append(_burst(base, pid, paths, asked))
            found[AGAIN].append(_burst(base, pid, paths, asked))
            found[NOW_BEST].append(_burst(base, pid, [target % at for at in order], asked))
    head = ["", "requests/s", "CPU µs", "p50 ms", "p90 ms", "p99 ms", "not 2xx"]
    table(head, list(_rows(found)))
    metrics = _answer(f"{base}/metrics")
    counted = re.findall(r'^varde_email_answers_total\{.*?result="(\w+)".*?\} (\S+)$', metrics, re.MULTILINE)
    total = sum(float(n) for _, n in counted)
    of_route = re.findall(r"^varde_http_requests_total\{(.*?email/recs.*?)\} (\S+)$", metrics, re.MULTILINE)
    say("statuses: " + ", ".join(f"{n} of {labels}" for labels, n in of_route))
    say("answers: " + ", ".join(f"{name} {float(n) / total:.2%}" for name, n in counted))


def _burst(base: str, pid: int, paths: list[str], asked: argparse.Namespace) -> Figures:
    pause_ms = round(asked.connections / asked.rate * 1000)
    return load(base, pid, paths, connections=asked.connections, seconds=asked.seconds, pause_ms=pause_ms, spread=True)


def _answer(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def _rows(found: dict[str, list[Figures]]) -> Iterator[list[str]]:
    for name, figures in found.items():
        yield [
            name,
            f"{median([one.rate for one in figures]):,.0f}",
            f"{median([one.cpu for one in figures]):,.0f}",
            f"{median([one.p50 for one in figures]):.1f}",
            f"{median([one.p90 for one in figures]):.1f}",
            f"{median([one.p99 for one in figures]):.1f}",
            str(sum(one.failed for one in figures)),
        ]


if __name__ == "__main__":
    main()
