"""Views for reports over our tables, as sql/views/*.sql declares them, a CREATE OR REPLACE VIEW a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp

from .ddl import OWN, description, in_folder
from .dialect import to_duckdb


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A view; columns: name -> description, in the order of the query."""

    name: str
    description: str
    columns: Mapping[str, str]
    statement: exp.Create

    @property
    def query(self) -> exp.Query:
        """The SELECT."""
        found = self.statement.expression
        assert isinstance(found, exp.Query)
        return found


@cache
def views() -> Mapping[str, View]:
    """All views by name, without the dataset, sorted.

    Raises:
        ValueError: a file is not one CREATE OR REPLACE VIEW of the view it is named after.
    """
    return in_folder("views", read)


def read(sql: str) -> View:
    """What a file declares.

    Raises:
        ValueError: it is not one CREATE OR REPLACE VIEW of ours, or names other columns than its query.
        sqlglot.errors.ParseError: not BigQuery SQL.
    """
    trees = sqlglot.parse(sql, dialect="bigquery")
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Create) or tree.kind != "VIEW" or not tree.args.get("replace"):
        msg = "a file of sql/views holds one CREATE OR REPLACE VIEW varde.…"
        raise ValueError(msg)
    table, query = tree.this.this, tree.expression
    columns = {column.name: description(column) for column in tree.this.expressions}
    if table.db != OWN or not isinstance(query, exp.Query) or list(columns) != query.named_selects:
        msg = f"{table.name}: a view of ours names the columns of its query, in their order"
        raise ValueError(msg)
    return View(table.name, description(tree.args.get("properties") or exp.Properties()), columns, tree)


def for_bigquery(project: str, dataset: str) -> list[str]:
    """Statements that make all views, or make them anew."""
    statements = []
    for found in views().values():
        tree = found.statement.copy()
        for table in tree.find_all(exp.Table):
            if table.db == OWN:
                table.set("catalog", exp.to_identifier(project, quoted=True))
                table.set("db", exp.to_identifier(dataset, quoted=True))
        statements.append(tree.sql("bigquery", comments=False))
    return statements


def for_duckdb() -> list[str]:
    """Statements that make all views, or make them anew: names and queries, all that DuckDB has of them."""
    return [f"CREATE OR REPLACE VIEW {OWN}.{name} AS {to_duckdb(found.query)}" for name, found in views().items()]
