"""The flex template: its metadata against the stream's options, what deploy/apply passes, what the launcher runs."""

from __future__ import annotations

import importlib.util
import json
import re
from argparse import ArgumentParser
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from varde.history import Signal
from varde.settings import PREFIX, Settings, SettingsError, from_env
from varde.streaming.main import assemble, options
from varde.streaming.options import StreamOptions, parameters

from .plans import ROOT, apply, commands, environment


def module(name: str) -> ModuleType:
    """deploy/flex is no package: its files are run where they are."""
    spec = importlib.util.spec_from_file_location(f"flex_{name}", ROOT / "deploy" / "flex" / f"{name}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


METADATA: dict[str, Any] = json.loads((ROOT / "deploy" / "flex" / "metadata.json").read_text())
PARAMETERS = {one["name"]: one for one in METADATA["parameters"]}
BEAMS = {"sdk_container_image"}  # options of Beam's that are passed as parameters
VERSION = "projects/p-1/secrets/varde-id-secret/versions/latest"


def launched() -> list[dict[str, str]]:
    """The parameters of each start in the plan."""
    found = []
    for _, words in commands(apply("production")):
        if words[:4] == ["gcloud", "dataflow", "flex-template", "run"]:
            (text,) = [word for word in words if word.startswith("--parameters=")]
            found.append(dict(one.split("=", 1) for one in text.removeprefix("--parameters=^|^").split("|")))
    return found


def test_the_metadata_is_made_from_the_options() -> None:
    assert module("metadata").metadata() == METADATA, "python deploy/flex/metadata.py > deploy/flex/metadata.json"


def test_metadata_and_options_name_the_same() -> None:
    parser = ArgumentParser(add_help=False)
    StreamOptions._add_argparse_args(parser)
    assert PARAMETERS.keys() - {"id_secret_version"} == {action.dest for action in parser._actions}
    for name, parameter in PARAMETERS.items():
        assert parameter["label"], name
        assert parameter["helpText"], name
        for regex in parameter.get("regexes", []):
            re.compile(regex)


def test_no_secret_is_a_parameter() -> None:
    assert not {"id_secret", "admin_key", "link_secret", "webhook_secret", "webhook_token"} & PARAMETERS.keys()
    (regex,) = PARAMETERS["redis_url"]["regexes"]
    assert re.fullmatch(regex, "redis://10.64.0.9:6379/0")
    assert not re.fullmatch(regex, "redis://:password@10.64.0.9:6379/0")


def test_defaults_fit_their_own_pattern() -> None:
    settings = Settings()
    for name, parameter in PARAMETERS.items():
        for regex in parameter.get("regexes", []) if hasattr(settings, name) else []:
            assert re.fullmatch(regex, str(getattr(settings, name))), name


SAMPLES = {
    "input_subscription": "projects/p-1/subscriptions/s-1",
    "catalogue_subscription": "projects/p-1/subscriptions/s-2",
    "dead_letter_topic": "projects/p-1/topics/t-1",
    "seeds": "gs://p-1-varde/seeds-*.jsonl.gz",
    "freshness_seconds": "2",
    "lanes": "5",
    "batch_updates": "100",
    "redis_cluster": "yes",
    "events": "Item Seen=view",
    "consent_categories": "analytics",
}
"""A value of each parameter whose default says little."""


def samples() -> dict[str, str]:
    """A value of each parameter, as the form of the template has it."""
    told = {name: getattr(Settings(), name, None) for name in PARAMETERS.keys() - {"id_secret_version"}}
    shown = {name: ",".join(map(str, one)) if isinstance(one, tuple) else str(one) for name, one in told.items()}
    return shown | SAMPLES


def test_what_the_patterns_take_the_stream_takes() -> None:
    for name, value in samples().items():
        for regex in PARAMETERS[name].get("regexes", []):
            assert re.fullmatch(regex, value), name
    checked = parameters(options([f"--{name}={value}" for name, value in samples().items()]), {}, "run")
    assert checked.settings == replace(
        Settings(), redis_cluster="yes", events=(("Item Seen", Signal.VIEW),), consent_categories=("analytics",)
    )
    assert (checked.lanes, checked.batch_updates, checked.seeds) == (5, 100, SAMPLES["seeds"])


@pytest.mark.parametrize("name", [name for name, one in PARAMETERS.items() if "regexes" in one])
def test_what_the_stream_refuses_the_patterns_refuse(name: str) -> None:
    assert not any(re.fullmatch(regex, "?") for regex in PARAMETERS[name]["regexes"])
    if name in ("id_secret_version", "seeds"):  # the launcher's own; any path is a path
        return
    with pytest.raises((SettingsError, SystemExit)):
        parameters(options([f"--{name}=?"]), {}, "run")


def test_what_apply_passes_is_described_valid_and_complete() -> None:
    starts = launched()
    assert len(starts) == 3
    for given in starts:
        assert given.keys() <= PARAMETERS.keys() | BEAMS
        assert {name for name, one in PARAMETERS.items() if not one["isOptional"]} <= given.keys()
        for name, value in given.items():
            for regex in PARAMETERS.get(name, {}).get("regexes", []):
                assert re.fullmatch(regex, value.replace("REDIS_ADDRESS", "10.64.0.9")), name


@pytest.mark.parametrize("name", ["development", "production"])
def test_settings_of_an_env_file_make_sense_everywhere(name: str) -> None:
    given = {key: value for key, value in environment(name).items() if key.startswith(PREFIX)}
    assert from_env(given)
    options([f"--{key.removeprefix(PREFIX).lower()}={value}" for key, value in given.items()])


def test_the_launcher_takes_what_apply_passes_and_builds_the_pipeline() -> None:
    launch = module("launch").launch
    seen: dict[str, Any] = {}

    def run(argv: list[str], environ: dict[str, str]) -> int:
        _, checked = assemble(argv, environ)
        seen["settings"] = checked.settings
        return 0

    given = launched()[0] | {"redis_url": "redis://10.64.0.9:6379/0"}
    assert launch([f"--{name}={value}" for name, value in given.items()], {}, lambda version: version[-40:], run) == 0
    assert seen["settings"].id_secret == given["id_secret_version"][-40:]
    assert seen["settings"].redis_cluster == "yes"


@pytest.mark.parametrize("words", [[], ["--id_secret_version="], [f"--id_secret_version={VERSION}"] * 2])
def test_the_launcher_asks_for_one_secret(words: list[str]) -> None:
    with pytest.raises(SettingsError, match="--id_secret_version"):
        module("launch").launch(words, {}, lambda _: "", lambda _, __: 0)


def test_the_secret_is_no_option_of_the_stream() -> None:
    version, rest = module("launch").separated([f"--id_secret_version={VERSION}", "--cap=8"])
    assert (version, rest) == (VERSION, ["--cap=8"])
