"""Who was erased, by keyed hash only: our own table beside Segment's, whose sync stores no delete messages.

Rows are only ever added, by the loader (delete messages) and by `varde reconcile` (what the stream has noted in Redis),
so an erasure outlives a Redis that is lost. Of one customer the latest time counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from .warehouse import Warehouse

TABLE = "varde.tombstones"
COLUMNS: Mapping[str, pa.DataType] = {"customer": pa.string(), "erased_at": pa.int64()}
"""customer: keys.customer_key; erased_at: up to when the customer is forgotten, ms."""


def latest(warehouse: Warehouse, as_of: int | None = None) -> dict[str, int]:
    """Customer key -> the latest erasure at or before `as_of` (ms), or at all."""
    found: dict[str, int] = {}
    if not warehouse.columns(TABLE):
        return found
    rows = warehouse.read(TABLE)
    for customer, erased_at in zip(rows["customer"].to_pylist(), rows["erased_at"].to_pylist(), strict=True):
        if (as_of is None or erased_at <= as_of) and erased_at > found.get(customer, -1):
            found[customer] = erased_at
    return found


def merge(warehouse: Warehouse, noted: Mapping[str, int]) -> int:
    """Add what the table does not know yet.

    Args:
        warehouse: where the table is; it comes into being with the first row.
        noted: customer key -> erased at, ms.

    Returns:
        The number of rows added; a repetition adds none.
    """
    held = latest(warehouse)
    new = {customer: at for customer, at in sorted(noted.items()) if at > held.get(customer, -1)}
    if not new:
        return 0
    return warehouse.load(TABLE, rows(new))


def rows(erased: Mapping[str, int]) -> pa.Table:
    """The rows of customers: customer key -> erased at, ms."""
    arrays = [pa.array(erased.keys(), COLUMNS["customer"]), pa.array(erased.values(), COLUMNS["erased_at"])]
    return pa.table(arrays, names=list(COLUMNS))
