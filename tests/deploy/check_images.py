"""`make images-check`: makes the three images, step by step, in clean Debian roots, and runs compose.yaml in them.

No engine is needed (steps.py); root, debootstrap and a few minutes are. Two images are somebody else's: a redis-server
of this machine and Google's emulator, or the stand-in where it is not installed, take their place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from varde.demo import emulator, process
from varde.demo.process import free_port

from . import composed, recipe, steps
from .machine import Machine, until

ROOT = composed.ROOT
RECIPE = recipe.read(ROOT / "deploy" / "images" / "Dockerfile")
TARGETS = ("server", "batch", "stream")
COMMIT, COMMITTED = "0" * 40, 1_750_000_000
MESSAGES = 2_000
OWN = {"varde", "pip", "async-timeout"}
"""Not in the lock file; redis asks for the last one below Python 3.11.3, and Debian's is 3.11.2."""
PACKAGES = "ca-certificates,python3.11,python3.11-venv,python3-pip"
"""pip is there for what it brings: debootstrap alone does not find all that venv needs."""


def python_image(folder: Path) -> Path:
    """What stands for python:3.11-slim-bookworm: the same Debian, with its own Python 3.11 under the image's names."""
    given = os.environ.get("IMAGES_BASE")
    root = Path(given) if given else folder / "bookworm"
    if not (root / "usr").exists():
        words = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=1800, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).unlink(missing_ok=True)
        (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3.11")
    return root


def stand_in(folder: Path, file: str) -> Path:
    """An image of somebody else's that has one program, which ends at once."""
    program = folder / file.replace("/", "-") / file
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return folder / file.replace("/", "-")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if os.geteuid() != 0 or not (shutil.which("debootstrap") or os.environ.get("IMAGES_BASE")):
        pytest.fail("needs root and debootstrap (Debian, Ubuntu: sudo apt-get install debootstrap)")
    path = tmp_path_factory.mktemp("images")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def kitchen(folder: Path) -> steps.Kitchen:
    bases = {
        RECIPE.args["PYTHON_IMAGE"]: python_image(folder),
        RECIPE.args["BEAM_IMAGE"]: stand_in(folder, "opt/apache/beam/boot"),
        RECIPE.args["LAUNCHER_IMAGE"]: stand_in(folder, "opt/google/dataflow/python_template_launcher"),
    }
    (folder / "layers").mkdir()
    args = {"COMMIT": COMMIT, "SOURCE_DATE_EPOCH": str(COMMITTED)}
    source = steps.context(ROOT, folder)
    return steps.Kitchen(RECIPE, source, bases, folder / "layers", args, steps.pip_of_this_machine(folder))


@pytest.fixture(scope="module")
def images(kitchen: steps.Kitchen) -> dict[str, steps.Image]:
    made = {name: kitchen.make(name) for name in TARGETS}
    for name, image in made.items():
        print(f"\n{name}: {image.size() / 1e6:.0f} MB above the base", end="")
    return made


@pytest.fixture(scope="module")
def machine(images: dict[str, steps.Image], folder: Path) -> Iterator[Machine]:
    service = composed.services()["redis"]
    assert service.command[0] == "redis-server"
    port, home = free_port(), folder / "redis"
    home.mkdir()
    words = [*service.command, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
    redis = process.start("redis", words, folder / "redis.log")
    broker = emulator.find_or_start(folder, {})
    try:
        until(lambda: "eady to accept" in (folder / "redis.log").read_text(), lambda: "no Redis")
        yield Machine(images, folder, port, broker.host)
    finally:
        broker.stop()
        redis.stop()


def get(machine: Machine, path: str) -> tuple[int, str]:
    """Status and body of the server's answer; 0 when there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{machine.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def probe(machine: Machine, path: str) -> int:
    """The exit code of the image's health check."""
    health = machine.images["server"].config.health
    words = health if path == health[-1] else (*health[:-1], path)
    service = machine.words("server")
    end = service.index("varde")
    return subprocess.run([*service[:end], *words], capture_output=True, timeout=60, check=False).returncode


def test_the_system_counts_serves_and_agrees(machine: Machine) -> None:
    done = machine.run("topics")
    assert done.returncode == 0, done.stderr
    assert probe(machine, "/healthz") == 1  # nothing listens yet
    with machine.running("server") as server, machine.running("stream") as stream:
        until(lambda: get(machine, "/readyz")[0] == 200, server.log.read_text)
        assert probe(machine, "/healthz") == probe(machine, "/readyz") == 0
        assert {Path(f"/proc/{part.first()}").stat().st_uid for part in (server, stream)} == {10001}
        command = composed.services()["shoppers"].command
        # Ten a second, all of them before now: what comes after the moment of a night does not count in it.
        begun = datetime.now(UTC) - timedelta(seconds=MESSAGES / 10 + 60)
        options = ("--fast", f"--limit={MESSAGES}", "--shoppers=100", f"--start={begun.isoformat()}")
        sent = machine.run("shoppers", *options, command=command)
        assert sent.returncode == 0, sent.stderr
        until(lambda: counted(machine) >= MESSAGES, stream.log.read_text)
        until(lambda: '"rung":"pairs"' in listed(machine).replace(" ", ""), lambda: listed(machine))
        done = machine.run("archive")
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[0]) >= MESSAGES
        asked = composed.services()["night"].command[:3]
        done = machine.run("night", f"--as-of={datetime.now(UTC).isoformat()}", command=asked)
        assert done.returncode == 0, done.stdout + done.stderr
        night = json.loads(done.stdout.splitlines()[-1])
        assert night["pairs_compared"] > 100
        assert night["pairs_different"] == 0
        done = machine.run("doctor")
        assert done.returncode == 0, done.stdout + done.stderr
        for container, name in ((server, "server"), (stream, "stream")):
            assert container.stop(machine.images[name].config.stop_signal) == 0, container.log.read_text()


def listed(machine: Machine) -> str:
    """The server's list for the item that most have looked at."""
    popular = json.loads(get(machine, "/v1/popular")[1])["items"]
    return get(machine, f"/v1/similar/{popular[0]['id']}")[1] if popular else ""


def counted(machine: Machine) -> int:
    """Messages that the stream has dealt with, as the server tells."""
    lines = get(machine, "/metrics")[1].splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith("varde_stream_messages_total")))


