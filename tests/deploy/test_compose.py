"""compose.yaml: valid, bounded, and every setting, option and command in it is one that Varde knows."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest

from varde.batch import main as reconcile
from varde.cli import COMMANDS
from varde.demo import process, simulate
from varde.demo.process import free_port
from varde.demo.pubsub import Names
from varde.demo.redis import find
from varde.server import doctor, doctor_redis
from varde.server.doctor_findings import Status
from varde.server.doctor_store import of_nodes
from varde.settings import Settings, from_env
from varde.streaming.main import assemble

from . import recipe
from .composed import FILE, ROOT, document, services
from .test_images import CONFIGS

SERVICES = services()
OURS = {name: service for name, service in SERVICES.items() if service.target}


def settings(name: str) -> Settings:
    """Of a service, by the real reader; its image's and its own variables together."""
    service = OURS[name]
    assert service.target
    env = CONFIGS[service.target].env | dict(service.env)
    assert all(isinstance(value, str) for value in env.values())
    return from_env(env)


def words(name: str) -> list[str]:
    """What runs: the service's own entry point and command, else its image's."""
    service = OURS[name]
    assert service.target
    return [*(service.entrypoint or CONFIGS[service.target].entrypoint), *service.command]


def test_compose_takes_it() -> None:
    found = shutil.which("docker-compose")
    asked = [found, "--file", str(FILE), "config"] if found else ["docker", "compose", "--file", str(FILE), "config"]
    try:
        run = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("neither docker-compose nor docker is installed: compose.yaml is not checked by it")
    if not found and "unknown flag" in run.stderr:
        pytest.skip("docker has no compose plugin, and docker-compose is not installed: compose.yaml is not checked")
    assert run.returncode == 0, run.stderr
    assert "    condition: service_completed_successfully" in run.stdout


def test_images_are_pinned_or_ours() -> None:
    stages = recipe.read(ROOT / "deploy/images/Dockerfile").stages
    for name, service in SERVICES.items():
        if service.target:
            assert service.target in stages
            assert service.image == f"varde/{service.target}:local"
            assert service.raw["build"] == {
                "context": ".", "dockerfile": "deploy/images/Dockerfile", "target": service.target,
            }  # fmt: skip
        else:
            assert any(part.isdigit() for part in service.image.rpartition(":")[2].replace("-", ".").split(".")), name
    released = document({"REGISTRY": "r/varde", "IMAGES": "tag-1"})["services"]
    assert {raw["image"] for raw in released.values() if "build" in raw} == {
        f"r/varde/{target}:tag-1" for target in ("server", "batch", "stream")
    }


def test_nobody_has_rights_or_is_without_bounds() -> None:
    for name, service in SERVICES.items():
        user = str(service.raw["user"])
        assert user == ("10001:10001" if service.target else user)
        assert int(user.partition(":")[0]) > 0, name
        assert service.raw["cap_drop"] == ["ALL"]
        assert service.raw["security_opt"] == ["no-new-privileges:true"]
        assert service.raw["read_only"] is (name != "pubsub")
        assert {"mem_limit", "cpus", "pids_limit"} <= service.raw.keys()
        assert all(port.startswith("127.0.0.1:") for port in service.raw.get("ports", ()))
    assert {name for name, service in SERVICES.items() if service.raw.get("ports")} == {"server"}


def test_a_service_waits_for_those_it_needs() -> None:
    for name, service in OURS.items():
        needs = service.raw["depends_on"]
        for needed, how in needs.items():
            lasting = SERVICES[needed].raw.get("restart") == "unless-stopped"
            assert how == {"condition": "service_healthy" if lasting else "service_completed_successfully"}, name
            assert not lasting or "healthcheck" in SERVICES[needed].raw
            # A service of a profile that is off is not started for another.
            assert not SERVICES[needed].raw.get("profiles")
    assert OURS["stream"].raw["depends_on"].keys() == OURS["server"].raw["depends_on"].keys() == {"redis", "topics"}
    probe = OURS["server"].raw["healthcheck"]["test"]
    assert probe == ["CMD", *CONFIGS["server"].health[:-1], "/readyz"]


def test_the_settings_are_read_and_agree() -> None:
    given = {name: settings(name) for name in OURS}
    assert len({(found.redis_url, found.id_secret) for found in given.values()}) == 1
    assert {service.env["PUBSUB_EMULATOR_HOST"] for service in OURS.values()} == {"pubsub:8085"}
    known = {"PUBSUB_EMULATOR_HOST", *(f"VARDE_{name.upper()}" for name in Settings.__dataclass_fields__)}
    assert {variable for service in OURS.values() for variable in service.env} <= known
    names = Names()
    assert (given["server"].topic, given["server"].exposures_topic) == (names.topic, names.exposures)
    assert (given["server"].host, given["server"].port) == ("0.0.0.0", 8080)


def test_the_stream_takes_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "pubsub:8085")
    program, command, *options = words("stream")
    assert (program, command) == ("varde", "stream")
    _, checked = assemble(options, dict(OURS["stream"].env))
    names = Names()
    assert (checked.input_subscription, checked.dead_letter_topic) == (names.subscription, names.dead_letters)
    assert checked.settings.redis_url == settings("server").redis_url


def shoppers() -> argparse.ArgumentParser:
    """The parser of `varde simulate`."""
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    return parser


def test_the_commands_take_their_arguments() -> None:
    parsers = {
        "reconcile": reconcile._arguments, "doctor": doctor._arguments, "simulate": shoppers,
    }  # fmt: skip
    ran = set()
    for name in OURS.keys() - {"stream", "topics", "archive"}:
        program, command, *rest = words(name)
        assert program == "varde"
        assert command in COMMANDS
        if command != "serve":
            parsers[command]().parse_args(rest)
        ran.add(command)
    assert ran == {"serve", *parsers}
    assert words("server")[2:] == []
    assert OURS["night"].raw["volumes"][0] == OURS["archive"].raw["volumes"][-1] == "warehouse:/warehouse"
    assert words("night")[3] == words("archive")[3] == "/warehouse/warehouse.duckdb"


def test_the_emulator_listens_where_it_is_asked() -> None:
    """That gcloud takes the line is seen in test_images_build.py."""
    line = SERVICES["pubsub"].command
    assert f"--project={Names().project}" in line
    assert "--host-port=0.0.0.0:8085" in line


def test_doctor_is_content_with_its_redis(tmp_path: Path) -> None:
    """docs/redis.md's policies: the real server with the arguments of the file, looked at by `varde doctor`."""
    program, *options = SERVICES["redis"].command
    assert program == "redis-server"
    port = free_port()
    line = [str(find()), *options, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    child = process.start("redis", line, tmp_path / "redis.log")
    try:
        child.wait_until(lambda: "eady to accept" in child.log.read_text(), 30)
        given = Settings(redis_url=f"redis://127.0.0.1:{port}/0")
        found = doctor_redis.nodes(given)
    finally:
        child.stop()
    assert {finding.check: finding for finding in of_nodes(found, given) if finding.status is not Status.OK} == {}
    assert (found[0].policy, found[0].appendonly, found[0].bound) == ("noeviction", True, 1 << 30)
