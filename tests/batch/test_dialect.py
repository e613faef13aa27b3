"""Each rewrite alone: that plain sqlglot goes wrong, and that the rewrite does not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from sqlglot import exp

from varde.batch.warehouse import queries, source
from varde.batch.warehouse.dialect import to_duckdb
from varde.batch.warehouse.segment import CategoryError, EventTables, consent_column, event_tables


@pytest.fixture
def connection() -> Any:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def both(connection: Any, sql: str) -> tuple[Any, Any]:
    """(what plain sqlglot gives, or its error, what ours gives)."""
    tree = queries.parse(sql)
    try:
        plain = connection.execute(tree.sql("duckdb")).fetchall()
    except duckdb.Error as error:
        plain = type(error)
    return plain, connection.execute(to_duckdb(tree)).fetchall()


def test_partition_time(connection: Any) -> None:
    connection.execute(
        "CREATE TABLE t AS SELECT TIMESTAMPTZ '2026-01-02 03:04:05Z' AS loaded_at, loaded_at AS received_at"
    )
    plain, ours = both(connection, "SELECT UNIX_MILLIS(t._PARTITIONTIME) AS day FROM t AS t")
    assert plain is duckdb.BinderException
    assert ours == [(1_767_312_000_000,)]


def test_json_array_of_what_is_none(connection: Any) -> None:
    connection.execute("CREATE TABLE t (x VARCHAR)")
    connection.execute("INSERT INTO t VALUES ('[1,'), ('{}'), ('7'), (NULL), ('[]'), ('[1, 2]')")
    plain, ours = both(connection, "SELECT JSON_QUERY_ARRAY(x) IS NULL AS none FROM t")
    assert plain is duckdb.InvalidInputException
    assert ours == [(True,), (True,), (True,), (True,), (False,), (False,)]


def test_json_text(connection: Any) -> None:
    connection.execute("""CREATE TABLE t AS SELECT '[{"a": null}, {"a": "b"}, {"a": 1.50}]' AS x""")
    sql = "SELECT JSON_QUERY(p, '$.a') AS a FROM t AS t CROSS JOIN UNNEST(JSON_QUERY_ARRAY(t.x)) AS p"
    plain, ours = both(connection, sql)
    assert set(plain) == {("null",), ('"b"',), ("1.5",)}
    assert set(ours) == {(None,), ('"b"',), ("1.5",)}


def test_byte_length(connection: Any) -> None:
    plain, ours = both(connection, "SELECT BYTE_LENGTH('åb') AS n")
    assert plain is duckdb.BinderException
    assert ours == [(3,)]


def test_timestamp_millis(connection: Any) -> None:
    plain, ours = both(
        connection, "SELECT CAST(TIMESTAMP_MILLIS(-1) AS STRING) AS t, UNIX_MILLIS(TIMESTAMP_MILLIS(-1)) AS n"
    )
    assert plain != ours
    assert ours == [("1969-12-31 23:59:59.999+00", -1)]


def test_unnested_rows(connection: Any) -> None:
    connection.execute(
        "CREATE TABLE t AS SELECT * FROM (VALUES (1, '[5, 6]'), (2, '[]'), (3, NULL), (4, '[7')) v(k, x)"
    )
    sql = "SELECT t.k, JSON_VALUE(p, '$') AS v FROM t AS t CROSS JOIN UNNEST(JSON_QUERY_ARRAY(t.x)) AS p WHERE t.k < 9"
    text = to_duckdb(queries.parse(sql))
    assert "CROSS JOIN" not in text
    assert sorted(connection.execute(text).fetchall()) == [(1, "5"), (1, "6")]


def test_an_array_parameter_by_offset(connection: Any) -> None:
    text = to_duckdb(queries.parse("SELECT @k[SAFE_OFFSET(0)] AS a, @k[SAFE_OFFSET(2)] AS c"))
    assert connection.execute(text, {"k": ["x", "y"]}).fetchall() == [("x", None)]


def test_a_name_from_outside_stays_a_name() -> None:
    hostile = 'x` UNION ALL SELECT 1; "'
    tree = queries.parse("SELECT t.id AS id FROM segment.product_viewed AS t WHERE TRUE")
    fitted = source.fit(tree, lambda name: frozenset({"id"}), EventTables({"product_viewed": (hostile,)}))
    (table,) = list(queries.parse(fitted.sql("bigquery")).find_all(exp.Table))
    assert table.name == hostile


def test_a_missing_column_is_null_and_keeps_its_name(connection: Any) -> None:
    connection.execute("CREATE SCHEMA segment; CREATE TABLE segment.tracks AS SELECT 'm' AS id")
    tree = queries.parse("SELECT t.id, t.user_id, UNIX_MILLIS(t.timestamp) AS time FROM segment.tracks AS t WHERE TRUE")
    fitted = source.fit(tree, lambda name: frozenset({"id"}), event_tables())
    assert fitted.named_selects == ["id", "user_id", "time"]
    assert connection.execute(to_duckdb(fitted)).fetchall() == [("m", None, None)]


PREFERENCE = "context_consent_category_preferences"


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize(
    ("said", "granted"),
    [
        ({}, None),
        ({"context_consent": "{}"}, False),
        ({f"{PREFERENCE}_other": True}, False),
        ({f"{PREFERENCE}_ads": True}, False),
        ({f"{PREFERENCE}_ads": True, f"{PREFERENCE}_data_sharing": None}, False),
        ({f"{PREFERENCE}_ads": True, f"{PREFERENCE}_data_sharing": False}, False),
        ({f"{PREFERENCE}_ads": True, f"{PREFERENCE}_data_sharing": True}, True),
        ({f"{PREFERENCE}_ads": "true", f"{PREFERENCE}_data_sharing": "no"}, False),
        ({"context_consenting": True}, None),
    ],
)
def test_consent_given(connection: Any, said: dict[str, Any], granted: bool | None, default: bool) -> None:
    """Granted when all required categories are; None stands for the default. What nobody has sent has no column."""
    values = ", ".join(
        f"{value!r} AS {name}" if value is not None else f"NULL::BOOL AS {name}" for name, value in said.items()
    )
    connection.execute(
        f"CREATE SCHEMA segment; CREATE TABLE segment.tracks AS SELECT 'm' AS id{', ' * bool(said)}{values}"
    )
    tree = queries.parse("SELECT t.consent_given, NOT t.consent_given AS refused FROM segment.tracks AS t WHERE TRUE")
    tables = event_tables(consent=("Ads", "DataSharing"), consent_default=default)
    sql = to_duckdb(source.fit(tree, lambda name: frozenset({"id", *said}), tables))
    expected = default if granted is None else granted
    assert connection.execute(sql).fetchall() == [(expected, not expected)]
    everything = to_duckdb(source.fit(tree, lambda name: frozenset({"id", *said}), event_tables()))
    assert connection.execute(everything).fetchall() == [(True, False)]


def test_consent_of_a_table_that_is_not_there_is_a_boolean(connection: Any) -> None:
    tree = queries.parse(
        "SELECT t.consent_given FROM segment.pages AS t WHERE TRUE UNION ALL SELECT TRUE AS consent_given"
    )
    assert connection.execute(to_duckdb(source.fit(tree, lambda _: frozenset(), event_tables()))).fetchall() == [
        (True,)
    ]


@pytest.mark.parametrize(
    ("category", "column"),
    [
        ("Advertising", "advertising"), ("DataSharing", "data_sharing"), ("C0001", "c0001"),
        ("data sharing", "data_sharing"), ("HTTPServer", "httpserver"), ("a1B2c", "a1_b2c"), ("x-Y", "x_y"),
    ],
)  # fmt: skip
def test_names_of_consent_columns(category: str, column: str) -> None:
    """As go-snakecase, which Segment names as its own, and as seen in queries on Segment's tables."""
    assert consent_column(category) == f"context_consent_category_preferences_{column}"


def test_categories_that_no_column_can_tell_apart() -> None:
    assert consent_column("同意") is None
    for categories in (("同意",), ("Data Sharing", "DataSharing")):
        with pytest.raises(CategoryError, match=categories[-1]):
            event_tables(consent=categories)
    assert len(event_tables(consent=("Ads", "Ads")).consent) == 1


def test_count_if(connection: Any) -> None:
    connection.execute("CREATE TABLE t AS SELECT NULL::BOOLEAN AS x")
    plain, ours = both(connection, "SELECT COUNTIF(x) AS n FROM t AS t")
    assert plain == [(None,)]
    assert ours == [(0,)]
    connection.execute("INSERT INTO t VALUES (TRUE), (FALSE), (TRUE)")
    _, ours = both(connection, "SELECT COUNTIF(x) AS n FROM t AS t")
    assert ours == [(2,)]
