"""Fits a query to the Segment tables that there are: by the tree, not by text.

A shop's warehouse has a table only for events it has sent and a column only for properties that had a value, and
events with older or own names lie in tables of their own. A step that reads `segment.product_viewed AS t` is therefore
repeated for each table that holds views, and a column that a table does not have is NULL of its declared type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
from sqlglot import exp

from .dialect import PARTITION_TIME
from .segment import EventTables, columns_of

DATASET = "segment"

Columns = Callable[[str], frozenset[str]]
"""Name of a table of Segment's -> the columns it has; none when it does not exist."""


def sources(tree: exp.Expr) -> list[exp.Select]:
    """The SELECTs that read a table of Segment's."""
    return [select for select in tree.find_all(exp.Select) if source_table(select) is not None]


def source_table(select: exp.Select) -> exp.Table | None:
    """The table of Segment's that a SELECT reads, if it does."""
    from_ = select.args.get("from_")
    table = from_.this if from_ is not None else None
    return table if isinstance(table, exp.Table) and table.db == DATASET else None


def fit(tree: exp.Query, columns: Columns, tables: EventTables) -> exp.Query:
    """A copy of the tree that reads the tables and columns that there are."""
    tree = tree.copy()
    for select in sources(tree):
        table = source_table(select)
        if table is None:  # pragma: no cover - sources() gives no other
            continue
        names = [name for name in tables.get(table.name, (table.name,)) if columns(name)]
        branches = [_branch(select, name, columns(name)) for name in names] or [_nothing(select)]
        union: exp.Query = branches[0]
        for branch in branches[1:]:
            union = exp.union(union, branch, distinct=False, copy=False)
        if select is tree:
            tree = union
        else:
            select.replace(union)
    return tree


def _branch(select: exp.Select, name: str, present: frozenset[str]) -> exp.Select:
    """The step on one table: other name, missing columns as NULL."""
    branch = select.copy()
    table = source_table(branch)
    assert table is not None
    declared = columns_of(name)
    alias = table.alias_or_name
    table.set("this", exp.to_identifier(name, quoted=True))
    for column in list(branch.find_all(exp.Column)):
        known = column.name in present or column.name == PARTITION_TIME
        if column.table == alias and not known:
            _null(column, declared)
    return branch


def _nothing(select: exp.Select) -> exp.Select:
    """The step when there is no such table: the same columns, no rows."""
    branch = select.copy()
    table = source_table(branch)
    assert table is not None
    declared = columns_of(table.name)
    alias = table.alias_or_name
    for column in list(branch.find_all(exp.Column)):
        if column.table == alias:
            _null(column, declared)
    table.replace(exp.alias_(exp.select("1 AS nothing").subquery(), alias, table=True))
    return branch.where(exp.false(), copy=False)


def _null(column: exp.Column, declared: Mapping[str, pa.DataType]) -> None:
    type_ = "TIMESTAMP" if column.name == PARTITION_TIME else _bigquery_type(declared.get(column.name, pa.string()))
    null = exp.Cast(this=exp.null(), to=exp.DataType.build(type_, dialect="bigquery"))
    column.replace(exp.alias_(null, column.name) if isinstance(column.parent, exp.Select) else null)


def _bigquery_type(type_: pa.DataType) -> str:
    return "TIMESTAMP" if pa.types.is_timestamp(type_) else "STRING"
