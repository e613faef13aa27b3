"""The warehouse as the nightly job sees it; adapters: DuckDB (duckdb_file) and BigQuery (bigquery)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa

Parameter = int | str | Sequence[str]
"""A query parameter: INT64, STRING or ARRAY<STRING>."""

Parameters = Mapping[str, Parameter]

Names = Mapping[str, str]
"""Table that a query names, as `dataset.table` -> the table that is meant in its place."""
AS_NAMED: Names = {}
"""Every table is meant as it is named."""


class WarehouseError(OSError):
    """The warehouse cannot be opened or refuses what is asked; the message is one line and says why."""


class UnavailableError(WarehouseError):
    """The warehouse is in use, does not answer or has failed by its own fault: the same may succeed later."""


class MissingError(WarehouseError):
    """A table, a dataset or a project that is not there."""


class Warehouse(Protocol):
    """Datasets: `segment` (what Segment's sync wrote) and `store` (what the shop wrote), only read; `varde` (ours)."""

    def define(self) -> None:
        """Make all views (sql/views), and those of our tables (sql/ddl) that are not there; the others stay."""
        ...

    def query(self, name: str, parameters: Parameters) -> pa.Table:
        """The rows of sql/`name`.sql. Parameters that the query does not have are ignored.

        Raises:
            KeyError: a parameter is missing.
            LookupError: no such query.
        """
        ...

    def materialize(self, name: str, parameters: Parameters) -> int:
        """Replace table varde.`name` by the rows of sql/`name`.sql, at once or not at all; the number of rows."""
        ...

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of a table named `dataset.table`: these columns, in this order; None for all."""
        ...

    def load(self, table: str, rows: pa.Table) -> int:
        """Append rows to a table named `dataset.table`; table and columns come into being with their first rows."""
        ...

    def replace(self, table: str, rows: pa.Table) -> int:
        """Replace a table named `dataset.table` by these rows, at once or not at all; the number of rows."""
        ...

    def drop(self, table: str) -> None:
        """Let a table named `dataset.table` be gone, with its rows; nothing when there is no such table."""
        ...

    def columns(self, table: str) -> frozenset[str]:
        """Columns of a table named `dataset.table`; none when there is no such table."""
        ...

    def close(self) -> None:
        """Let go of the warehouse. May be called twice."""
        ...


class Shared(Warehouse, Protocol):
    """A warehouse in which several runs may work at once: `apart.Apart` gives each of them tables of its own."""

    def query(self, name: str, parameters: Parameters, names: Names = AS_NAMED) -> pa.Table:
        """See Warehouse.query; `names` says which tables are read in the place of others."""
        ...

    def materialize(self, name: str, parameters: Parameters, names: Names = AS_NAMED) -> int:
        """See Warehouse.materialize; `names` may name another table for the result, too."""
        ...

    def private(self, table: str) -> str:
        """The name of a table that no other run uses, for a table named `varde.table`.

        It lives for a day at most, should nobody drop it.
        """
        ...

    def publish(self, tables: Names) -> None:
        """Replace each table, named `varde.table`, by the rows of another one, at once or not at all."""
        ...
