"""deploy/replay: what it runs, in which order, and what it refuses; test_apply_parsers.py shows its lines to gcloud."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .cloud import stand_in
from .plans import ROOT, commands, environment, plan, script

SINCE = "2026-05-03T23:59:59Z"
SNAPSHOT = "varde-before-20260503235959"


def replayed(*words: str) -> list[tuple[str, list[str]]]:
    return commands(plan("replay", "production", "--since", SINCE, *words))


def test_a_snapshot_comes_before_the_seek_and_nothing_else_is_touched() -> None:
    (check, looked), (create, made), (run, seek) = replayed()
    assert (check, create, run) == ("check", "create", "run")
    assert looked[:4] == ["gcloud", "pubsub", "snapshots", "describe"]
    assert made[:5] == ["gcloud", "pubsub", "snapshots", "create", SNAPSHOT]
    assert seek[:5] == ["gcloud", "pubsub", "subscriptions", "seek", "varde-stream"]
    assert f"--time={SINCE}" in seek
    project = f"--project={environment('production')['PROJECT']}"
    assert all(project in words for words in (looked, made, seek))


def test_undo_goes_back_to_the_snapshot_of_that_time() -> None:
    ((verb, words),) = replayed("--undo")
    assert verb == "run"
    assert words[:5] == ["gcloud", "pubsub", "subscriptions", "seek", "varde-stream"]
    assert f"--snapshot={SNAPSHOT}" in words


def test_the_plan_is_the_same_twice() -> None:
    assert replayed() == replayed()


def test_a_repeat_keeps_the_snapshot_of_the_first_try(tmp_path: Path) -> None:
    cloud = stand_in(tmp_path)
    cloud.answer(("snapshots describe", None))
    assert script("replay", "development", "--since", SINCE, path=cloud.path).returncode == 0
    assert [line.split()[3] for line in cloud.lines] == ["describe", "create", "seek"]
    cloud.answer()
    assert script("replay", "development", "--since", SINCE, path=cloud.path).returncode == 0
    assert [line.split()[3] for line in cloud.lines] == ["describe", "seek"]


def test_a_snapshot_that_cannot_be_made_stops_before_the_seek(tmp_path: Path) -> None:
    cloud = stand_in(tmp_path)
    cloud.answer(("snapshots", None))
    assert script("replay", "development", "--since", SINCE, path=cloud.path).returncode == 1
    assert not any("seek" in line for line in cloud.lines)


@pytest.mark.parametrize(
    "words",
    [
        ("production",),
        ("production", "--since"),
        ("production", "--since", "yesterday"),
        ("production", "--since", "2026-05-03"),
        ("production", "--since", f"{SINCE}; rm -r /"),
        ("production", "development", "--since", SINCE),
        ("--since", SINCE),
        ("staging", "--since", SINCE),
        ("production", "--since", SINCE, "--force"),
    ],
)
def test_wrong_use_is_2_and_runs_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    cloud = stand_in(tmp_path)
    run = script("replay", *words, path=cloud.path)
    assert (run.returncode, cloud.calls) == (2, [])
    assert run.stderr.startswith("replay: ")


def test_help_is_the_comment_at_its_head() -> None:
    run = script("replay", "--help")
    assert run.returncode == 0
    assert run.stdout.startswith("usage: deploy/replay ENVIRONMENT --since TIME")


def test_shellcheck_is_content() -> None:
    found = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if found is None:
        pytest.skip("shellcheck is not installed: deploy/ is not checked")
    run = subprocess.run(
        [found, "-x", ROOT / "deploy" / "replay"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (run.returncode, run.stdout) == (0, "")
