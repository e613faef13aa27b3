"""The job that a start of the flex template makes, offline: what deploy/apply asks for is in what Dataflow would get.

Dataflow's launcher is the only part that is played here: it turns the words of `gcloud dataflow flex-template run` into
options of Beam's and starts deploy/flex/launch.py with them (FLAGS).
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.internal import apiclient
from tests.deploy.plans import apply, commands, environment
from tests.deploy.test_apply_flex import module

from varde.streaming import main

from .offline import uploads

FLAGS = {
    "project": "project",
    "region": "region",
    "service-account-email": "service_account_email",
    "staging-location": "staging_location",
    "temp-location": "temp_location",
    "worker-machine-type": "machine_type",
    "num-workers": "num_workers",
    "max-workers": "max_num_workers",
    "worker-zone": "worker_zone",
    "network": "network",
    "subnetwork": "subnetwork",
}
"""Options of gcloud -> Beam's, with a value."""
SWITCHES = {"enable-streaming-engine": "enable_streaming_engine", "disable-public-ips": "no_use_public_ips"}
NOT_THE_JOBS = {"template-file-gcs-location", "format", "update", "additional-user-labels", "parameters"}
"""What the launcher uses itself, or has another form in the job's options."""
SECRET = "the-value-of-the-secret"
ENVIRONMENT = environment("production")
TEMPLATE = f"gs://{ENVIRONMENT['PROJECT']}-varde/staging/template_launches/1"


class Job(NamedTuple):
    """The template that a launch writes: Dataflow's description of the job; and the graph beside it."""

    description: dict[str, Any]
    graph: beam_runner_api_pb2.Pipeline

    @property
    def environment(self) -> dict[str, Any]:
        return dict(self.description["environment"])

    @property
    def pool(self) -> dict[str, Any]:
        (pool,) = self.environment["workerPools"]
        return dict(pool)


def options(words: list[str]) -> list[str]:
    """The options of Beam's that the launcher makes from those of gcloud."""
    given = dict(word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--"))
    assert given.keys() <= FLAGS.keys() | SWITCHES.keys() | NOT_THE_JOBS, "an option that this test does not know"
    found = [f"--{FLAGS[name]}={value}" for name, value in given.items() if name in FLAGS]
    found += [f"--{SWITCHES[name]}" for name in given if name in SWITCHES]
    labels = dict(one.split("=") for one in given["additional-user-labels"].split(","))
    parameters = given["parameters"].removeprefix("^|^").replace("REDIS_ADDRESS", "10.64.0.9").split("|")
    found += [f"--labels={json.dumps(labels)}", *(f"--{one}" for one in parameters)]
    return [*found, "--runner=DataflowRunner", "--streaming", "--job_name=varde-stream"]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    into = tmp_path_factory.mktemp("launched")
    starts = [w for _, w in commands(apply("production")) if w[:4] == ["gcloud", "dataflow", "flex-template", "run"]]
    (last,) = [words for words in starts if any("|seeds=" in word for word in words)]
    # A dry run asks Cloud Storage nothing about the bucket; the rest of what Beam does follows by hand.
    words = [*options(last), "--no_auth", "--dry_run=True", f"--template_location={TEMPLATE}/job_object"]

    def run(argv: list[str], environ: dict[str, str]) -> int:
        submitted = main.assemble(argv, environ)[0].run().job
        apiclient.DataflowApplicationClient(submitted.options, submitted.root_staging_location).create_job(submitted)
        return 0

    with uploads(into):
        assert module("launch").launch(words, {}, lambda _: SECRET, run) == 0
    graph = beam_runner_api_pb2.Pipeline.FromString((into / "pipeline.pb").read_bytes())
    return Job(json.loads((into / "job_object").read_text()), graph)


def test_it_is_a_streaming_job_of_the_engine(job: Job) -> None:
    assert (job.description["name"], job.description["type"]) == ("varde-stream", "JOB_TYPE_STREAMING")
    assert {"enable_streaming_engine", "enable_windmill_service"} <= set(job.environment["experiments"])
    assert "streaming_mode_at_least_once" not in job.environment["experiments"]


def test_workers_are_those_of_the_env_file(job: Job) -> None:
    assert job.pool["machineType"] == ENVIRONMENT["STREAM_MACHINE"]
    assert job.pool["numWorkers"] == int(ENVIRONMENT["STREAM_WORKERS"])
    assert job.pool["autoscalingSettings"] == {"maxNumWorkers": int(ENVIRONMENT["STREAM_MAX_WORKERS"])}
    assert job.environment["workerZone"] == ENVIRONMENT["STREAM_ZONE"]


def test_workers_have_no_public_address(job: Job) -> None:
    region = ENVIRONMENT["REGION"]
    assert job.pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert job.pool["network"] == "varde"
    assert job.pool["subnetwork"] == f"regions/{region}/subnetworks/varde-{region}"


def test_it_runs_as_its_own_account_in_its_own_bucket(job: Job) -> None:
    project = ENVIRONMENT["PROJECT"]
    assert job.environment["serviceAccountEmail"] == f"varde-stream@{project}.iam.gserviceaccount.com"
    assert job.environment["tempStoragePrefix"].startswith(f"storage.googleapis.com/{project}-varde/temp/")


def test_its_labels_name_the_part_and_the_environment(job: Job) -> None:
    assert job.description["labels"] == {"app": "varde", "environment": "production"}


def test_every_step_runs_in_the_released_image(job: Job) -> None:
    image = f"{ENVIRONMENT['REGION']}-docker.pkg.dev/{ENVIRONMENT['INFRA_PROJECT']}/varde/stream:tag-1"
    assert [one["containerImage"] for one in job.pool["sdkHarnessContainerImages"]] == [image]
    docker = [one for one in job.graph.components.environments.values() if one.urn == "beam:env:docker:v1"]
    images = [beam_runner_api_pb2.DockerPayload.FromString(one.payload).container_image for one in docker]
    assert images == [image]


def test_our_code_is_in_the_image_and_is_not_staged(job: Job) -> None:
    staged = {package["name"].rpartition("/")[2] for package in job.pool.get("packages", [])}
    assert not {name for name in staged if name.endswith((".tar.gz", ".whl"))}


def test_it_reads_and_writes_what_apply_names(job: Job) -> None:
    project = ENVIRONMENT["PROJECT"]
    urns: dict[str, list[str]] = {}
    for one in job.graph.components.transforms.values():
        if one.spec.urn == "beam:transform:pubsub_read:v1":
            read = beam_runner_api_pb2.PubSubReadPayload.FromString(one.spec.payload)
            urns.setdefault("read", []).append(read.subscription)
        if one.spec.urn == "beam:transform:pubsub_write:v1":
            write = beam_runner_api_pb2.PubSubWritePayload.FromString(one.spec.payload)
            urns.setdefault("written", []).append(write.topic)
    of = f"projects/{project}"
    assert sorted(urns["read"]) == [f"{of}/subscriptions/varde-catalogue", f"{of}/subscriptions/varde-stream"]
    assert urns["written"] == [f"{of}/topics/varde-dead-letters"]


def test_the_secret_is_no_option_of_the_job(job: Job) -> None:
    """Options show in the console. The graph has it, in the bucket: docs/deploy.md says who may read that."""
    assert SECRET not in json.dumps(job.description)
    shown = json.dumps(job.environment["sdkPipelineOptions"])
    assert "redis://10.64.0.9:6379/0" in shown
