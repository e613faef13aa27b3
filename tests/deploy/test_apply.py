"""deploy/apply and deploy/destroy: plans, what is really called, refusals. Google's side is a stand-in here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlglot

from varde.batch.warehouse import ddl, views

from .cloud import Cloud, stand_in
from .plans import ROOT, apply, commands, destroy, environment, script

NUMBER = environment("production")["PROJECT_NUMBER"]
KNOWN = ("projects describe", NUMBER)
REDIS = ("discoveryEndpoints", "10.64.0.9")
NO_JOBS = ("jobs list", "")
MISSING = [("versions describe", "1"), (" describe ", None), (" show ", None)]


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return stand_in(tmp_path)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what the scripts read, to change."""
    root = tmp_path / "clone"
    shutil.copytree(ROOT / "deploy", root / "deploy")
    shutil.copytree(ROOT / "sql", root / "sql")
    return root


def write(root: Path, name: str, values: dict[str, str]) -> None:
    lines = [f"{key}={value}" for key, value in values.items()]
    (root / "deploy" / "env" / f"{name}.env").write_text("\n".join(lines) + "\n")


def statements(sql: str) -> list[str]:
    """As sqlglot writes them, without comments."""
    return [tree.sql("bigquery", comments=False) for tree in sqlglot.parse(sql, dialect="bigquery") if tree]


@pytest.mark.parametrize("name", ["development", "production"])
def test_a_plan_is_the_same_twice(name: str) -> None:
    first = apply(name)
    assert len(commands(first)) > 150
    assert apply(name) == first
    assert str(ROOT) not in first, "a plan reads the same on every machine"


def test_a_plan_asks_nobody(cloud: Cloud) -> None:
    for words in (["apply", "production", "--images", "tag-1"], ["destroy", "development"]):
        assert script(*words, "--plan", path=cloud.path).returncode == 0
    assert cloud.calls == []


def test_the_environments_differ_in_nothing_but_their_values(clone: Path) -> None:
    development, production = environment("development"), environment("production")
    assert list(development) == list(production)
    write(clone, "production", development | {"ENVIRONMENT": "production"})
    write(clone, "development", production | {"ENVIRONMENT": "development"})
    for name, other in (("development", "production"), ("production", "development")):
        swapped = apply(other, root=clone).replace(f"Varde: {other},", f"Varde: {name},")
        assert swapped.replace(f"environment={other}", f"environment={name}") == apply(name)


def test_projects_and_data_of_the_environments_are_apart() -> None:
    development, production = environment("development"), environment("production")
    for key in ("PROJECT", "PROJECT_NUMBER", "DATASET_VARDE", "DATASET_SEGMENT", "DATASET_STORE"):
        assert development[key] != production[key]
    assert production["PROJECT"] not in apply("development")


def test_without_an_archive_nothing_reads_or_writes_one(clone: Path) -> None:
    write(clone, "production", environment("production") | {"RAW_TABLE": ""})
    plan = apply("production", root=clone)
    assert "varde-archive" in apply("production")
    assert "varde-archive" not in plan
    assert "--raw-table" not in plan


def test_nothing_reads_or_writes_the_value_of_a_secret() -> None:
    for _, words in commands(apply("production")) + commands(destroy("development")):
        assert "access" not in words
        assert not any(word.startswith("--data-file") for word in words)


def test_a_first_apply_makes_what_the_plan_says(cloud: Cloud) -> None:
    cloud.answer(KNOWN, REDIS, NO_JOBS, ("flex-template run", "job-1"), ("currentState", "JOB_STATE_RUNNING"), *MISSING)
    run = script("apply", "production", "--images", "tag-1", path=cloud.path)
    assert run.returncode == 0, run.stderr
    planned = apply("production").split("\n# Stream, when a job runs")[0]
    said = {"REDIS_ADDRESS": "10.64.0.9", "LAUNCHED_JOB": "job-1"}
    for name, value in said.items():
        planned = planned.replace(name, value)
    expected = [words for verb, words in commands(planned) if verb != "update"]
    asked_again = [words for words in cloud.calls[1:] if words == expected[-1]][1:]  # the state, until it is the last
    assert cloud.calls[1:] == [*expected, *asked_again]


def test_a_second_apply_creates_nothing(cloud: Cloud) -> None:
    cloud.answer(
        KNOWN,
        REDIS,
        ("--status=active", "job-1"),
        ("flex-template run", "job-2"),
        ("currentState", "JOB_STATE_RUNNING"),
    )
    run = script("apply", "production", "--images", "tag-1", path=cloud.path)
    assert run.returncode == 0, run.stderr
    plan = apply("production")
    called = {tuple(words) for words in cloud.calls}
    assert called.isdisjoint(tuple(words) for verb, words in commands(plan) if verb == "create")
    assert {tuple(words) for verb, words in commands(plan) if verb == "update"} <= called


def test_tables_and_views_are_those_of_the_nightly_job(cloud: Cloud) -> None:
    cloud.answer(KNOWN, *MISSING)
    run = script("apply", "production", "--only", "foundation", "--images", "tag-1", path=cloud.path)
    assert run.returncode == 0, run.stderr
    values = environment("production")
    place = values["WAREHOUSE_PROJECT"], values["DATASET_VARDE"]
    expected = ";\n".join([ddl.for_bigquery(*place), *views.for_bigquery(*place)])
    assert statements(cloud.sql) == statements(expected)


