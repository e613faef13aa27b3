"""A warehouse for one run among others: what the run makes is its own, so that no two runs tread on each other.

Reports and seeds take steps that the night takes, too. Each start works on tables of its own, beside which it sees
everybody's; what others are to read is published at the end.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

import pyarrow as pa

from . import Parameters, Shared, WarehouseError

_log = logging.getLogger(__name__)


class Apart:
    """A `Warehouse` inside a `with` block, at whose end the run's own tables are gone.

    What `materialize` and `replace` make is this run's, and read by it from then on in the place of the table of that
    name; `load` appends to everybody's tables. `drop` takes away only what is the run's own.

    Args:
        warehouse: everybody's. It stays open.
    """

    def __init__(self, warehouse: Shared) -> None:
        self._warehouse = warehouse
        self._made: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table in list(self._made):
            try:
                self.drop(table)
            except WarehouseError as error:  # it ends by itself within a day; what happened inside is to be told
                _log.warning("a table of this run was left behind: %s", error)

    def define(self) -> None:
        """See Warehouse.define: everybody's tables."""
        self._warehouse.define()

    def query(self, name: str, parameters: Parameters) -> pa.Table:
        """See Warehouse.query."""
        return self._warehouse.query(name, parameters, self._made)

    def materialize(self, name: str, parameters: Parameters) -> int:
        """See Warehouse.materialize."""
        self._own(f"varde.{name}")
        return self._warehouse.materialize(name, parameters, self._made)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """See Warehouse.read."""
        return self._warehouse.read(self._meant(table), columns)

    def load(self, table: str, rows: pa.Table) -> int:
        """See Warehouse.load: everybody's table."""
        return self._warehouse.load(table, rows)

    def replace(self, table: str, rows: pa.Table) -> int:
        """See Warehouse.replace."""
        return self._warehouse.replace(self._own(table), rows)

    def drop(self, table: str) -> None:
        """See Warehouse.drop: the run's own table only."""
        if table in self._made:
            self._warehouse.drop(self._made.pop(table))

    def columns(self, table: str) -> frozenset[str]:
        """See Warehouse.columns."""
        return self._warehouse.columns(self._meant(table))

    def close(self) -> None:
        """See Warehouse.close: nothing, for the warehouse is everybody's."""

    def publish(self, tables: Collection[str]) -> None:
        """Let everybody have these tables of the run, named `varde.table`.

        Raises:
            KeyError: one that the run has not made.
            WarehouseError: the warehouse refuses or does not answer.
        """
        self._warehouse.publish({table: self._made[table] for table in tables})

    def _own(self, table: str) -> str:
        """The name of this run's own, noted before it is made: what fails half-way is dropped at the end, too."""
        return self._made.setdefault(table, self._warehouse.private(table))

    def _meant(self, table: str) -> str:
        return self._made.get(table, table)
