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
from google.cloud import bigquery
from sqlglot import exp

from . import AS_NAMED, Names, Parameter, Parameters, WarehouseError, bigquery_values, ddl, queries, source, views
from .bigquery_jobs import Jobs, told
from .bigquery_options import Options, Places
from .bigquery_tables import Tables
from .ddl import OWN
from .segment import EventTables, event_tables

PRIVATE = "run_"
"""How the names of tables begin that belong to one run."""
LIFE_S = 86_400
"""How long such a table lives when the run that made it was killed, seconds."""


class BigQueryWarehouse:
    """A `Shared` warehouse on BigQuery. One run at a time may write a table: it is replaced whole.

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
        self._events = event_tables() if tables is None else tables
        self._options = options or Options()
        self._run_name = run
        self._retry = self._options.retry
        self._tables = Tables(client, places, self._retry)
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
            ours = self._places.of(OWN)
            self._run("define", ";\n".join([ddl.for_bigquery(*ours), *views.for_bigquery(*ours)]), config)

    def query(self, name: str, parameters: Parameters, names: Names = AS_NAMED) -> pa.Table:
        """See Shared.query.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        sql, given = self._prepare(name, parameters, names)
        with told(f"query {name}"):
            rows = self._run(name, sql, self._config(name, given)).result(retry=self._retry, job_retry=None)
            return rows.to_arrow(create_bqstorage_client=self._options.storage)

    def materialize(self, name: str, parameters: Parameters, names: Names = AS_NAMED) -> int:
        """See Shared.materialize. One job writes the table when it has succeeded, and else leaves it as it was.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        sql, given = self._prepare(name, parameters, names)
        return self._fill(names.get(f"{OWN}.{name}", f"{OWN}.{name}"), name, sql, given)

    def private(self, table: str) -> str:
        """See Shared.private. BigQuery itself drops it when it has expired."""
        return f"{OWN}.{PRIVATE}{self._run_name.replace('-', '_')}_{table.partition('.')[2]}"

    def publish(self, tables: Names) -> None:
        """See Shared.publish. Each table at once, one after another.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        for table, rows in sorted(tables.items()):
            project, dataset = self._places.of(OWN)
            read = exp.to_table(f"`{project}`.`{dataset}`.`{rows.partition('.')[2]}`", dialect="bigquery")
            self._fill(table, "publish", exp.select("*").from_(read).sql("bigquery"), {})

    def _fill(self, table: str, name: str, sql: str, given: Mapping[str, Parameter]) -> int:
        config = self._config(name, given)
        config.destination = self._tables.reference(table)
        config.create_disposition = bigquery.CreateDisposition.CREATE_IF_NEEDED
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        bigquery_values.lay_out(config, ddl.declared(table))
        with told(f"query {name} into {table}"):
            self._tables.cluster(table)
            rows = self._run(name, sql, config).result(retry=self._retry, job_retry=None)
            self._finish(table)
            return int(rows.total_rows or 0)

    def _finish(self, table: str) -> None:
        """What a table that was replaced needs to be told again."""
        self._tables.describe(table)
        if table.startswith(f"{OWN}.{PRIVATE}"):
            self._tables.expire(table, self._options.now() + LIFE_S)

    def dry_run(self, name: str, parameters: Parameters) -> int:
        """Bytes that the query would read, as BigQuery estimates them; nothing is run or billed.

        Raises:
            KeyError: a parameter is missing.
            LookupError: no such query.
            MissingError: a table is not there, for one because the step that makes it has not run.
            WarehouseError: BigQuery refused it or does not answer.
        """
        sql, given = self._prepare(name, parameters, AS_NAMED)
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
            found = self._client.get_table(self._tables.reference(table), retry=self._retry)
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
            schema = self._tables.made_room(table, rows.schema)
            if not rows.num_rows:
                return 0
            self._load(table, schema, rows, bigquery.WriteDisposition.WRITE_APPEND)
        return int(rows.num_rows)

    def replace(self, table: str, rows: pa.Table) -> int:
        """See Warehouse.replace. One job that leaves the table as it was when it fails.

        A table of ours is clustered, partitioned and described anew, as it is declared.

        Raises:
            WarehouseError: a column has a type that is not loaded, or BigQuery refused it.
        """
        with told(f"replace {table}"):
            schema = [bigquery_values.column(column) for column in rows.schema]
            self._tables.cluster(table)
            if rows.num_rows:
                self._load(table, schema, rows, bigquery.WriteDisposition.WRITE_TRUNCATE)
            else:  # nothing says what a load job does with a file without rows
                sql = bigquery_values.definition(self._tables.reference(table), schema, ddl.declared(table))
                config = bigquery.QueryJobConfig(labels=self._labels("replace"))
                self._run("replace", sql, config)
            self._finish(table)
        return int(rows.num_rows)

    def drop(self, table: str) -> None:
        """See Warehouse.drop.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        with told(f"drop {table}"):
            self._client.delete_table(self._tables.reference(table), retry=self._retry, not_found_ok=True)

    def columns(self, table: str) -> frozenset[str]:
        """See Warehouse.columns.

        Raises:
            WarehouseError: BigQuery refused it or does not answer.
        """
        if table.startswith(f"{source.STORE}.") and self._places.store is None:
            return frozenset()
        with told(f"columns of {table}"):
            found = self._tables.find(table)
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

    def _prepare(self, name: str, parameters: Parameters, names: Names) -> tuple[str, dict[str, Parameter]]:
        columns = cache(self.columns)  # each is asked for several times
        fitted = source.renamed(source.fit(queries.tree(name), columns, self._events), names)
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
        if disposition == bigquery.WriteDisposition.WRITE_TRUNCATE:
            bigquery_values.lay_out(config, ddl.declared(table))

        def begin(job_id: str) -> bigquery.LoadJob:
            return self._client.load_table_from_file(
                io.BytesIO(data),
                self._tables.reference(table),
                size=len(data),
                job_id=job_id,
                location=self._location,
                job_config=config,
            )

        self._jobs.finish("load", f"{table} {disposition} ".encode() + data, begin)


def _parameters(given: Mapping[str, Parameter]) -> list[bigquery_values.QueryParameter]:
    return [bigquery_values.parameter(name, value) for name, value in given.items()]
