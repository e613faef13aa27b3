"""What is shipped: the wheel and the sdist hold all code and data, under one name, and work.

What Beam stages is looked into by tests/streaming/test_staged.py.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from .tree import PYPROJECT, ROOT, module_name, shipped

pytestmark = pytest.mark.e2e

DATA = ("*.lua", "*.sql", "*.html", "*.js", "*.css", "*.toml", "py.typed")


def wanted(path: Path) -> str:
    """Where a source file lies in the wheel."""
    name = module_name(path).replace(".", "/")
    return f"{name}/__init__.py" if path.name == "__init__.py" else f"{name}{path.suffix}"


def run(*words: str | Path, folder: Path) -> str:
    """Run a program to its end; its output. No variable of Python's own reaches it."""
    done = subprocess.run(
        list(words),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project as a clone has it, so that no earlier build in the folder can help."""
    folder = tmp_path_factory.mktemp("source") / "varde"
    ignored = (
        ".git",
        ".venv",
        "build",
        "dist",
        "*.egg-info",
        "__pycache__",
        ".*_cache",
        ".hypothesis",
        "tests",
        "docs",
    )
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*ignored))
    return folder


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sdist, wheel made from that sdist)."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source, folder=out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_everything_under_one_name(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
        info = f"varde-{PYPROJECT['project']['version']}.dist-info"
        assert wheel.read(f"{info}/top_level.txt").decode().split() == ["varde"]
        assert b"varde = varde.cli:main" in wheel.read(f"{info}/entry_points.txt")
    assert {name.split("/")[0] for name in names} == {"varde", info}
    assert f"{info}/licenses/LICENSE" in names
    code = {wanted(path) for path in shipped()}
    data = {wanted(path) for pattern in DATA[:-1] for path in shipped(pattern)} | {"varde/py.typed"}
    assert code | data <= names
    assert {name for name in names if name.startswith("varde/") and name.endswith(".py")} == code
    for name in ("varde/store/apply.lua", "varde/sql/histories.sql", "varde/server/explore.html"):
        assert name in data
    assert {"varde/server/explore.js", "varde/server/explore.css"} <= data


def closure(lines: list[str]) -> set[str]:
    """Names of the distributions that requirements bring, here and now."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        requirement = waiting.pop()
        if requirement.name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(requirement.name)
        waiting += map(Requirement, importlib.metadata.requires(requirement.name) or [])
    return found


def lend(name: str, folder: Path) -> None:
    """Link an installed distribution into another environment, without the network."""
    for top in {Path(file).parts[0] for file in importlib.metadata.files(name) or []} - {"..", "__pycache__"}:
        there = Path(str(importlib.metadata.distribution(name).locate_file(top)))
        if not (folder / top).exists():
            (folder / top).symlink_to(there)


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an environment with the wheel and the base dependencies and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(*pip, "--python", python, "install", "--no-deps", "--no-index", built[1], folder=folder)
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip())
    for name in closure(PYPROJECT["project"]["dependencies"]):
        lend(name, packages)
    yield folder
    shutil.rmtree(folder / "venv")


def test_the_installed_wheel_works_with_the_base_alone(installed: Path) -> None:
    python = installed / "venv" / "bin" / "python"
    code = """
import importlib.resources, importlib.util, varde, varde.settings
from varde.store import scripts, sync
print(varde.__file__)
assert b"KEYS[1]" in scripts.APPLY.text
queries = [file.name for file in importlib.resources.files("varde.sql").iterdir() if file.name.endswith(".sql")]
assert "histories.sql" in queries, queries
assert "SELECT" in importlib.resources.files("varde.sql").joinpath("histories.sql").read_text()
assert importlib.util.find_spec("apache_beam") is None
for room in ("streaming", "server", "batch", "sql", "demo", "store"):
    assert importlib.util.find_spec(room) is None, room
    assert importlib.util.find_spec("varde." + room), room
"""
    assert run(python, "-I", "-c", code, folder=installed).startswith(str(installed))
    assert run(installed / "venv/bin/varde", "--help", folder=installed).startswith("usage: varde COMMAND")


@pytest.mark.parametrize(("command", "extra"), [("serve", "server"), ("reconcile", "batch"), ("stream", "streaming")])
def test_a_missing_extra_is_named(installed: Path, command: str, extra: str) -> None:
    done = subprocess.run(
        [installed / "venv/bin/varde", command, "--help"],
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"pip install 'varde[{extra}]'" in done.stderr
