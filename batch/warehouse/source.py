"""Fits a query to the Segment tables that there are: by the tree, not by text.

A shop's warehouse has a table only for events it has sent and a column only for properties that had a value, and
events with older or own names lie in tables of their own. A step that reads `segment.product_viewed AS t` is therefore
repeated for each table that holds views, and a column that a table does not have is NULL of its declared type.

`t.consent_given` is a column of no table: it becomes an expression over the consent columns that there are, by the rule
of varde.consent. A message says something about consent when any of these columns has a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
from sqlglot import exp

from .dialect import PARTITION_TIME
from .segment import CONSENT, CONSENT_GIVEN, VIRTUAL, EventTables, columns_of

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
        names = [name for name in tables.names.get(table.name, (table.name,)) if columns(name)]
        branches = [_branch(select, name, columns(name), tables) for name in names] or [_nothing(select)]
        union: exp.Query = branches[0]
        for branch in branches[1:]:
            union = exp.union(union, branch, distinct=False, copy=False)
        if select is tree:
            tree = union
        else:
            select.replace(union)
    return tree


def _branch(select: exp.Select, name: str, present: frozenset[str], tables: EventTables) -> exp.Select:
    """The step on one table: other name, consent from its columns, missing columns as NULL."""
    branch = select.copy()
    table = source_table(branch)
    assert table is not None
    declared = columns_of(name)
    alias = table.alias_or_name
    table.set("this", exp.to_identifier(name, quoted=True))
    for column in list(branch.find_all(exp.Column)):
        if column.table != alias or column.name == PARTITION_TIME:
            continue
        if column.name == CONSENT_GIVEN:
            _replace(column, consent_given(alias, present, tables))
        elif column.name not in present:
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


def consent_given(alias: str, present: frozenset[str], tables: EventTables) -> exp.Expr:
    """Whether the consent columns of a row grant every required category; never NULL.

    Args:
        alias: of the table.
        present: the table's columns.
        tables: the required columns and what holds for a row that says nothing about consent.
    """
    said = [exp.column(name, table=alias) for name in sorted(present) if f"{name}_".startswith(f"{CONSENT}_")]
    if not tables.consent:
        return exp.true()
    if not said:
        return exp.Boolean(this=tables.consent_default)
    something = exp.or_(*(exp.Not(this=exp.Is(this=column, expression=exp.null())) for column in said))
    granted = [_granted(exp.column(name, table=alias)) if name in present else exp.false() for name in tables.consent]
    return exp.If(this=something, true=exp.paren(exp.and_(*granted)), false=exp.Boolean(this=tables.consent_default))


def _granted(column: exp.Column) -> exp.Expr:
    """True for true only. Segment gives a column the type of its first value, so it may be text."""
    boolean = exp.TryCast(this=column, to=exp.DataType.build("BOOL", dialect="bigquery"), safe=True)
    return exp.Coalesce(this=boolean, expressions=[exp.false()])


def _null(column: exp.Column, declared: Mapping[str, pa.DataType]) -> None:
    type_ = declared.get(column.name, VIRTUAL.get(column.name, pa.string()))
    name = "TIMESTAMP" if column.name == PARTITION_TIME else _bigquery_type(type_)
    _replace(column, exp.Cast(this=exp.null(), to=exp.DataType.build(name, dialect="bigquery")))


def _replace(column: exp.Column, value: exp.Expr) -> None:
    column.replace(exp.alias_(value, column.name) if isinstance(column.parent, exp.Select) else value)


def _bigquery_type(type_: pa.DataType) -> str:
    if pa.types.is_boolean(type_):
        return "BOOL"
    return "TIMESTAMP" if pa.types.is_timestamp(type_) else "STRING"
