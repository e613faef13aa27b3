"""The project's own files, as the tests of the house look at them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CORE = ROOT / "src" / "varde"
ROOMS = ("streaming", "batch", "server", "sql", "demo")


def sources(folder: Path, pattern: str = "*.py") -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if "__pycache__" not in path.parts)


def shipped(pattern: str = "*.py") -> Iterator[Path]:
    """The files of the core and of all rooms."""
    for folder in (CORE, *(ROOT / room for room in ROOMS)):
        yield from sources(folder, pattern)


def module_name(path: Path) -> str:
    """The name under which a source file is shipped."""
    inside = path.relative_to(CORE if path.is_relative_to(CORE) else ROOT).with_suffix("")
    parts = [part for part in inside.parts if part != "__init__"]
    return ".".join(["varde", *parts])
