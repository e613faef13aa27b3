"""What every warehouse does, on DuckDB and on Google's own client against the stand-in; then BigQuery alone."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from google.auth.exceptions import RefreshError, TransportError
from google.cloud import bigquery

from varde.batch import freshness, nightly
from varde.batch.loader import Loader
from varde.batch.warehouse import (
    MissingError,
    Parameters,
    UnavailableError,
    Warehouse,
    WarehouseError,
    bigquery_jobs,
    bigquery_options,
    ddl,
    queries,
)
from varde.batch.warehouse.bigquery import BigQueryWarehouse
from varde.batch.warehouse.bigquery_options import Places
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.events import Mapping
from varde.history import Limits
from varde.pairs import Relation

from .bigquery_standin import LEAST_BILLED, LOCATION, PROJECT, Fault, StandIn, opened

PLACES = Places(f"{PROJECT}.segment_prod", f"{PROJECT}.varde_out")
FAST = bigquery.DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.05).with_timeout(20)
UTC = datetime.UTC
NOW = 1_767_225_600_000

QUERIES = {
    "given": "SELECT @n AS n, @word AS word, ARRAY_LENGTH(@words) AS items, @words[SAFE_OFFSET(0)] AS first",
    "numbers": "SELECT n, CAST(NULL AS STRING) AS nothing FROM UNNEST(GENERATE_ARRAY(1, @n)) AS n",
    "stored": "SELECT user_id, time FROM varde.wishes WHERE time <= @until",
    "fails": "SELECT IF(n > 2, ERROR('no such number'), 'x') AS word FROM UNNEST(GENERATE_ARRAY(1, @n)) AS n",
    "newest_view": "SELECT t.id, t.sku, t.price FROM segment.product_viewed AS t WHERE t._PARTITIONTIME IS NOT NULL",
}


@pytest.fixture(autouse=True)
def _queries(monkeypatch: pytest.MonkeyPatch) -> None:
    text = queries.text
    monkeypatch.setattr(queries, "text", lambda name: QUERIES.get(name) or text(name))


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION, "elsewhere": "US"}, page_rows=100) as running:
        yield running


def open_on(standin: StandIn, run: str = "r1", places: Places = PLACES, **options: Any) -> BigQueryWarehouse:
    return opened(standin, run, places, **{"retry": FAST, "pause": lambda _: None, **options})


@pytest.fixture
def big(standin: StandIn) -> Iterator[BigQueryWarehouse]:
    with open_on(standin) as warehouse:
        yield warehouse


@pytest.fixture(params=["duckdb", "bigquery"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    if request.param == "bigquery":
        yield request.getfixturevalue("big")
    else:
        with DuckDBWarehouse() as small:
            yield small


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=repr)


def test_parameters_of_every_type(warehouse: Warehouse) -> None:
    given: Parameters = {"n": 2**53 + 1, "word": "å'`\"\n", "words": ["ö", ""], "unused": 1}
    assert rows(warehouse.query("given", given)) == [{"n": 2**53 + 1, "word": "å'`\"\n", "items": 2, "first": "ö"}]
    empty: Parameters = {"n": -1, "word": "", "words": []}
    assert rows(warehouse.query("given", empty)) == [{"n": -1, "word": "", "items": 0, "first": None}]


def test_a_missing_parameter_and_an_unknown_query(warehouse: Warehouse) -> None:
    with pytest.raises(KeyError, match="word"):
        warehouse.query("given", {"n": 1, "words": []})
    with pytest.raises(LookupError):
        warehouse.query("no_such_query", {})


def test_results_of_many_pages_and_of_none(warehouse: Warehouse) -> None:
    found = warehouse.query("numbers", {"n": 1234})
    assert sorted(found["n"].to_pylist()) == list(range(1, 1235))
    assert found["nothing"].null_count == 1234
    none = warehouse.query("numbers", {"n": 0})
    assert none.num_rows == 0
    assert none.column_names == ["n", "nothing"]


def test_materialize_replaces(warehouse: Warehouse) -> None:
    assert warehouse.materialize("numbers", {"n": 250}) == 250
    assert warehouse.materialize("numbers", {"n": 3}) == 3
    assert warehouse.materialize("numbers", {"n": 3}) == 3
    assert rows(warehouse.read("varde.numbers")) == [{"n": n, "nothing": None} for n in (1, 2, 3)]
    assert warehouse.materialize("numbers", {"n": 0}) == 0
    assert warehouse.read("varde.numbers").num_rows == 0
    assert warehouse.columns("varde.numbers") == {"n", "nothing"}


def test_a_repeated_materialize_reads_anew(warehouse: Warehouse) -> None:
    warehouse.load("varde.wishes", pa.table({"user_id": ["u"], "time": [1]}))
    assert warehouse.materialize("stored", {"until": 9}) == 1
    warehouse.load("varde.wishes", pa.table({"user_id": ["u"], "time": [1]}))
    assert warehouse.materialize("stored", {"until": 9}) == 2


def test_a_failing_query_leaves_the_old_table(warehouse: Warehouse) -> None:
    warehouse.materialize("fails", {"n": 2})
    with pytest.raises(WarehouseError, match=r"^query fails into varde.fails: .*no such number"):
        warehouse.materialize("fails", {"n": 3})
    assert rows(warehouse.read("varde.fails")) == [{"word": "x"}, {"word": "x"}]


def test_load_all_types_nulls_and_unicode(warehouse: Warehouse) -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    table = pa.table(
        {
            "text": ["å\U0001f600\0'\"", None, ""],
            "whole": [2**62, None, -1],
            "real": [0.1, None, -1e300],
            "yes": [True, None, False],
            "moment": pa.array([moment, None, moment], pa.timestamp("us", tz="UTC")),
            "day": [datetime.date(2026, 1, 2), None, datetime.date(1970, 1, 1)],
            "bytes": [b"\x00\xff", None, b""],
        }
    )
    assert warehouse.load("varde.kinds", table) == 3
    found = warehouse.read("varde.kinds")
    assert rows(found) == rows(table)
    assert [str(field.type) for field in found.schema] == [str(field.type) for field in table.schema]


def test_load_appends_and_adds_columns(warehouse: Warehouse) -> None:
    assert warehouse.columns("segment.tracks") == frozenset()
    assert warehouse.load("segment.tracks", pa.table({"id": ["1"]})) == 1
    assert warehouse.load("segment.tracks", pa.table({"n": [7], "id": ["2"]})) == 1
    assert warehouse.load("segment.tracks", pa.table({"id": ["3"]})) == 1
    assert warehouse.columns("segment.tracks") == {"id", "n"}
    assert rows(warehouse.read("segment.tracks")) == [
        {"id": "1", "n": None},
        {"id": "2", "n": 7},
        {"id": "3", "n": None},
    ]


def test_load_of_no_rows_makes_the_table(warehouse: Warehouse) -> None:
    assert warehouse.load("varde.wishes", pa.table({"user_id": pa.array([], pa.string())})) == 0
    assert warehouse.columns("varde.wishes") == {"user_id"}
    assert warehouse.read("varde.wishes").num_rows == 0


def test_replace(warehouse: Warehouse) -> None:
    for held in ([("a", 1), ("b", 2)], [("c", 3)], []):
        table = pa.table({"user_id": [u for u, _ in held], "time": pa.array([t for _, t in held], pa.int64())})
        table = table.cast(pa.schema([("user_id", pa.string()), ("time", pa.int64())]))
        assert warehouse.replace("varde.wishes", table) == len(held)
        assert rows(warehouse.read("varde.wishes")) == rows(table)
        assert len(rows(warehouse.query("stored", {"until": 2}))) == len([t for _, t in held if t <= 2])
    warehouse.replace("varde.wishes", pa.table({"other": [True]}))
    assert warehouse.columns("varde.wishes") == {"other"}


def test_a_missing_table(warehouse: Warehouse) -> None:
    assert warehouse.columns("varde.wishes") == frozenset()
    for asked in (lambda: warehouse.read("varde.wishes"), lambda: warehouse.query("stored", {"until": 1})):
        with pytest.raises(MissingError, match="wishes"):
            asked()
    warehouse.drop("varde.wishes")
    warehouse.load("varde.wishes", pa.table({"time": [1]}))
    warehouse.drop("varde.wishes")
    assert warehouse.columns("varde.wishes") == frozenset()


def test_segments_tables_are_fitted(warehouse: Warehouse) -> None:
    assert rows(warehouse.query("newest_view", {})) == []
    times = pa.array([datetime.datetime(2026, 1, 2, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))
    at = dict.fromkeys(("received_at", "loaded_at"), times)
    warehouse.load("segment.viewed_product", pa.table({"id": ["1"], "sku": ["s"], **at}))
    assert rows(warehouse.query("newest_view", {})) == [{"id": "1", "sku": "s", "price": None}]
    warehouse.load("segment.product_viewed", pa.table({"id": ["2"], "price": ["9"], **at}))
    assert len(rows(warehouse.query("newest_view", {}))) == 2


def test_only_the_columns_asked_for_are_read(warehouse: Warehouse) -> None:
    warehouse.load("varde.wishes", pa.table({"user_id": ["u", "v"], "time": [1, 2], "item": ["a", None]}))
    found = warehouse.read("varde.wishes", ["item", "user_id"])
    assert found.column_names == ["item", "user_id"]
    assert rows(found) == [{"item": "a", "user_id": "u"}, {"item": None, "user_id": "v"}]


def test_only_the_columns_asked_for_are_sent(standin: StandIn, big: BigQueryWarehouse) -> None:
    big.load("varde.wishes", pa.table({"user_id": ["u"], "time": [1], "item": ["a"]}))
    big.read("varde.wishes", ["item", "user_id"])
    (asked,) = [a for a in standin.asked if a.path.endswith("/data")]
    assert set(asked.query["selectedFields"].split(",")) == {"item", "user_id"}


def test_close_twice(warehouse: Warehouse) -> None:
    warehouse.close()
    warehouse.close()


def spoken() -> list[bytes]:
    """Messages with anonymous and known views, orders of products, a link, and what cannot be read."""
    found: list[dict[str, Any]] = []
    for n in range(40):
        who = {"anonymousId": f"a{n % 5}"} | ({"userId": f"u{n % 3}"} if n % 4 == 0 else {})
        if n % 3:
            seen = {"event": "Product Viewed", "properties": {"product_id": f"p{n % 7}"}}
            found.append(who | seen)
        else:
            bought = [{"product_id": f"p{n % 5}"}, {"sku": "å"}, {"quantity": 1}]
            found.append(who | {"event": "Order Completed", "properties": {"products": bought, "order_id": f"o{n}"}})
    found.append({"userId": "u1", "event": "Order Completed", "properties": {"products": '[{"sku": "cut'}})
    found.append({"userId": "u1", "event": "Order Refunded", "properties": {"order_id": "o0"}})
    common = {"type": "track", "timestamp": NOW}
    return [orjson.dumps(common | said | {"messageId": f"m{n}"}) for n, said in enumerate(found)]


def test_a_whole_night_is_the_same_on_both(big: BigQueryWarehouse) -> None:
    found = []
    with DuckDBWarehouse() as small:
        for warehouse in (small, big):
            loader = Loader(warehouse)
            for data in spoken() * 2:
                loader.add(data, NOW + 1000)
            loader.flush()
            night = nightly.build(warehouse, freshness.newest(warehouse), Limits(), Mapping())
            pairs = {r: sorted((i, sorted(cells.items())) for i, cells in night.rows(r)) for r in Relation}
            found.append((pairs, night.supports, night.faults, night.rows_of))
    assert found[0] == found[1]
    assert all(found[0][0].values())
    assert found[0][2]


# BigQuery alone


def test_labels_and_location_are_on_every_job(standin: StandIn) -> None:
    with open_on(standin, labels={"team": "shop"}, maximum_bytes_billed=10**9) as warehouse:
        warehouse.materialize("numbers", {"n": 1})
        warehouse.load("varde.wishes", pa.table({"time": [1]}))
        warehouse.replace("varde.wishes", pa.table({"time": [1]}).slice(1))
    jobs = [job.resource["configuration"] for job in standin.jobs.values()]
    assert [job["labels"] for job in jobs] == [
        {"team": "shop", "app": "varde", "query": name} for name in ("numbers", "load", "replace")
    ]
    assert jobs[0]["query"]["maximumBytesBilled"] == str(10**9)
    assert all(name.startswith("varde-r1-") for name in standin.jobs)
    inserts = [a.json for a in standin.asked if (a.method, a.path) == ("POST", f"/bigquery/v2/projects/{PROJECT}/jobs")]
    assert [job["jobReference"]["location"] for job in inserts] == [LOCATION] * 2


def test_a_table_of_segments_is_partitioned_by_loading(standin: StandIn, big: BigQueryWarehouse) -> None:
    big.load("segment.tracks", pa.table({"id": ["1"]}))
    big.load("varde.wishes", pa.table({"time": [1]}))
    assert standin.tables["segment_prod", "tracks"]["timePartitioning"] == {"type": "DAY"}
    assert "timePartitioning" not in standin.tables["varde_out", "wishes"]


def test_no_more_is_billed_than_allowed(standin: StandIn) -> None:
    with open_on(standin, maximum_bytes_billed=1000) as warehouse, pytest.raises(WarehouseError) as refused:
        warehouse.query("numbers", {"n": 1})
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"query numbers: Query exceeded limit for bytes billed: 1000. {LEAST_BILLED} or higher")
    assert "raise the limit" in line
    assert len(standin.sent("query")) == 1, "a refusal is not tried again"


def test_a_dry_run_says_what_would_be_read(standin: StandIn, big: BigQueryWarehouse) -> None:
    big.load("varde.wishes", pa.table({"user_id": ["u"] * 1000, "time": [1] * 1000}))
    few = big.dry_run("stored", {"until": 1})
    assert few > 8000
    big.load("varde.wishes", pa.table({"user_id": ["u"] * 1000, "time": [2] * 1000}))
    assert big.dry_run("stored", {"until": 1}) == 2 * few
    assert standin.sent("query") == [], "nothing was run"
    assert big.columns("varde.stored") == frozenset()
    with pytest.raises(KeyError):
        big.dry_run("stored", {})
    big.drop("varde.wishes")
    with pytest.raises(WarehouseError, match=r"^estimate of stored: Not found: Table .*the step before"):
        big.dry_run("stored", {"until": 1})


def test_a_large_load_goes_in_pieces(standin: StandIn, big: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.cloud.bigquery.client._MAX_MULTIPART_SIZE", 1000)
    monkeypatch.setattr("google.cloud.bigquery.client._DEFAULT_CHUNKSIZE", 256 * 1024)
    standin.page_rows = 100_000
    numbers = list(range(0, 10**12, 10**7))
    assert big.load("varde.wishes", pa.table({"time": numbers})) == len(numbers)
    assert len([a for a in standin.asked if a.method == "PUT"]) > 1
    assert sorted(big.read("varde.wishes")["time"].to_pylist()[:3]) == numbers[:3]
    assert big.read("varde.wishes").num_rows == len(numbers)


@pytest.mark.parametrize("where", ["POST .*/jobs$", "GET .*/jobs/", "GET .*/queries/", "GET .*/tables/", "GET .*/data"])
def test_an_overloaded_server_is_asked_again(standin: StandIn, big: BigQueryWarehouse, where: str) -> None:
    big.materialize("numbers", {"n": 5})
    fault = Fault(where, times=2)
    standin.faults.append(fault)
    assert big.query("numbers", {"n": 3}).num_rows == 3
    assert big.read("varde.numbers").num_rows == 5
    assert fault.times == 0
    assert len(standin.sent("query")) == 2


def test_an_overloaded_server_is_sent_a_file_again(standin: StandIn, big: BigQueryWarehouse) -> None:
    standin.faults.append(Fault("POST /upload/"))
    big.load("varde.wishes", pa.table({"time": [1]}))
    assert big.read("varde.wishes").num_rows == 1


def test_a_job_whose_answer_was_lost_runs_once(standin: StandIn, big: BigQueryWarehouse) -> None:
    standin.faults.append(Fault("POST /bigquery/.*/jobs$", status=None))
    assert big.materialize("numbers", {"n": 5}) == 5
    posts = [a for a in standin.asked if a.method == "POST"]
    assert len(posts) == 2
    assert len({a.json["jobReference"]["jobId"] for a in posts}) == 1
    assert len(standin.sent("query")) == 1
    standin.faults.append(Fault("POST /upload/", status=None))
    big.load("varde.wishes", pa.table({"time": [1]}))
    assert big.read("varde.wishes").num_rows == 1, "not twice"
    assert len(standin.sent("load")) == 1


def test_a_job_that_is_not_visible_yet_is_looked_for(standin: StandIn, big: BigQueryWarehouse) -> None:
    standin.faults += [
        Fault("POST /bigquery/.*/jobs$", status=None),
        Fault("GET .*/jobs/", status=404, reason="notFound", message="Not found: Job"),
    ]
    assert big.materialize("numbers", {"n": 5}) == 5
    assert len(standin.sent("query")) == 1


def test_every_call_and_every_start_has_jobs_of_its_own(standin: StandIn) -> None:
    for n, run in enumerate(("r1", "r2"), 1):
        with open_on(standin, run) as warehouse:
            for _ in range(2):
                assert warehouse.materialize("numbers", {"n": 5}) == 5
                warehouse.load("varde.wishes", pa.table({"time": [1]}))
            assert warehouse.read("varde.wishes").num_rows == 2 * n
        assert len(standin.jobs) == 4 * n


def test_a_job_that_fails_by_bigquerys_fault_is_run_again(standin: StandIn) -> None:
    waits: list[float] = []
    with open_on(standin, pause=waits.append) as warehouse:
        standin.faults.append(Fault("POST .*/jobs$", times=2, reason="jobBackendError", in_job=True))
        assert warehouse.materialize("numbers", {"n": 5}) == 5
        assert waits == [2.0, 4.0]
        assert len(standin.sent("query")) == 3
        standin.faults.append(Fault("POST .*/jobs$", times=3, reason="jobBackendError", in_job=True))
        with pytest.raises(WarehouseError, match="on purpose"):
            warehouse.materialize("numbers", {"n": 6})
        standin.faults.append(Fault("POST /upload/", reason="jobInternalError", in_job=True))
        warehouse.load("varde.wishes", pa.table({"time": [1]}))
        assert warehouse.read("varde.wishes").num_rows == 1


@pytest.mark.parametrize(
    ("status", "reason", "advice"),
    [
        (403, "accessDenied", "BigQuery Job User"),
        (403, "quotaExceeded", "ask for more"),
        (403, "billingNotEnabled", "enable billing"),
        (404, "notFound", "create the dataset"),
        (400, "resourcesExceeded", "smaller cap"),
    ],
)
def test_an_error_says_what_to_do_in_one_line(
    standin: StandIn, big: BigQueryWarehouse, status: int, reason: str, advice: str
) -> None:
    standin.faults.append(Fault("POST .*/jobs$", status=status, reason=reason, message="Some\nthing  is " + "x" * 999))
    with pytest.raises(WarehouseError) as refused:
        big.query("numbers", {"n": 1})
    (line,) = str(refused.value).splitlines()
    assert line.startswith("query numbers: Some thing is xxx")
    assert advice in line
    assert len(line) < 700


def test_wrong_datasets_are_told_at_once(standin: StandIn) -> None:
    with pytest.raises(WarehouseError, match=r"^dataset shop-project.none: Not found: .*correct its name"):
        open_on(standin, places=Places(f"{PROJECT}.segment_prod", f"{PROJECT}.none"))
    with pytest.raises(WarehouseError, match="different locations"):
        open_on(standin, places=Places(f"{PROJECT}.segment_prod", f"{PROJECT}.elsewhere"))
    for wrong in ("dataset", "a.b.c", ".b", "a."):
        with pytest.raises(WarehouseError, match=r"project\.dataset"):
            Places(wrong, wrong)
    with pytest.raises(LookupError, match="no dataset 'other'"):
        PLACES.of("other")


def test_what_does_not_fit_a_column_is_not_loaded(standin: StandIn, big: BigQueryWarehouse) -> None:
    with pytest.raises(WarehouseError, match=r"^load varde.wishes: column 'lists' has type list<"):
        big.load("varde.wishes", pa.table({"lists": [["a"]]}))
    big.load("varde.wishes", pa.table({"time": [1]}))
    with pytest.raises(WarehouseError, match=r"^load varde.wishes: column 'time': string does not fit INTEGER"):
        big.load("varde.wishes", pa.table({"time": ["soon"]}))
    big.load("varde.wishes", pa.table({"time": pa.nulls(1)}))
    assert rows(big.read("varde.wishes")) == [{"time": 1}, {"time": None}]


def test_no_server_and_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION}) as standin:
        warehouse = open_on(standin, retry=FAST.with_timeout(0.05))
    with pytest.raises(WarehouseError, match=r"^columns of varde.x: .*BigQuery does not answer"):
        warehouse.columns("varde.x")
    warehouse.close()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(WarehouseError, match=r"gcloud auth application-default login") as refused:
        bigquery_options.connect(PROJECT)
    assert len(str(refused.value).splitlines()) == 1


def test_names_in_queries_are_those_of_the_project(standin: StandIn, big: BigQueryWarehouse) -> None:
    big.load("varde.wishes", pa.table({"user_id": ["u"], "time": [1]}))
    big.query("stored", {"until": 1})
    (job,) = standin.sent("query")
    assert "`shop-project`.`varde_out`.wishes" in job["configuration"]["query"]["query"]
    assert job["configuration"]["query"]["queryParameters"] == [
        {"name": "until", "parameterType": {"type": "INT64"}, "parameterValue": {"value": "1"}}
    ]


def described(name: str) -> dict[str, str]:
    return {column: text for column, (_, text) in ddl.tables()[name].columns.items()}


PAIRS = pa.table({"relation": [0], "row_item": ["a"], "column_item": ["b"], "customers": [1]})


@pytest.mark.parametrize("again", [PAIRS, PAIRS.slice(1), None], ids=["rows", "no rows", "query"])
def test_what_replaces_a_table_of_ours_is_laid_out_and_described_anew(
    standin: StandIn, big: BigQueryWarehouse, again: pa.Table | None
) -> None:
    big.define()
    big.replace("varde.histories", pa.table({c: pa.array([], t) for c, t in ddl.tables()["histories"].types.items()}))
    for _ in range(2):
        if again is None:
            big.materialize("pair_counts", {})
        else:
            big.replace("varde.pair_counts", again)
        made = standin.tables["varde_out", "pair_counts"]
        assert made["clustering"] == {"fields": ["relation", "row_item"]}
        assert made["description"] == ddl.tables()["pair_counts"].description
        assert made["described"] == described("pair_counts")
    assert standin.tables["varde_out", "histories"]["described"] == described("histories")


def test_a_partitioned_table_stays_so(standin: StandIn, big: BigQueryWarehouse) -> None:
    types = ddl.tables()["runs"].types
    row = pa.table({name: pa.nulls(1, type_) for name, type_ in types.items()})
    day = {"type": "DAY", "field": "started", "expirationMs": str(400 * 86_400_000)}
    big.load("varde.runs", row)  # before define()
    assert standin.tables["varde_out", "runs"]["timePartitioning"] == day
    assert standin.tables["varde_out", "runs"]["described"] == described("runs")
    big.define()
    for again in (row, row.slice(1)):
        big.replace("varde.runs", again)
        assert standin.tables["varde_out", "runs"]["timePartitioning"] == day
        assert standin.tables["varde_out", "runs"]["described"] == described("runs")


@pytest.mark.parametrize("fields", [None, {"fields": ["customers"]}], ids=["not", "otherwise"])
def test_a_table_that_an_older_version_clustered_otherwise_is_replaced(
    standin: StandIn, big: BigQueryWarehouse, fields: dict[str, Any] | None
) -> None:
    big.define()
    standin.tables["varde_out", "pair_counts"].pop("clustering")
    if fields:
        standin.tables["varde_out", "pair_counts"]["clustering"] = fields
    assert big.replace("varde.pair_counts", PAIRS) == 1
    assert standin.tables["varde_out", "pair_counts"]["clustering"] == {"fields": ["relation", "row_item"]}
    assert rows(big.read("varde.pair_counts")) == rows(PAIRS)


def test_what_is_right_is_not_said_again(standin: StandIn, big: BigQueryWarehouse) -> None:
    """BigQuery takes few changes of a table's metadata in a time."""
    big.define()
    big.load("varde.pair_counts", PAIRS)
    assert [a for a in standin.asked if a.method == "PATCH"] == []
    big.replace("varde.pair_counts", PAIRS)
    assert len([a for a in standin.asked if a.method == "PATCH"]) == 1


