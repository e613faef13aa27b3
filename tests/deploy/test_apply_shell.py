"""The scripts themselves: shellcheck has nothing to say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .plans import ROOT

SCRIPTS = [ROOT / "deploy" / "apply", ROOT / "deploy" / "destroy", *sorted((ROOT / "deploy" / "lib").glob("*.sh"))]


def test_shellcheck_is_content() -> None:
    found = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if found is None:
        pytest.skip("shellcheck is not installed: deploy/ is not checked")
    run = subprocess.run([found, "-x", *SCRIPTS], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout == ""
    assert run.returncode == 0


def test_scripts_can_be_called() -> None:
    for script in SCRIPTS[:2]:
        assert script.stat().st_mode & 0o111
