"""`varde capacity`: customers, items and events per second, as memory, workers, bytes and money. Pure but for main.

Every figure is a product that docs/capacity.md writes down; what it is made of is an option, a price or measured.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from varde.footprint import DAY_S, ID_BYTES, Shop, memory
from varde.settings import Settings, from_env

GB = 1e9
TIB = 2**40
MONTH_H = 730.0
ROOM = 1.5
"""maxmemory for a byte of data: copies while a file is rewritten, fragmentation, and what a nightly run holds twice."""
EVENT_US, ANSWER_US = 265.0, 170.0
"""CPU of a message (full graph, nothing but new views) and of an answer (recommendations): docs/benchmarks.md."""
BUSY = 0.6
"""Part of a CPU that is planned to be used."""
RAW_COPIES = 3
"""A message is in Segment's `tracks`, in its event's own table, and among the raw messages."""
READ_PART = 0.3
"""Part of a message's bytes in the columns that the nightly queries read, all tables together."""

PRICES = {
    "redis_gb_hour": 0.049,
    "dataflow_vcpu_hour": 0.069,
    "dataflow_memory_gb_hour": 0.0036,
    "pubsub_tib": 40.0,
    "bigquery_storage_gb_month": 0.02,
    "bigquery_scanned_tib": 6.25,
    "run_vcpu_hour": 0.0864,
    "run_memory_gb_hour": 0.009,
}
"""Examples in US dollars, to be replaced by those of one's own region and contract."""
WORKER_GB = 3.75
"""Memory of a worker's vCPU."""
SERVER_GB = 1.0
"""Memory of a server's vCPU; a shop of 100,000 items takes 376 MB a process."""


@dataclass(frozen=True, slots=True)
class Load:
    """What comes in: events a second on average, and at most as a multiple; answers a second; bytes a message."""

    events_per_s: float
    peak: float = 3.0
    answers_per_s: float = 0.0
    message_bytes: float = 600.0
    event_us: float = EVENT_US
    answer_us: float = ANSWER_US
    kept_days: int = 400


@dataclass(frozen=True, slots=True)
class Plan:
    """What is needed. redis: bytes by what they are for. workers, server_vcpus: at the peak, whole vCPUs.
    stored: bytes in BigQuery. scanned, published: bytes a month. month: cost by part."""

    redis: Mapping[str, float]
    maxmemory: float
    workers: int
    server_vcpus: int
    stored: float
    scanned: float
    published: float
    month: Mapping[str, float]

    def figures(self) -> dict[str, Any]:
        """As plain objects, for JSON; bytes are whole, money has cents."""
        return {
            "redis_bytes": {name: round(n) for name, n in self.redis.items()},
            "redis_maxmemory_bytes": round(self.maxmemory),
            "dataflow_vcpus": self.workers,
            "server_vcpus": self.server_vcpus,
            "bigquery_stored_bytes": round(self.stored),
            "bigquery_scanned_bytes_month": round(self.scanned),
            "pubsub_bytes_month": round(self.published),
            "cost_month": {name: round(cost, 2) for name, cost in self.month.items()},
            "cost_month_total": round(sum(self.month.values()), 2),
        }


def vcpus(per_s: float, us: float) -> int:
    """Whole vCPUs for so many a second that take so many µs each; at least one."""
    return max(1, math.ceil(per_s * us / 1e6 / BUSY))


def plan(shop: Shop, load: Load, settings: Settings, prices: Mapping[str, float]) -> Plan:
    """All figures."""
    redis = memory(shop, settings)
    maxmemory = ROOM * sum(redis.values())
    workers = vcpus(load.events_per_s * load.peak, load.event_us)
    servers = vcpus(load.answers_per_s * load.peak, load.answer_us)
    day = load.events_per_s * DAY_S * load.message_bytes
    stored = RAW_COPIES * day * load.kept_days
    scanned = READ_PART * RAW_COPIES * day * settings.window_days * MONTH_H / 24
    published = 2 * day * MONTH_H / 24  # once in, once to the stream
    month = {
        "redis": maxmemory / GB * prices["redis_gb_hour"] * MONTH_H,
        "dataflow": workers * (prices["dataflow_vcpu_hour"] + WORKER_GB * prices["dataflow_memory_gb_hour"]) * MONTH_H,
        "servers": servers * (prices["run_vcpu_hour"] + SERVER_GB * prices["run_memory_gb_hour"]) * MONTH_H,
        "pubsub": published / TIB * prices["pubsub_tib"],
        "bigquery storage": stored / GB * prices["bigquery_storage_gb_month"],
        "bigquery queries": scanned / TIB * prices["bigquery_scanned_tib"],
    }
    return Plan(redis, maxmemory, workers, servers, stored, scanned, published, month)


