"""The rules of docs/adr/0001-layout.md: who may import whom, and the size and soundness of modules."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .tree import CORE, PYPROJECT, ROOMS, ROOT, module_name, shipped, sources

MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything a file imports; `from a import b` gives a.b."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = [*base, *((node.module or "").split(".") if node.module else [])]
            yield from ((node.lineno, ".".join([*stem, alias.name])) for alias in node.names)


def relative_imports_out(path: Path, top: str) -> list[int]:
    """Lines with a relative import that climbs out of the package `top`."""
    depth = len(module_name(path).split(".")) - (path.name != "__init__.py")
    allowed = depth - len(top.split(".")) + 1
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level > allowed]


def room_of(name: str) -> str | None:
    """The room that a dotted name is in, also when it is called by the name of its folder."""
    parts = name.split(".")
    inside = parts[1:] if parts[0] == "varde" else parts
    return inside[0] if inside and inside[0] in ROOMS else None


def test_the_core_imports_no_room() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources(CORE)
        for line, name in imports(path)
        if room_of(name)
    ]
    assert found == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_the_core_and_itself(room: str) -> None:
    """Itself by relative imports: `batch.main` and `varde.batch.main` would be two modules. demo/ may import rooms."""
    found = []
    for path in sources(ROOT / room):
        found += [f"{path.relative_to(ROOT)}:{line} climbs out" for line in relative_imports_out(path, f"varde.{room}")]
        relative = {
            node.lineno
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.level
        }
        for line, name in imports(path):
            target = room_of(name)
            bare = not name.startswith("varde.")
            foreign = target not in (None, room) and room != "demo"
            if target and line not in relative and (bare or foreign or target == room):
                found.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert found == []


def requirements(extra: str | None) -> list[Requirement]:
    """What pyproject.toml asks for in the base (None) or an extra; its own extras are followed."""
    project = PYPROJECT["project"]
    texts = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    out = []
    for requirement in map(Requirement, texts):
        if requirement.name == project["name"]:
            for name in requirement.extras:
                out += requirements(name)
        else:
            out.append(requirement)
    return out


def distributions(extra: str | None) -> set[str]:
    """Distributions that a room may import from: those it asks for, and what their own extras ask for."""
    out: set[str] = set()
    for requirement in [*requirements(None), *(requirements(extra) if extra else [])]:
        out.add(canonicalize_name(requirement.name))
        for asked in requirement.extras:
            for text in importlib.metadata.requires(requirement.name) or []:
                needed = Requirement(text)
                if needed.marker and needed.marker.evaluate({"extra": asked}):
                    out.add(canonicalize_name(needed.name))
    return out


OPTIONAL = {"server/tracing.py": "tracing"}
"""Modules that import from one extra more, inside functions and only where it is asked for."""
PROVIDERS = importlib.metadata.packages_distributions()


@pytest.mark.parametrize(("folder", "extra"), [("src/varde", None), *((room, room) for room in ROOMS if room != "sql")])
def test_only_what_the_extra_installs_is_imported(folder: str, extra: str | None) -> None:
    """So the core never imports Beam, BigQuery, aiohttp or DuckDB, and a room runs with its own extra alone."""
    allowed = distributions(extra)
    found = []
    for path in sources(ROOT / folder):
        more = OPTIONAL.get(str(path.relative_to(ROOT)))
        may = allowed | (distributions(more) if more else set())
        for line, name in imports(path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top == "varde":
                continue
            if not may & {canonicalize_name(provider) for provider in PROVIDERS.get(top, [])}:
                found.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert found == []


ALONE = """
import importlib, sys, traceback
for name in sys.argv[1:]:
    for loaded in [n for n in sys.modules if n == "varde" or n.startswith("varde.")]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException:
        print(f"{name}: {traceback.format_exc(limit=-1)}")
"""


@pytest.mark.parametrize("folder", ["src/varde", *ROOMS])
def test_every_module_imports_alone(folder: str) -> None:
    """No module counts on another one having been imported before it."""
    names = [module_name(path) for path in sources(ROOT / folder)]
    assert names
    run = subprocess.run(
        [sys.executable, "-c", ALONE, *names], capture_output=True, text=True, timeout=240, check=False
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stderr


def test_the_core_loads_nothing_heavy() -> None:
    names = [module_name(path) for path in sources(CORE)]
    heavy = [
        "apache_beam",
        "google.protobuf",
        "google.api_core",
        "grpc",
        "aiohttp",
        "duckdb",
        "pyarrow",
        "scipy",
        "sqlglot",
        "varde.demo",
    ]
    code = f"import sys, {', '.join(names)}; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"


def test_no_room_can_be_run_under_a_second_name() -> None:
    """A DoFn pickled under `streaming.x` does not exist on a worker."""
    assert [path for path in shipped() if path.name == "__main__.py"] == []


def test_the_packages_are_those_of_the_tree() -> None:
    declared = PYPROJECT["tool"]["setuptools"]["packages"]
    there = {module_name(path) for path in shipped() if path.name == "__init__.py"}
    assert sorted(declared) == sorted(there)
    assert {module_name(path).rpartition(".")[0] for path in shipped() if path.name != "__init__.py"} <= there


def test_modules_are_short() -> None:
    files = [path for pattern in ("*.py", "*.lua", "*.sql", "*.js", "*.css", "*.html") for path in shipped(pattern)]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    too_long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > MOST_LINES}
    assert too_long == {}


def test_functions_are_short() -> None:
    """Lines of code: the docstring does not count."""
    too_long = {}
    for path in shipped():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                length = node.end_lineno - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    doc = node.body[0]
                    assert doc.end_lineno is not None
                    length -= doc.end_lineno - doc.lineno + 1
                if length > MOST_LINES_OF_A_FUNCTION:
                    too_long[f"{path.relative_to(ROOT)}: {node.name}"] = length
    assert too_long == {}


def test_nothing_is_left_undone() -> None:
    hole = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for pattern in ("*.py", "*.lua", "*.sql", "*.js", "*.css", "*.html")
        for path in shipped(pattern)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if hole.search(line)
    ]
    assert found == []
