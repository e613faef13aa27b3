"""Messages of the topic of exposures -> rows of store.exposures: what a BigQuery subscription does, for DuckDB.

A field that is not there is NULL, and sql/experiment_exposures.sql judges it; what a column of the table could not hold
is skipped and counted by reason.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from varde import exposure, timestamps
from varde.exposure import Field

from . import json_message
from .json_message import SkipError
from .warehouse import Warehouse, segment
from .warehouse.columns import column

TABLE = f"store.{segment.EXPOSURES}"
MAX_BYTES = 1 << 20
"""Longest message: a list of a thousand items takes a tenth of it."""
_NEWEST = 253_402_300_799_999
"""The end of the year 9999: what a TIMESTAMP holds."""


@dataclass(slots=True)
class LoadedExposures:
    """messages: taken. rows: written. skipped: reason -> messages that gave no row: `too_large`, `not_json`,
    `not_an_object`, and `bad_` with the name of a field whose value has another type than its column."""

    messages: int = 0
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


class ExposureLoader:
    """Collects messages and writes them in batches. Call `flush` at the end.

    Args:
        warehouse: DuckDB; in BigQuery a subscription fills the table.
        batch_rows: rows held before they are written.
    """

    def __init__(self, warehouse: Warehouse, batch_rows: int = 10_000) -> None:
        self.loaded = LoadedExposures()
        self._warehouse = warehouse
        self._batch_rows = batch_rows
        self._rows: list[tuple[Any, ...]] = []

    def add(self, data: bytes) -> None:
        """Take one message as it came from the queue: a record of varde.exposure as JSON."""
        self.loaded.messages += 1
        try:
            self._rows.append(_row(data))
        except SkipError as skip:
            self.loaded.skipped[str(skip)] += 1
        if len(self._rows) >= self._batch_rows:
            self.flush()

    def flush(self) -> None:
        """Write what is held.

        Raises:
            WarehouseError: the warehouse refuses it; the rows are held still.
        """
        if not self._rows:
            return
        types = segment.EXPOSURE_COLUMNS
        columns = zip(zip(*self._rows, strict=True), types.values(), strict=True)
        arrays = [column(values, type_) for values, type_ in columns]
        self.loaded.rows += self._warehouse.load(TABLE, pa.table(arrays, names=list(types)))
        self._rows = []


def _row(data: bytes) -> tuple[Any, ...]:
    message = json_message.read(data, MAX_BYTES)
    return tuple(_field(one, message.get(one.name)) for one in exposure.SCHEMA)


def _field(one: Field, value: Any) -> Any:
    if value is None and one.mode != "REPEATED":
        return None
    try:
        if one.mode == "REPEATED":
            return [_value(one, element) for element in _typed(list, value)]
        return _value(one, value)
    except (TypeError, ValueError):
        reason = f"bad_{one.name}"
        raise SkipError(reason) from None


def _value(one: Field, value: Any) -> Any:
    """A value as its column holds it; a moment in ms.

    Raises:
        TypeError, ValueError: the column cannot hold it.
    """
    if one.fields:
        found = _typed(dict, value)
        return {inner.name: _inner(inner, found.get(inner.name)) for inner in one.fields}
    if one.type == "FLOAT64":
        number = float(_typed((int, float), value))
        if not math.isfinite(number):
            raise ValueError(value)
        return number
    if one.type == "TIMESTAMP":
        moment = timestamps.read(_typed(str, value))
        if moment is None or not timestamps.EARLIEST <= moment <= _NEWEST:
            raise ValueError(value)
        return moment
    if one.type == "INT64" and not -(2**63) <= _typed(int, value) < 2**63:
        raise ValueError(value)
    return _typed(_PYTHON[one.type], value)


def _inner(one: Field, value: Any) -> Any:
    return None if value is None else _value(one, value)


_PYTHON = {"STRING": str, "INT64": int, "BOOL": bool}


def _typed(kind: Any, value: Any) -> Any:
    """The value, if it is of this kind; a truth value is no number."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(value)
    return value
