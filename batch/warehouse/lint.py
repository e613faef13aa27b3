"""Refuses what would fail at night or, worse, give other rows on DuckDB than on BigQuery. Measured: docs/sql.md."""

from __future__ import annotations

from sqlglot import exp, tokenize
from sqlglot.errors import SqlglotError

from . import ddl, queries, source, views
from .dialect import to_duckdb

_CLOCK = "nothing in sql/ asks for the time: use @as_of"
_CHANCE = "not repeatable"
_DIFFERS = "gives other values on DuckDB"

BANNED = {
    "FORMAT": _DIFFERS,
    "APPROX_TOP_COUNT": _DIFFERS,
    "APPROX_QUANTILES": _DIFFERS,
    "CURRENT_TIMESTAMP": _CLOCK,
    "CURRENT_DATETIME": _CLOCK,
    "CURRENT_DATE": _CLOCK,
    "CURRENT_TIME": _CLOCK,
    "RAND": _CHANCE,
    "GENERATE_UUID": _CHANCE,
    "ANY_VALUE": _CHANCE,
    "TIMESTAMP_DIFF": "DuckDB counts boundaries, BigQuery complete units: compare times instead",
    "DATETIME_DIFF": "DuckDB counts boundaries, BigQuery complete units: compare times instead",
    "STRING_AGG": "its LIMIT does not translate",
    "FARM_FINGERPRINT": "not on DuckDB",
    "IEEE_DIVIDE": "not on DuckDB: use SAFE_DIVIDE",
    "HLL_COUNT": "not on DuckDB",
    "RANGE_BUCKET": "not on DuckDB",
    "DECLARE": "no scripts: one SELECT a file",
    "_TABLE_SUFFIX": "no wildcard tables: Segment has one table per event",
    "MERGE": "one SELECT a file",
}
"""Words that no query may use, and why."""

TYPES = ("STRING", "INT64", "FLOAT64", "BOOL", "TIMESTAMP")
"""Types that a column of ours may be declared with."""


def check(sql: str) -> list[str]:
    """What is wrong with a query; nothing when it may run."""
    problems = _words(sql)
    try:
        tree = queries.parse(sql)
        to_duckdb(tree)
    except (SqlglotError, ValueError) as error:
        return [*problems, f"does not translate: {error}"]
    return [*problems, *_expressions(tree), *_tables(tree), *_json(tree)]


def _words(sql: str) -> list[str]:
    found: list[str] = []
    for token in tokenize(sql, read="bigquery"):
        word = token.text.upper()
        if token.token_type.name in ("STRING", "RAW_STRING", "NUMBER"):
            continue
        if word in BANNED:
            found.append(f"line {token.line}: {word}: {BANNED[word]}")
        elif token.token_type.name == "SLASH":
            found.append(f"line {token.line}: /: an error on BigQuery, inf on DuckDB: use SAFE_DIVIDE")
    return found


def _expressions(tree: exp.Expr) -> list[str]:
    found = [
        f"{cast.sql('bigquery')}: '12.00' is NULL on BigQuery and 12 on DuckDB"
        for cast in tree.find_all(exp.Cast)
        if cast.to.is_type(*exp.DataType.INTEGER_TYPES) and not isinstance(cast.this, exp.Floor)
    ]
    found += [
        f"{array.sql('bigquery')}: LIMIT and IGNORE NULLS do not translate" for array in tree.find_all(exp.ArrayAgg)
    ]
    for select in tree.find_all(exp.Select):
        if select.args.get("qualify") and not (select.args.get("where") or select.args.get("group")):
            found.append("QUALIFY needs a WHERE, GROUP BY or HAVING beside it: write WHERE TRUE")
        if any(isinstance(e, exp.Star) for e in select.expressions):
            found.append("SELECT *: name the columns")
    return found


def _tables(tree: exp.Expr) -> list[str]:
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    found = [
        f"{table.sql('bigquery')}: a table is segment.…, store.… or varde.…"
        for table in tree.find_all(exp.Table)
        if table.db not in (*source.DATASETS, "varde") and (table.db or table.name not in own)
    ]
    for select in source.sources(tree):
        read = source.source_table(select)
        if read is None or not read.alias or select.args.get("joins"):
            found.append("a step on a table that is not ours reads it alone and with an alias")
            continue
        columns = list(select.find_all(exp.Column))
        found += [f"{c.name}: say whose column it is" for c in columns if c.table != read.alias]
        where = select.args.get("where")
        filtered = {c.name for c in where.find_all(exp.Column)} if where else set()
        for needed in source.filtered(read):
            if needed not in filtered:
                found.append(f"{read.name}: no filter on {needed}")
    return found


def _json(tree: exp.Expr) -> list[str]:
    """JSON functions stop DuckDB on malformed text, so they take only elements that JSON_QUERY_ARRAY let through."""
    elements = {
        name.name
        for unnest in tree.find_all(exp.Unnest)
        if any(unnest.find_all(exp.JSONExtractArray)) and unnest.args.get("alias")
        for name in [*unnest.args["alias"].columns, unnest.args["alias"].this]
        if name is not None
    }
    return [
        f"{node.sql('bigquery')}: takes only an element of UNNEST(JSON_QUERY_ARRAY(…))"
        for node in tree.find_all(exp.JSONExtract, exp.JSONExtractScalar, exp.JSONValue)
        if not (isinstance(node.this, exp.Column) and node.this.name in elements)
    ]


def view(sql: str) -> list[str]:
    """What is wrong with a view of sql/views; nothing when it may be made."""
    try:
        found = views.read(sql)
    except (SqlglotError, ValueError) as error:
        return [f"not a view: {error}"]
    said = {found.name: found.description, **found.columns}
    return [
        *(f"{name}: no description" for name, text in said.items() if not text),
        *check(found.query.sql("bigquery")),
    ]


def declaration(sql: str) -> list[str]:
    """What is wrong with a declaration of sql/ddl; nothing when it may be applied."""
    try:
        declared = ddl.read(sql)
    except (SqlglotError, ValueError) as error:
        return [f"not a declaration: {error}"]
    found = [f"{name}: no description" for name, (_, text) in declared.columns.items() if not text]
    found += [
        f"{name}: {type_} is none of {', '.join(TYPES)}"
        for name, (type_, _) in declared.columns.items()
        if type_ not in TYPES
    ]
    if not declared.description:
        found.append(f"{declared.name}: no description")
    if declared.statement.find(exp.PartitionedByProperty) and not declared.days:
        found.append(f"{declared.name}: never expires")
    return found
