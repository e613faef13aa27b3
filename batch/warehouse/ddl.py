"""Our tables as sql/ddl/*.sql declares them, a CREATE TABLE a file: columns with descriptions, partitions, clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import sqlglot
from sqlglot import exp

from .queries import PACKAGE

OWN = "varde"


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """A table.

    columns: name -> (BigQuery's type, description). clustered: columns that rows are kept together by. days: after
    which a partition is dropped; 0 for a table without partitions.
    """

    name: str
    description: str
    columns: Mapping[str, tuple[str, str]]
    clustered: tuple[str, ...]
    days: int
    statement: exp.Create


@cache
def tables() -> Mapping[str, Declared]:
    """All declared tables by name, without the dataset, sorted.

    Raises:
        ValueError: a file is not one CREATE TABLE IF NOT EXISTS of the table it is named after.
    """
    files = sorted(resources.files(PACKAGE).joinpath("ddl").iterdir(), key=lambda file: file.name)
    found = {
        file.name.removesuffix(".sql"): read(file.read_text(encoding="utf-8"))
        for file in files
        if file.name.endswith(".sql")
    }
    for name, declared in found.items():
        if declared.name != name:
            msg = f"sql/ddl/{name}.sql declares {declared.name}"
            raise ValueError(msg)
    return found


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
        column.name: (column.args["kind"].sql("bigquery"), _option(column, "description"))
        for column in tree.this.expressions
    }
    properties = tree.args.get("properties") or exp.Properties()
    cluster = properties.find(exp.ClusterProperty)
    return Declared(
        table.name,
        _option(properties, "description"),
        columns,
        tuple(column.name for column in cluster.expressions) if cluster else (),
        int(_option(properties, "partition_expiration_days") or 0),
        tree,
    )


def _option(node: exp.Expr, name: str) -> str:
    for option in node.find_all(exp.Property):
        if isinstance(option.this, exp.Var) and option.name == name:
            return str(option.args["value"].name)
    return ""


def for_bigquery(project: str, dataset: str) -> str:
    """The script that makes all tables which are not there."""
    statements = []
    for declared in tables().values():
        tree = declared.statement.copy()
        table = tree.find(exp.Table)
        assert table is not None
        table.set("catalog", exp.to_identifier(project, quoted=True))
        table.set("db", exp.to_identifier(dataset, quoted=True))
        statements.append(tree.sql("bigquery"))
    return ";\n".join(statements)


def for_duckdb() -> list[str]:
    """Statements that make all tables which are not there: names and types, all that DuckDB has of them."""
    statements = []
    for declared in tables().values():
        tree = declared.statement.copy()
        tree.set("properties", None)
        for column in tree.this.expressions:
            column.set("constraints", [])
        statements.append(tree.sql("duckdb"))
    return statements
