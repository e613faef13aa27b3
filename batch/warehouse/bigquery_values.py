"""Values on their way into BigQuery: parameters of queries, columns of tables, files of load jobs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pyarrow as pa
from google.cloud import bigquery
from pyarrow import parquet
from sqlglot import exp

from varde.history import DAY_MS

from . import Parameter, WarehouseError
from .ddl import Declared

_SQL = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
"""BigQuery's types, where SQL names them differently from the API."""

QueryParameter = bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter

_TYPES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_string, "STRING"),
    (pa.types.is_large_string, "STRING"),
    (pa.types.is_null, "STRING"),
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_integer, "INTEGER"),
    (pa.types.is_floating, "FLOAT"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_binary, "BYTES"),
)
"""Columns that can be loaded: test of the Arrow type, BigQuery's type as its API names it."""

_STORED: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "DATE": pa.date32(),
    "BYTES": pa.binary(),
}
"""BigQuery's type -> the type in a file that is loaded."""


def parameter(name: str, value: Parameter) -> QueryParameter:
    """A query's parameter with its type."""
    if isinstance(value, int):
        return bigquery.ScalarQueryParameter(name, "INT64", value)
    if isinstance(value, str):
        return bigquery.ScalarQueryParameter(name, "STRING", value)
    return bigquery.ArrayQueryParameter(name, "STRING", list(value))


def column(field: pa.Field) -> bigquery.SchemaField:
    """The column that a column of a table in memory becomes.

    Raises:
        WarehouseError: values of its type are not loaded.
    """
    for is_it, name in _TYPES:
        if is_it(field.type):
            return bigquery.SchemaField(field.name, name)
    msg = f"column {field.name!r} has type {field.type}, which is not loaded"
    raise WarehouseError(msg)


def file(schema: Sequence[bigquery.SchemaField], rows: pa.Table) -> bytes:
    """The rows as Parquet, in exactly the columns of a table; NULL in those that the rows do not have.

    Raises:
        WarehouseError: a column of the table has a type that is not loaded, or a value does not fit it.
    """
    arrays = []
    for there in schema:
        type_ = _STORED.get(there.field_type)
        if type_ is None or there.mode == "REPEATED":
            msg = f"column {there.name!r} has type {there.field_type} {there.mode}, which is not loaded"
            raise WarehouseError(msg)
        if there.name not in rows.column_names:
            arrays.append(pa.nulls(rows.num_rows, type_))
            continue
        try:
            arrays.append(rows[there.name].cast(type_))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            msg = f"column {there.name!r}: {rows[there.name].type} does not fit {there.field_type}"
            raise WarehouseError(msg) from None
    out = io.BytesIO()
    parquet.write_table(pa.table(arrays, names=[there.name for there in schema]), out)
    return out.getvalue()


def definition(
    table: bigquery.TableReference, schema: Sequence[bigquery.SchemaField], declared: Declared | None = None
) -> str:
    """The statement that replaces a table by one without rows, partitioned and clustered as it is declared."""
    name = exp.table_(table.table_id, table.dataset_id, table.project, quoted=True)
    columns = ", ".join(f"{_quoted(field.name)} {_SQL.get(field.field_type, field.field_type)}" for field in schema)
    statement = f"CREATE OR REPLACE TABLE {name.sql('bigquery')} ({columns})"
    if declared and declared.partitioned:
        statement += f" PARTITION BY DATE({_quoted(declared.partitioned)})"
    if declared and declared.clustered:
        statement += f" CLUSTER BY {', '.join(map(_quoted, declared.clustered))}"
    if declared and declared.partitioned:
        statement += f" OPTIONS (partition_expiration_days = {declared.days})"
    return statement


def partitions(declared: Declared | None) -> bigquery.TimePartitioning | None:
    """The partitions of a table as it is declared."""
    if declared is None or not declared.partitioned:
        return None
    return bigquery.TimePartitioning(
        type_=bigquery.TimePartitioningType.DAY, field=declared.partitioned, expiration_ms=declared.days * DAY_MS
    )


def clusters(declared: Declared | None) -> list[str] | None:
    """The columns that a table is clustered by as it is declared."""
    return list(declared.clustered) if declared and declared.clustered else None


def lay_out(config: bigquery.QueryJobConfig | bigquery.LoadJobConfig, declared: Declared | None) -> None:
    """Tell a job that replaces a table how its rows are partitioned and clustered, where that is declared."""
    if (columns := clusters(declared)) is not None:
        config.clustering_fields = columns
    if (days := partitions(declared)) is not None:
        config.time_partitioning = days


def described(schema: Sequence[bigquery.SchemaField], declared: Declared | None) -> list[bigquery.SchemaField]:
    """The columns with their declared descriptions; one that is not declared keeps its own."""
    told_of = {} if declared is None else {name: text for name, (_, text) in declared.columns.items()}
    return [
        bigquery.SchemaField.from_api_repr(
            column.to_api_repr() | ({"description": told_of[column.name]} if column.name in told_of else {})
        )
        for column in schema
    ]


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("bigquery")
