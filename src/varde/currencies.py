"""Currencies by their codes, and fixed rates between them, as keys of the configuration file say them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from varde import tables

Rates = tuple[tuple[str, float], ...]
"""Sorted (currency, what one of it is worth in another one)."""
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_rate = tables.number(1e-9, 1e9)


def code(value: Any) -> str:
    """A currency of ISO 4217, as upper case letters."""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        msg = 'must be a code of ISO 4217 such as "SEK"'
        raise ValueError(msg)
    return value


def rates(value: Any) -> Rates:
    """`{ EUR = 11.2 }`."""
    if not isinstance(value, Mapping):
        msg = "must be a table of currencies, such as { EUR = 11.2 }"
        raise ValueError(msg)
    return tuple(sorted((tables.at((one,), code, one), tables.at((one,), _rate, rate)) for one, rate in value.items()))
