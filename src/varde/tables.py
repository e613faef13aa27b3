"""From TOML tables to frozen dataclasses: each key is a field with its reader, default, help and sample. Pure.

A reader takes a TOML value and returns what the program uses, or raises ValueError with the reason. The documentation
and the example file are made from, or held against, the same fields.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from varde.ecommerce import too_long
from varde.toml_lines import Path

T = TypeVar("T")
Reader = Callable[[Any], Any]
MOST_IDS = 10_000
"""Most ids in one list."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class TableError(ValueError):
    """A value at a path of the file that makes no sense, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


class EntryError(ValueError):
    """An entry of a list that makes no sense, by its place from 0, and why."""

    def __init__(self, place: int, why: str) -> None:
        super().__init__(why)
        self.place = place


def key(default: Any, help_: str, read: Reader, sample: str, **options: Any) -> Any:
    """A field of a dataclass that is a key of a table.

    Args:
        default: when the key is not given.
        help_: a sentence.
        read: its reader.
        sample: a value as TOML, for the example file.
        options: further ones of dataclasses.field.
    """
    return field(default=default, metadata={"help": help_, "read": read, "sample": sample}, **options)


def keys(kind: type[Any]) -> tuple[Field[Any], ...]:
    """The fields of a dataclass that are keys of its table."""
    return tuple(f for f in fields(kind) if "read" in f.metadata)


def build(kind: type[T], table: Any, path: Path, **given: Any) -> T:
    """A dataclass from a table.

    Args:
        kind: its keys were made by `key`.
        table: what tomllib gave.
        path: where it stands.
        given: fields that are no keys, and defaults of this table.

    Raises:
        TableError: no table, an unknown key, or a value that makes no sense.
    """
    check_keys(table, [f.name for f in keys(kind)], path)
    readers: dict[str, Reader] = {f.name: f.metadata["read"] for f in keys(kind)}
    read = {name: at((*path, name), readers[name], value) for name, value in table.items()}
    return kind(**(given | read))


def check_keys(table: Any, known: Iterable[str], path: Path) -> None:
    """Refuse what is no table, and keys that are not known, with the nearest one that is."""
    if not isinstance(table, Mapping):
        raise TableError(path, "must be a table")
    names = list(known)
    for name in table:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise TableError((*path, name), f"no such key; {hint}")


def at(path: Path, read: Callable[[Any], T], value: Any) -> T:
    """What a reader makes of a value, its reason placed at a path."""
    try:
        return read(value)
    except TableError as error:  # of a table inside: its path is from here on
        raise TableError((*path, *error.path), error.why) from None
    except EntryError as error:
        raise TableError((*path, error.place), str(error)) from None
    except ValueError as error:
        raise TableError(path, str(error)) from None


def name(value: str) -> str:
    """The name of a placement, ranking or client: it appears in addresses and metrics."""
    if not _NAME.fullmatch(value):
        msg = "a name has 1 to 64 letters, digits, _ and -"
        raise ValueError(msg)
    return value


def whole(low: int, high: int) -> Reader:
    """A whole number from `low` to `high`."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:  # a bool is an int
            msg = f"must be a whole number from {low:,} to {high:,}"
            raise ValueError(msg)
        return value

    return read


def number(low: float, high: float) -> Reader:
    """A number from `low` to `high`."""

    def read(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            msg = f"must be a number from {low:,g} to {high:,g}"
            raise ValueError(msg)
        return float(value)

    return read


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        msg = "must be true or false"
        raise ValueError(msg)
    return value


def one_of(*words: str) -> Reader:
    """One of some words."""

    shown = " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)

    def read(value: Any) -> str:
        if value not in words:
            msg = f"must be {shown}"
            raise ValueError(msg)
        return str(value)

    return read


def text(value: Any) -> str:
    """Text as long as an item id may be."""
    if not isinstance(value, str) or not value or too_long(value):
        msg = "must be text of 1 to 256 bytes"
        raise ValueError(msg)
    return value


def each(read: Callable[[Any], T], most: int = MOST_IDS) -> Callable[[Any], tuple[T, ...]]:
    """A list of at most so many, each read by itself, repeats left out."""

    def read_all(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list) or len(value) > most:
            msg = f"must be a list of at most {most:,}"
            raise ValueError(msg)
        out = []
        for place, one in enumerate(value):
            try:
                out.append(read(one))
            except ValueError as error:
                raise EntryError(place, str(error)) from None
        return tuple(dict.fromkeys(out))

    return read_all


def set_of(read: Callable[[Any], T], most: int = MOST_IDS) -> Callable[[Any], frozenset[T]]:
    """The same as a set."""
    read_all = each(read, most)
    return lambda value: frozenset(read_all(value))


def table_of(kind: type[T]) -> Callable[[Any], T]:
    """A table inside a table; its TableErrors have paths from there on."""
    return lambda value: build(kind, value, ())


def tables_of(kind: type[T], low: int, most: int) -> Callable[[Any], tuple[T, ...]]:
    """A list of `low` to `most` tables."""

    def read_all(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list) or not low <= len(value) <= most:
            msg = f"must be a list of {low:,} to {most:,} tables"
            raise ValueError(msg)
        return tuple(build(kind, one, (place,)) for place, one in enumerate(value))

    return read_all


def instant(value: Any) -> int:
    """A TOML date-time with its offset, or a date, which is its midnight in UTC -> ms since the epoch."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime) or value.tzinfo is None:
        msg = "must be a date such as 2026-11-01, or a date and time with its offset such as 2026-11-01T08:00:00Z"
        raise ValueError(msg)
    return (value - _EPOCH) // timedelta(milliseconds=1)
