"""What a night leaves in the warehouse for reports: supports, neighbours, and a record of the run.

Tables of what holds now are replaced; tables of runs are only added to, a start of the job at a time, and lose old
partitions by themselves in BigQuery (sql/ddl). docs/sql.md has their columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from varde.pairs import Relation

from . import count
from .drift import Drift, Summary
from .warehouse import Warehouse, ddl
from .warehouse.columns import column

TOP = 100
"""Neighbours of an item that are kept by each ranking."""
CELLS = 1_000_000
"""Pairs that are written together."""


@dataclass(frozen=True, slots=True)
class Run:
    """A start of the job.

    id: of no other start. started: ms. seconds: how long it took. version: of Varde. refusals: why the night was not
    to be written. applied: whether it was.
    """

    id: str
    started: int
    seconds: float
    version: str
    refusals: tuple[str, ...] = ()
    applied: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """What a run counted: a night's moments (ms) and sizes, and its faults by source and reason."""

    as_of: int
    window_start: int
    customers: int
    items: int
    pairs: int
    faults: Mapping[tuple[str, str], int]


def publish(warehouse: Warehouse, top: int = TOP) -> dict[str, int]:
    """Replace what holds now, from the tables of a night and its pair_counts: item_supports, neighbours; table -> rows.

    Args:
        warehouse: after the steps of a night, with its pairs in varde.pair_counts.
        top: neighbours of an item that are kept by each ranking.
    """
    return {
        "item_supports": warehouse.materialize("item_supports", {}),
        "neighbours": warehouse.materialize("neighbours", {"top": top}),
    }


def fill_pairs(warehouse: Warehouse, who: count.Incidence, cells: int = CELLS) -> int:
    """Fill varde.pair_counts with what is counted here, a part at a time; the number of pairs.

    A try that was interrupted leaves a part of them, which the next one replaces.

    Args:
        warehouse: where they go.
        who: the histories.
        cells: pairs that are held and written together; a row of more is written at once.
    """
    names = ("relation", "row_item", "column_item", "customers")
    empty = pa.table([pa.array([], _type("pair_counts", name)) for name in names], names=names)
    warehouse.replace("varde.pair_counts", empty)
    return sum(warehouse.load("varde.pair_counts", part) for part in _parts(who, cells))


def _parts(who: count.Incidence, cells: int) -> Iterator[pa.Table]:
    items = pa.array(who.items, pa.string())
    for relation in Relation:
        for block in count.blocks(who, relation, cells):
            counts = block.counts
            rows = np.repeat(np.arange(counts.shape[0]) + block.start, np.diff(counts.indptr))
            pairs = rows != counts.indices  # an item is no pair with itself
            if pairs.any():
                customers = pa.array(counts.data[pairs].astype(np.int64))
                yield pa.table(
                    {
                        "relation": pa.array(np.full(len(customers), int(relation), dtype=np.int64)),
                        "row_item": items.take(pa.array(rows[pairs])),
                        "column_item": items.take(pa.array(counts.indices[pairs])),
                        "customers": customers,
                    }
                )


def record(warehouse: Warehouse, run: Run, counted: Counted, found: Summary) -> None:
    """Add a run to the tables of runs; the row of `runs` comes last and says that the others are whole."""
    this = {"run_id": run.id, "started": run.started}
    both: list[tuple[str, str, Drift]] = [
        *(("pairs", name, drift) for name, drift in found.pairs.items()),
        *(("supports", name, drift) for name, drift in found.supports.items()),
    ]
    _add(warehouse, "drift", [this | {"kind": k, "name": n} | _sums(drift) for k, n, drift in both])
    worst = [
        this | {"kind": k, "name": n} | one._asdict() | {"item": one.item or None, "other": one.other or None}
        for k, n, drift in both
        for one in drift.worst
    ]
    _add(warehouse, "drift_items", worst)
    faults = [this | {"source": s, "reason": r, "messages": n} for (s, r), n in counted.faults.items()]
    _add(warehouse, "data_quality", faults)
    row = this | {
        "version": run.version,
        "as_of": counted.as_of,
        "window_start": counted.window_start,
        "seconds": run.seconds,
        "customers": counted.customers,
        "items": counted.items,
        "pairs": counted.pairs,
        "pairs_compared": found.pairs_compared,
        "pairs_different": found.pairs_different,
        "supports_different": found.supports_different,
        "refusals": "\n".join(run.refusals) or None,
        "applied": run.applied,
    }
    _add(warehouse, "runs", [row])


def _sums(drift: Drift) -> dict[str, Any]:
    names = ("compared", "equal", "different", "apart", "relative", "live", "nightly")
    return {name: getattr(drift, name) for name in names}


def _add(warehouse: Warehouse, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        columns = ddl.tables()[table].columns
        arrays = [column([row[name] for row in rows], _type(table, name)) for name in columns]
        warehouse.load(f"varde.{table}", pa.table(arrays, names=list(columns)))


def _type(table: str, name: str) -> pa.DataType:
    return ddl.tables()[table].types[name]
