"""The rows of a feed: from a file of JSON lines or CSV, plain or compressed, or from the warehouse's catalogue."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson

from varde.feed import Refused

from .warehouse import Warehouse

MAX_LINE: Final = 128 * 1024
"""Bytes of a line, and characters of a value of CSV."""
MAX_COLUMNS: Final = 200
CHUNK: Final = 10_000
STEPS: Final = ("catalogue_rows", "catalogue")
"""Queries that bring store.catalogue into shape."""


class FeedError(OSError):
    """The feed cannot be read; the message is one line and says why."""


Rows = Iterator[Mapping[str, Any] | Refused]


def written_at(name: str) -> int:
    """When a file was written, ms.

    Raises:
        FeedError: there is no such file.
    """
    try:
        return Path(name).stat().st_mtime_ns // 1_000_000
    except OSError as error:
        raise FeedError(error.strerror or str(error)) from None


def rows_of_file(name: str) -> Rows:
    """The rows of a file; a line that is none is refused by itself.

    Raises:
        FeedError: the file cannot be read, or its name does not say what it holds.
    """
    kinds = {".jsonl": _json_rows, ".ndjson": _json_rows, ".json": _json_rows, ".csv": _csv_rows, ".tsv": _csv_rows}
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    if suffix not in kinds:
        msg = f"a feed's name ends in one of {', '.join(kinds)}, and may then end in .gz"
        raise FeedError(msg)
    return _guarded(name, kinds[suffix])


def _guarded(name: str, read: Any) -> Rows:
    try:
        with _opened(name) as file:
            yield from read(file)
    except (OSError, EOFError, zlib.error) as error:
        raise FeedError(getattr(error, "strerror", None) or str(error)) from None


def _opened(name: str) -> BinaryIO:
    if name.endswith(".gz"):
        return cast(BinaryIO, gzip.open(name, "rb"))
    return Path(name).open("rb")


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Lines without their ends; None for one that is too long."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)
            yield None
        else:
            yield line.rstrip(b"\r\n")


def _json_rows(file: BinaryIO) -> Rows:
    for number, line in enumerate(_lines(file)):
        if line is None:
            yield Refused("bad_row", f"more than {MAX_LINE} bytes")
            continue
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
        if not text.strip():
            continue
        try:
            row = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            yield Refused("not_json", str(error))
            continue
        yield row if isinstance(row, dict) else Refused("not_an_object", f"a row is an object, not {row!r:.40}")


def _csv_rows(file: BinaryIO) -> Rows:
    """What is not UTF-8 becomes lone surrogates, which no field takes."""
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        first = text.readline(MAX_LINE)
        delimiter = max(",;\t", key=first.count)
        names = [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter), [])]
        if not {"id", "item"} & set(names) or len(names) > MAX_COLUMNS:
            msg = "the first line must name the columns, one of them id or item"
            raise FeedError(msg)
        lines = csv.reader(text, delimiter=delimiter)
        while True:
            try:
                values = next(lines)
            except StopIteration:
                return
            except csv.Error as error:
                yield Refused("bad_row", str(error))
                continue
            if len(values) > len(names):
                yield Refused("bad_row", f"{len(values)} values for {len(names)} columns")
            elif values:
                yield {name: value for name, value in zip(names, values, strict=False) if value.strip()}


def rows_of_warehouse(warehouse: Warehouse) -> Rows:
    """The shop's own catalogue, read anew: its rows as varde.catalogue has them."""
    for step in STEPS:
        warehouse.materialize(step, {})
    found = warehouse.read("varde.catalogue")
    return (
        {name: value for name, value in row.items() if value is not None and name != "sold_out"}
        for batch in found.to_batches(CHUNK)
        for row in batch.to_pylist()
    )
