"""Every gcloud and bq command line of the plans is one that the real command's own parser takes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from .plans import FOR_JENKINS, ROOT, apply, commands, destroy, plan

PARSER = Path(__file__).with_name("gcloud_parser.py")


@pytest.fixture(scope="module")
def sdk() -> Path:
    """Where Google's SDK lies."""
    found = shutil.which("gcloud")
    if found is None:
        pytest.skip("gcloud is not installed: the command lines of deploy/ are not checked")
    asked = subprocess.run(
        [found, "info", "--format=value(installation.sdk_root)"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return Path(asked.stdout.strip())


def verdicts(sdk: Path, tool: str, lines: list[list[str]], home: Path) -> list[str]:
    """What the parser of `gcloud` or `bq` says to each argument list; empty: taken."""
    bundled = sdk / "platform" / "bundledpythonunix" / "bin" / "python3"
    run = subprocess.run(
        [bundled if bundled.exists() else "python3", PARSER, sdk, tool],
        input=json.dumps(lines),
        # A home of its own, so that neither somebody's credentials nor their configuration has a say.
        env={
            "HOME": str(home),
            "CLOUDSDK_CONFIG": str(home),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": "/usr/bin:/bin",
        },
        cwd=ROOT,  # where the scripts call them, for the files that lines name
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return list(json.loads(run.stdout))


def planned() -> Iterator[list[str]]:
    """The distinct command lines of all plans."""
    plans = [
        apply("production"),
        apply("production", "--bootstrap", "2026-05-03T23:59:59.999Z"),
        destroy("development"),
        plan("replay", "production", "--since", "2026-05-03T23:59:59Z"),
        plan("replay", "production", "--since", "2026-05-03T23:59:59Z", "--undo"),
    ]
    seen: set[tuple[str, ...]] = set()
    for text in plans:
        for _, words in commands(text):
            if tuple(words) not in seen:
                seen.add(tuple(words))
                yield words


@pytest.mark.parametrize(("tool", "least"), [("gcloud", 150), ("bq", 15)])
def test_the_real_parser_takes_every_line(sdk: Path, tool: str, least: int, tmp_path: Path) -> None:
    jenkins = [words for call in FOR_JENKINS for _, words in commands(plan(*call))]
    found = dict.fromkeys(tuple(words[1:]) for words in chain(planned(), jenkins) if words[0] == tool)
    lines = [list(words) for words in found]
    assert len(lines) >= least
    refused = {
        " ".join(line): said for line, said in zip(lines, verdicts(sdk, tool, lines, tmp_path), strict=True) if said
    }
    assert refused == {}


def test_the_real_parser_refuses_what_is_wrong(sdk: Path, tmp_path: Path) -> None:
    gcloud = [
        "redis clusters create varde --region=europe-west1 --project=p --shard-cont=3",
        "pubsub topics create events --project=p --message-retention-duration=7elephants",
        "run deploy varde-server --region=europe-west1 --image=i --min-instances=some",
        "pubsub topics craete events",
    ]
    assert all(verdicts(sdk, "gcloud", [line.split() for line in gcloud], tmp_path))
    bq = ["mk --datset p:d", "show p:a p:b p:c", "query --use_legacy_sql=perhaps", "mkk --dataset p:d"]
    assert all(verdicts(sdk, "bq", [line.split() for line in bq], tmp_path))


def test_only_gcloud_and_bq_are_called() -> None:
    assert {words[0] for words in planned()} == {"gcloud", "bq"}
