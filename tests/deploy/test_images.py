"""The Dockerfile of the images by its rules; what is made of it is looked at by `make images-check`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from packaging.requirements import Requirement

from varde.cli import COMMANDS
from varde.demo.process import free_port
from varde.settings import from_env

from . import recipe, steps
from .composed import ROOT
from .plans import apply, commands

FILE = ROOT / "deploy" / "images" / "Dockerfile"
RECIPE = recipe.read(FILE)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = ("server", "batch", "stream")
CONFIGS = {name: RECIPE.config(name, {"COMMIT": "c" * 40}) for name in TARGETS}
BOOT = "/opt/apache/beam/boot"


def tool(name: str) -> str:
    """A program beside this Python, else on the path."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: deploy/images is not checked by it")
    return found


def test_hadolint_is_content() -> None:
    run = subprocess.run([tool("hadolint"), FILE], capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout, run.returncode) == ("", 0)


def test_shellcheck_is_content() -> None:
    scripts = [FILE.with_name("build"), FILE.with_name("install")]
    run = subprocess.run(
        [tool("shellcheck"), "-x", *scripts], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout, run.returncode) == ("", 0)
    assert all(script.stat().st_mode & 0o111 for script in scripts)


def test_every_base_is_an_argument_with_a_whole_version() -> None:
    assert set(RECIPE.args) == {"PYTHON_IMAGE", "BEAM_IMAGE", "LAUNCHER_IMAGE"}
    for image in RECIPE.args.values():
        name, _, tag = image.partition("@")[0].partition(":")
        assert re.search(r"\d+\.\d+\.\d+|\d{8}", tag), image
        assert name
        assert re.fullmatch(r"[^@]+(@sha256:[0-9a-f]{64})?", image), image
    bases = {stage.base for stage in RECIPE.stages.values()} - RECIPE.stages.keys()
    assert bases == set(RECIPE.args.values())


def test_the_bases_fit_the_project() -> None:
    (beam,) = (Requirement(line) for line in PYPROJECT["optional-dependencies"]["streaming"] if "apache-beam" in line)
    python = RECIPE.args["PYTHON_IMAGE"].partition(":")[2].rsplit(".", 1)[0]
    name, _, version = RECIPE.args["BEAM_IMAGE"].partition("@")[0].partition(":")
    assert beam.specifier.contains(version)
    assert name == f"apache/beam_python{python}_sdk"
    assert f"/python{python.replace('.', '')}-template-launcher-base:" in RECIPE.args["LAUNCHER_IMAGE"]
    assert f"apache-beam=={version}" in (ROOT / "requirements.lock").read_text().splitlines()
    assert Requirement(f"python{PYPROJECT['requires-python']}").specifier.contains(python)


def test_an_image_is_one_stage_on_a_base_without_tools() -> None:
    for name in TARGETS:
        assert [stage.name for stage in RECIPE.lineage(name)] == ["base", name]
    for step in RECIPE.steps("COPY"):
        assert step.flags.get("from", "source") in RECIPE.stages
        assert "chown" not in step.flags  # root's, so that the user cannot change them


def installed(name: str) -> list[str]:
    """What is put into an image: extras, and further packages."""
    (step,) = RECIPE.stages[f"{name}-packages"].steps
    return [word for word in step.words[1:] if word != "--with-pip"]


