"""How deploy/apply brings a new stream in: first start, update, drain and restart with seeds, an empty Redis filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from varde.batch import main, seeds

from .cloud import Cloud, stand_in
from .plans import apply, commands, environment, script

PROJECT = environment("production")["PROJECT"]
BASE = [("projects describe", environment("production")["PROJECT_NUMBER"]), ("discoveryEndpoints", "10.64.0.9")]
RUNNING = [("--status=active", "job-1"), ("flex-template run", "job-2")]
ENDED = ("currentStateTime", "2026-05-04T09:30:00.123456Z")


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return stand_in(tmp_path)


def release(cloud: Cloud, *words: str) -> tuple[int, str, list[str]]:
    """Exit code, errors, and the calls that concern the stream."""
    run = script("apply", "production", "--only", "release", "--images", "tag-1", *words, path=cloud.path)
    told = ("flex-template run", "jobs drain", "jobs execute", "seek")
    return run.returncode, run.stderr, [line for line in cloud.lines if any(word in line for word in told)]


def test_the_first_job_begins_with_nothing(cloud: Cloud) -> None:
    cloud.answer(*BASE, ("jobs list", ""), ("flex-template run", "job-1"), ("currentState", "JOB_STATE_RUNNING"))
    code, errors, calls = release(cloud)
    assert (code, len(calls)) == (0, 1), errors
    assert "--update" not in calls[0]
    assert "seeds=" not in calls[0]


def test_a_running_job_is_updated_in_place(cloud: Cloud) -> None:
    states = ["JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING"]
    cloud.answer(*BASE, *RUNNING, ("currentState", states))
    code, errors, calls = release(cloud)
    assert (code, len(calls)) == (0, 1), errors
    assert "--update" in calls[0]


def test_an_update_that_does_not_fit_is_drained_and_started_with_seeds(cloud: Cloud) -> None:
    states = ["JOB_STATE_FAILED"] * 2 + ["JOB_STATE_DRAINING"] * 2 + ["JOB_STATE_DRAINED"]
    fits = ("logs list", "The new job is not compatible with job-1. The original job has not been aborted.")
    cloud.answer(
        *BASE,
        *RUNNING,
        fits,
        ENDED,
        ("describe job-3", "JOB_STATE_RUNNING"),
        ("currentState", [*states, "JOB_STATE_RUNNING"]),
    )
    code, errors, calls = release(cloud)
    assert code == 0, errors
    update, drain, seeds, start = calls
    assert "--update" in update
    assert "jobs drain job-1" in drain
    # Histories up to the end of the old job: what came later is counted nowhere yet.
    assert "seeds|" in seeds
    assert "|--as-of|2026-05-04T09:30:00.123456Z|" in seeds
    file = "seeds-tag-1-20260504T093000123456Z.jsonl.gz"
    assert f"|--out|/bucket/{file}" in seeds
    assert f"seeds=gs://{PROJECT}-varde/{file}" in start
    assert "--update" not in start


def test_an_update_that_fails_otherwise_leaves_the_old_job_alone(cloud: Cloud) -> None:
    cloud.answer(*BASE, *RUNNING, ("logs list", "Failed to pull the image"), ("currentState", "JOB_STATE_FAILED"))
    code, errors, calls = release(cloud)
    assert code == 2
    assert "the old job job-1 goes on" in errors
    assert not any("drain" in line for line in calls)


def test_after_a_job_that_has_ended_the_next_begins_with_seeds(cloud: Cloud) -> None:
    cloud.answer(
        *BASE, ("--status=active", ""), ("--status=terminated", "job-0"), ("flex-template run", "job-1"), ENDED,
        ("currentState", "JOB_STATE_RUNNING"),
    )  # fmt: skip
    code, errors, calls = release(cloud)
    assert code == 0, errors
    seeds, start = calls
    assert "jobs execute varde-batch" in seeds
    assert "seeds=gs://" in start


def test_a_job_that_fails_at_its_start_is_told(cloud: Cloud) -> None:
    cloud.answer(*BASE, ("jobs list", ""), ("flex-template run", "job-1"), ("currentState", "JOB_STATE_FAILED"))
    code, errors, _ = release(cloud)
    assert code == 2
    assert "job-1 is JOB_STATE_FAILED" in errors


def test_a_job_that_never_runs_is_given_up(cloud: Cloud) -> None:
    cloud.answer(*BASE, ("jobs list", ""), ("flex-template run", "job-1"), ("currentState", "JOB_STATE_QUEUED"))
    code, errors, _ = release(cloud)
    assert code == 2
    assert "after 30 minutes" in errors


def test_an_empty_redis_is_filled_before_the_stream_goes_on_from_there(cloud: Cloud) -> None:
    cloud.answer(*BASE, ("jobs list", ""), ("flex-template run", "job-1"), ("currentState", "JOB_STATE_RUNNING"))
    code, errors, calls = release(cloud, "--bootstrap", "2026-05-03T23:59:59.999Z")
    assert code == 0, errors
    reconcile, seeds, seek, start = calls
    assert "reconcile|" in reconcile
    assert "|--apply|--as-of|2026-05-03T23:59:59.999Z" in reconcile
    assert "|--as-of|2026-05-03T23:59:59.999Z|" in seeds
    assert "varde-stream" in seek
    assert "--time=2026-05-03T23:59:59.999Z" in seek
    assert "seeds=gs://" in start


def test_redis_is_not_filled_under_a_running_stream(cloud: Cloud) -> None:
    cloud.answer(*BASE, *RUNNING)
    code, errors, calls = release(cloud, "--bootstrap", "2026-05-03T23:59:59.999Z")
    assert (code, calls) == (2, [])
    assert "drain job-1 first" in errors


def test_vardes_own_commands_take_what_the_batch_job_is_given() -> None:
    given = []
    for _, words in commands(apply("production", "--bootstrap", "2026-05-03T23:59:59.999Z") + apply("production")):
        said = [word for word in words if word != "beta"]
        if said[:3] == ["gcloud", "run", "jobs"] and said[3] in ("deploy", "execute"):
            (text,) = [word for word in words if word.startswith("--args=^|^")]
            given.append(text.removeprefix("--args=^|^").replace("ENDED_AT", "2026-05-04T09:30:00.123456Z").split("|"))
    assert {command for command, *_ in given} == {"reconcile", "seeds"}
    parsers = {"reconcile": main._arguments(), "seeds": seeds._arguments()}
    for command, *rest in given:
        parsed = parsers[command].parse_args(rest)
        assert parsed.bigquery == environment("production")["WAREHOUSE_PROJECT"]
        assert parsed.raw_table == environment("production")["RAW_TABLE"]
