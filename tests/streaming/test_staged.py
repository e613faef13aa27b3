"""What a submission to Dataflow stages of our code (`--setup_file ./setup.py`): built by Beam, looked into, installed.

The job is imported as a worker imports it: from the staged archive in an environment of its own, with the pinned Beam.
`make staged` lets pip fetch Beam and the rest into an empty environment; `make test` lends it what is installed here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.internal import apiclient
from tests.house.tree import CORE, PYPROJECT, ROOT, shipped

from varde.streaming import main

from .offline import uploads

EMPTY = os.environ.get("STAGED_EMPTY") == "yes"
"""Whether the environment begins with nothing, and pip fetches all; minutes instead of seconds."""
WORDS = [
    "--runner=DataflowRunner",
    "--dry_run=True",
    "--no_auth",
    "--project=varde-production",
    "--region=europe-west4",
    "--temp_location=gs://varde-dataflow/temp",
    "--staging_location=gs://varde-dataflow/staging",
    "--setup_file=./setup.py",
    "--max_num_workers=5",
    "--input_subscription=projects/varde-production/subscriptions/segment",
    "--catalogue_subscription=projects/varde-production/subscriptions/catalogue",
    "--dead_letter_topic=projects/varde-production/topics/dead-letters",
    "--seeds=gs://varde-dataflow/seeds-*.jsonl.gz",
    "--redis_url=redis://10.0.0.3:6379/0",
    "--lanes=8",
]
SECRETS = (".env", "key.json", "varde.toml", "server/admin.key", "streaming/.env", "deploy/env/local.env", "dump.rdb")
"""Files that may lie about in a clone."""
WHAT = """
import importlib, importlib.metadata, json, pathlib, sys
from apache_beam.internal import pickler
from apache_beam.portability.api import beam_runner_api_pb2 as api
from importlib import resources
from varde.streaming import pipeline
from varde.store import scripts
proto = api.Pipeline.FromString(pathlib.Path(sys.argv[1]).read_bytes())
steps = set()
for one in proto.components.transforms.values():
    if one.spec.urn == "beam:transform:pardo:v1":
        function = api.ParDoPayload.FromString(one.spec.payload).do_fn
        if function.urn == "beam:dofn:pickled_python_info:v1":
            steps.add(type(pickler.loads(function.payload)[0]).__name__)
print(json.dumps({
    "beam": importlib.metadata.version("apache-beam"),
    "build": callable(pipeline.build),
    "places": sorted({module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "varde"}),
    "script": scripts.APPLY.text.decode(),
    "query": resources.files("varde.sql").joinpath("histories.sql").read_text(),
    "steps": sorted(steps),
}))
"""


class Staged(NamedTuple):
    """The archive, its members without the first folder, and the job's graph."""

    archive: Path
    names: list[str]
    graph: beam_runner_api_pb2.Pipeline


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    into = tmp_path_factory.mktemp("staged")
    source = tmp_path_factory.mktemp("source") / "varde"
    ignored = (".venv", ".git", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "node_modules")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*ignored))  # the archive is built in its folder
    for name in SECRETS:
        (source / name).write_text("a-secret-of-this-clone")
    with uploads(into), pytest.MonkeyPatch.context() as here:
        here.chdir(source)
        pipeline, _ = main.assemble(WORDS, {})
        job = pipeline.run().job
        apiclient.DataflowApplicationClient(job.options, job.root_staging_location).create_job_description(job)
    archive = into / "workflow.tar.gz"
    with tarfile.open(archive) as opened:
        names = [member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()]
    assert not (into / "pickled_main_session").exists()
    return Staged(archive, names, job.proto_pipeline)


