"""A BigQuery for tests: as much of its REST API as Google's client uses here, the SQL run by DuckDB.

`client` and `opened` are what tests ask it with.

What it answers follows the REST reference (jobs, jobs.getQueryResults, tabledata, tables, datasets, media upload). It
does not know permissions, slots, wildcard tables or scripts. `standin.faults` makes it fail in given ways.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pyarrow as pa
import sqlglot
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from pyarrow import parquet
from sqlglot import exp

from varde.batch.warehouse import queries
from varde.batch.warehouse.bigquery import PRIVATE, BigQueryWarehouse
from varde.batch.warehouse.bigquery_options import Options, Places
from varde.batch.warehouse.dialect import to_duckdb
from varde.batch.warehouse.segment import EventTables

PROJECT = "shop-project"
LOCATION = "EU"
LEAST_BILLED = 10 * 2**20
"""BigQuery bills ten megabytes of every query that reads anything."""

DUCKDB = {"STRING": "VARCHAR", "INTEGER": "BIGINT", "FLOAT": "DOUBLE", "TIMESTAMP": "TIMESTAMPTZ", "BYTES": "BLOB"}

Json = dict[str, Any]


class RefusalError(Exception):
    """An error in BigQuery's form."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason

    @property
    def error(self) -> Json:
        return {"reason": self.reason, "message": str(self), "location": "query"}

    @property
    def body(self) -> Json:
        return {"error": {"code": self.status, "message": str(self), "errors": [self.error], "status": self.reason}}


@dataclass
class Fault:
    """What the next `times` requests meet whose method and path match.

    status: answered with it before anything is done; None does what is asked and then loses the answer. `in_job` lets
    the job start and fail.
    """

    where: str
    times: int = 1
    status: int | None = 503
    reason: str = "backendError"
    message: str = "on purpose"
    in_job: bool = False


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Json:
        return json.loads(self.body) if self.body else {}


@dataclass
class Job:
    resource: Json
    rows: pa.Table | None = None


def kind(type_: pa.DataType) -> str:
    """BigQuery's name of an Arrow type."""
    for test, name in (
        (pa.types.is_boolean, "BOOLEAN"),
        (lambda t: pa.types.is_integer(t) or pa.types.is_decimal(t) or pa.types.is_null(t), "INTEGER"),
        (pa.types.is_floating, "FLOAT"),
        (pa.types.is_timestamp, "TIMESTAMP"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_binary, "BYTES"),
    ):
        if test(type_):
            return name
    return "STRING"


def schema(rows: pa.Table) -> Json:
    return {"fields": [{"name": f.name, "type": kind(f.type), "mode": "NULLABLE"} for f in rows.schema]}


def cells(column: pa.ChunkedArray) -> list[Any]:
    """Values as the API writes them: all scalars as text, a time as microseconds."""
    name = kind(column.type)
    if name == "TIMESTAMP":
        column = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    shown: Callable[[Any], str] = {
        "BOOLEAN": lambda v: str(v).lower(),
        "INTEGER": lambda v: str(int(v)),
        "FLOAT": repr,
        "BYTES": lambda v: base64.b64encode(v).decode(),
    }.get(name, str)
    return [None if value is None else shown(value) for value in column.to_pylist()]


@lru_cache(maxsize=512)
def translated(sql: str) -> tuple[list[tuple[str, str, str]], str]:
    """The (project, dataset, table) that a query reads, and its text for DuckDB: parsing takes longer than running."""
    tree, tables = queries.parse(sql), []
    for table in tree.find_all(exp.Table):
        if table.db:
            tables.append((table.catalog, table.db, table.name))
            table.set("catalog", None)
    return tables, to_duckdb(tree)


