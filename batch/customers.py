"""Customers as the SQL names them (`u:` and a userId, or `a:` and an anonymousId), and rows a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from varde import keys

BATCH = 65_536
"""Rows made into Python objects at a time."""


def key(customer: str, secret: bytes) -> str:
    """The customer key (varde.keys) of a customer as the SQL names them."""
    kind, _, value = customer.partition(":")
    return keys.customer_key(value, None, secret) if kind == "u" else keys.customer_key(None, value, secret)


def tuples(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows of a table, one after another; no more than BATCH of them are Python objects at a time."""
    for batch in rows.to_batches(max_chunksize=BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
