"""The metadata of tables in BigQuery: columns, clusters, partitions, descriptions. Requests for it are free of charge.

BigQuery replaces a clustered or partitioned table only by one that is so in the same way, and a job that replaces a
table takes the descriptions away.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
from google.api_core.exceptions import NotFound
from google.api_core.retry import Retry
from google.cloud import bigquery

from . import bigquery_values, ddl, source
from .bigquery_options import Places


class Tables:
    """Looks up tables, named `dataset.table`, and puts them right.

    Args:
        client: Google's client.
        places: where the datasets are.
        retry: how a single request is repeated.

    Every method raises what the client raises.
    """

    def __init__(self, client: bigquery.Client, places: Places, retry: Retry) -> None:
        self._client = client
        self._places = places
        self._retry = retry

    def reference(self, table: str) -> bigquery.TableReference:
        """The name in BigQuery."""
        dataset, _, name = table.partition(".")
        project, found = self._places.of(dataset)
        return bigquery.DatasetReference(project, found).table(name)

    def find(self, table: str) -> bigquery.Table | None:
        """The table, if it is there."""
        try:
            return self._client.get_table(self.reference(table), retry=self._retry)
        except NotFound:
            return None

    def cluster(self, table: str) -> None:
        """Before a table of ours is replaced: let it be clustered as declared, also one that an older version made."""
        declared = ddl.declared(table)
        found = self.find(table) if declared else None
        if found is None:
            return
        wanted = bigquery_values.clusters(declared)
        if (found.clustering_fields or None) != wanted:
            found.clustering_fields = wanted
            self._client.update_table(found, ["clustering_fields"], retry=self._retry)

    def describe(self, table: str) -> None:
        """Say again what a table of ours and its columns mean, where that is not said."""
        declared = ddl.declared(table)
        if declared is None:
            return
        found = self._client.get_table(self.reference(table), retry=self._retry)
        schema = bigquery_values.described(found.schema, declared)
        if found.description != declared.description or list(found.schema) != schema:
            found.description, found.schema = declared.description, schema
            self._client.update_table(found, ["schema", "description"], retry=self._retry)

    def expire(self, table: str, at: float) -> None:
        """Let BigQuery drop a table at a moment, in seconds since the epoch."""
        found = bigquery.Table(self.reference(table))
        found.expires = datetime.fromtimestamp(at, UTC)
        self._client.update_table(found, ["expires"], retry=self._retry)

    def made_room(self, table: str, wanted: pa.Schema) -> list[bigquery.SchemaField]:
        """The columns of a table that has at least the wanted ones; it comes into being when it is not there."""
        fields = [bigquery_values.column(column) for column in wanted]
        found = self.find(table) or self._create(table, fields)
        there = {column.name for column in found.schema}
        if new := [column for column in fields if column.name not in there]:
            found.schema = [*found.schema, *new]
            found = self._client.update_table(found, ["schema"], retry=self._retry)
        return list(found.schema)

    def _create(self, table: str, schema: list[bigquery.SchemaField]) -> bigquery.Table:
        """The table, made if it is not there: Segment's partitioned by the time of loading, as Segment makes them."""
        declared = ddl.declared(table)
        new = bigquery.Table(self.reference(table), schema=bigquery_values.described(schema, declared))
        if table.partition(".")[0] == source.DATASET:
            new.time_partitioning = bigquery.TimePartitioning(type_=bigquery.TimePartitioningType.DAY)
        if declared:
            new.description = declared.description
            new.clustering_fields = bigquery_values.clusters(declared)
            new.time_partitioning = bigquery_values.partitions(declared)
        return self._client.create_table(new, exists_ok=True, retry=self._retry)