FAILURES = [
    (403, "accessDenied", WarehouseError),
    (400, "invalidQuery", WarehouseError),
    (400, "bytesBilledLimitExceeded", WarehouseError),
    (400, "resourcesExceeded", WarehouseError),
    (404, "notFound", MissingError),
    (403, "quotaExceeded", UnavailableError),
    (403, "rateLimitExceeded", UnavailableError),
    (503, "backendError", UnavailableError),
    (500, "", UnavailableError),
]


@pytest.mark.parametrize(
    ("status", "reason", "kind", "in_job"),
    [(*failure, in_job) for in_job in (False, True) for failure in FAILURES if failure[1] or not in_job],
)  # a job always says why it has failed
def test_what_may_succeed_later_is_told_from_what_may_not(
    standin: StandIn, status: int, reason: str, kind: type[WarehouseError], in_job: bool
) -> None:
    with open_on(standin, retry=FAST.with_timeout(0.1)) as warehouse:
        standin.faults.append(Fault("POST .*/jobs$", times=99, status=status, reason=reason, in_job=in_job))
        with pytest.raises(WarehouseError) as failed:
            warehouse.query("numbers", {"n": 1})
    assert type(failed.value) is kind


def test_a_token_that_cannot_be_fetched_may_be_later() -> None:
    assert bigquery_jobs.kind(TransportError("no route")) is UnavailableError
    assert "does not answer" in bigquery_jobs.line(TransportError("no route"))
    assert bigquery_jobs.kind(RefreshError("revoked")) is WarehouseError
    assert bigquery_jobs.kind(RefreshError("busy", retryable=True)) is UnavailableError


@pytest.mark.parametrize("name", ["varde.duckdb", "Segment.duckdb", "store"])
def test_a_file_called_like_a_schema_is_refused_before_it_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(WarehouseError, match=r"call it warehouse\.duckdb"):
        DuckDBWarehouse(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
