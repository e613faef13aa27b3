"""Google's own SQL engine (the `zetasql` wheel) as the judge of what a query returns on BigQuery."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from varde.batch.warehouse import Parameter, Parameters, ddl
from varde.batch.warehouse.segment import (
    CALL_TABLES,
    CONSENT,
    CONSENT_GIVEN,
    EVENT_COLUMNS,
    EXPOSURE_COLUMNS,
    RAW_COLUMNS,
    STORE_TABLES,
    TIMESTAMP,
)

Row = dict[str, Any]

UNDECLARED: dict[str, Mapping[str, pa.DataType]] = {
    "experiment_exposures": dict.fromkeys(("list_id", "exposure_id", "experiment"), pa.string())
    | {"variation_index": pa.int64()}
    | dict.fromkeys(("unit_kind", "unit", "placement", "request_id", "rung"), pa.string())
    | {"latency_ms": pa.float64(), "items": pa.string(), "time": pa.int64(), "fault": pa.string()},
    "experiment_messages": dict.fromkeys(("kind", "message_id", "user_id", "anonymous_id"), pa.string())
    | {"time": pa.int64(), "user_agent": pa.string(), "consent_given": pa.bool_()}
    | dict.fromkeys(("order_id", "request_id", "product_id", "sku", "variant", "currency"), pa.string())
    | {"revenue": pa.float64(), "total": pa.float64(), "products": pa.string(), "cancelled": pa.bool_()},
    "experiment_events": dict.fromkeys(("kind", "message_id", "customer", "user_id", "anonymous_id"), pa.string())
    | {"time": pa.int64(), "order_id": pa.string(), "request_id": pa.string()}
    | {"revenue": pa.float64(), "total": pa.float64(), "currency": pa.string(), "cancelled": pa.bool_()}
    | {"item": pa.string(), "price": pa.float64(), "quantity": pa.float64(), "product": pa.bool_()},
    "erasures": {"user_id": pa.string(), "time": pa.int64()},
    "forgotten": {"customer": pa.string(), "time": pa.int64()},
    "raw": dict.fromkeys(("call", "fault", "id", "user_id", "anonymous_id", "previous_id", "event"), pa.string())
    | dict.fromkeys(("timestamp", "received_at", "loaded_at"), pa.int64())
    | {"context_user_agent": pa.string(), "consent_given": pa.bool_()}
    | dict.fromkeys(
        (
            "product_id",
            "sku",
            "variant",
            "order_id",
            "revenue",
            "total",
            "currency",
            "request_id",
            "varde_request_id",
            "products",
        ),
        pa.string(),
    ),
}
"""Columns of those of our own tables that are gone after the night."""
OWN: dict[str, Mapping[str, pa.DataType]] = UNDECLARED | {
    name: declared.types for name, declared in ddl.tables().items()
}
"""Columns of our own tables: what the steps of the night hand to one another."""

STANDARD = {
    **{f"segment.{name}": columns for name, columns in CALL_TABLES.items()},
    **{
        f"segment.{name}": EVENT_COLUMNS
        for name in (
            "product_viewed",
            "product_clicked",
            "product_added",
            "order_completed",
            "order_refunded",
            "segment_consent_preference_updated",
        )
    },
    "segment.raw_messages": RAW_COLUMNS,
    **{f"store.{name}": columns for name, columns in STORE_TABLES.items()},
    "store.exposures": EXPOSURE_COLUMNS,
    **{f"varde.{name}": columns for name, columns in OWN.items()},
}
"""Every table that a query names."""


def columns_of(table: str, rows: Sequence[Row] = ()) -> Mapping[str, pa.DataType]:
    """Declared columns, and the consent columns of the rows; a table that is not standard is one of an event."""
    said = {name for row in rows for name in row if name.startswith(CONSENT) and name != CONSENT_GIVEN}
    consent = {name: pa.string() if name == CONSENT else pa.bool_() for name in sorted(said)}
    return {**STANDARD.get(table, EVENT_COLUMNS), **consent}


class GoogleSql:
    """Runs BigQuery SQL over tables in memory."""

    def __init__(self) -> None:
        wasmtime = pytest.importorskip("wasmtime", reason="needs the zetasql wheel (Google's SQL engine)")

        class CachingConfig(wasmtime.Config):  # type: ignore[name-defined]
            """Compiling the engine takes half a minute; wasmtime keeps the result when asked to."""

            def __init__(self) -> None:
                super().__init__()
                self.cache = True

        original, wasmtime.Config = wasmtime.Config, CachingConfig
        try:
            pytest.importorskip("zetasql", reason="needs the zetasql wheel (Google's SQL engine)")
            from zetasql import api, types

            types.TypeKind  # noqa: B018 - a wheel without it is not the one we know
            self._api, self._types = api, types
            self._language = types.LanguageOptions.maximum_features()
            self.run("SELECT 1 AS one", {}, {})
        finally:
            wasmtime.Config = original

    def run(self, sql: str, parameters: Parameters, tables: Mapping[str, Sequence[Row]]) -> list[Row]:
        """The rows of a query, in no particular order.

        Args:
            sql: BigQuery SQL.
            parameters: values of @names.
            tables: rows of `dataset.table`; times are ms. Columns that no row has are NULL.
        """
        kinds = self._types.TypeKind
        text = re.sub(r"^--.*$|\s\s--\s.*$", "", sql, flags=re.MULTILINE)
        catalog = self._api.CatalogBuilder("test")
        content, steps = {}, []
        for table in sorted({*re.findall(r"\b((?:segment|varde|store)\.\w+)", text.replace("`", ""))}):
            flat, declared = table.replace(".", "_"), columns_of(table, tables.get(table, []))
            builder = self._api.TableBuilder(f"raw_{flat}")
            for column, type_ in declared.items():
                builder.add_column(column, getattr(kinds, _KINDS.get(type_, "TYPE_INT64")))
            catalog.add_table(builder.build())
            content[f"raw_{flat}"] = self._api.create_table_content(
                [[_value(row.get(c), t) for c, t in declared.items()] for row in tables.get(table, [])]
            )
            steps.append(f"{flat} AS ({_typed(flat, declared)})")
        text = re.sub(r"`?\b(segment|varde|store)`?\.`?(\w+)`?", r"\1_\2", text).strip()
        text = re.sub(r"@(\w+)", lambda m: _literal(parameters[m[1]]), text)
        if steps:
            text = f"WITH {', '.join(steps)}{',' + text[4:] if text.upper().startswith('WITH') else ' ' + text}"
        builtin = self._types.ZetaSQLBuiltinFunctionOptions(language_options=self._language)
        options = self._types.AnalyzerOptions(language_options=self._language)
        options.default_timezone = "UTC"
        prepared = self._api.PreparedQuery.builder().set_sql(text).set_analyzer_options(options)
        prepared.set_catalog(catalog.with_builtin_functions(builtin).build())
        with prepared.set_table_content(content).prepare() as query:
            names = [column.name for column in query.columns]
            content_found = query.execute().content.table_data
            found = content_found.row if content_found else []
            return [dict(zip(names, map(_python, row.cell), strict=True)) for row in found]


_LISTS = {type_: "TYPE_STRING" for type_ in EXPOSURE_COLUMNS.values() if pa.types.is_list(type_)}
"""The wheel takes no arrays: they are given as JSON text."""
_KINDS = {pa.string(): "TYPE_STRING", pa.bool_(): "TYPE_BOOL", pa.float64(): "TYPE_DOUBLE", **_LISTS}


def _typed(flat: str, declared: Mapping[str, pa.DataType]) -> str:
    """A table with its times as TIMESTAMP (the wheel takes none), Segment's partition column, and every consent."""
    times = [column for column, type_ in declared.items() if type_ == TIMESTAMP]
    if not times:
        return f"SELECT * FROM raw_{flat}"
    replaced = ", ".join(
        [
            *(f"TIMESTAMP_MICROS({column}) AS {column}" for column in times),
            *(f"{_array(column, type_)} AS {column}" for column, type_ in declared.items() if type_ in _LISTS),
        ]
    )
    if "served_at" in declared:
        return f"SELECT * REPLACE ({replaced}) FROM raw_{flat}"
    loaded = "COALESCE(loaded_at, received_at)" if "loaded_at" in declared else "publish_time"
    partition = f"TIMESTAMP_TRUNC(TIMESTAMP_MICROS({loaded}), DAY) AS _PARTITIONTIME"
    return f"SELECT * REPLACE ({replaced}), {partition}, TRUE AS {CONSENT_GIVEN} FROM raw_{flat}"


def _array(column: str, type_: pa.ListType) -> str:
    """The array that a JSON text holds."""
    chosen = "JSON_VALUE(one)"
    if pa.types.is_struct(type_.value_type):
        text = "JSON_VALUE(one, '$.{}')"
        fields = [
            (f"CAST({text} AS INT64)" if field.type == pa.int64() else text).format(field.name) + f" AS {field.name}"
            for field in type_.value_type
        ]
        chosen = f"AS STRUCT {', '.join(fields)}"
    return f"ARRAY(SELECT {chosen} FROM UNNEST(JSON_QUERY_ARRAY({column})) AS one WITH OFFSET AS n ORDER BY n)"


def _value(value: Any, type_: pa.DataType) -> Any:
    if type_ in _LISTS:
        return json.dumps(value)
    return value * 1000 if type_ == TIMESTAMP and value is not None else value


def _literal(value: Parameter) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"[{', '.join(map(_literal, value))}]"


def _python(value: Any) -> Any:
    for name in ("int64_value", "string_value", "bool_value", "double_value"):
        if value.HasField(name) if hasattr(value, "HasField") else getattr(value, name, None) is not None:
            return getattr(value, name)
    return None