_LOAD, _SHOP = Load(0), Shop(0, 0)
"""The defaults."""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde capacity",
        description="What a shop needs: Redis memory, vCPUs, BigQuery bytes and money a month. Estimates from measured "
        "figures; docs/capacity.md has every formula. VARDE_* settings that bound something are used.",
        epilog="Prices are examples in US dollars: replace them by --price NAME=VALUE, names: " + ", ".join(PRICES),
    )
    parser.add_argument("--customers", type=_whole, required=True, help="with a history in the window, known or not")
    parser.add_argument("--items", type=_whole, required=True, help="that customers meet")
    parser.add_argument("--events-per-second", type=_amount, required=True, help="that count, on average")
    parser.add_argument(
        "--peak", type=_amount, default=_LOAD.peak, help=f"busiest second, as a multiple [{_LOAD.peak:g}]"
    )
    parser.add_argument("--answers-per-second", type=_amount, help="of servers, on average [as many as events]")
    parser.add_argument("--message-bytes", type=_amount, default=_LOAD.message_bytes, help="[600]")
    parser.add_argument("--id-bytes", type=_amount, default=float(ID_BYTES), help="of an item id [10]")
    parser.add_argument(
        "--neighbours",
        type=_three,
        default=_SHOP.neighbours,
        metavar="V,B,W",
        help="of an item: also viewed, also bought, viewed and bought [128,16,32]",
    )
    parser.add_argument("--days-kept", type=_whole, default=_LOAD.kept_days, help="of messages in BigQuery [400]")
    parser.add_argument(
        "--price", type=_price, action="append", default=[], metavar="NAME=VALUE", help="instead of ours"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e12:
        msg = f"must be a number above 0, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _whole(text: str) -> int:
    value = _amount(text)
    if value != int(value):
        msg = f"must be a whole number, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(value)


def _three(text: str) -> tuple[float, ...]:
    parts = tuple(_amount(part) for part in text.split(","))
    if len(parts) != len(_SHOP.neighbours):
        msg = f"must be three numbers, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return parts


def _price(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in PRICES:
        msg = f"no such price: {name!r}; there are {', '.join(PRICES)}"
        raise argparse.ArgumentTypeError(msg)
    return name, 0.0 if value in ("0", "0.0") else _amount(value)


def command(argv: Sequence[str]) -> int:
    """`varde capacity` with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    settings = from_env(os.environ)
    given = _arguments().parse_args(argv)
    shop = Shop(given.customers, given.items, given.neighbours, id_bytes=given.id_bytes)
    shop = replace(shop, batches_per_s=min(shop.batches_per_s, given.events_per_second))
    answers = given.answers_per_second or given.events_per_second
    load = Load(given.events_per_second, given.peak, answers, given.message_bytes, kept_days=given.days_kept)
    found = plan(shop, load, settings, PRICES | dict(given.price))
    sys.stdout.write((orjson.dumps(found.figures()).decode() if given.json else text(found)) + "\n")
    return 0


def text(found: Plan) -> str:
    """For people."""
    lines = [f"Redis: {name:18} {n / GB:10,.2f} GB" for name, n in found.redis.items()]
    lines += [
        f"Redis: {'maxmemory':18} {found.maxmemory / GB:10,.2f} GB, {ROOM:g} times the sum",
        f"Dataflow                  {found.workers:10,} vCPUs at the peak",
        f"servers                   {found.server_vcpus:10,} vCPUs at the peak",
        f"BigQuery, stored          {found.stored / GB:10,.0f} GB",
        f"BigQuery, read a month    {found.scanned / GB:10,.0f} GB",
        f"Pub/Sub, a month          {found.published / GB:10,.0f} GB",
        *(f"a month: {name:16} {cost:10,.0f}" for name, cost in found.month.items()),
        f"a month: {'together':16} {sum(found.month.values()):10,.0f} at the prices given, which are examples",
    ]
    return "\n".join(lines)