def test_only_the_release_touches_no_foundation(cloud: Cloud) -> None:
    cloud.answer(KNOWN, REDIS, NO_JOBS, ("flex-template run", "job-1"), ("currentState", "JOB_STATE_RUNNING"))
    run = script("apply", "production", "--only", "release", "--images", "tag-1", path=cloud.path)
    assert run.returncode == 0, run.stderr
    assert not any(
        word in line for line in cloud.lines for word in ("projects add-iam", "clusters create", "pubsub topics", "bq ")
    )


def test_a_release_without_a_secret_stops_before_anything_is_deployed(cloud: Cloud) -> None:
    cloud.answer(KNOWN, ("--secret=varde-link-secret", None))
    run = script("apply", "production", "--only", "release", "--images", "tag-1", path=cloud.path)
    assert run.returncode == 2
    assert "varde-link-secret has no value" in run.stderr
    assert not any(" deploy " in line for line in cloud.lines)


def test_a_command_that_fails_ends_it_with_its_code(cloud: Cloud) -> None:
    cloud.answer(KNOWN, ("topics create varde-exposures", None), *MISSING)
    run = script("apply", "production", "--images", "tag-1", path=cloud.path)
    assert run.returncode == 1
    assert "topics create varde-exposures" in cloud.lines[-1]


def test_a_wrong_number_of_the_project_is_found_before_anything_is_done(cloud: Cloud) -> None:
    cloud.answer(("projects describe", "42"))
    run = script("apply", "production", "--images", "tag-1", path=cloud.path)
    assert run.returncode == 2
    assert "PROJECT_NUMBER" in run.stderr
    assert len(cloud.calls) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("COLOUR=red", "unknown name: COLOUR"),
        ("export PROJECT=x", "not NAME=VALUE"),
        ("REGION=", "REGION is empty"),
        ("ENVIRONMENT=development", "not production"),
    ],
)
def test_a_faulty_env_file_is_refused_by_name(clone: Path, line: str, said: str) -> None:
    with (clone / "deploy" / "env" / "production.env").open("a") as file:
        file.write(line + "\n")
    run = script("apply", "production", "--plan", "--images", "tag-1", root=clone)
    assert run.returncode == 2
    assert said in run.stderr


def test_an_env_file_is_data_and_never_run(clone: Path, tmp_path: Path) -> None:
    with (clone / "deploy" / "env" / "production.env").open("a") as file:
        file.write(f"SERVER_CPU=$(touch {tmp_path}/run)\n")
    assert "'--cpu=$(touch" in apply("production", root=clone)
    assert not (tmp_path / "run").exists()


def test_a_missing_name_is_told(clone: Path) -> None:
    values = environment("production")
    del values["REGION"]
    write(clone, "production", values)
    run = script("apply", "production", "--plan", "--images", "tag-1", root=clone)
    assert (run.returncode, "REGION is missing" in run.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["apply"],
        ["apply", "staging", "--plan"],
        ["apply", "production", "development", "--plan"],
        ["apply", "production", "--dry"],
        ["apply", "production", "--only"],
        ["apply", "production", "--only", "server"],
        ["apply", "production", "--images", "a b", "--plan"],
        ["apply", "production", "--bootstrap", "yesterday", "--plan"],
        ["destroy"],
        ["destroy", "staging"],
        ["destroy", "production", "--yes"],
        ["destroy", "production", "--plan"],
        ["destroy", "development"],
    ],
)
def test_wrong_use_does_nothing(words: list[str], cloud: Cloud) -> None:
    run = script(*words, path=cloud.path)
    assert run.returncode == 2
    assert run.stderr.startswith(f"{words[0]}: ")
    assert cloud.calls == []


def test_destroy_deletes_what_apply_creates(cloud: Cloud) -> None:
    cloud.answer(("jobs list", "job-7"))
    run = script("destroy", "development", "--yes", path=cloud.path)
    assert run.returncode == 0, run.stderr
    assert any("jobs cancel job-7" in line for line in cloud.lines)
    gone = {tuple(words[words.index("describe") :]) for words in cloud.calls if "describe" in words}
    made = {
        tuple(words[words.index("describe") :])
        for verb, words in commands(apply("development"))
        if verb == "check" and "describe" in words
    }
    kept = {one for one in made - gone if "versions" not in one}
    # Shared with production: the registry, and Jenkins.
    assert {one[1].split("@")[0] for one in kept if one[1] != "latest"} == {"varde", "varde-jenkins"}


def test_destroy_deletes_nothing_that_is_not_there(cloud: Cloud) -> None:
    cloud.answer(("jobs list", ""), *MISSING)
    run = script("destroy", "development", "--yes", path=cloud.path)
    assert run.returncode == 0, run.stderr
    assert not any(word in line for line in cloud.lines for word in (" delete ", " rm ", " cancel "))


@pytest.mark.parametrize("key", ["PROJECT", "DATASET_VARDE", "DATASET_SEGMENT", "DATASET_STORE"])
def test_destroy_refuses_what_is_productions(clone: Path, cloud: Cloud, key: str) -> None:
    write(clone, "development", environment("development") | {key: environment("production")[key]})
    run = script("destroy", "development", "--yes", root=clone, path=cloud.path)
    assert run.returncode == 2
    assert "production's as well" in run.stderr
    assert cloud.calls == []


def test_help_says_how_to_use_them() -> None:
    for name in ("apply", "destroy"):
        run = script(name, "--help")
        assert run.returncode == 0
        assert run.stdout.startswith(f"usage: deploy/{name} ")
        assert "--plan" in run.stdout
