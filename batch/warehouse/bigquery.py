"""The warehouse in BigQuery, through Google's client. docs/warehouse.md says what it needs and what it costs.

Queries are the same trees that DuckDB runs, fitted to Segment's tables in the same way, with the names of the two
datasets put in. Rows come as Arrow: through the BigQuery Storage API where its package is there, else as pages of JSON.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from types import TracebackType
from typing import Self

import orjson
import pyarrow as pa
from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from sqlglot import exp

from . import Parameter, Parameters, WarehouseError, bigquery_values, ddl, queries, source
from .bigquery_jobs import Jobs, told
from .bigquery_options import OWN, Options, Places
from .segment import EventTables, event_tables


class BigQueryWarehouse:
    """A `Warehouse` on BigQuery. One run at a time may write: tables are replaced whole.

    Args:
        client: Google's client, closed with the warehouse.
        places: where the datasets are; all must exist, in the same location.
        run: name of this start, in the ids of its jobs (letters, digits, `_`, `-`); never the same twice.
        tables: which tables hold the rows of a counted event.
        options: limits, labels, retries.

    Raises:
        WarehouseError: a dataset is missing or not to be read, or they are in different locations.
    """

    def __init__(
        self,
        client: bigquery.Client,
        places: Places,
        run: str,
        tables: EventTables | None = None,
        options: Options | None = None,
    ) -> None:
        self._client = client
        self._places = places
        self._tables = event_tables() if tables is None else tables
        self._options = options or Options()
        self._retry = self._options.retry
        self._location = self._common_location()
        self._jobs = Jobs(client, self._location, run, self._retry, self._options.pause)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def define(self) -> None:
        """See Warehouse.define. One script, free of charge.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        with told("making our tables"):
            config = bigquery.QueryJobConfig(labels=self._labels("define"))
            self._run("define", ddl.for_bigquery(*self._places.of(OWN)), config)

    def query(self, name: str, parameters: Parameters) -> pa.Table:
        """See Warehouse.query.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        sql, given = self._prepare(name, parameters)
        with told(f"query {name}"):
            rows = self._run(name, sql, self._config(name, given)).result(retry=self._retry, job_retry=None)
            return rows.to_arrow(create_bqstorage_client=self._options.storage)

    def materialize(self, name: str, parameters: Parameters) -> int:
        """See Warehouse.materialize. One job writes the table when it has succeeded, and else leaves it as it was.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        sql, given = self._prepare(name, parameters)
        config = self._config(name, given)
        config.destination = self._reference(f"{OWN}.{name}")
        config.create_disposition = bigquery.CreateDisposition.CREATE_IF_NEEDED
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        declared = ddl.tables().get(name)
        if declared and declared.clustered:
            config.clustering_fields = list(declared.clustered)
        with told(f"query {name} into {OWN}.{name}"):
            rows = self._run(name, sql, config).result(retry=self._retry, job_retry=None)
            if declared:
                self._describe(declared)
            return int(rows.total_rows or 0)

    def dry_run(self, name: str, parameters: Parameters) -> int:
        """Bytes that the query would read, as BigQuery estimates them; nothing is run or billed.

        Raises:
            KeyError: a parameter is missing.
            LookupError: no such query.
            WarehouseError: it could not run; for one because the step that makes a table of ours has not.
        """
        sql, given = self._prepare(name, parameters)
        config = bigquery.QueryJobConfig(
            query_parameters=_parameters(given), labels=self._labels(name), dry_run=True, use_query_cache=False
        )
        with told(f"estimate of {name}"):
            job = self._client.query(sql, job_config=config, location=self._location, retry=self._retry)
            return int(job.total_bytes_processed or 0)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """See Warehouse.read.

        Raises:
            WarehouseError: no such table, or BigQuery does not answer.
        """
        with told(f"read {table}"):
            found = self._client.get_table(self._reference(table), retry=self._retry)
            chosen = None if columns is None else [column for column in found.schema if column.name in columns]
            rows = self._client.list_rows(found, chosen, retry=self._retry)
            read = rows.to_arrow(create_bqstorage_client=self._options.storage)
            return read if columns is None else read.select(list(columns))

    def load(self, table: str, rows: pa.Table) -> int:
        """See Warehouse.load. A load job from Parquet: free, at once or not at all.

        Raises:
            WarehouseError: a column has a type that is not loaded, or BigQuery refused it.
        """
        with told(f"load {table}"):
            schema = self._made_room(table, rows.schema)
            if not rows.num_rows:
                return 0
            self._load(table, schema, rows, bigquery.WriteDisposition.WRITE_APPEND)
        return int(rows.num_rows)

    def replace(self, table: str, rows: pa.Table) -> int:
        """See Warehouse.replace. One job that leaves the table as it was when it fails.

        Raises:
            WarehouseError: a column has a type that is not loaded, or BigQuery refused it.
        """
        with told(f"replace {table}"):
            schema = [bigquery_values.column(column) for column in rows.schema]
            if rows.num_rows:
                self._load(table, schema, rows, bigquery.WriteDisposition.WRITE_TRUNCATE)
            else:  # nothing says what a load job does with a file without rows
                sql = bigquery_values.definition(self._reference(table), schema)
                config = bigquery.QueryJobConfig(labels=self._labels("replace"))
                self._run("replace", sql, config)
        return int(rows.num_rows)

    def drop(self, table: str) -> None:
        """See Warehouse.drop.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        with told(f"drop {table}"):
            self._client.delete_table(self._reference(table), retry=self._retry, not_found_ok=True)

    def columns(self, table: str) -> frozenset[str]:
        """See Warehouse.columns.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        if table.startswith(f"{source.STORE}.") and self._places.store is None:
            return frozenset()
        with told(f"columns of {table}"):
            found = self._table(table)
        return frozenset(column.name for column in found.schema) if found else frozenset()

    def close(self) -> None:
        """See Warehouse.close."""
        self._client.close()  # type: ignore[no-untyped-call]  # Google has not annotated it

    def _common_location(self) -> str:
        found = {}
        for place in self._places.all:
            with told(f"dataset {place}"):
                found[place] = str(self._client.get_dataset(place, retry=self._retry).location)
        if len(set(found.values())) > 1:
            msg = f"BigQuery joins no datasets of different locations: {found}"
            raise WarehouseError(msg)
        return found[self._places.varde]

    def _prepare(self, name: str, parameters: Parameters) -> tuple[str, dict[str, Parameter]]:
        tree = queries.parse(queries.text(name))
        columns = cache(self.columns)  # each is asked for several times
        fitted = source.fit(tree, columns, self._tables)
        given = {used: parameters[used] for used in sorted(queries.parameters(fitted))}
        for table in fitted.find_all(exp.Table):
            if table.db:
                project, dataset = self._places.of(table.db)
                table.set("catalog", exp.to_identifier(project, quoted=True))
                table.set("db", exp.to_identifier(dataset, quoted=True))
        return fitted.sql("bigquery", comments=False), given

    def _config(self, name: str, given: Mapping[str, Parameter]) -> bigquery.QueryJobConfig:
        config = bigquery.QueryJobConfig(query_parameters=_parameters(given), labels=self._labels(name))
        if self._options.maximum_bytes_billed is not None:  # the client would send "None"
            config.maximum_bytes_billed = self._options.maximum_bytes_billed
        return config

    def _labels(self, name: str) -> dict[str, str]:
        return {**self._options.labels, "app": "varde", "query": name}

    def _run(self, name: str, sql: str, config: bigquery.QueryJobConfig) -> bigquery.QueryJob:
        def begin(job_id: str) -> bigquery.QueryJob:
            return self._client.query(
                sql, config, job_id=job_id, location=self._location, retry=self._retry, job_retry=None
            )

        content = orjson.dumps([sql, config.to_api_repr()], option=orjson.OPT_SORT_KEYS)
        return self._jobs.finish(name, content, begin)

    def _load(self, table: str, schema: list[bigquery.SchemaField], rows: pa.Table, disposition: str) -> None:
        data = bigquery_values.file(schema, rows)
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            schema=schema,
            create_disposition=bigquery.CreateDisposition.CREATE_IF_NEEDED,
            write_disposition=disposition,
            labels=self._labels("load"),
        )

        def begin(job_id: str) -> bigquery.LoadJob:
            return self._client.load_table_from_file(
                io.BytesIO(data),
                self._reference(table),
                size=len(data),
                job_id=job_id,
                location=self._location,
                job_config=config,
            )

        self._jobs.finish("load", f"{table} {disposition} ".encode() + data, begin)

    def _describe(self, declared: ddl.Declared) -> None:
        """Say again what the columns mean: a query that replaces a table takes their descriptions away."""
        found = self._client.get_table(self._reference(f"{OWN}.{declared.name}"), retry=self._retry)
        found.description = declared.description
        told_of = {name: description for name, (_, description) in declared.columns.items()}
        found.schema = [
            bigquery.SchemaField(c.name, c.field_type, c.mode, description=told_of.get(c.name, ""))
            for c in found.schema
        ]
        self._client.update_table(found, ["schema", "description"], retry=self._retry)

    def _reference(self, table: str) -> bigquery.TableReference:
        dataset, _, name = table.partition(".")
        project, found = self._places.of(dataset)
        return bigquery.DatasetReference(project, found).table(name)

    def _table(self, table: str) -> bigquery.Table | None:
        try:
            return self._client.get_table(self._reference(table), retry=self._retry)
        except NotFound:
            return None

    def _create(self, table: str, schema: list[bigquery.SchemaField]) -> bigquery.Table:
        """The table, made if it is not there; Segment's partitioned by the time of loading, as Segment makes them."""
        new = bigquery.Table(self._reference(table), schema=schema)
        if table.partition(".")[0] == source.DATASET:
            new.time_partitioning = bigquery.TimePartitioning(type_=bigquery.TimePartitioningType.DAY)
        return self._client.create_table(new, exists_ok=True, retry=self._retry)

    def _made_room(self, table: str, wanted: pa.Schema) -> list[bigquery.SchemaField]:
        """The columns of a table that has at least the wanted ones."""
        fields = [bigquery_values.column(column) for column in wanted]
        found = self._table(table) or self._create(table, fields)
        there = {column.name for column in found.schema}
        if new := [column for column in fields if column.name not in there]:
            found.schema = [*found.schema, *new]
            found = self._client.update_table(found, ["schema"], retry=self._retry)
        return list(found.schema)


def _parameters(given: Mapping[str, Parameter]) -> list[bigquery_values.QueryParameter]:
    return [bigquery_values.parameter(name, value) for name, value in given.items()]