def translated_of_run(sql: str) -> tuple[list[tuple[str, str, str]], str]:
    """As `translated`, once for all runs: they differ in the names of the tables that are their own."""
    found = re.search(PRIVATE + "[0-9a-zA-Z]+_", sql)
    own, anybodys = (found[0] if found else ""), f"{PRIVATE}anybody_"
    tables, text = translated(sql.replace(own, anybodys) if own else sql)
    if not own:
        return tables, text
    named = [(project, dataset, table.replace(anybodys, own)) for project, dataset, table in tables]
    return named, text.replace(anybodys, own)


def quoted(dataset: str, table: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (dataset, table))


class StandIn:
    """The server, on a free port; `with StandIn() as it: it.url`. All state is in memory and in one DuckDB."""

    def __init__(self, datasets: dict[str, str], page_rows: int = 1000) -> None:
        self.datasets = datasets
        self.page_rows = page_rows
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.jobs: dict[str, Job] = {}
        self.tables: dict[tuple[str, str], Json] = {}
        self._uploads: dict[str, tuple[Json, bytearray]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self.sockets: set[socket.socket] = set()
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        for dataset in datasets:
            self.connection.execute(f'CREATE SCHEMA "{dataset}"')
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"standin": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with self._lock:
            self._closed = True
            self.connection.close()
        for left in list(self.sockets):  # a client's connection may outlive the server
            with contextlib.suppress(OSError):
                left.shutdown(socket.SHUT_RDWR)

    def sent(self, kind_: str) -> list[Json]:
        """The jobs of a kind (`query`, `load`) that were started, in order, as they were asked for."""
        found = [job.resource for job in self.jobs.values()]
        return [resource for resource in found if kind_ in resource["configuration"]]

    def answer(self, asked: Asked) -> tuple[int, Json, dict[str, str]] | None:
        """(status, body, headers); None closes the connection instead."""
        with self._lock:
            if self._closed:
                return None
            self.asked.append(asked)
            fault = next(
                (f for f in self.faults if f.times and re.search(f.where, f"{asked.method} {asked.path}")), None
            )
            if fault:
                fault.times -= 1
                if fault.status and not fault.in_job:
                    return fault.status, RefusalError(fault.status, fault.reason, fault.message).body, {}
            try:
                found = self._route(asked, fault if fault and fault.in_job else None)
            except RefusalError as refusal:
                found = (refusal.status, refusal.body, {})
            except Exception as error:  # noqa: BLE001 - an answer that the client does not repeat for minutes
                found = (501, RefusalError(501, "notImplemented", f"the stand-in broke: {error!r}").body, {})
            return None if fault and not fault.status else found

    def _route(self, asked: Asked, fault: Fault | None) -> tuple[int, Json, dict[str, str]]:
        if asked.path.startswith("/upload/"):
            return self._upload(asked, fault)
        path = asked.path.removeprefix(f"/bigquery/v2/projects/{PROJECT}/")
        if path == "jobs":
            return 200, self._query(asked.json, fault), {}
        if found := re.fullmatch(r"jobs/([\w-]+)", path):
            job = self._job(found[1])
            job.resource["status"]["state"] = "DONE"
            return 200, job.resource, {}
        if found := re.fullmatch(r"queries/([\w-]+)", path):
            return 200, self._results(found[1], asked.query), {}
        if found := re.fullmatch(r"datasets/(\w+)(?:/tables(?:/([^/]+))?)?(/data)?", path):
            return 200, self._dataset(found[1], found[2], bool(found[3]), asked), {}
        raise RefusalError(404, "notFound", f"Not found: {asked.path}")

    def _job(self, name: str) -> Job:
        if name not in self.jobs:
            raise RefusalError(404, "notFound", f"Not found: Job {PROJECT}:{name}")
        return self.jobs[name]

    def _dataset(self, dataset: str, table: str | None, data: bool, asked: Asked) -> Json:
        if dataset not in self.datasets:
            raise RefusalError(404, "notFound", f"Not found: Dataset {PROJECT}:{dataset}")
        reference = {"projectId": PROJECT, "datasetId": dataset}
        if "/tables" not in asked.path:
            return {"kind": "bigquery#dataset", "datasetReference": reference, "location": self.datasets[dataset]}
        if asked.method == "POST":
            return self._create(asked.json)
        assert table is not None
        self._there(dataset, table)
        if asked.method == "DELETE":
            self.connection.execute(f"DROP TABLE {quoted(dataset, table)}")
            self.tables.pop((dataset, table), None)
            return {}
        if data:
            rows = self._all(dataset, table)
            chosen = asked.query.get("selectedFields", ",".join(rows.column_names)).split(",")
            return self._page(rows.select([name for name in rows.column_names if name in chosen]), asked.query)
        if asked.method == "PATCH":
            self._change(dataset, table, asked.json)
        rows = self._head(dataset, table)
        kept = {k: v for k, v in self.tables.get((dataset, table), {}).items() if k != "described"}
        found = schema(rows)
        for field in found["fields"]:
            if text := self.described(dataset, table).get(field["name"]):
                field["description"] = text
        resource = {**kept, "tableReference": {**reference, "tableId": table}, "schema": found, "etag": "e"}
        return {**resource, "location": LOCATION, "numRows": str(self._size(dataset, table)), "type": "TABLE"}

    def _is_there(self, dataset: str, table: str) -> bool:
        try:
            self._head(dataset, table)
        except duckdb.CatalogException:
            return False
        return True

    def _there(self, dataset: str, table: str) -> None:
        if not self._is_there(dataset, table):
            raise RefusalError(404, "notFound", f"Not found: Table {PROJECT}:{dataset}.{table} was not found")

    def _all(self, dataset: str, table: str) -> pa.Table:
        return self.connection.sql(f"SELECT * FROM {quoted(dataset, table)}").to_arrow_table()

    def _head(self, dataset: str, table: str) -> pa.Table:
        """Without rows; asking information_schema takes ten times as long."""
        return self.connection.sql(f"SELECT * FROM {quoted(dataset, table)} LIMIT 0").to_arrow_table()

    def _size(self, dataset: str, table: str) -> int:
        ((rows,),) = self.connection.execute(f"SELECT COUNT(*) FROM {quoted(dataset, table)}").fetchall()
        return int(rows)

    def _create(self, resource: Json) -> Json:
        at = resource["tableReference"]
        columns = ", ".join(f'"{f["name"]}" {DUCKDB.get(f["type"], f["type"])}' for f in resource["schema"]["fields"])
        try:
            self.connection.execute(f"CREATE TABLE {quoted(at['datasetId'], at['tableId'])} ({columns})")
        except duckdb.CatalogException:
            raise RefusalError(409, "duplicate", f"Already Exists: Table {at['tableId']}") from None
        self.tables[at["datasetId"], at["tableId"]] = resource | {"described": _said(resource)}
        return resource

    def described(self, dataset: str, table: str) -> dict[str, str]:
        """Column -> description, of those that have one."""
        return self.tables.get((dataset, table), {}).get("described", {})

    def _change(self, dataset: str, table: str, resource: Json) -> None:
        """What a PATCH names is so from then on; null takes it away."""
        there = self.tables.setdefault((dataset, table), {})
        if "schema" in resource:
            self._widen(dataset, table, resource["schema"]["fields"])
            there["described"] = _said(resource)
        for name in ("description", "clustering", "expirationTime"):
            if resource.get(name) is not None:
                there[name] = resource[name]
            elif name in resource:
                there.pop(name, None)

    def _widen(self, dataset: str, table: str, fields: list[Json]) -> None:
        there = set(self._head(dataset, table).column_names)
        if missing := there - {f["name"] for f in fields}:
            raise RefusalError(400, "invalid", f"Provided Schema does not match: missing {missing}")
        for f in fields:
            if f["name"] not in there:
                type_ = DUCKDB.get(f["type"], f["type"])
                self.connection.execute(f'ALTER TABLE {quoted(dataset, table)} ADD COLUMN "{f["name"]}" {type_}')

    def _begin(self, resource: Json, run: Callable[[Json], tuple[pa.Table | None, Json]], fault: Fault | None) -> Json:
        name = resource["jobReference"]["jobId"]
        if name in self.jobs:
            raise RefusalError(409, "duplicate", f"Already Exists: Job {PROJECT}:{LOCATION}.{name}")
        resource = {**resource, "status": {"state": "RUNNING"}, "statistics": {}}
        resource["jobReference"] = {"projectId": PROJECT, "jobId": name, "location": LOCATION}
        job = Job(resource)
        try:
            if fault:
                raise RefusalError(fault.status or 500, fault.reason, fault.message)
            job.rows, resource["statistics"] = run(resource["configuration"])
        except RefusalError as refusal:
            resource["status"] |= {"errorResult": refusal.error, "errors": [refusal.error]}
        self.jobs[name] = job
        return resource

    def _query(self, resource: Json, fault: Fault | None) -> Json:
        if not resource["configuration"].get("dryRun"):
            return self._begin(resource, self._run_query, fault)
        resource["statistics"] = self._run_query(resource["configuration"])[1]
        return {**resource, "status": {"state": "DONE"}}

    def _run_query(self, configuration: Json) -> tuple[pa.Table | None, Json]:
        query = configuration["query"]
        if query["query"].startswith("CREATE TABLE IF NOT EXISTS "):
            self._script(query["query"])
            return None, {"query": {"statementType": "SCRIPT"}}
        if query["query"].startswith("CREATE OR REPLACE TABLE "):
            self._replace(query["query"])
            return None, {"query": {"statementType": "CREATE_TABLE_AS_SELECT"}}
        tables, text = translated_of_run(query["query"])
        read = 0
        for project, dataset, table in tables:
            if project != PROJECT or dataset not in self.datasets:
                raise RefusalError(404, "notFound", f"Not found: Dataset {project}:{dataset}")
            self._there(dataset, table)
            read += self._all(dataset, table).nbytes
        statistics = {"query": {"totalBytesProcessed": str(read)}, "totalBytesProcessed": str(read)}
        if configuration.get("dryRun"):
            return None, statistics
        limit, billed = query.get("maximumBytesBilled"), max(read, LEAST_BILLED)
        if limit and int(limit) < billed:
            why = f"Query exceeded limit for bytes billed: {limit}. {billed} or higher required."
            raise RefusalError(400, "bytesBilledLimitExceeded", why)
        given = {p["name"]: _value(p) for p in query.get("queryParameters", ())}
        target = query.get("destinationTable")
        try:
            if target:
                assert query["writeDisposition"] == "WRITE_TRUNCATE"
                self._check_layout(target, query)
                into = quoted(target["datasetId"], target["tableId"])
                self.connection.execute(f"CREATE OR REPLACE TABLE {into} AS {text}", given)
                self._take_over(target, query)
                return self._all(target["datasetId"], target["tableId"]), statistics
            rows = self.connection.sql(text, params=given).to_arrow_table()
        except duckdb.Error as error:
            raise RefusalError(400, "invalidQuery", str(error)) from None
        query["destinationTable"] = {"projectId": PROJECT, "datasetId": "_anonymous", "tableId": "t"}
        return rows, statistics

    def _replace(self, text: str) -> None:
        """CREATE OR REPLACE TABLE: clustered and partitioned as it says, and not described."""
        made = sqlglot.parse_one(text, dialect="bigquery")
        (table,) = made.find_all(exp.Table)
        table.set("catalog", None)
        at = {"datasetId": table.db, "tableId": table.name}
        self._check_layout(at, _laid_out(made))
        self._take_over(at, _laid_out(made))
        made.set("properties", None)
        self.connection.execute(made.sql("duckdb"))

    def _take_over(self, target: Json, given: Json) -> None:
        """What replaces a table's rows replaces its metadata, too: what it does not say is forgotten."""
        self.tables[target["datasetId"], target["tableId"]] = {n: given[n] for n in LAYOUT if given.get(n)}

    def _check_layout(self, target: Json, given: Json) -> None:
        """BigQuery refuses what would lay rows out in another way than the table that is there."""
        at = target["datasetId"], target["tableId"]
        there = self.tables.get(at, {})
        if self._is_there(*at) and any(given.get(n) and given[n] != there.get(n) for n in LAYOUT):
            raise RefusalError(400, "invalid", "Incompatible table partitioning specification")

    def _script(self, text: str) -> None:
        """CREATE TABLE IF NOT EXISTS, several times; what DuckDB does not have is kept beside the table."""
        for made in sqlglot.parse(text, dialect="bigquery"):
            assert isinstance(made, exp.Create)
            table, options = made.this.this, made.args["properties"]
            if made.kind == "VIEW":
                self._view(made)
                continue
            assert made.args["exists"] and table.catalog == PROJECT and table.db in self.datasets
            table.set("catalog", None)
            kept = _laid_out(made) | {"described": {}, "description": _text(options, "description")}
            for column in made.this.expressions:
                kept["described"][column.name] = _text(column, "description")
                column.set("constraints", [])
            made.set("properties", None)
            self.connection.execute(made.sql("duckdb"))
            self.tables.setdefault((table.db, table.name), kept)

    def _view(self, made: exp.Create) -> None:
        """CREATE OR REPLACE VIEW. DuckDB has no descriptions."""
        assert made.args["replace"]
        for table in made.find_all(exp.Table):
            assert not table.db or (table.catalog == PROJECT and table.db in self.datasets)
            table.set("catalog", None)
        made.set("this", made.this.this)
        made.set("properties", None)
        self.connection.execute(made.sql("duckdb"))

    def _results(self, name: str, asked: dict[str, str]) -> Json:
        job = self._job(name)
        if error := job.resource["status"].get("errorResult"):
            raise RefusalError(400, error["reason"], error["message"])
        if job.rows is None:
            return {"jobComplete": True, "jobReference": job.resource["jobReference"]}
        found = {"jobComplete": True, "jobReference": job.resource["jobReference"], "schema": schema(job.rows)}
        return {**self._page(job.rows, asked), **found}

    def _page(self, rows: pa.Table, asked: dict[str, str]) -> Json:
        start = int(asked.get("pageToken") or asked.get("startIndex") or 0)
        most = min(self.page_rows, int(asked.get("maxResults", self.page_rows)))
        page = rows.slice(start, most)
        found: Json = {"totalRows": str(rows.num_rows)}
        if most and page.num_rows:
            columns = [cells(column) for column in page.columns]
            found["rows"] = [{"f": [{"v": value} for value in row]} for row in zip(*columns, strict=True)]
        if most and start + most < rows.num_rows:
            found["pageToken"] = str(start + most)
        return found

    def _upload(self, asked: Asked, fault: Fault | None) -> tuple[int, Json, dict[str, str]]:
        if asked.method == "PUT":
            resource, so_far = self._uploads[asked.query["upload_id"]]
            so_far += asked.body
            if asked.headers["content-range"].endswith("/*"):
                return 308, {}, {"Range": f"bytes=0-{len(so_far) - 1}"}
            return 200, self._begin(resource, lambda c: self._run_load(c, bytes(so_far)), fault), {}
        if asked.query["uploadType"] == "resumable":
            name = str(len(self._uploads))
            self._uploads[name] = (asked.json, bytearray())
            return 200, {}, {"Location": f"{self.url}{asked.path}?upload_id={name}"}
        boundary = b"--" + asked.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        _, first, second, _ = asked.body.split(boundary)
        resource = json.loads(first.partition(b"\r\n\r\n")[2])
        data = second.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        return 200, self._begin(resource, lambda c: self._run_load(c, data), fault), {}

    def _run_load(self, configuration: Json, data: bytes) -> tuple[None, Json]:
        load, rows = configuration["load"], parquet.read_table(io.BytesIO(data))
        at = load["destinationTable"]
        into = quoted(at["datasetId"], at["tableId"])
        fields = [(f["name"], f["type"]) for f in schema(rows)["fields"]]
        if fields != [(f["name"], f["type"]) for f in load["schema"]["fields"]] or load["sourceFormat"] != "PARQUET":
            raise RefusalError(400, "invalid", "Provided Schema does not match the file")
        self.connection.register("incoming", rows)
        try:
            if load["writeDisposition"] == "WRITE_TRUNCATE":
                self._check_layout(at, load)
                self._take_over(at, load)
                self.tables[at["datasetId"], at["tableId"]]["described"] = _said(load)
                self.connection.execute(f"CREATE OR REPLACE TABLE {into} AS SELECT * FROM incoming")
            else:
                self._there(at["datasetId"], at["tableId"])
                there = schema(self._head(at["datasetId"], at["tableId"]))["fields"]
                if fields != [(f["name"], f["type"]) for f in there]:
                    raise RefusalError(400, "invalid", "Provided Schema does not match Table")
                self.connection.execute(f"INSERT INTO {into} BY NAME SELECT * FROM incoming")
        finally:
            self.connection.unregister("incoming")
        return None, {"load": {"outputRows": str(rows.num_rows)}}


LAYOUT = ("clustering", "timePartitioning")
"""Says where rows lie."""


def _said(resource: Json) -> dict[str, str]:
    """Column -> description in a schema."""
    return {f["name"]: f["description"] for f in resource["schema"]["fields"] if f.get("description")}


def _text(node: exp.Expr, name: str) -> str:
    """An option of a table's or a column's own."""
    found = [
        option for option in node.find_all(exp.Property) if isinstance(option.this, exp.Var) and option.name == name
    ]
    return str(found[0].args["value"].name) if found else ""


def _laid_out(made: exp.Expr) -> Json:
    """LAYOUT of a CREATE TABLE, as the API says it."""
    options, found = made.args.get("properties") or exp.Properties(), {}
    if partition := options.find(exp.PartitionedByProperty):
        days = int(_text(options, "partition_expiration_days") or 0)
        (column,) = partition.find_all(exp.Column)
        found["timePartitioning"] = {"type": "DAY", "field": column.name, "expirationMs": str(days * 86_400_000)}
    if cluster := options.find(exp.ClusterProperty):
        found["clustering"] = {"fields": [column.name for column in cluster.expressions]}
    return found


def client(standin: StandIn) -> bigquery.Client:
    """Google's client, without credentials."""
    options = {"api_endpoint": standin.url}
    return bigquery.Client(project=PROJECT, credentials=AnonymousCredentials(), client_options=options)


def opened(
    standin: StandIn, run: str, places: Places, tables: EventTables | None = None, **options: Any
) -> BigQueryWarehouse:
    """The warehouse in it. The Storage API has no stand-in."""
    return BigQueryWarehouse(client(standin), places, run, tables, Options(**{"storage": False, **options}))


def _value(parameter: Json) -> Any:
    type_, value = parameter["parameterType"], parameter["parameterValue"]
    if type_["type"] == "ARRAY":
        assert type_["arrayType"]["type"] == "STRING"
        return [element["value"] for element in value.get("arrayValues", ())]
    return {"INT64": int, "STRING": str}[type_["type"]](value["value"])


class Handler(BaseHTTPRequestHandler):
    """HTTP round `StandIn.answer`."""

    standin: StandIn
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for each other's acknowledgement

    def setup(self) -> None:
        super().setup()
        self.standin.sockets.add(self.connection)

    def finish(self) -> None:
        self.standin.sockets.discard(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Nothing is written: `StandIn.asked` has it all."""

    def _do(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = self.standin.answer(Asked(self.command, parts.path, query, body, headers))
        if found is None:
            self.close_connection = True
            return
        status, answer, more = found
        data = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815 - the names that http.server calls
