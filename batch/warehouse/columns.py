"""Columns of tables in memory, from Python values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa


def column(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Values as a column of a type; times are given in ms since the epoch.

    Raises:
        pa.ArrowInvalid: a value does not fit the type.
    """
    if pa.types.is_timestamp(type_):
        return pa.array(values, pa.timestamp("ms", tz="UTC")).cast(type_)
    return pa.array(values, type_)
