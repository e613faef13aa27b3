"""The repairs of Beam's local runners: each shows what is mended, so that no upgrade of Beam loses one quietly."""

from __future__ import annotations

import importlib.metadata
import threading
import time
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import ReadFromPubSub
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct import evaluation_context, transform_evaluator
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.testing import test_pipeline, test_stream
from apache_beam.testing.util import assert_that
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp
from google.api_core import exceptions
from google.auth.exceptions import RefreshError
from google.pubsub_v1 import types as pubsub_types

from varde.demo import pubsub
from varde.streaming import local_runner, local_source

DEADLINE_S = 60.0


def test_beam_is_pinned_exactly_because_private_parts_are_used():
    (requirement,) = [r for r in importlib.metadata.requires("varde") if r.startswith("apache-beam")]
    assert f"=={importlib.metadata.version('apache-beam')}" in requirement


def test_repairing_twice_is_repairing_once():
    local_runner.repair()
    handle = evaluation_context.EvaluationContext.handle_result
    local_runner.repair()
    assert evaluation_context.EvaluationContext.handle_result is handle
    assert worker_handlers.STATE_CACHE_SIZE_MB == 0


class CountEach(beam.DoFn):
    """Counts, and remembers how often it was made, bundle by bundle."""

    seen = Metrics.counter("test", "seen")
    copies: set[int] = set()  # noqa: RUF012 - shared on purpose

    def process(self, element):
        self.seen.inc()
        CountEach.copies.add(id(self))
        yield element


def bundles(n):
    source = test_stream.TestStream()
    for i in range(n):
        source = source.add_elements([i]).advance_processing_time(1)
    return source.advance_watermark_to_infinity()


def run_count(n):
    pipeline = test_pipeline.TestPipeline(runner="BundleBasedDirectRunner", options=PipelineOptions(["--streaming"]))
    _ = pipeline | bundles(n) | beam.ParDo(CountEach())
    result = pipeline.run()
    result.wait_until_finish()
    (counter,) = result.metrics().query()["counters"]
    return counter.committed


def test_metrics_count_every_bundle_not_only_the_first():
    local_runner.repair()
    assert run_count(12) == 12
    assert run_count(5) == 5, "a second pipeline starts from nothing"


def test_a_step_is_not_pickled_anew_for_every_bundle():
    local_runner.repair()
    CountEach.copies.clear()
    run_count(6)
    assert len(CountEach.copies) == 1


class Remember(beam.DoFn):
    CELL = ReadModifyWriteStateSpec("cell", beam.coders.VarIntCoder())

    def process(self, element, cell=beam.DoFn.StateParam(CELL)):
        n = (cell.read() or 0) + 1
        cell.write(n)
        yield n


def test_state_survives_from_bundle_to_bundle():
    local_runner.repair()
    with test_pipeline.TestPipeline(
        runner="BundleBasedDirectRunner", options=PipelineOptions(["--streaming"])
    ) as pipeline:
        counted = pipeline | bundles(4) | beam.Map(lambda _: ("k", 0)) | beam.ParDo(Remember())

        def check(found):
            assert sorted(found) == [1, 2, 3, 4]

        assert_that(counted, check)


class WakeUp(beam.DoFn):
    """Emits its element, and "fired" when a timer at FAR_S goes off; the timer is set again with every element."""

    FAR_S = 1_000_000
    CELL = ReadModifyWriteStateSpec("cell", beam.coders.VarIntCoder())
    TIMER = TimerSpec("far", TimeDomain.REAL_TIME)

    def process(self, element, cell=beam.DoFn.StateParam(CELL), timer=beam.DoFn.TimerParam(TIMER)):
        cell.write(1)
        timer.set(Timestamp(self.FAR_S))
        yield element[0]

    @on_timer(TIMER)
    def fire(self, cell=beam.DoFn.StateParam(CELL)):
        assert cell.read() == 1
        cell.clear()
        yield "fired"


def wake_up(pipeline, source):
    return pipeline | source | beam.Map(lambda n: (f"k{n}", n)) | beam.ParDo(WakeUp())


@pytest.mark.parametrize("advance, firings", [(WakeUp.FAR_S - 100, 0), (WakeUp.FAR_S + 100, 2)])
def test_a_timer_fires_when_the_clock_has_passed_it_and_a_pending_one_holds_nothing_up(advance, firings):
    local_runner.repair()
    source = bundles_at([0, 1, 0], advance)
    options = PipelineOptions(["--streaming"])
    with test_pipeline.TestPipeline(runner="BundleBasedDirectRunner", options=options) as pipeline:

        def check(found):
            assert sorted(found) == ["fired"] * firings + ["k0", "k0", "k1"]

        assert_that(wake_up(pipeline, source), check)


def bundles_at(elements, advance):
    source = test_stream.TestStream()
    for element in elements:
        source = source.add_elements([element]).advance_processing_time(1)
    return source.advance_processing_time(advance).advance_watermark_to_infinity()


