"""The Jenkinsfiles: what they call exists and takes its arguments, releases never overlap, no secret is in them.

Their syntax and style are `make lint-jenkins`; that Jenkins itself takes them is not tested, there is none here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .plans import FOR_JENKINS, ROOT, commands, plan, script

FILES = [ROOT / "Jenkinsfile", *sorted((ROOT / "deploy" / "jenkins").glob("*.Jenkinsfile"))]
NAMES = ("bases", "night", "refresh", "release", "reports", "rollback", "smoke", "tested", "jenkins/login")
SCRIPTS = [ROOT / "deploy" / name for name in NAMES]


def called(path: Path) -> list[str]:
    """The shell commands of a Jenkinsfile, with a value for what Jenkins puts in."""
    text = path.read_text(encoding="utf-8")
    steps = re.findall(r"""\bsh\b(?:\(.*?script: | )(['"])(.*)\1""", text)
    assert len(steps) == len(re.findall(r"\bsh\b", text)), "a step that this test does not see"
    filled = (re.sub(r"\$\{params\.EMPTY.*?\}", "--empty", said) for _, said in steps)
    return [re.sub(r'"?\$(?:SHARE)"?', "5", re.sub(r'\$\{.*?\}|"\$GIT_COMMIT"', "tag-1", said)) for said in filled]


def stages(path: Path) -> Iterator[tuple[str, str]]:
    """The name and the text of each stage."""
    parts = re.split(r"^ {8}stage\('(.*)'\) \{\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        yield name, text.split("\n        }\n")[0]


def named(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_it_calls_exists_and_takes_its_arguments(path: Path) -> None:
    make = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = called(path)
    assert lines
    for line in lines:
        tool, *words = line.split()
        if tool == "make":
            assert words[0] in make
        elif tool.startswith("deploy/"):
            run = script(tool.removeprefix("deploy/"), *words, "--plan")
            assert run.returncode == 0, run.stderr
        else:
            assert tool in ("rm", "ls")


@pytest.mark.parametrize("path", FILES, ids=named)
def test_it_runs_alone_ends_and_leaves_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "disableConcurrentBuilds()" in text
    assert text.split("stages {")[0].count("timeout(time:") == 1
    cleanup = text.split("cleanup {")[1]
    assert "deleteDir()" in cleanup
    if "deploy/jenkins/login" in text:
        assert """sh 'rm -rf "$CLOUDSDK_CONFIG" "$DOCKER_CONFIG"'""" in cleanup
        assert text.count("${WORKSPACE_TMP}/") == 2


@pytest.mark.parametrize("path", FILES, ids=named)
def test_braces_close(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("{") == path.read_text(encoding="utf-8").count("}")


def test_nobody_releases_to_an_environment_that_is_being_released_to() -> None:
    released = 0
    for path in FILES:
        for name, text in stages(path):
            for environment in re.findall(r"deploy/(?:release|rollback|apply|night) (\w+)(?: --run| --images)", text):
                released += 1
                assert f"lock('varde-{environment}')" in text, (path.name, name)
    assert released == 3


def test_credentials_are_bound_and_only_where_they_are_needed() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        bound = set(re.findall(r"CREDENTIALS = credentials\('([\w-]+)'\)", text))
        assert bound <= {"varde-jenkins", "varde-refresh"}
        assert ("varde-refresh" in bound) == (path.name == "refresh.Jenkinsfile")
        assert not re.search(r"BEGIN|password|AIza|private_key|\bsecret\b", text)
        whole = "CREDENTIALS" in text.split("stages {")[0]
        for name, stage in stages(path):
            if "deploy/jenkins/login" in stage:
                assert whole or "CREDENTIALS = credentials(" in stage, (path.name, name)
            if "make " in stage:
                assert not whole
                assert "CREDENTIALS" not in stage, "what a branch brings along runs without them"


def test_production_gets_images_that_were_tested_and_builds_none() -> None:
    production = dict(stages(FILES[0]))["Production"]
    assert "branch 'production'" in production
    assert production.index("deploy/tested --into tested") < production.index("readFile('tested')")
    assert "build " not in production
    for name, text in stages(FILES[0]):
        if "deploy/images/build" in text or "development --images" in text:
            assert "when { branch 'development' }" in text, name
    development = dict(stages(FILES[0]))["Development"]
    assert development.index("deploy/release development") < development.index("deploy/tested --mark")


def test_only_cloud_scheduler_starts_the_night() -> None:
    starts = [(path.name, line) for path in FILES for line in called(path) if "night" in line and "--run" in line]
    assert starts == [("refresh.Jenkinsfile", "deploy/night development --run --force")]
    schedules = [path.name for path in FILES if "cron(" in path.read_text(encoding="utf-8")]
    assert schedules == ["bases.Jenkinsfile", "night.Jenkinsfile", "refresh.Jenkinsfile", "reports.Jenkinsfile"]


def test_the_account_that_copies_may_do_what_the_page_says() -> None:
    """It reads production's own dataset and writes development's archive, and nobody else gets anything."""
    found = set()
    for _, words in commands(plan("refresh", "--set-up")):
        if grant := re.fullmatch(r"GRANT `(\S+)` ON (\S+ \S+) TO 'serviceAccount:(\S+?)@.*'", words[-1]):
            found.add((grant[3], grant[1], grant[2].replace("`", "")))
        elif "add-iam-policy-binding" in words:
            options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
            found.add((options["member"].split(":")[1].split("@")[0], options["role"], f"{words[1]} {words[3]}"))
    assert found == {
        ("varde-refresh", "roles/bigquery.jobUser", "projects shop-warehouse"),
        ("varde-refresh", "roles/bigquery.dataViewer", "SCHEMA shop-warehouse.varde_production"),
        ("varde-refresh", "roles/bigquery.dataEditor", "TABLE shop-warehouse.segment_development.messages"),
    }
    section = (
        (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").split("## Development data")[1].split("\n## ")[0]
    )
    assert set(re.findall(r"`(roles/[\w.]+)`", section)) == {role for _, role, _ in found}


def test_other_programs_are_few() -> None:
    calls = [*FOR_JENKINS, ["bases", "--push"], ["smoke", "--url", "http://127.0.0.1:1"]]
    tools = {words[0] for call in calls for _, words in commands(plan(*call))}
    assert tools == {"gcloud", "bq", "curl", "git", "docker"}


def test_shellcheck_is_content() -> None:
    found = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if found is None:
        pytest.skip("shellcheck is not installed: the scripts for Jenkins are not checked")
    scripts = [*SCRIPTS, ROOT / "tools" / "lint-jenkins", ROOT / "tools" / "npm"]
    run = subprocess.run([found, "-x", *scripts], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout == ""
    assert run.returncode == 0


def test_scripts_can_be_called_and_say_how() -> None:
    for path in SCRIPTS:
        assert path.stat().st_mode & 0o111, path
        run = script(str(path.relative_to(ROOT / "deploy")), "--help")
        assert run.returncode == 0
        assert run.stdout.startswith("usage: deploy/")


def test_the_linter_says_what_it_lacks(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "sed", "env"):
        (tmp_path / name).symlink_to(shutil.which(name) or "/bin/false")
    linter = [ROOT / "tools" / "lint-jenkins"]
    run = subprocess.run(linter, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0
    assert "SKIPPED, the Jenkinsfiles are not linted: npm is not on the path" in run.stderr
