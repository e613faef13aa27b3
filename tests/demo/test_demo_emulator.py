from pathlib import Path

import pytest

from varde.demo import emulator, process


def test_the_named_one_is_used_and_not_stopped(standin: str, tmp_path: Path) -> None:
    found = emulator.find_or_start(tmp_path, {"PUBSUB_EMULATOR_HOST": standin})
    assert (found.host, found.kind, found.env) == (standin, "given", {"PUBSUB_EMULATOR_HOST": standin})
    found.stop()
    assert emulator.answers(standin)


def test_a_named_one_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    host = f"127.0.0.1:{process.free_port()}"
    with pytest.raises(process.ChildError, match=host):
        emulator.find_or_start(tmp_path, {"PUBSUB_EMULATOR_HOST": host})


def test_without_java_the_standin_starts_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = emulator.find_or_start(tmp_path, {})
    try:
        assert found.kind == "standin"
        assert emulator.answers(found.host)
    finally:
        found.stop()
    assert not emulator.answers(found.host)


def test_the_jar_is_found_beside_the_real_gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "sdk" / "platform" / "pubsub-emulator" / "lib" / "cloud-pubsub-emulator-9.9.9-all.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    real = tmp_path / "sdk" / "bin" / "gcloud"
    real.parent.mkdir()
    real.write_text("#!/bin/sh\n")
    real.chmod(0o755)
    links = tmp_path / "links"
    links.mkdir()
    (links / "gcloud").symlink_to(real)
    monkeypatch.setenv("PATH", str(links))
    assert emulator.google_jar() == jar
