"""deploy/images/build: the commit's own tree, a tag that is never moved, lines that docker and gcloud take."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .cloud import Cloud, stand_in
from .composed import services
from .plans import ROOT, commands, plan, script
from .test_apply_parsers import sdk, verdicts

__all__ = ["sdk"]
TARGETS = ("server", "batch", "stream")
REGISTRY = "europe-west1-docker.pkg.dev/shop-varde-infra/varde"
DIGEST = "sha256:" + "a" * 64


def git(folder: Path, *words: str) -> str:
    """The output of git in a folder, with nobody's configuration."""
    return subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone that has deploy/ and a file, committed."""
    root = tmp_path / "clone"
    shutil.copytree(ROOT / "deploy", root / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "file").write_text("committed")
    git(root.parent, "init", "--quiet", str(root))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=m")
    return root


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Stand-ins for gcloud and docker."""
    (tmp_path / "bin").mkdir()
    found = stand_in(tmp_path / "bin")
    shutil.copy(found.home / "gcloud", found.home / "docker")
    return found


def built(clone: Path, cloud: Cloud, *words: str) -> subprocess.CompletedProcess[str]:
    """deploy/images/build of the clone, with the stand-ins."""
    return script("images/build", *words, root=clone, path=cloud.path)


def test_it_builds_each_target_of_the_commit(clone: Path, cloud: Cloud) -> None:
    run = built(clone, cloud, "development")
    assert run.returncode == 0, run.stderr
    commit = git(clone, "rev-parse", "HEAD")
    assert [words[:2] for words in cloud.calls] == [["docker", "build"]] * 3
    for words, target in zip(cloud.calls, TARGETS, strict=True):
        assert {f"--target={target}", f"--tag={REGISTRY}/{target}:{commit}", f"--build-arg=COMMIT={commit}"} <= set(
            words
        )
        assert f"--build-arg=SOURCE_DATE_EPOCH={git(clone, 'show', '--no-patch', '--format=%ct')}" in words
        assert not Path(words[-1]).exists()  # a copy, gone by now
        assert words[-1] != str(clone)


def test_it_refuses_what_is_not_committed(clone: Path, cloud: Cloud) -> None:
    (clone / "new").touch()
    run = built(clone, cloud, "development", "--push")
    assert run.returncode == 2
    assert "not committed" in run.stderr
    assert cloud.calls == []


def test_it_never_moves_a_tag(clone: Path, cloud: Cloud) -> None:
    cloud.answer(("varde/batch --include-tags", DIGEST), ("varde/", ""))
    run = built(clone, cloud, "development", "--push")
    assert run.returncode == 0, run.stderr
    commit = git(clone, "rev-parse", "HEAD")
    assert f"{REGISTRY}/batch:{commit} is there and stays" in run.stdout
    pushed = [words[2] for words in cloud.calls if words[:2] == ["docker", "push"]]
    assert pushed == [f"{REGISTRY}/{name}:{commit}" for name in ("server", "stream")]


def test_it_pushes_nothing_when_it_cannot_know_the_tags(clone: Path, cloud: Cloud) -> None:
    cloud.answer(("--include-tags", None))
    run = built(clone, cloud, "development", "--push")
    assert run.returncode == 2
    assert not [words for words in cloud.calls if words[0] == "docker"]


def test_the_registry_refuses_to_move_one_too() -> None:
    (made,) = (
        words
        for _, words in commands(plan("apply", "development"))
        if words[1:4] == ["artifacts", "repositories", "create"]
    )
    assert "--immutable-tags" in made


def test_it_pins_the_bases(clone: Path, cloud: Cloud) -> None:
    cloud.answer(("image inspect", f"name@{DIGEST}"))
    run = built(clone, cloud, "--pin")
    assert run.returncode == 0, run.stderr
    before, after = ((root / "deploy/images/Dockerfile").read_text().splitlines() for root in (ROOT, clone))
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 3
    assert all(new == f"{old.partition('@')[0]}@{DIGEST}" for old, new in changed)
    assert built(clone, cloud, "--pin").returncode == 0  # again, over the digests
    assert (clone / "deploy/images/Dockerfile").read_text().splitlines() == after
    git(clone, "commit", "--all", "--quiet", "--message=pinned")
    assert "without a digest" not in built(clone, cloud, "development").stdout


def test_it_writes_no_answer_that_is_no_digest(clone: Path, cloud: Cloud) -> None:
    cloud.answer(("image inspect", "<no value>"))
    assert built(clone, cloud, "--pin").returncode == 2
    assert (clone / "deploy/images/Dockerfile").read_text() == (ROOT / "deploy/images/Dockerfile").read_text()


@pytest.mark.parametrize("words", [(), ("nowhere",), ("development", "--pin"), ("--nonsense",), ("development", "x")])
def test_wrong_use(words: tuple[str, ...]) -> None:
    run = script("images/build", *words)
    assert run.returncode == 2
    assert run.stderr.startswith("build: ")


def planned() -> list[list[str]]:
    """The lines of every plan."""
    plans = (plan("images/build", "production", "--push"), plan("images/build", "--pin"))
    return [words for text in plans for _, words in commands(text)]


def test_the_real_docker_takes_every_line() -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("docker is not installed: the lines of deploy/images/build are not checked")
    lines = [words for words in planned() if words[0] == "docker"]
    assert len(lines) == 12
    refused = {}
    for words in [*lines, ["docker", "build", "--no-such-flag", "."]]:
        # There is nobody to connect to, so it goes no further than its own checks.
        run = subprocess.run(
            [docker, *words[1:]],
            env={"DOCKER_HOST": "unix:///nonexistent/docker.sock", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
            cwd=ROOT / "deploy" / "images",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if "onnect to the Docker daemon" not in run.stderr and "unable to prepare context" not in run.stderr:
            refused[tuple(words)] = run.stderr
    assert list(refused) == [("docker", "build", "--no-such-flag", ".")], refused


def test_the_real_gcloud_takes_every_line(sdk: Path, tmp_path: Path) -> None:
    """Those of the builds, and the emulator's in compose.yaml."""
    emulator = services()["pubsub"].command
    lines = [list(words[1:]) for words in (*planned(), emulator) if words[0] == "gcloud"]
    assert len(lines) == 5
    assert [said for said in verdicts(sdk, "gcloud", lines, tmp_path) if said] == []