def test_it_holds_all_code_and_data_and_nothing_else(staged: Staged) -> None:
    settings = PYPROJECT["tool"]["setuptools"]
    folders = {"varde.store": "src/varde/store"} | settings["package-dir"]
    named = [(ROOT / folders[package], kinds) for package, kinds in settings["package-data"].items()]
    data = {path for folder, kinds in named for kind in kinds for path in folder.glob(kind)}
    assert {path for kind in ("*.lua", "*.sql", "*.html", "*.js", "*.css") for path in shipped(kind)} <= data
    wanted = {str(path.relative_to(ROOT)) for path in {*shipped(), *data}}
    assert {"src/varde/store/apply.lua", "sql/interactions.sql", "sql/ddl/runs.sql"} <= wanted
    about = {"pyproject.toml", "setup.py", "setup.cfg", "README.md", "LICENSE", "PKG-INFO"}
    assert {name for name in staged.names if not name.startswith("varde.egg-info/")} == wanted | about


def test_it_holds_no_secret_that_lies_about(staged: Staged) -> None:
    assert not set(SECRETS) & set(staged.names)
    with tarfile.open(staged.archive) as opened:
        for member in opened.getmembers():
            content = opened.extractfile(member)
            text = content.read() if content else b""
            assert b"a-secret-of-this-clone" not in text, member.name
            assert b"PRIVATE KEY-----\nMI" not in text, member.name


def test_its_metadata_was_written_by_our_own_build_backend(staged: Staged) -> None:
    """Only a setuptools that knows our metadata writes this: Beam fell back to nothing older."""
    with tarfile.open(staged.archive) as opened:
        metadata = opened.extractfile(f"varde-{PYPROJECT['project']['version']}/PKG-INFO")
        assert metadata is not None
        assert b"License-Expression: Apache-2.0" in metadata.read()


def run(*words: str | Path, folder: Path) -> str:
    """Run a program to its end; its output. No variable of Python's own reaches it."""
    environ = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": os.environ["HOME"] if EMPTY else str(folder)}
    done = subprocess.run(
        list(words), cwd=folder, env=environ, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(archive: Path, folder: Path) -> Path:
    """The Python of an environment with the archive in it, and the pinned Beam beside it."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    python = folder / "venv" / "bin" / "python"
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--quiet",
        "--python",
        python,
        "install",
    ]
    if EMPTY:
        beam = next(one for one in PYPROJECT["project"]["optional-dependencies"]["streaming"] if "beam" in one)
        locked: list[str | Path] = ["-c", ROOT / "requirements.lock"]
        run(*pip, *locked, beam, folder=folder)
        assert run(python, "-I", "-c", FIND, folder=folder).strip() == "None"
        run(*pip, *locked, archive, folder=folder)
        return python
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    # A folder on the path, not a site: the line by which this clone is installed there is not read.
    lent = sorted({path for path in sys.path if path.endswith("site-packages")})
    (packages / "lent.pth").write_text("\n".join(lent))
    assert run(python, "-I", "-c", FIND, folder=folder).strip() == "None"
    alone = ["--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed"]
    run(*pip, *alone, archive, folder=folder)
    return python


FIND = "import importlib.util; print(importlib.util.find_spec('varde'))"


@pytest.mark.e2e
@pytest.mark.timeout(1800 if EMPTY else 300)
def test_a_worker_imports_and_unpickles_the_job_from_it(staged: Staged, tmp_path: Path) -> None:
    python = installed(staged.archive, tmp_path)
    (tmp_path / "graph").write_bytes(staged.graph.SerializeToString())
    found: dict[str, Any] = json.loads(run(python, "-I", "-c", WHAT, tmp_path / "graph", folder=tmp_path))
    pinned = re.search(r"^apache-beam==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert pinned
    assert found["beam"] == pinned[1]
    assert found["build"]
    assert len(found["places"]) > 20
    assert all(Path(place).is_relative_to(tmp_path / "venv") for place in found["places"]), "not from this clone"
    assert found["script"] == (CORE / "store" / "apply.lua").read_text()
    assert found["query"] == (ROOT / "sql" / "histories.sql").read_text()
    ours = {"ParseMessage", "ParseSeeds", "ApplyChanges", "AnonymousProfiles", "KnownProfiles", "FormDeliveries"}
    assert {*ours, "ApplyDeliveries"} <= set(found["steps"])
