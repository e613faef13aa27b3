"""`varde stream`'s options: one typed class, checked before anything starts."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from unittest import mock

import pytest
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)

from varde.settings import SECRET, Settings, SettingsError
from varde.streaming import main
from varde.streaming.options import LOCAL_RUNNER, StreamOptions, StreamParameters, parameters

SUBSCRIPTION = "--input_subscription=projects/varde-shop/subscriptions/segment"


def test_the_runner_is_named_never_left_to_a_switch():
    assert main.options([]).view_as(StandardOptions).runner == LOCAL_RUNNER
    for runner in ("DirectRunner", "SwitchingDirectRunner"):
        with pytest.raises(SettingsError, match="--runner"):
            main.options([f"--runner={runner}"])


def test_streaming_without_a_pickled_main_session():
    chosen = main.options([])
    assert chosen.view_as(StandardOptions).streaming
    assert not chosen.view_as(SetupOptions).save_main_session


def test_dataflow_gets_streaming_engine():
    chosen = main.options(["--runner=DataflowRunner", "--project=shop"])
    assert chosen.view_as(GoogleCloudOptions).enable_streaming_engine
    assert chosen.view_as(GoogleCloudOptions).job_name == "varde-stream"


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("--freshness_second=3", "--freshness_second"),
        ("--windowdays=3", "--windowdays"),
        ("--nonsense", "--nonsense"),
        ("--run_id=again", "--run_id"),
        ("--id_secret=shows-in-ps", "--id_secret"),
        ("stray", "stray"),
    ],
)
def test_an_unknown_option_is_refused_by_name(word, named):
    with pytest.raises(SettingsError, match=named):
        main.options([word])


@pytest.mark.parametrize(
    ("words", "environ", "named"),
    [
        (["--cap=0"], {}, "--cap"),
        (["--cap=many"], {}, "--cap"),
        ([], {"VARDE_CAP": "0"}, "VARDE_CAP"),
        ([], {"VARDE_NO_SUCH": "1"}, "VARDE_NO_SUCH"),
        (["--rankings=llr,lift"], {}, "--rankings"),
        (["--freshness_seconds=0"], {}, "--freshness_seconds"),
        (["--lanes=0"], {}, "--lanes"),
        (["--batch_updates=6000"], {}, "--batch_updates"),
        (["--dead_letter_topic=dead"], {}, "--dead_letter_topic"),
        (["--input_subscription=projects/p/topics/t"], {}, "--input_subscription"),
        (["--catalogue_subscription=items"], {}, "--catalogue_subscription"),
        (["--redis_url=redis://:letmein@h/0"], {}, "--redis_url"),
        (["--redis_url=rediss://h/0?password=letmein"], {}, "--redis_url"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(words, environ, named):
    with pytest.raises(SettingsError, match=named) as caught:
        parameters(main.options(words), environ, "new")
    assert "letmein" not in str(caught.value)


def test_a_password_comes_from_the_environment():
    with_password = "redis://:letmein@h/0"
    checked = parameters(main.options([]), {"VARDE_REDIS_URL": with_password}, "new")
    assert checked.settings.redis_url == with_password
    over_it = parameters(main.options(["--redis_url=redis://h:1/0"]), {"VARDE_REDIS_URL": with_password}, "new")
    assert over_it.settings.redis_url == "redis://h:1/0"


@pytest.mark.parametrize(("topic", "warned"), [(None, True), ("projects/p/topics/dead", False)])
def test_a_start_without_a_place_for_dead_letters_says_so(topic, warned, monkeypatch, caplog):
    submitted = mock.Mock(options=main.options(["--runner=DataflowRunner", "--project=shop"]))
    checked = StreamParameters(settings=Settings(), run_id="new", dead_letter_topic=topic)
    monkeypatch.setattr(main, "assemble", lambda *_: (submitted, checked))
    assert main.run([], {}) == 0
    submitted.run.assert_called_once_with()
    assert ("--dead_letter_topic is not set" in caplog.text) == warned


def test_options_go_before_the_environment():
    chosen = main.options(["--cap=5", "--events=Look=view"])
    checked = parameters(chosen, {"VARDE_CAP": "7", "VARDE_WINDOW_DAYS": "30"}, "new")
    assert (checked.settings.cap, checked.settings.window_days, checked.run_id) == (5, 30, "new")
    assert checked.settings.events[0][0] == "Look"


def test_a_subscription_is_required():
    with pytest.raises(SettingsError, match="--input_subscription"):
        main.assemble([], {})


def test_beams_own_checks_are_told_like_ours():
    with pytest.raises(SettingsError, match="p1"):
        main.assemble(["--input_subscription=projects/p1/subscriptions/segment"], {})
    with pytest.raises(SettingsError, match="project"):
        main.assemble(["--runner=DataflowRunner", SUBSCRIPTION], {})


def documented(first: str) -> list[str]:
    """The words of the command in docs/deploy.md that begins so, its line ends joined."""
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text("utf-8").replace("\\\n", " ")
    (line,) = [line for line in page.splitlines() if line.strip().startswith(first)]
    return shlex.split(line)


def test_the_options_of_portable_runners_are_taken():
    command = documented("varde stream --runner=PortableRunner")
    pipeline, checked = main.assemble(command[2:], {})
    portable = pipeline.options.view_as(PortableOptions)
    assert (portable.job_endpoint, portable.environment_type) == ("localhost:8099", "DOCKER")
    assert portable.environment_config.endswith("/stream:COMMIT")
    assert pipeline.options.view_as(FlinkRunnerOptions).parallelism == 2
    assert checked.input_subscription
    # What such an engine has to know beside Beam's own steps; docs/deploy.md says that Flink does not.
    urns = {one.spec.urn for one in pipeline.to_runner_api().components.transforms.values()}
    assert "beam:transform:pubsub_read:v1" in urns


def test_the_documented_submission_from_a_laptop_is_taken():
    command = documented("varde stream --runner=DataflowRunner")
    pipeline, checked = main.assemble([*command[2:], "--dry_run=True", "--no_auth"], {})
    assert pipeline.options.view_as(SetupOptions).setup_file == "./setup.py"
    assert checked.settings.redis_cluster == "yes"


def test_every_start_is_a_life_of_its_own():
    runs = {main.assemble([SUBSCRIPTION], {})[1].run_id for _ in range(3)}
    assert len(runs) == 3


def test_help_names_every_option(capsys):
    assert main.run(["--help"], {}) == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(StreamParameters):
        if field.name not in ("settings", "run_id"):
            assert f"--{field.name}" in text
    for setting in ("redis_url", "cap", "window_days", "item_keys", "events"):
        assert f"--{setting}" in text
        assert setting in {field.name for field in dataclasses.fields(Settings)}
    assert "DataflowRunner" in text


def test_the_class_adds_its_options_to_beams():
    assert StreamOptions(["--lanes=4", SUBSCRIPTION]).view_as(StreamOptions).lanes == 4


def test_no_secret_of_the_server_travels_in_a_submitted_job():
    """Whoever may read the job can read its settings."""
    secret = "a-secret-that-only-the-server-needs-to-know"
    names = sorted(SECRET - {"id_secret"})
    environ = {f"VARDE_{name.upper()}": secret for name in names}
    settings = parameters(main.options([]), environ, "run").settings
    assert secret not in "".join(str(getattr(settings, name)) for name in names)
