"""On which line of a TOML text each key stands: tomllib does not say. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""Keys from the top, and places (from 0) in arrays of tables."""

_HEADER = re.compile(r"\s*(\[\[?)(.*?)(\]\]?)\s*(#.*)?$")
_CLOSERS = ("]", '"""', "'''")
"""What the last line of a value that spans several has."""


def lines(text: str) -> dict[Path, int]:
    """Line (from 1) of each table header and each key of a text that tomllib reads.

    A value that spans lines counts as its first. Keys inside inline tables have no line of their own.
    """
    found: dict[Path, int] = {}
    arrays: dict[Path, int] = {}  # array of tables -> tables so far
    table: Path = ()
    for number, statement in _statements(text):
        header = _HEADER.match(statement)
        keys = _keys(f"{header[2]} = 0" if header else statement)
        if header:
            table = _resolved(keys, arrays, grows=header[1] == "[[")
            for size in range(1, len(table) + 1):
                found.setdefault(table[:size], number)
            continue
        path = table
        for key in keys:
            path = (*path, key)
            found.setdefault(path, number)
    return found


def line_of(path: Path, found: dict[Path, int]) -> int | None:
    """The line of a key, or of the nearest thing around it that has one."""
    return next((found[path[:size]] for size in range(len(path), 0, -1) if path[:size] in found), None)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each header and each key with its value, without blank lines and comments."""
    lines = text.replace("\r\n", "\n").split("\n")
    start = 0
    while start < len(lines):
        first = lines[start].strip()
        if first and not first.startswith("#"):
            end = start + 1
            # Only the parser knows where a value ends; a header is whole at once.
            while not _whole("\n".join(lines[start:end])) and end < len(lines):
                end += 1
                while end < len(lines) and not any(mark in lines[end - 1] for mark in _CLOSERS):
                    end += 1
            yield start + 1, "\n".join(lines[start:end])
            start = end
        else:
            start += 1


def _whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _keys(statement: str) -> list[str]:
    """The keys before the first equals sign: `a."b c".d = 1` has three. None where that cannot be told."""
    try:
        value: Any = tomllib.loads(_key_only(statement))
    except tomllib.TOMLDecodeError:
        return []
    keys = []
    while isinstance(value, dict):
        ((key, value),) = value.items()
        keys.append(key)
    return keys


def _key_only(statement: str) -> str:
    quote = ""
    for place, char in enumerate(statement):
        if quote:
            quote = "" if char == quote and not (char == '"' and _escaped(statement, place)) else quote
        elif char in "\"'":
            quote = char
        elif char == "=":
            return f"{statement[:place]} = 0"
    return statement


def _escaped(text: str, place: int) -> bool:
    """Whether the character has an odd number of backslashes before it."""
    return (place - len(text[:place].rstrip("\\"))) % 2 == 1


def _resolved(keys: list[str], arrays: dict[Path, int], *, grows: bool) -> Path:
    """The path of a header: the last table so far where a key names an array of tables, a new one for `[[…]]`."""
    path: Path = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if grows and place == len(keys) - 1:
            arrays[path] = arrays.get(path, 0) + 1
        if path in arrays:
            path = (*path, arrays[path] - 1)
    return path