def test_the_extras_are_those_of_the_commands() -> None:
    extras = {name: installed(name)[0].split(",") for name in TARGETS}
    assert {extra for found in extras.values() for extra in found} <= PYPROJECT["optional-dependencies"].keys()
    locked = {line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert {package for name in TARGETS for package in installed(name)[1:]} <= locked
    assert COMMANDS["serve"].extra in extras["server"]
    assert COMMANDS["stream"].extra in extras["stream"]
    # What is run as the batch job, by hand too: everything that needs Redis, and neither Beam nor the demo.
    wanted = {command.extra for command in COMMANDS.values()} - {"streaming", "demo"}
    assert wanted <= set(extras["batch"])


def test_all_run_without_rights_but_where_dataflow_wants_them() -> None:
    assert CONFIGS["server"].user == CONFIGS["batch"].user == "10001:10001"
    assert CONFIGS["stream"].user == "0:0"
    lines = FILE.read_text().splitlines()
    (user,) = (step for step in RECIPE.stages["stream"].steps if step.name == "USER")
    assert lines[user.line - 2] == "# hadolint ignore=DL3002"
    assert "Dataflow" in lines[user.line - 4]


def test_entry_points_are_lists_and_take_arguments() -> None:
    assert all(step.listed for kind in ("ENTRYPOINT", "CMD") for step in RECIPE.steps(kind))
    assert CONFIGS["server"].entrypoint == ("varde", "serve")
    assert CONFIGS["batch"].entrypoint == ("varde",)
    assert CONFIGS["stream"].entrypoint == (BOOT,)
    assert {config.stop_signal for config in CONFIGS.values()} == {"SIGTERM"}


def test_labels_tell_the_commit() -> None:
    for name, config in CONFIGS.items():
        assert config.labels["org.opencontainers.image.revision"] == "c" * 40
        assert config.labels["org.opencontainers.image.title"] == f"varde {name}"
        assert config.labels["org.opencontainers.image.licenses"] == PYPROJECT["license"]


def test_the_server_listens_where_cloud_run_asks() -> None:
    config = CONFIGS["server"]
    settings = from_env({name: value for name, value in config.env.items() if name.startswith("VARDE_")})
    assert (settings.host, config.ports) == ("0.0.0.0", (str(settings.port),))
    (deployed,) = (
        words for _, words in commands(apply("production")) if words[1:4] == ["run", "deploy", "varde-server"]
    )
    assert f"--port={settings.port}" in deployed
    for probe in ("startup", "liveness"):
        (said,) = (word for word in deployed if word.startswith(f"--{probe}-probe="))
        assert f"httpGet.port={settings.port}," in said
    (variables,) = (word for word in deployed if word.startswith("--set-env-vars="))
    assert "VARDE_PORT" not in variables  # the image's
    assert "VARDE_HOST=0.0.0.0" in variables


def test_the_stream_is_worker_and_launcher() -> None:
    config = CONFIGS["stream"]
    to = {step.words[-1] for step in RECIPE.stages["stream"].steps if step.name == "COPY"}
    assert {"/opt/apache/beam", "/opt/google/dataflow/python_template_launcher"} <= to
    assert config.env["FLEX_TEMPLATE_PYTHON_PY_FILE"] in to
    assert config.env["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"
    plan = apply("production")
    assert plan.count("/varde/stream:tag-1") >= 2  # the template's image, and the workers'
    assert "sdk_container_image=europe-west1-docker.pkg.dev/shop-varde-infra/varde/stream:tag-1" in plan


def test_the_job_that_writes_into_the_bucket_owns_it() -> None:
    user, _, group = CONFIGS["batch"].user.partition(":")
    (deployed,) = (
        words for _, words in commands(apply("production")) if words[2:6] == ["run", "jobs", "deploy", "varde-batch"]
    )
    (volume,) = (word for word in deployed if word.startswith("--add-volume="))
    assert f"mount-options=uid={user};gid={group}" in volume


def test_what_is_copied_is_there_and_reaches_the_build(tmp_path: Path) -> None:
    clean = steps.context(ROOT, tmp_path)
    for step in RECIPE.steps("COPY"):
        if "from" not in step.flags:
            for source in step.words[:-1]:
                assert (clean / source).exists(), source
    needed = {"src/varde/store/apply.lua", "sql/histories.sql", "server/explore.html", "requirements.lock"}
    assert all((clean / name).is_file() for name in needed)


LEFT_OUT = """
.git/config .venv/bin/python .env server/.env deploy/.env.production server/a.pem id.key secrets.toml varde.toml
warehouse.duckdb demo/x.duckdb.wal src/varde/__pycache__/cli.cpython-311.pyc varde.egg-info/PKG-INFO
src/varde.egg-info/PKG-INFO tests/conftest.py docs/deploy.md deploy/env/production.env deploy/images/build
deploy/flex/metadata.py compose.yaml Makefile
"""


def test_nothing_else_reaches_the_build(tmp_path: Path) -> None:
    kept = ["LICENSE", "src/varde/cli.py", "deploy/flex/launch.py", "server/explore.html"]
    for name in [*LEFT_OUT.split(), *kept]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    through = steps.allowed(tmp_path, (ROOT / ".dockerignore").read_text())
    assert {name for name in through if (tmp_path / name).is_file()} == set(kept)


def test_no_file_of_the_images_names_where_packages_come_from() -> None:
    for path in FILE.parent.iterdir():
        text = path.read_text() if path.is_file() else ""
        assert not re.search(r"index-url|extra-index|find-links +[^\"$]|trusted-host|pypi|https?://[a-z]", text), path
    assert "requirements.lock" in FILE.with_name("install").read_text()


@pytest.fixture
def answering() -> HTTPServer:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response({"/healthz": 200, "/readyz": 503}.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return HTTPServer(("127.0.0.1", 0), Answers)


def probed(port: int, path: str) -> int:
    """The exit code of the server's health check, with this Python."""
    program, *words = CONFIGS["server"].health
    assert program == "python"
    assert words[-1] == "/healthz"
    here = [str(FILE.with_name("probe.py")) if word == "/opt/varde/probe.py" else word for word in words[:-1]]
    return subprocess.run(
        [sys.executable, *here, path], env={"VARDE_PORT": str(port)}, capture_output=True, timeout=60, check=False
    ).returncode


def test_the_health_check_tells_well_from_unwell(answering: HTTPServer) -> None:
    thread = Thread(target=answering.serve_forever)
    thread.start()
    try:
        assert probed(answering.server_port, "/healthz") == 0
        assert probed(answering.server_port, "/readyz") == 1
    finally:
        answering.shutdown()
        thread.join()
        answering.server_close()
    assert probed(free_port(), "/healthz") == 1
