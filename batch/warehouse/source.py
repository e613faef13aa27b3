"""Fits a query to the tables that there are, Segment's and the shop's own: by the tree, not by text.

A shop's warehouse has a table only for events it has sent and a column only for properties that had a value, and
events with older or own names lie in tables of their own. A step that reads `segment.product_viewed AS t` is therefore
repeated for each table that holds views, and a column that a table does not have is NULL of its declared type.

`t.consent_given` is a column of no table: it becomes an expression over the consent columns that there are, by the rule
of varde.consent. A message says something about consent when any of these columns has a value.

Where messages are read from a raw table, sql/raw.sql brings them into the shape of Segment's tables first; then every
step on one of these reads its part of varde.raw. In raw.sql `message.consent_given` becomes an expression over JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import sqlglot
from sqlglot import exp

from . import Names
from .dialect import LACKING, PARTITION_TIME
from .segment import (
    CALL_TABLES,
    CONSENT,
    CONSENT_GIVEN,
    EXPOSURES,
    RAW,
    VIRTUAL,
    EventTables,
    columns_of,
    store_columns,
)

DATASET = "segment"
STORE = "store"
"""The logical name of the dataset whose tables the shop fills itself."""
DATASETS = (DATASET, STORE)
"""Datasets that are only read."""
SHAPED = "raw"
"""The table of ours that has raw messages in the shape of Segment's tables; its times are ms."""
MESSAGE = "message"
"""The element of an array that raw.sql reads a message from."""
_TIMES = ("timestamp", "received_at", "loaded_at")

Columns = Callable[[str], frozenset[str]]
"""Name of a table, as `dataset.table` -> the columns it has; none when it does not exist."""


def sources(tree: exp.Expr) -> list[exp.Select]:
    """The SELECTs that read a table of Segment's or of the shop's."""
    return [select for select in tree.find_all(exp.Select) if source_table(select) is not None]


def source_table(select: exp.Select) -> exp.Table | None:
    """The table of Segment's or of the shop's that a SELECT reads, if it does."""
    from_ = select.args.get("from_")
    table = from_.this if from_ is not None else None
    return table if isinstance(table, exp.Table) and table.db in DATASETS else None


def filtered(table: exp.Table) -> tuple[str, ...]:
    """Columns that a step on a table has to filter, so that no more of it is read than is needed."""
    if table.db == STORE:
        return ("served_at",) if table.name == EXPOSURES else ()
    return (PARTITION_TIME, "publish_time" if table.name == RAW else "received_at")


def fit(tree: exp.Query, columns: Columns, tables: EventTables) -> exp.Query:
    """A copy of the tree that reads the tables and columns that there are."""
    tree = tree.copy()
    steps = [(select, table) for select in sources(tree) if (table := source_table(select)) is not None]
    reads_raw = any(_is_raw(table) for _, table in steps)
    for select, table in steps:
        fitted = _fitted(select, table, columns, tables, reads_raw)
        if select is tree:
            tree = fitted
        else:
            select.replace(fitted)
    if reads_raw:
        _put_consent(tree, tables)
    return tree


def renamed(tree: exp.Query, names: Names) -> exp.Query:
    """The tree itself, reading other tables in the place of some; what its columns are named by stays."""
    for table in list(tree.find_all(exp.Table)):
        other = names.get(f"{table.db}.{table.name}") if table.db else None
        if other is None:
            continue
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
        dataset, _, name = other.partition(".")
        table.set("db", exp.to_identifier(dataset))
        table.set("this", exp.to_identifier(name))
    return tree


def tables_of(tree: exp.Query, tables: EventTables) -> list[str]:
    """What `fit` may ask the columns of, as `dataset.table`."""
    read = [table for select in sources(tree) if (table := source_table(select)) is not None]
    return sorted({f"{table.db}.{name}" for table in read for name in _names(table, tables)})


def _names(table: exp.Table, tables: EventTables) -> tuple[str, ...]:
    """The tables that one stands for."""
    if table.db == STORE:
        return (table.name,)
    return tables.names.get(table.name, () if _is_raw(table) else (table.name,))


def _is_raw(table: exp.Table) -> bool:
    return table.db == DATASET and table.name == RAW


