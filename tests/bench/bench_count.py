"""A night's pair counts on one machine: the sparse product in blocks against DuckDB's self-join of the same histories.

    python -m tests.bench.bench_count --customers 20000

Each method runs in a process of its own. CPU is that of the process, all threads; memory is its peak as a whole, with
the histories (about 150 MB without). All methods must give the same number of pairs and the same sum. Reads real files
from ../shared/data beside the project and leaves out what is not there; generated histories are always counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from varde import history
from varde.batch import count
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.pairs import Relation

from .table import machine, say, table

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FILES = (("online_retail.csv.gz", "online-retail"), ("serenade-example/train.txt.gz", "sessions"))
CAP = 64
GENERATED_CAP = 200
SCHEMA = pa.schema([("customer", pa.string()), ("signal", pa.int64()), ("item", pa.string()), ("time", pa.int64())])

Found = tuple[int, int]
"""(pairs, sum of their customers)."""


def of_file(path: Path, form: str) -> pa.Table:
    """The histories of a file's messages: the latest CAP items a customer and signal; no window, so that all count."""
    from varde.demo import formats
    from varde.events import Interaction, Rejected, parse
    from varde.settings import Settings

    mapping = Settings().mapping
    seen: dict[tuple[str, int], dict[str, int]] = {}
    for message in formats.read(form, path):
        parsed = parse(message.data, message.time, mapping)
        for event in () if isinstance(parsed, Rejected) else parsed:
            if isinstance(event, Interaction):
                mine = seen.setdefault((str(event.user_id or event.anonymous_id), int(event.signal)), {})
                for item in event.items:
                    mine[item] = max(event.time, mine.get(item, 0))
    kept = {who: history.of(items.items(), CAP) for who, items in seen.items()}
    listed = [(customer, signal, i, t) for (customer, signal), items in kept.items() for i, t in items.items()]
    return pa.table([pa.array(column) for column in zip(*listed, strict=True)], schema=SCHEMA)


def generated(customers: int) -> pa.Table:
    """Views by a power law: a quarter as many items as customers, popularity by rank^-.9, activity lognormal."""
    random = np.random.default_rng(7)
    items = customers // 4
    each = np.minimum(random.lognormal(3.2, 1.0, customers).astype(np.int64) + 1, 4 * GENERATED_CAP)
    weights = np.arange(1, items + 1) ** -0.9
    drawn = random.choice(items, size=int(each.sum()), p=weights / weights.sum())
    who = np.repeat(np.arange(customers), each)
    pairs = np.unique(who * items + drawn)
    who, what = pairs // items, pairs % items
    first = np.searchsorted(who, who)
    kept = np.arange(len(who)) - first < GENERATED_CAP
    names = [pa.array([f"u:{n}" for n in who[kept]]), pa.array([f"SKU-{n:06d}" for n in what[kept]])]
    zeros = pa.array(np.zeros(int(kept.sum()), dtype=np.int64))
    return pa.table([names[0], zeros, names[1], zeros], schema=SCHEMA)


def product(histories: pa.Table) -> Found:
    """The blocks alone."""
    pairs = total = 0
    who = count.incidence(histories)
    for relation in Relation:
        for block in count.blocks(who, relation):
            counts = block.counts
            row = block.start + np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
            other = counts.indices != row
            pairs, total = pairs + int(other.sum()), total + int(counts.data[other].sum(dtype=np.int64))
    return pairs, total


def named_rows(histories: pa.Table) -> Found:
    """The rows as the nightly job takes them: a dict of names each."""
    who = count.incidence(histories)
    found = [(len(row), sum(row.values())) for relation in Relation for _, row in count.rows(who, relation)]
    return sum(n for n, _ in found), sum(total for _, total in found)


def self_join(histories: pa.Table) -> Found:
    """sql/pair_counts.sql on DuckDB."""
    with DuckDBWarehouse() as warehouse:
        warehouse.load("varde.histories", histories)
        found = warehouse.query("pair_counts", {})
    return found.num_rows, int(pc.sum(found["customers"]).as_py() or 0)


METHODS: dict[str, Callable[[pa.Table], Found]] = {
    "product": product,
    "product, rows of names": named_rows,
    "DuckDB self-join": self_join,
}


def one(method: str, path: str) -> None:
    """Run one method here and print its figures as JSON."""
    histories = parquet.read_table(path)
    cpu, wall = time.process_time(), time.perf_counter()
    pairs, total = METHODS[method](histories)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"cpu": spent[0], "wall": spent[1], "mb": peak, "found": [pairs, total]}))


def inputs(customers: int) -> Iterator[tuple[str, pa.Table]]:
    """Name and histories of every input that there is."""
    for name, form in FILES:
        if (DATA / name).exists():
            yield name, of_file(DATA / name, form)
        else:
            say(f"{name}: not in {DATA}, left out")
    yield f"generated, {customers:,} customers", generated(customers)


def compare(name: str, histories: pa.Table, folder: str) -> None:
    """One table: all methods on one input.

    Raises:
        AssertionError: two methods give other counts.
    """
    path = f"{folder}/histories.parquet"
    parquet.write_table(histories, path)
    figures = {}
    for method in METHODS:
        words = [sys.executable, "-m", "tests.bench.bench_count", "--one", method, path]
        figures[method] = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout)
    base = figures["DuckDB self-join"]
    assert all(found["found"] == base["found"] for found in figures.values()), figures
    each = histories.group_by(["customer", "signal"]).aggregate([("item", "count")])["item_count"].to_numpy()
    squares = int((each.astype(np.int64) ** 2).sum())
    say(f"\n{name}: {histories.num_rows:,} rows, {squares:,} pairs of a customer's items, {base['found'][0]:,} pairs")
    shown = [
        [method, f"{f['cpu']:.2f}", f"{f['cpu'] / base['cpu']:.2f}", f"{f['wall']:.2f}", f"{f['mb']:,.0f}"]
        for method, f in figures.items()
    ]
    table(["", "CPU s", "ratio", "wall s", "MB peak"], shown)


def main() -> None:
    """Print a table per input."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_count", description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000, help="customers of the generated histories")
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(*given.one)
        return
    say(f"pair counts of a night; {machine()}")
    with tempfile.TemporaryDirectory(prefix="varde-bench-") as folder:
        for name, histories in inputs(given.customers):
            compare(name, histories, folder)


if __name__ == "__main__":
    main()
