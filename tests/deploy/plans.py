"""The plans of deploy/apply and deploy/destroy, as the tests look at them."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERBS = {"run", "check", "create", "update", "delete", "ask"}
FOR_JENKINS = [
    ["release", "production", "--images", "tag-1"],
    ["rollback", "production"],
    ["tested", "--into", "tested"],
    ["tested", "--mark", "tag-1"],
    ["night", "production"],
    ["night", "development", "--run", "--force"],
    ["reports", "production", "--into", "reports"],
    ["refresh", "--dry-run"],
    ["refresh", "--set-up"],
    ["jenkins/login"],
]
"""Calls that between them make every command line of the scripts for Jenkins."""


def script(
    name: str, *words: str, root: Path = ROOT, path: str = "/usr/bin:/bin", **environ: str
) -> subprocess.CompletedProcess[str]:
    """`deploy/NAME WORDS…` of the clone at `root`, from another folder and with nothing of the caller's environment."""
    return subprocess.run(
        [root / "deploy" / name, *words],
        env={"PATH": path, "HOME": os.devnull} | environ,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def plan(name: str, *words: str, root: Path = ROOT) -> str:
    """What a script would do; it must be able to say so where there is no gcloud and no bq."""
    run = script(name, *words, "--plan", root=root)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


def apply(environment: str, *words: str, root: Path = ROOT) -> str:
    """The plan of deploy/apply."""
    return plan("apply", environment, "--images", "tag-1", *words, root=root)


def destroy(environment: str, root: Path = ROOT) -> str:
    """The plan of deploy/destroy."""
    return plan("destroy", environment, root=root)


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The verb and the words of each command of a plan."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            verb, *words = shlex.split(line)
            assert verb in VERBS, line
            found.append((verb, words))
    return found


def environment(name: str, root: Path = ROOT) -> dict[str, str]:
    """The values of deploy/env/NAME.env, in their order."""
    lines = (root / "deploy" / "env" / f"{name}.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
