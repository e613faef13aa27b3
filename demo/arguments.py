"""Values of command line options: each reader says what it wants when it is given something else."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import isfinite
from urllib.parse import urlsplit

from varde import timestamps


def positive(text: str) -> float:
    """A number above 0."""
    value = _number(text)
    if value is None or value <= 0:
        msg = f"must be a number above 0, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def part(text: str) -> float:
    """A number between 0 and 1."""
    value = _number(text)
    if value is None or not 0 <= value <= 1:
        msg = f"must be a number between 0 and 1, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        msg = f"must be a whole number, not {text!r}"
        raise argparse.ArgumentTypeError(msg) from None


def whole_from(lowest: int) -> Callable[[str], int]:
    """Reader of a whole number that is not below `lowest`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            msg = f"must be a whole number from {lowest}, not {text!r}"
            raise argparse.ArgumentTypeError(msg)
        return value

    return read


def moment(text: str) -> int:
    """A time, ms since the epoch."""
    value = timestamps.read(text)
    if value is None:
        msg = f"must be a time such as 2026-08-01T12:00:00Z, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def address(text: str) -> str:
    """The address of a server: http://HOST[:PORT] or https, with a path where it has one."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        msg = f"must be an address such as http://127.0.0.1:8080, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return text.rstrip("/")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
