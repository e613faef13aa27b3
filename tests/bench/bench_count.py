"""A night's pair counts on one machine: the sparse product in blocks against DuckDB's self-join of the same histories.

    python -m tests.bench count                           # or: python -m tests.bench.bench_count --large

Each method runs in a process of its own. CPU is that of the process, all threads; memory is its peak as a whole, with
the histories (about 150 MB without). All methods must give the same number of pairs and the same sum. Reads real files
from ../shared/data beside the project and leaves out what is not there; generated histories are always counted.

Then (`--large`: only) the product alone, of 10 million generated interactions of 200,000 customers with 50,000 items,
against `implicit`'s item-item model on the same matrix (extra `bench`; left out when it is not installed). It keeps the
TOP best of a row and ours hands out all pairs; the clock begins when the matrix is there and the code compiled.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from scipy import sparse

from varde import history
from varde.batch import count, kernel
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.history import Signal
from varde.pairs import Relation

from .table import machine, say, table

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FILES = (("online_retail.csv.gz", "online-retail"), ("serenade-example/train.txt.gz", "sessions"))
CAP = 64
GENERATED_CAP = 200
ACTIVITY = 3.2
LARGE_CUSTOMERS, LARGE_ACTIVITY = 200_000, 3.45
"""10 million interactions before repeats and the cap."""
TOP = 50
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


def generated(customers: int, activity: float = ACTIVITY) -> pa.Table:
    """Views by a power law: a quarter as many items as customers, popularity by rank^-.9, lognormal `activity`."""
    random = np.random.default_rng(7)
    items = customers // 4
    each = np.minimum(random.lognormal(activity, 1.0, customers).astype(np.int64) + 1, 4 * GENERATED_CAP)
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


def product(histories: pa.Table, engine: count.Engine) -> Found:
    """The blocks alone."""
    pairs = total = 0
    who = count.incidence(histories)
    for relation in Relation:
        for block in count.blocks(who, relation, engine=engine):
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
    "product": lambda histories: product(histories, count.Engine.SCIPY),
    "product, compiled": lambda histories: product(histories, count.Engine.NUMBA),
    "product, rows of names": named_rows,
    "DuckDB self-join": self_join,
}


def views(who: count.Incidence, engine: count.Engine) -> Found:
    """All pairs of views, the items themselves included."""
    found = [(b.counts.nnz, int(b.counts.data.sum())) for b in count.blocks(who, Relation.ALSO_VIEWED, engine=engine)]
    return sum(n for n, _ in found), sum(total for _, total in found)


def item_item(who: count.Incidence) -> Found:
    """implicit's model: the TOP items with the highest counts, and the item itself."""
    from implicit.nearest_neighbours import ItemItemRecommender

    model = ItemItemRecommender(K=TOP + 1)
    model.fit(sparse.csr_matrix(who.matrices[Signal.VIEW], dtype=np.float64), show_progress=False)
    return int(model.similarity.nnz), int(model.similarity.sum())


LARGE: dict[str, Callable[[count.Incidence], Found]] = {
    "implicit's item-item model, best 50": item_item,
    "product, compiled, all pairs": lambda who: views(who, count.Engine.NUMBA),
    "product, scipy, all pairs": lambda who: views(who, count.Engine.SCIPY),
}


def peak_mb() -> float:
    """The most memory of this program, MB. `getrusage` would also count its parent's, of before it was started."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(method: str, path: str) -> None:
    """Run one method here and print its figures as JSON."""
    if kernel.available():
        views(count.incidence(generated(8)), count.Engine.NUMBA)  # compiled, or loaded from disk, before the clock
    if method in LARGE:
        who = count.incidence(parquet.read_table(path, columns=list(count.COLUMNS)))
        cpu, wall = time.process_time(), time.perf_counter()
        pairs, total = LARGE[method](who)
    else:
        histories = parquet.read_table(path)
        cpu, wall = time.process_time(), time.perf_counter()
        pairs, total = METHODS[method](histories)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    sys.stdout.write(json.dumps({"cpu": spent[0], "wall": spent[1], "mb": peak_mb(), "found": [pairs, total]}))


def inputs(customers: int) -> Iterator[tuple[str, pa.Table]]:
    """Name and histories of every input that there is."""
    for name, form in FILES:
        if (DATA / name).exists():
            yield name, of_file(DATA / name, form)
        else:
            say(f"{name}: not in {DATA}, left out")
    yield f"generated, {customers:,} customers", generated(customers)


def apart(method: str, path: str) -> dict[str, Any]:
    """The figures of one method in a process of its own."""
    words = [sys.executable, "-m", "tests.bench.bench_count", "--one", method, path]
    figures: dict[str, Any] = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout)
    return figures


def compare(name: str, histories: pa.Table, folder: str) -> None:
    """One table: all methods on one input.

    Raises:
        AssertionError: two methods give other counts.
    """
    path = f"{folder}/histories.parquet"
    parquet.write_table(histories, path)
    figures = {method: apart(method, path) for method in METHODS if "compiled" not in method or kernel.available()}
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


def large(folder: str) -> None:
    """The table of the large input.

    Raises:
        AssertionError: two engines give other counts.
    """
    path = f"{folder}/large.parquet"
    histories = generated(LARGE_CUSTOMERS, LARGE_ACTIVITY)
    say(f"\nlarge: {histories.num_rows:,} rows of histories, {LARGE_CUSTOMERS:,} customers, cap {GENERATED_CAP}")
    parquet.write_table(histories, path)
    del histories
    there = {"implicit": importlib.util.find_spec("implicit") is not None, "compiled": kernel.available()}
    methods = [name for name in LARGE if all(have or word not in name for word, have in there.items())]
    figures = {method: apart(method, path) for method in methods}
    ours = {tuple(f["found"]) for method, f in figures.items() if "all pairs" in method}
    assert len(ours) == 1, figures
    base = figures[methods[0]]["cpu"]
    shown = [
        [name, f"{f['found'][0]:,}", f"{f['cpu']:.1f}", f"{f['cpu'] / base:.2f}", f"{f['wall']:.1f}", f"{f['mb']:,.0f}"]
        for name, f in figures.items()
    ]
    table(["", "pairs", "CPU s", "ratio", "wall s", "MB peak"], shown)


def main() -> None:
    """Print a table per input."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_count", description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000, help="customers of the generated histories")
    parser.add_argument("--large", action="store_true", help="only the large histories")
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(*given.one)
        return
    say(f"pair counts of a night; {machine()}")
    with tempfile.TemporaryDirectory(prefix="varde-bench-") as folder:
        for name, histories in () if given.large else inputs(given.customers):
            compare(name, histories, folder)
        large(folder)


if __name__ == "__main__":
    main()