def test_nothing_of_an_image_can_be_written_by_its_user(images: dict[str, steps.Image]) -> None:
    for image in images.values():
        for layer in image.layers[1:]:
            for path in [layer, *layer.rglob("*")]:
                if path.is_symlink() or path == layer / "warehouse":
                    continue
                told = path.lstat()
                assert (told.st_uid, told.st_gid) == (0, 0), path
                assert not told.st_mode & 0o022, path


def test_an_image_has_no_tools_caches_or_sources(images: dict[str, steps.Image]) -> None:
    for name, image in images.items():
        top = image.layers[-1]
        found = {str(path.relative_to(top)) for path in top.rglob("*")}
        assert not {entry for entry in found if entry.startswith(("source", "root", "tmp/", "var/"))}
        assert not [
            entry for entry in found if Path(entry).name in {"gcc", "cc", "pip.conf", ".git", "requirements.lock"}
        ]
        assert ("opt/varde/bin/pip" in found) == (name == "stream")


def test_the_launcher_says_what_it_misses_and_the_stream_explains_itself(
    images: dict[str, steps.Image], folder: Path
) -> None:
    image = images["stream"]
    upper = folder / "launcher"
    upper.mkdir()
    launch = image.config.env["FLEX_TEMPLATE_PYTHON_PY_FILE"]
    asked = steps.command(image.layers, upper, ["python", launch, "--redis_url=redis://r:6379/0"], image.config)
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("varde stream: --id_secret_version: must be given once")
    assert "--input_subscription" in steps.inside(image.layers, upper, ["varde", "stream", "--help"], image.config)
    # What Beam's boot program does first, by the python and the pip that it finds on the path.
    assert "apache-beam==" in steps.inside(image.layers, upper, ["python", "-m", "pip", "freeze"], image.config)
    steps.inside(
        image.layers, upper, ["python", "-c", "import apache_beam.runners.worker.sdk_worker_main"], image.config
    )


def test_an_image_has_the_packages_of_the_lock_file(images: dict[str, steps.Image], folder: Path) -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {canonical(line) for line in lines if not line.startswith("#")}
    code = "from importlib.metadata import distributions as d; print(*(f'{x.name}=={x.version}' for x in d()))"
    for name, image in images.items():
        upper = folder / f"packages-{name}"
        upper.mkdir()
        found = {
            canonical(word) for word in steps.inside(image.layers, upper, ["python", "-c", code], image.config).split()
        }
        assert {pin for pin in found - locked if pin.partition("==")[0] not in OWN} == set()


def canonical(pin: str) -> str:
    """name==version as pip compares it."""
    name, _, version = pin.partition("==")
    return f"{name.lower().replace('_', '-').replace('.', '-')}=={version}"


def test_the_same_commit_gives_the_same_bytes(
    kitchen: steps.Kitchen, images: dict[str, steps.Image], folder: Path
) -> None:
    again = folder / "again"
    again.mkdir()
    twin = kitchen.anew(again).make("server")
    first, second = (listing(image.layers[-1]) for image in (images["server"], twin))
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == set()
    assert len(first) > 1000


def listing(layer: Path) -> dict[str, tuple[int, int, str]]:
    """Mode, time and digest of each file of /opt/varde."""
    found = {}
    for path in (layer / "opt/varde").rglob("*"):
        told = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else "" if path.is_dir() else digest(path)
        found[str(path)[len(str(layer)) :]] = (told.st_mode, int(told.st_mtime), content)
    return found


def digest(path: Path) -> str:
    """Of the file's bytes."""
    return hashlib.blake2b(path.read_bytes()).hexdigest()