def _fitted(select: exp.Select, table: exp.Table, columns: Columns, tables: EventTables, reads_raw: bool) -> exp.Query:
    """What stands for one step. A query that reads raw messages itself reads nothing else of Segment's beside them."""
    if tables.raw and table.db == DATASET and not _is_raw(table):
        return _nothing(select) if reads_raw else _shaped(select, tables)
    names = [name for name in _names(table, tables) if columns(f"{table.db}.{name}")]
    branches: list[exp.Select] = [_branch(select, n, columns(f"{table.db}.{n}"), tables) for n in names]
    union: exp.Query = (branches or [_nothing(select)])[0]
    for branch in branches[1:]:
        union = exp.union(union, branch, distinct=False, copy=False)
    return union


def _declared(table: exp.Table) -> Mapping[str, pa.DataType]:
    return store_columns(table.name) if table.db == STORE else columns_of(table.name)


def _branch(select: exp.Select, name: str, present: frozenset[str], tables: EventTables) -> exp.Select:
    """The step on one table: other name, consent from its columns, missing columns as NULL."""
    branch = select.copy()
    table = source_table(branch)
    assert table is not None
    declared = _declared(table)
    alias = table.alias_or_name
    table.set("this", exp.to_identifier(name, quoted=True))
    for column in list(branch.find_all(exp.Column)):
        if column.table != alias:
            continue
        if column.name == PARTITION_TIME:
            column.meta[LACKING] = declared.keys() - present
        elif column.name == CONSENT_GIVEN:
            _replace(column, consent_given(alias, present, tables))
        elif column.name not in present:
            _null(column, declared)
    return branch


def _shaped(select: exp.Select, tables: EventTables) -> exp.Select:
    """The step on raw messages that raw.sql has read: those that Segment would have put into the table."""
    branch = select.copy()
    table = source_table(branch)
    assert table is not None
    name, alias = table.name, table.alias_or_name
    for column in list(branch.find_all(exp.Column)):
        if column.table == alias and column.name in (PARTITION_TIME, *_TIMES):
            ms = exp.column("loaded_at" if column.name == PARTITION_TIME else column.name, table=alias)
            _replace(column, exp.UnixToTime(this=ms, scale=exp.UnixToTime.MILLIS))
    table.set("db", exp.to_identifier("varde"))
    table.set("this", exp.to_identifier(SHAPED))
    branch.where(exp.column("fault", table=alias).is_(exp.null()), copy=False)
    call = name if name in CALL_TABLES else "tracks"
    branch.where(exp.column("call", table=alias).eq(exp.Literal.string(call)), copy=False)
    if name not in CALL_TABLES:
        names = [exp.Literal.string(other) for other in tables.names.get(name, (name,))]
        branch.where(exp.column("event", table=alias).isin(*names), copy=False)
    return branch


def _nothing(select: exp.Select) -> exp.Select:
    """The step when there is no such table: the same columns, no rows."""
    branch = select.copy()
    table = source_table(branch)
    assert table is not None
    declared = _declared(table)
    alias = table.alias_or_name
    for column in list(branch.find_all(exp.Column)):
        if column.table == alias:
            _null(column, declared)
    table.replace(exp.alias_(exp.select("1 AS nothing").subquery(), alias, table=True))
    return branch.where(exp.false(), copy=False)


def _put_consent(tree: exp.Query, tables: EventTables) -> None:
    for column in list(tree.find_all(exp.Column)):
        if (column.table, column.name) == (MESSAGE, CONSENT_GIVEN):
            _replace(column, message_consent(tables))


def message_consent(tables: EventTables) -> exp.Expr:
    """Whether a raw message grants every required category; never NULL."""
    if not tables.raw or not tables.categories:
        return exp.true()
    path = "$.context.consent"
    granted = " AND ".join(
        f"""COALESCE(JSON_QUERY({MESSAGE}, '{path}.categoryPreferences."{category}"'), '') = 'true'"""
        for category in tables.categories
    )
    default = "TRUE" if tables.consent_default else "FALSE"
    return sqlglot.parse_one(
        f"IF(JSON_QUERY({MESSAGE}, '{path}') IS NULL, {default}, {granted})",
        dialect="bigquery",
    )


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
    if pa.types.is_list(type_):
        return f"ARRAY<{_bigquery_type(type_.value_type)}>"
    if pa.types.is_struct(type_):
        return f"STRUCT<{', '.join(f'{one.name} {_bigquery_type(one.type)}' for one in type_)}>"
    return next((name for is_it, name in _TYPES if is_it(type_)), "STRING")


_TYPES = (
    (pa.types.is_boolean, "BOOL"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_int64, "INT64"),
    (pa.types.is_float64, "FLOAT64"),
)