def test_a_far_timer_does_not_keep_a_bounded_pipeline_from_finishing():
    local_runner.repair()
    options = PipelineOptions(["--runner=BundleBasedDirectRunner", "--streaming"])
    pipeline = beam.Pipeline(options=options)
    _ = wake_up(pipeline, beam.Create([0, 1]))
    ran = threading.Event()
    threading.Thread(target=lambda: (pipeline.run().wait_until_finish(), ran.set()), daemon=True).start()
    assert ran.wait(DEADLINE_S)


class Take(beam.DoFn):
    taken: list[tuple[bytes, float, dict[str, str]]] = []  # noqa: RUF012 - read by the test while the pipeline runs

    def process(self, element):
        Take.taken.append((element.data, element.publish_time, element.attributes))


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_source_reads_a_backlog_and_then_live_messages(broker, monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", broker.host)
    local_runner.repair()
    names = pubsub.Names(topic_id="source-test", subscription_id="source-test")
    Take.taken.clear()
    with pubsub.clients() as (publisher, subscriber):
        pubsub.ensure(publisher, subscriber, names)
        sent = [b"m%d" % i for i in range(3000)]
        for future in [publisher.publish(names.topic, data) for data in sent]:
            future.result()
        pipeline = beam.Pipeline(
            options=PipelineOptions([f"--runner={local_runner_name()}", "--streaming", "--project=varde-local"])
        )
        read = ReadFromPubSub(subscription=names.subscription, with_attributes=True)
        _ = pipeline | "Read" >> read | "Take" >> beam.ParDo(Take())
        result = pipeline.run()
        try:
            wait_for(lambda: len(Take.taken) >= len(sent))
            publisher.publish(names.topic, b"late", colour="blue").result()
            wait_for(lambda: len(Take.taken) > len(sent))
        finally:
            local_source.stop()
            result.cancel()
    assert sorted(data for data, _, _ in Take.taken) == sorted([*sent, b"late"])
    assert {data: attributes for data, _, attributes in Take.taken}[b"late"] == {"colour": "blue"}
    assert all(abs(published - time.time()) < DEADLINE_S for _, published, _ in Take.taken)


def local_runner_name():
    from varde.streaming.options import LOCAL_RUNNER

    return LOCAL_RUNNER


def test_a_missing_subscription_ends_the_pipeline_with_an_error(broker, monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", broker.host)
    local_runner.repair()
    pipeline = beam.Pipeline(options=PipelineOptions([f"--runner={local_runner_name()}", "--streaming"]))
    read = ReadFromPubSub(subscription="projects/varde-local/subscriptions/nobody-made-it", with_attributes=True)
    _ = pipeline | "Read" >> read | "Take" >> beam.ParDo(Take())
    with pytest.raises(Exception, match="does not exist"):
        pipeline.run().wait_until_finish()


class FailingClient:
    """Google's client as far as the puller uses it; what it raises is given."""

    errors: list[Exception] = []  # noqa: RUF012 - set by each test

    def pull(self, **_kwargs):
        if FailingClient.errors:
            raise FailingClient.errors.pop(0)
        message = pubsub_types.PubsubMessage(data=b"through")
        return pubsub_types.PullResponse(received_messages=[pubsub_types.ReceivedMessage(ack_id="1", message=message)])

    def acknowledge(self, **_kwargs):
        return None


def taken_by(puller):
    found = []
    wait_for(lambda: found.extend(puller.take()) or found)
    return found


def test_a_busy_queue_is_asked_again(monkeypatch):
    monkeypatch.setattr(local_source, "SubscriberClient", FailingClient)
    monkeypatch.setattr(local_source, "_RETRY_S", 0.01)
    FailingClient.errors = [exceptions.InternalServerError("once"), exceptions.TooManyRequests("twice")]
    puller = local_source._Puller("projects/p/subscriptions/s")
    try:
        assert taken_by(puller)[0].data == b"through"
    finally:
        puller.stop()


def test_whatever_ends_the_thread_fails_the_bundle(monkeypatch):
    """A source that is silently dead would look like a quiet shop."""
    monkeypatch.setattr(local_source, "SubscriberClient", FailingClient)
    FailingClient.errors = [RefreshError("credentials have expired")]
    puller = local_source._Puller("projects/p/subscriptions/s")
    for _ in range(3):
        with pytest.raises(RefreshError):
            taken_by(puller)


def test_the_repairs_stand_in_one_module():
    touched = {
        path.name
        for path in Path(local_runner.__file__).parent.glob("*.py")
        if "runners.direct" in path.read_text() or "worker_handlers" in path.read_text()
    }
    assert touched == {"local_runner.py", "local_source.py"}


def test_the_registry_takes_the_evaluators():
    local_runner.repair()
    registry = transform_evaluator.TransformEvaluatorRegistry(object())
    assert registry._evaluators[transform_evaluator._DirectReadFromPubSub] is local_source.PullingEvaluator
    assert registry._evaluators[beam.ParDo] is local_runner._ReusingEvaluator
