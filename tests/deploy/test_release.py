"""deploy/release, rollback, tested, night, reports and bases, against stand-ins for gcloud, curl and docker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .cloud import Cloud, stand_in
from .plans import ROOT, commands, environment, plan, script

NUMBER = environment("production")["PROJECT_NUMBER"]
NEW = "b" * 40
GOES_WELL: list[tuple[str, str | list[str | None] | None]] = [
    ("/healthz", "{}"),
    ("/readyz", '{"status": "ready"}'),
    ("/openapi.json", '{"paths": {"/v1/similar/{item}": {}}}'),
    ("/v1/similar/", '{"request_id": "r", "stale": false, "items": [{"id": "mat"}]}'),
    ("discoveryEndpoints", "10.64.0.9"),
    ("latestCreatedRevisionName", "varde-server-7 varde-server-7"),
    ("status.url", "https://server.example"),
    ("--status=active", "job-1"),
    ("flex-template run", "job-2"),
    ("currentState", "JOB_STATE_RUNNING"),
]


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Stand-ins, curl's and docker's among them."""
    home = tmp_path / "bin"
    home.mkdir()
    found = stand_in(home)
    for name in ("curl", "docker"):
        shutil.copy(home / "gcloud", home / name)
    return found


def git(root: Path, *words: str) -> str:
    """What git says in the clone."""
    names = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=development")
    return subprocess.run(
        ["git", *names, *words], cwd=root, check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of its own with what the scripts read."""
    root = tmp_path / "clone"
    root.mkdir()
    git(root, "init", "--quiet")
    shutil.copytree(ROOT / "deploy", root / "deploy", ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    shutil.copytree(ROOT / "sql", root / "sql", ignore=shutil.ignore_patterns("__pycache__"))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=first")
    return root


def images(*tags: str) -> list[tuple[str, str | list[str | None] | None]]:
    """Answers of Cloud Run: what the server ran first, and what it and the batch job ran each time they were tried."""
    before, *tried = tags
    return [
        ("run services list", [f"r/server:{tag}" for tag in (before, *tried)]),
        ("jobs describe varde-batch", [f"r/batch:{tag}" for tag in tried]),
        ("projects describe", NUMBER),
    ]


def release(clone: Path, cloud: Cloud, *words: str) -> subprocess.CompletedProcess[str]:
    return script("release", "production", "--images", NEW, *words, root=clone, path=cloud.path)


def test_a_release_that_works_stays(clone: Path, cloud: Cloud) -> None:
    cloud.answer(*images("old", NEW), *GOES_WELL)
    run = release(clone, cloud)
    assert run.returncode == 0, run.stderr
    deployed = [line for line in cloud.lines if "run deploy" in line]
    assert len(deployed) == 1
    assert f"server:{NEW}" in deployed[0]


def test_it_goes_back_to_what_ran_before_with_the_scripts_of_then(clone: Path, cloud: Cloud) -> None:
    old = git(clone, "rev-parse", "HEAD")
    env = clone / "deploy" / "env" / "production.env"
    env.write_text(env.read_text() + "VARDE_NEWER=5\n")
    git(clone, "commit", "--quiet", "--all", "--message=second")
    broken = ("/v1/similar/", ['{"request_id": "r", "items": []}', '{"request_id": "r", "items": [{"id": "mat"}]}'])
    cloud.answer(*images(old, NEW, old), broken, *GOES_WELL)
    run = release(clone, cloud)
    assert run.returncode == 3, run.stderr
    assert "has no items" in run.stderr
    assert f"{NEW} failed; {old} runs again" in run.stderr
    first, second = (line for line in cloud.lines if "run deploy" in line)
    assert f"server:{NEW}" in first
    assert "VARDE_NEWER=5" in first
    assert f"server:{old}" in second
    assert "VARDE_NEWER" not in second, "an old image refuses what it does not know"
    assert git(clone, "worktree", "list").count("\n") == 0, "nothing is left behind"


def test_a_deploy_that_fails_half_way_goes_back_too(clone: Path, cloud: Cloud) -> None:
    cloud.answer(*images("by-hand", "by-hand"), ("currentState", ["JOB_STATE_FAILED", "JOB_STATE_RUNNING"]), *GOES_WELL)
    run = release(clone, cloud)
    assert run.returncode == 3, run.stderr
    assert "server:by-hand" in [line for line in cloud.lines if "run deploy" in line][-1]


@pytest.mark.parametrize(
    ("before", "said"), [("", "nothing ran before"), (f"r/server:{NEW}", "they are what ran before")]
)
def test_where_there_is_no_way_back_it_says_so(clone: Path, cloud: Cloud, before: str, said: str) -> None:
    cloud.answer(("run services list", before), ("projects describe", NUMBER), ("run deploy", None), *GOES_WELL)
    run = release(clone, cloud)
    assert run.returncode == 4
    assert said in run.stderr


def test_a_way_back_that_fails_is_told_apart(clone: Path, cloud: Cloud) -> None:
    cloud.answer(*images("old", NEW, "old"), ("example/readyz", None), *GOES_WELL)
    run = release(clone, cloud)
    assert run.returncode == 4
    assert "/readyz" in run.stderr
    assert "so did the way back to old" in run.stderr


def test_a_person_rolls_back_to_the_images_before(clone: Path, cloud: Cloud) -> None:
    revisions = ("run revisions list", "r/server:now\nr/server:now\nr/server:then\nr/server:older")
    cloud.answer(revisions, *images("now"), *GOES_WELL)
    run = script("rollback", "production", root=clone, path=cloud.path)
    assert run.returncode == 0, run.stderr
    assert "server:then " in next(line for line in cloud.lines if "run deploy" in line)
    cloud.answer(("run revisions list", "r/server:now"), *images("now"))
    run = script("rollback", "production", root=clone, path=cloud.path)
    assert run.returncode == 2
    assert "has run no other images than now" in run.stderr


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("jobs describe varde-batch", "r/batch:other"), f"the server runs images {NEW}, the batch job other"),
        (("run services list", "r/server:other"), f"images other run, not {NEW}"),
        (
            ("latestCreatedRevisionName", "varde-server-8 varde-server-7"),
            "the newest revision of the server is not ready",
        ),
        (("--status=active", ""), "no job of the stream runs"),
        (("currentState", "JOB_STATE_DRAINING"), "the stream's job job-1 is JOB_STATE_DRAINING"),
        (("run services list", ""), "there is no server in shop-varde-production"),
    ],
)
def test_what_a_smoke_test_finds_on_google_cloud(cloud: Cloud, answer: tuple[str, str], said: str) -> None:
    batch = [] if answer[0] != "run services list" else [("jobs describe varde-batch", answer[1])]
    cloud.answer(answer, *batch, *images(NEW, NEW), *GOES_WELL)
    run = script("smoke", "production", "--images", NEW, path=cloud.path)
    assert run.returncode == 1
    assert said in run.stderr


def merged(clone: Path, *, beside: bool) -> tuple[str, str]:
    """Production's merge of development's commit: (merge, that commit); `beside`: the merge has something else, too."""
    git(clone, "checkout", "--quiet", "-b", "production")
    git(clone, "checkout", "--quiet", "development")
    (clone / "new").write_text("new")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message=work")
    commit = git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "--quiet", "production")
    if beside:
        (clone / "hotfix").write_text("hot")
        git(clone, "add", ".")
        git(clone, "commit", "--quiet", "--message=hotfix")
    git(clone, "merge", "--quiet", "--no-ff", "--message=merge", "development")
    return git(clone, "rev-parse", "HEAD"), commit


def test_the_images_of_the_merged_commit_go_to_production(clone: Path, cloud: Cloud) -> None:
    merge, commit = merged(clone, beside=False)
    assert merge != commit
    into = clone / "tag"
    run = script("tested", "--into", str(into), root=clone, path=cloud.path)
    assert run.returncode == 0, run.stderr
    assert into.read_text() == f"{commit}\n"
    asked = [line for line in cloud.lines if "images describe" in line]
    assert [line.split("/varde/")[1].split(":")[0] for line in asked] == ["server", "batch", "stream"]
    assert all(f":tested-{commit}" in line for line in asked)


def test_a_commit_that_was_merged_without_a_merge_goes_too(clone: Path, cloud: Cloud) -> None:
    run = script("tested", "--into", str(clone / "tag"), root=clone, path=cloud.path)
    assert run.returncode == 0, run.stderr
    assert (clone / "tag").read_text().strip() == git(clone, "rev-parse", "HEAD")


def test_what_development_has_not_tested_does_not_go(clone: Path, cloud: Cloud) -> None:
    cloud.answer(("stream:tested-", None))
    run = script("tested", "--into", str(clone / "tag"), root=clone, path=cloud.path)
    assert run.returncode == 2
    assert "no stream image of" in run.stderr
    merged(clone, beside=True)
    cloud.answer()
    run = script("tested", "--into", str(clone / "tag"), root=clone, path=cloud.path)
    assert run.returncode == 2
    assert "merge production into development first" in run.stderr
    assert not (clone / "tag").exists()


def test_a_mark_is_set_once(cloud: Cloud) -> None:
    cloud.answer(("images describe", None))
    assert script("tested", "--mark", NEW, path=cloud.path).returncode == 0
    added = [words[-2:] for words in cloud.calls if "add" in words]
    assert [two[1].split("/")[-1] for two in added] == [
        f"{kind}:tested-{NEW}" for kind in ("server", "batch", "stream")
    ]
    assert all(two[1].replace("tested-", "") == two[0] for two in added)
    cloud.answer()
    assert script("tested", "--mark", NEW, path=cloud.path).returncode == 0
    assert not any("add" in words for words in cloud.calls)


@pytest.mark.parametrize(
    ("execution", "code", "said"),
    [
        ("varde-batch-x,2026-05-04T03:30:01Z,2026-05-04T04:10:01Z,1", 0, "varde-batch-x went well"),
        ("varde-batch-x,2026-05-04T03:30:01Z,2026-05-04T04:10:01Z,", 1, "begun at 2026-05-04T03:30:01Z, failed"),
        ("varde-batch-x,2026-05-04T03:30:01Z,,", 1, "still runs"),
        ("", 1, "no night was started within a day"),
    ],
)
def test_the_last_night_is_looked_at_and_not_started(cloud: Cloud, execution: str, code: int, said: str) -> None:
    cloud.answer(("executions list", execution))
    run = script("night", "production", path=cloud.path)
    assert run.returncode == code
    assert said in run.stdout + run.stderr
    assert len(cloud.calls) == 1


def test_reports_are_made_of_the_experiments_that_run(cloud: Cloud, tmp_path: Path) -> None:
    cloud.answer(("storage cat", "colours\nplaces-2"))
    run = script("reports", "production", "--into", str(tmp_path / "out"), path=cloud.path)
    assert run.returncode == 0, run.stderr
    lines = cloud.lines
    assert [line.split("--html|")[1].split("'")[0] for line in lines if "^report|" in line] == [
        "/bucket/reports-colours.html|colours",
        "/bucket/reports-places-2.html|places-2",
    ]
    assert [line.split()[-1] for line in lines if "storage cp" in line] == [
        str(tmp_path / "out" / "colours.html"),
        str(tmp_path / "out" / "places-2.html"),
    ]
    cloud.answer(("storage cat", ""))
    run = script("reports", "production", "--into", str(tmp_path / "none"), path=cloud.path)
    assert run.returncode == 0, run.stderr
    assert "no experiment runs" in run.stdout
    assert list((tmp_path / "none").iterdir()) == [], "the folder is there, for what looks into it"


def test_newer_bases_become_a_commit_on_development(clone: Path, cloud: Cloud, tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(clone), str(origin))
    git(clone, "remote", "add", "origin", str(origin))
    named = {"GIT_AUTHOR_NAME": "J", "GIT_AUTHOR_EMAIL": "j@example.org"}
    named |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in named.items()}
    cloud.answer(("image inspect", f"base@sha256:{'a' * 64}"))
    before = git(clone, "rev-parse", "HEAD")
    run = script("bases", "--push", root=clone, path=cloud.path, **named)
    assert run.returncode == 0, run.stderr
    after = git(origin, "rev-parse", "development")
    assert after != before
    assert git(origin, "diff", "--name-only", before, after) == "deploy/images/Dockerfile"
    run = script("bases", "--push", root=clone, path=cloud.path, **named)
    assert run.returncode == 0, run.stderr
    assert "as they were" in run.stdout
    assert git(origin, "rev-parse", "development") == after


def test_plans_read_the_same_twice() -> None:
    for words in (
        ["release", "production", "--images", NEW],
        ["tested", "--into", "tested"],
        ["night", "development", "--run", "--force"],
        ["reports", "production", "--into", "reports"],
        ["refresh"],
        ["refresh", "--set-up"],
        ["bases", "--push"],
    ):
        first = plan(*words)
        assert first == plan(*words)
        assert str(ROOT) not in first
        assert commands(first)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["release", "production"], "which images?"),
        (["release", "production", "--images", "a b"], "--images takes a tag"),
        (["release", "staging", "--images", "a"], "no such environment: staging"),
        (["smoke"], "which environment?"),
        (["smoke", "production", "--url", "http://x"], "not both"),
        (["smoke", "--url", "ftp://x"], "--url takes"),
        (["night", "production", "--force"], "--force needs --run"),
        (["reports", "production"], "--into says where"),
        (["tested"], "--into or --mark"),
        (["refresh", "--share", "80"], "development gets a sample"),
        (["refresh", "--share", "1e3"], "takes a number"),
        (["jenkins/login"], "CREDENTIALS is not set"),
        (["bases", "--pull"], "no such option"),
    ],
)
def test_wrong_use_is_named(words: list[str], said: str) -> None:
    run = script(*words)
    assert run.returncode == 2
    assert said in run.stderr
