import pytest

from varde.batch.warehouse import lint, queries

FILTERS = "t._PARTITIONTIME >= TIMESTAMP_MILLIS(@a) AND t.received_at >= TIMESTAMP_MILLIS(@a)"


@pytest.mark.parametrize("name", queries.names())
def test_every_query_passes(name: str) -> None:
    assert lint.check(queries.text(name)) == []


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT FORMAT('%d', x) AS x FROM varde.a", "FORMAT"),
        ("SELECT APPROX_TOP_COUNT(x, 1) AS x FROM varde.a", "APPROX_TOP_COUNT"),
        ("SELECT x FROM varde.a WHERE t < CURRENT_TIMESTAMP()", "CURRENT_TIMESTAMP"),
        ("SELECT x FROM varde.a WHERE t < current_date", "CURRENT_DATE"),
        ("SELECT RAND() AS x FROM varde.a", "RAND"),
        ("SELECT TIMESTAMP_DIFF(a, b, DAY) AS x FROM varde.a", "TIMESTAMP_DIFF"),
        ("SELECT a / b AS x FROM varde.a", "SAFE_DIVIDE"),
        ("SELECT SAFE_CAST(a AS INT64) AS x FROM varde.a", "'12.00'"),
        ("SELECT ARRAY_AGG(a IGNORE NULLS ORDER BY b LIMIT 1) AS x FROM varde.a", "does not translate"),
        ("SELECT a FROM varde.a QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1", "WHERE TRUE"),
        ("SELECT * FROM varde.a", "name the columns"),
        ("SELECT a FROM other.a", "segment.…, store.… or varde.…"),
        ("SELECT a FROM a", "segment.…, store.… or varde.…"),
        ("SELECT JSON_VALUE(a, '$.b') AS b FROM varde.a", "JSON_QUERY_ARRAY"),
        ("SELECT JSON_QUERY(a, '$.b') AS b FROM varde.a", "JSON_QUERY_ARRAY"),
        ("SELECT a FROM varde.a; SELECT b FROM varde.b", "exactly one SELECT"),
        ("DROP TABLE varde.a", "exactly one SELECT"),
        ("SELECT FROM WHERE", "does not translate"),
        (f"SELECT id FROM segment.tracks AS t WHERE {FILTERS}", "id: say whose column"),
        (f"SELECT t.id FROM segment.tracks AS t JOIN varde.a AS a ON TRUE WHERE {FILTERS}", "reads it alone"),
        ("SELECT t.id FROM segment.tracks AS t", "no filter on _PARTITIONTIME"),
        (f"SELECT t.data FROM segment.raw_messages AS t WHERE {FILTERS}", "no filter on publish_time"),
        ("SELECT s.item FROM store.sales AS s JOIN varde.a AS a ON TRUE", "reads it alone"),
        ("SELECT t.id FROM segment.tracks AS t WHERE t._PARTITIONTIME >= TIMESTAMP_MILLIS(@a)", "received_at"),
    ],
)
def test_refuses(sql: str, says: str) -> None:
    assert any(says in problem for problem in lint.check(sql)), lint.check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'CURRENT_TIMESTAMP / FORMAT' AS a FROM varde.a  -- RAND() / 2",
        f"SELECT t.id FROM segment.tracks AS t WHERE {FILTERS}",
        "SELECT s.item FROM store.sales AS s",
        "SELECT CAST(FLOOR(a) AS INT64) AS x FROM varde.a",
        "SELECT JSON_VALUE(p, '$.b') AS b FROM varde.a AS a CROSS JOIN UNNEST(JSON_QUERY_ARRAY(a.x)) AS p",
    ],
)
def test_lets_pass(sql: str) -> None:
    assert lint.check(sql) == []
