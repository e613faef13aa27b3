"""Our tables as sql/ddl/*.sql declares them, a CREATE TABLE a file: columns with descriptions, partitions, clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Protocol, TypeVar

import pyarrow as pa
import sqlglot
from sqlglot import exp

from .queries import PACKAGE

OWN = "varde"
"""The logical name of our dataset."""

ARROW: Mapping[str, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "BOOL": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}
"""BigQuery's types of our columns, as SQL names them -> their types in memory."""


class Named(Protocol):
    """What a file declares, under a name."""

    @property
    def name(self) -> str:
        """Without the dataset."""


N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """A table.

    columns: name -> (BigQuery's type, description). clustered: columns that rows are kept together by. partitioned:
    the column of time whose day (UTC) a partition holds; empty for a table without. days: after which a partition is
    dropped; 0 for a table without.
    """

    name: str
    description: str
    columns: Mapping[str, tuple[str, str]]
    clustered: tuple[str, ...]
    partitioned: str
    days: int
    statement: exp.Create

    @property
    def types(self) -> Mapping[str, pa.DataType]:
        """Name -> type in memory."""
        return {name: ARROW[type_] for name, (type_, _) in self.columns.items()}


def in_folder(folder: str, read: Callable[[str], N]) -> dict[str, N]:
    """What the files of a folder of sql/ declare, by name, sorted.

    Args:
        folder: its name.
        read: a file's text to what it declares.

    Raises:
        ValueError: a file declares something else than it is named after, or as `read`.
    """
    found = {}
    for file in sorted(resources.files(PACKAGE).joinpath(folder).iterdir(), key=lambda file: file.name):
        name = file.name.removesuffix(".sql")
        if name == file.name:
            continue
        found[name] = one = read(file.read_text(encoding="utf-8"))
        if one.name != name:
            msg = f"sql/{folder}/{file.name} declares {one.name}"
            raise ValueError(msg)
    return found


@cache
def tables() -> Mapping[str, Declared]:
    """All declared tables by name, without the dataset, sorted.

    Raises:
        ValueError: a file is not one CREATE TABLE IF NOT EXISTS of the table it is named after.
    """
    return in_folder("ddl", read)


def declared(table: str) -> Declared | None:
    """The declaration of a table named `dataset.table`, if there is one."""
    dataset, _, name = table.partition(".")
    return tables().get(name) if dataset == OWN else None


def read(sql: str) -> Declared:
    """What a file declares.

    Raises:
        ValueError: it is not one CREATE TABLE IF NOT EXISTS of a table of ours.
        sqlglot.errors.ParseError: not BigQuery SQL.
    """
    trees = sqlglot.parse(sql, dialect="bigquery")
    tree = trees[0] if len(trees) == 1 else None
    table = tree.find(exp.Table) if isinstance(tree, exp.Create) else None
    if not isinstance(tree, exp.Create) or table is None or table.db != OWN or not tree.args.get("exists"):
        msg = "a file of sql/ddl holds one CREATE TABLE IF NOT EXISTS varde.…"
        raise ValueError(msg)
    columns = {
        column.name: (column.args["kind"].sql("bigquery"), description(column)) for column in tree.this.expressions
    }
    properties = tree.args.get("properties") or exp.Properties()
    cluster = properties.find(exp.ClusterProperty)
    partition = properties.find(exp.PartitionedByProperty)
    day = partition.find(exp.Column) if partition else None
    return Declared(
        table.name,
        description(properties),
        columns,
        tuple(column.name for column in cluster.expressions) if cluster else (),
        day.name if day else "",
        int(_option(properties, "partition_expiration_days") or 0),
        tree,
    )


def description(node: exp.Expr) -> str:
    """The description of a column, or among the options of a table; empty without."""
    return _option(node, "description")


def _option(node: exp.Expr, name: str) -> str:
    for option in node.find_all(exp.Property):
        if isinstance(option.this, exp.Var) and option.name == name:
            return str(option.args["value"].name)
    return ""


def for_bigquery(project: str, dataset: str) -> str:
    """The script that makes all tables which are not there."""
    statements = []
    for found in tables().values():
        tree = found.statement.copy()
        table = tree.find(exp.Table)
        assert table is not None
        table.set("catalog", exp.to_identifier(project, quoted=True))
        table.set("db", exp.to_identifier(dataset, quoted=True))
        statements.append(tree.sql("bigquery", comments=False))
    return ";\n".join(statements)


def for_duckdb() -> list[str]:
    """Statements that make all tables which are not there: names and types, all that DuckDB has of them."""
    statements = []
    for found in tables().values():
        tree = found.statement.copy()
        tree.set("properties", None)
        for column in tree.this.expressions:
            column.set("constraints", [])
        statements.append(tree.sql("duckdb", comments=False))
    return statements
