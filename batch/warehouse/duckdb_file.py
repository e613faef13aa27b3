"""The warehouse in one DuckDB file, or in memory: the whole nightly path without a cloud.

A file belongs to one process at a time (DuckDB refuses a second, even to read), so open late and close early.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from . import (
    AS_NAMED,
    MissingError,
    Names,
    Parameter,
    Parameters,
    UnavailableError,
    WarehouseError,
    ddl,
    queries,
    source,
    views,
)
from .dialect import to_duckdb
from .segment import EventTables, event_tables

DATASETS = (*source.DATASETS, "varde")
PRIVATE = "temp."
"""Where DuckDB has the tables that are a connection's own."""

logging.getLogger("sqlglot").setLevel(logging.WARNING)  # it says at INFO how it translates every array index


class DuckDBWarehouse:
    """A `Warehouse` on DuckDB.

    Args:
        path: the file, made when it is not there; None keeps everything in memory.
        tables: which tables hold the rows of a counted event.
        threads: threads DuckDB may use; None leaves it to DuckDB.

    Raises:
        UnavailableError: another process has the file open.
        WarehouseError: the file is not one of DuckDB's, cannot be written, or is called like a schema in it.
    """

    def __init__(self, path: Path | None = None, tables: EventTables | None = None, threads: int | None = None) -> None:
        if path is not None and path.stem.lower() in DATASETS:
            # DuckDB calls the file's catalogue like the file, and could not tell it from the schema in it.
            msg = f"{path.name}: call it warehouse.duckdb; no file may have the name of a schema, {', '.join(DATASETS)}"
            raise WarehouseError(msg)
        # Nothing is downloaded: what is needed is in the wheel.
        config: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": "false"}
        if threads is not None:
            config["threads"] = str(threads)
        self._tables = event_tables() if tables is None else tables
        try:
            self._connection = duckdb.connect(str(path) if path else ":memory:", config=config)
        except duckdb.Error as error:
            raise _kind(error)(_line(error)) from None
        self._run("SET TimeZone = 'UTC'")
        for dataset in DATASETS:
            self._run(f"CREATE SCHEMA IF NOT EXISTS {dataset}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def define(self) -> None:
        """See Warehouse.define. Of the declarations DuckDB takes names and types only."""
        for statement in (*ddl.for_duckdb(), *views.for_duckdb()):
            self._run(statement)

    def query(self, name: str, parameters: Parameters, names: Names = AS_NAMED) -> pa.Table:
        """See Shared.query."""
        sql, given = self._prepare(name, parameters, names)
        with _told(f"query {name}"):
            return self._connection.sql(sql, params=given).to_arrow_table()

    def materialize(self, name: str, parameters: Parameters, names: Names = AS_NAMED) -> int:
        """See Shared.materialize."""
        sql, given = self._prepare(name, parameters, names)
        target = names.get(f"varde.{name}", f"varde.{name}")
        with _told(f"query {name} into {target}"):
            self._run(f"{_replaced(target)} AS {sql}", given)
            return self._count(_quoted(target))

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """See Warehouse.read."""
        chosen = "*" if columns is None else ", ".join(map(_quoted, columns))
        with _told(f"read {table}"):
            return self._connection.sql(f"SELECT {chosen} FROM {_quoted(table)}").to_arrow_table()  # noqa: S608 - quoted

    def load(self, table: str, rows: pa.Table) -> int:
        """See Warehouse.load."""
        target = _quoted(table)
        self._connection.register("incoming", rows)
        try:
            with _told(f"load {table}"):
                present = self.columns(table)
                if not present:
                    self._run(f"CREATE TABLE {target} AS SELECT * FROM incoming LIMIT 0")  # noqa: S608 - quoted
                    present = frozenset(rows.column_names)
                kinds = self._connection.table("incoming")
                for column, kind in zip(kinds.columns, kinds.types, strict=True):
                    if column not in present:
                        self._run(f"ALTER TABLE {target} ADD COLUMN {_quoted(column)} {kind}")
                self._run(f"INSERT INTO {target} BY NAME SELECT * FROM incoming")  # noqa: S608 - quoted
        finally:
            self._connection.unregister("incoming")
        return int(rows.num_rows)

    def replace(self, table: str, rows: pa.Table) -> int:
        """See Warehouse.replace."""
        self._connection.register("incoming", rows)
        try:
            with _told(f"replace {table}"):
                self._run(f"{_replaced(table)} AS SELECT * FROM incoming")  # noqa: S608 - quoted
        finally:
            self._connection.unregister("incoming")
        return int(rows.num_rows)

    def drop(self, table: str) -> None:
        """See Warehouse.drop."""
        self._run(f"DROP TABLE IF EXISTS {_quoted(table)}")

    def columns(self, table: str) -> frozenset[str]:
        """See Warehouse.columns."""
        # A tenth of the time of a look into information_schema, which lists every column of every table first.
        try:
            nothing = self._connection.execute(f"SELECT * FROM {_quoted(table)} LIMIT 0")  # noqa: S608 - quoted
        except duckdb.CatalogException:
            return frozenset()
        return frozenset(column for column, *_ in nothing.description or ())

    def private(self, table: str) -> str:
        """See Shared.private. A temporary table: only this connection sees it, and it goes with it."""
        return f"{PRIVATE}{table.partition('.')[2]}"

    def publish(self, tables: Names) -> None:
        """See Shared.publish. All of them at once."""
        with _told("publishing"):
            self._run("BEGIN")
            try:
                for table, rows in sorted(tables.items()):
                    self._run(f"{_replaced(table)} AS SELECT * FROM {_quoted(rows)}")  # noqa: S608 - quoted
                self._run("COMMIT")
            except duckdb.Error:
                self._run("ROLLBACK")
                raise

    def close(self) -> None:
        """See Warehouse.close."""
        self._connection.close()

    def _prepare(self, name: str, parameters: Parameters, names: Names) -> tuple[str, dict[str, Parameter]]:
        there = tuple((table, self.columns(table)) for table in _tables_of(name, self._tables))
        sql, used = _translated(name, there, self._tables, tuple(sorted(names.items())))
        return sql, {one: parameters[one] for one in sorted(used)}

    def _count(self, target: str) -> int:
        ((rows,),) = self._run(f"SELECT COUNT(*) FROM {target}")  # noqa: S608 - quoted
        return int(rows)

    def _run(self, sql: str, given: object = None) -> list[tuple[Any, ...]]:
        """Execute and fetch to the end: DuckDB takes no further statement before."""
        found: list[tuple[Any, ...]] = self._connection.execute(sql, given).fetchall()
        return found


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Every failure inside becomes a WarehouseError that begins with what was being done."""
    try:
        yield
    except duckdb.Error as error:
        raise _kind(error)(f"{doing}: {_line(error)}") from error


def _kind(error: duckdb.Error) -> type[WarehouseError]:
    """DuckDB has no class of its own for a file that another process has open."""
    if isinstance(error, duckdb.CatalogException):
        return MissingError
    return UnavailableError if "Could not set lock" in str(error) else WarehouseError


def _line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0]


@lru_cache(maxsize=256)
def _tables_of(name: str, tables: EventTables) -> list[str]:
    return source.tables_of(queries.tree(name), tables)


@lru_cache(maxsize=256)
def _translated(
    name: str, there: tuple[tuple[str, frozenset[str]], ...], tables: EventTables, names: tuple[tuple[str, str], ...]
) -> tuple[str, frozenset[str]]:
    """DuckDB's text and the parameters of a query, fitted to the tables that there are: a tenth of a second without."""
    columns = dict(there)
    fitted = source.fit(queries.tree(name), columns.__getitem__, tables)
    return to_duckdb(source.renamed(fitted, dict(names))), queries.parameters(fitted)


def _replaced(table: str) -> str:
    """The beginning of a statement that replaces a table."""
    return f"CREATE OR REPLACE {'TEMP ' if table.startswith(PRIVATE) else ''}TABLE {_quoted(table)}"


def _quoted(name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))
