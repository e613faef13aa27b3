"""BigQuery SQL -> DuckDB SQL: sqlglot, and one small rewrite of the tree for each place where it alone goes wrong.

Every rewrite has a test of its own; what has no rewrite and would differ is refused by `lint`. docs/sql.md lists both.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import ErrorLevel, exp

PARTITION_TIME = "_PARTITIONTIME"
LACKING = "lacking"
"""Note at a column of PARTITION_TIME: columns that its table does not have."""


def to_duckdb(tree: exp.Expr) -> str:
    """The DuckDB text of a BigQuery tree (which is left as it was).

    Raises:
        sqlglot.errors.UnsupportedError: a construct that DuckDB does not have.
    """
    tree = tree.copy()
    for node in reversed(list(tree.walk())):  # from the leaves up, so that a node meets its rewritten children
        for rewrite in REWRITES:
            if (other := rewrite(node)) is not node:
                tree = other if node is tree else tree
                node.replace(other)
                break
    return tree.sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE, comments=False)


def partition_time(node: exp.Expr) -> exp.Expr:
    """`t._PARTITIONTIME`: the day of loading, by which Segment's tables are partitioned; of publishing for raw ones.

    A row that does not say when it was loaded is taken by the day of its receipt. `source.fit` notes (LACKING) which of
    the two columns a table lacks.
    """
    if isinstance(node, exp.Column) and node.name.upper() == PARTITION_TIME:
        select = node.find_ancestor(exp.Select)
        beside = {column.name for column in select.find_all(exp.Column)} if select else set()
        names = ("publish_time",) if "publish_time" in beside else ("loaded_at", "received_at")
        there = [exp.column(n, table=node.table or None) for n in names if n not in node.meta.get(LACKING, ())]
        moment = exp.func("COALESCE", *there) if there else exp.cast(exp.null(), "timestamptz")
        return exp.TimestampTrunc(this=moment, unit=exp.var("DAY"))
    return node


def json_array(node: exp.Expr) -> exp.Expr:
    """JSON_QUERY_ARRAY(text): NULL for anything but an array; DuckDB would stop the query at malformed text."""
    if not isinstance(node, exp.JSONExtractArray):
        return node
    text = node.this.sql(dialect="duckdb")
    # Not CAST(… AS JSON[]): it takes seven times as long.
    guarded = (
        f"CASE WHEN JSON_VALID({text}) THEN CASE WHEN JSON_TYPE({text}) = 'ARRAY' "
        f"THEN JSON_EXTRACT({text}, '$[*]') END END"
    )
    return exp.maybe_parse(guarded, dialect="duckdb")


def json_text(node: exp.Expr) -> exp.Expr:
    """JSON_QUERY(element, path) is a STRING, and NULL for a JSON null; DuckDB gives its JSON type and the text null."""
    if isinstance(node, exp.JSONExtract):
        as_text = exp.Cast(this=node.copy(), to=exp.DataType.build("text"))
        return exp.Nullif(this=as_text, expression=exp.Literal.string("null"))
    return node


def byte_length(node: exp.Expr) -> exp.Expr:
    """BYTE_LENGTH of a STRING: sqlglot's OCTET_LENGTH takes only a BLOB."""
    return exp.func("STRLEN", node.this) if isinstance(node, exp.ByteLength) else node


def timestamp_millis(node: exp.Expr) -> exp.Expr:
    """TIMESTAMP_MILLIS: sqlglot's EPOCH_MS gives a time without zone."""
    if isinstance(node, exp.UnixToTime):
        return exp.Cast(this=node.copy(), to=exp.DataType.build("timestamptz"))
    return node


def count_if(node: exp.Expr) -> exp.Expr:
    """COUNTIF(x) is 0 where x is never true; DuckDB's COUNT_IF is NULL where x is always NULL, and a HUGEINT."""
    if not isinstance(node, exp.CountIf):
        return node
    return exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=node.this.copy()))


def unnested_rows(node: exp.Expr) -> exp.Expr:
    """FROM t CROSS JOIN UNNEST(t.list) AS x: UNNEST as a column of t instead.

    Both give no row for NULL and for an empty list, but DuckDB runs the join as a lateral one, which first makes the
    lists distinct: five times the time and ten times the memory on JSON text.
    """
    if not isinstance(node, exp.Select):
        return node
    from_, joins = node.args.get("from_"), node.args.get("joins") or []
    if from_ is None or len(joins) != 1 or not isinstance(unnest := joins[0].this, exp.Unnest):
        return node
    alias = unnest.args.get("alias")
    if unnest.args.get("offset") or alias is None or len(alias.columns) != 1 or joins[0].args.get("side"):
        return node
    column = exp.alias_(exp.Anonymous(this="UNNEST", expressions=unnest.expressions), alias.columns[0].name)
    inner = exp.Select(expressions=[exp.Star(), column]).from_(from_.this.copy(), copy=False)
    other = node.copy()
    other.set("joins", [])
    other.set("from_", exp.From(this=inner.subquery(from_.this.alias_or_name)))
    return other


REWRITES: tuple[Callable[[exp.Expr], exp.Expr], ...] = (
    partition_time,
    json_array,
    json_text,
    byte_length,
    timestamp_millis,
    count_if,
    unnested_rows,
)
