"""The queries of varde.sql by name, as text and as syntax tree."""

from __future__ import annotations

from functools import cache
from importlib import resources

import sqlglot
from sqlglot import exp

PACKAGE = "varde.sql"


@cache
def names() -> tuple[str, ...]:
    """Names of all queries, sorted."""
    files = resources.files(PACKAGE).iterdir()
    return tuple(sorted(file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql")))


@cache
def text(name: str) -> str:
    """The query as written.

    Raises:
        LookupError: no such query.
    """
    if name not in names():
        msg = f"no query {name!r}; there are {', '.join(names())}"
        raise LookupError(msg)
    return resources.files(PACKAGE).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def parse(sql: str) -> exp.Query:
    """The tree of one BigQuery SELECT.

    Raises:
        sqlglot.errors.ParseError: not BigQuery SQL.
        ValueError: not a single SELECT.
    """
    trees = [tree for tree in sqlglot.parse(sql, dialect="bigquery") if tree is not None]
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        msg = "a query file holds exactly one SELECT"
        raise ValueError(msg)
    return trees[0]


@cache
def tree(name: str) -> exp.Query:
    """The tree of a query, a tenth of a second's work: to be copied, not changed."""
    return parse(text(name))


def parameters(tree: exp.Expr) -> frozenset[str]:
    """Names of the parameters a query uses, without the @."""
    return frozenset(parameter.name for parameter in tree.find_all(exp.Parameter))
