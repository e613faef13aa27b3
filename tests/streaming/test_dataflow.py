"""The Dataflow job as Google would receive it, built offline: only the uploads are replaced."""

from __future__ import annotations

import json

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.internal import apiclient

from varde.streaming import main

from .offline import uploads

WORDS = [
    "--runner=DataflowRunner",
    "--dry_run=True",
    "--no_auth",
    "--project=varde-production",
    "--region=europe-west4",
    "--temp_location=gs://varde-dataflow/temp",
    "--staging_location=gs://varde-dataflow/staging",
    "--max_num_workers=5",
    "--input_subscription=projects/varde-production/subscriptions/segment",
    "--dead_letter_topic=projects/varde-production/topics/dead-letters",
    "--redis_url=redis://10.0.0.3:6379/0",
    "--lanes=8",
]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """(job description, pipeline proto, folder with the staged files). test_staged.py looks into our own code's."""
    staged = tmp_path_factory.mktemp("staged")
    with uploads(staged):
        pipeline, _ = main.assemble(WORDS, {})
        result = pipeline.run()
        client = apiclient.DataflowApplicationClient(result.job.options, result.job.root_staging_location)
        client.create_job_description(result.job)
    return json.loads(result.job.json()), result.job.proto_pipeline, staged


def test_it_is_a_streaming_engine_job_within_its_bounds(job):
    description, _, _ = job
    assert description["type"] == "JOB_TYPE_STREAMING"
    environment = description["environment"]
    assert {"enable_streaming_engine", "enable_windmill_service", "use_runner_v2"} <= set(environment["experiments"])
    assert environment["workerPools"][0]["autoscalingSettings"]["maxNumWorkers"] == 5
    options = json.dumps(environment["sdkPipelineOptions"])
    assert "streaming_mode_at_least_once" not in options
    assert '"redis_url"' in options


def transforms(proto):
    return {transform.unique_name: transform for transform in proto.components.transforms.values()}


def transform_root(name):
    """Beam's own root transform has a made-up name."""
    return not name.startswith("ref_")


def test_step_names_are_the_contract_with_running_jobs(job):
    _, proto, _ = job
    top = {name for name in transforms(proto) if name and "/" not in name and transform_root(name)}
    assert top == {
        "Read", "Parse", "Anonymous", "Customers", "Known", "Differences", "Briefly", "Token", "Fix", "Apply",
        "Dead", "DeadLetters",
    }  # fmt: skip


def test_state_is_one_cell_a_customer(job):
    _, proto, _ = job
    for step in ("Anonymous", "Known"):
        (par_do,) = [
            beam_runner_api_pb2.ParDoPayload.FromString(t.spec.payload)
            for name, t in transforms(proto).items()
            if name in (step, f"{step}/ParDo({step}Profiles)") and t.spec.urn == "beam:transform:pardo:v1"
        ]
        assert list(par_do.state_specs) == ["profile"]
        assert par_do.state_specs["profile"].protocol.urn == "beam:user_state:bag:v1"
        (timer,) = par_do.timer_family_specs.values()
        assert timer.time_domain == beam_runner_api_pb2.TimeDomain.PROCESSING_TIME
    assert "beam:requirement:pardo:stateful:v1" in proto.requirements


def test_state_keys_have_a_deterministic_coder(job):
    _, proto, _ = job
    coders = proto.components.coders
    for step in ("Anonymous", "Known"):
        (transform,) = [t for name, t in transforms(proto).items() if name == step]
        (collection,) = transform.inputs.values()
        pair = coders[proto.components.pcollections[collection].coder_id]
        assert pair.spec.urn == "beam:coder:kv:v1"
        assert coders[pair.component_coder_ids[0]].spec.urn == "beam:coder:string_utf8:v1"


def test_no_event_time_window_and_a_processing_time_trigger(job):
    _, proto, _ = job
    for strategy in proto.components.windowing_strategies.values():
        assert strategy.window_fn.urn == "beam:window_fn:global_windows:v1"
    triggers = [s.trigger for s in proto.components.windowing_strategies.values()]
    delays = [
        t.repeat.subtrigger.after_processing_time.timestamp_transforms[0].delay.delay_millis
        for t in triggers
        if t.WhichOneof("trigger") == "repeat" and t.repeat.subtrigger.WhichOneof("trigger") == "after_processing_time"
    ]
    assert 1000 in delays


def test_pubsub_is_read_without_attributes_that_segment_never_sets(job):
    _, proto, _ = job
    (read,) = [t for t in transforms(proto).values() if t.spec.urn == "beam:transform:pubsub_read:v1"]
    payload = beam_runner_api_pb2.PubSubReadPayload.FromString(read.spec.payload)
    assert payload.subscription.endswith("subscriptions/segment")
    assert payload.with_attributes
    assert not payload.id_attribute
    assert not payload.timestamp_attribute


def test_tokens_are_fixed_by_a_shuffle_before_the_write(job):
    _, proto, _ = job
    by_name = transforms(proto)
    (token_out,) = by_name["Token"].outputs.values()
    assert token_out in by_name["Fix"].inputs.values()
    assert set(by_name["Fix"].outputs.values()) == set(by_name["Apply"].inputs.values())
    assert by_name["Fix"].spec.urn == "beam:transform:reshuffle:v1"
