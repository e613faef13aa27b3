"""What is vendored is what npm has: the demo's copy of the browser SDK, remade from the pinned package."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path

from .parts import ROOT

FOLDER = Path(str(resources.files("varde.demo").joinpath("shop/vendor/analytics-next")))
PACKAGE = "@segment/analytics-next"


def test_its_version_is_the_pinned_one() -> None:
    vendored = json.loads((FOLDER / "package.json").read_text())
    pinned = json.loads((ROOT / "tests/sdk/package.json").read_text())["dependencies"]
    assert (vendored["name"], vendored["version"]) == (PACKAGE, pinned[PACKAGE])
    assert vendored["license"] == "MIT"


def test_remaking_it_changes_nothing(npm_folder: Path, tmp_path: Path) -> None:
    subprocess.run([ROOT / "tools/vendor", tmp_path], check=True, timeout=120)
    made, kept = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path, FOLDER))
    assert made == kept


def test_the_lock_names_no_host() -> None:
    """It is of whoever installs; the integrity of every package is in the lock."""
    packages = json.loads((ROOT / "tests/sdk/package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
