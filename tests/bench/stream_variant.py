"""One run of the stream from a subscription that holds N messages, in a process of its own; prints its figures as JSON.

    python -m tests.bench.stream_variant --graph full|read|count --without REPAIR … SUBSCRIPTION N REDIS_URL

The clock runs from the first read that brings messages to the moment when all of them have had their effect.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners import common
from apache_beam.runners.direct import direct_userstate, evaluation_context, executor, transform_evaluator
from apache_beam.runners.direct.watermark_manager import _TransformWatermarks
from apache_beam.transforms import userstate
from apache_beam.transforms.combiners import CountCombineFn
from apache_beam.transforms.trigger import AccumulationMode, AfterProcessingTime, Repeatedly
from apache_beam.transforms.window import GlobalWindows

from varde.progress import MESSAGES, settled
from varde.store.sync import Store
from varde.streaming import local_runner, local_source
from varde.streaming.options import LOCAL_RUNNER, StreamParameters
from varde.streaming.pipeline import from_pubsub

from .parts import DEAD_LETTERS, PROJECT, settings

POLL_S = 0.2
STALLED_S = 60.0


class Count(beam.DoFn):
    """Counts what passes, in this process: the least that a pipeline can do."""

    seen = 0

    def process(self, _element: PubsubMessage) -> None:
        """One message."""
        Count.seen += 1


class Arrived(beam.DoFn):
    """Adds up Beam's own counts, pane by pane, in this process."""

    def process(self, n: int) -> None:
        """The messages of one pane."""
        Count.seen += n


_SPECS = [
    (module, name)
    for module in (userstate, transform_evaluator, direct_userstate, common)
    for name in ("get_dofn_specs", "is_stateful_dofn")
    if hasattr(module, name)
]
PATCHED: dict[str, list[tuple[Any, str]]] = {
    "specs": _SPECS,
    "empty": [(evaluation_context.EvaluationContext, "handle_result")],
    "timers": [
        (_TransformWatermarks, "extract_transform_timers"),
        (evaluation_context.EvaluationContext, "_initialize_keyed_states"),
    ],
    "states": [(evaluation_context.DirectUnmergedState, "copy")],
    "metrics": [(executor, "MetricsContainer")],
}
"""Repair -> the private names it replaces."""
OVERRIDDEN = {"source": transform_evaluator._DirectReadFromPubSub, "copies": beam.ParDo}
"""Repair -> the transform whose evaluator it replaces."""
REPAIRS = (*OVERRIDDEN, *PATCHED)


def repair_all_but(without: set[str]) -> None:
    """`local_runner.repair()`, then the named repairs undone."""
    stock = [(owner, name, getattr(owner, name)) for key in without & PATCHED.keys() for owner, name in PATCHED[key]]
    local_runner.repair()
    for owner, name, value in stock:
        setattr(owner, name, value)
    for key in without & OVERRIDDEN.keys():
        del transform_evaluator.TransformEvaluatorRegistry._test_evaluators_overrides[OVERRIDDEN[key]]


class Watch:
    """Notes when the source first brings messages."""

    def __init__(self, evaluator: Any) -> None:
        self.began: float | None = None
        self.cpu = 0.0
        read = evaluator._read_from_pubsub

        def noted(this: Any, timestamp_attribute: Any) -> Any:
            start, cpu = time.perf_counter(), time.process_time()
            messages = read(this, timestamp_attribute)
            if messages and self.began is None:
                self.began, self.cpu = start, cpu
            return messages

        evaluator._read_from_pubsub = noted


def run(graph: str, without: set[str], subscription: str, n: int, redis_url: str) -> dict[str, Any]:
    """Run until all messages have had their effect; the figures.

    Raises:
        AssertionError: nothing moved for STALLED_S seconds.
    """
    if "all" not in without:
        repair_all_but(without)
        if "collector" not in without:
            local_runner.spare_the_collector()
    stock = without & {"all", "source"}
    watch = Watch(transform_evaluator._PubSubReadEvaluator if stock else local_source.PullingEvaluator)
    options = PipelineOptions(["--streaming", f"--runner={LOCAL_RUNNER}", f"--project={PROJECT}"])
    pipeline = beam.Pipeline(options=options)
    store = Store.from_settings(settings(redis_url))
    done, progress = _build(graph, pipeline, subscription, n, store, redis_url)
    result = pipeline.run()
    _wait(done, progress)
    ended, cpu = time.perf_counter(), time.process_time()
    local_source.stop()
    result.cancel()
    assert watch.began is not None
    return {"seconds": ended - watch.began, "cpu": cpu - watch.cpu, "stats": store.stats()}


def _build(
    graph: str, pipeline: beam.Pipeline, subscription: str, n: int, store: Store, redis_url: str
) -> tuple[Callable[[], bool], Callable[[], int]]:
    if graph in ("read", "count"):
        messages = pipeline | "Read" >> ReadFromPubSub(subscription=subscription, with_attributes=True)
        _ = messages | beam.ParDo(Count()) if graph == "read" else _counted(messages) | beam.ParDo(Arrived())
        return lambda: Count.seen >= n, lambda: Count.seen
    parameters = StreamParameters(settings(redis_url), "bench", subscription, DEAD_LETTERS)
    _ = from_pubsub(pipeline, parameters)
    return lambda: settled(store.stats(), n), lambda: store.stats().get(MESSAGES, 0)


def _counted(messages: Any) -> Any:
    """What one writes in Beam to count a stream, with the trigger of the full graph."""
    return (
        messages
        | beam.WindowInto(
            GlobalWindows(),
            trigger=Repeatedly(AfterProcessingTime(1)),
            accumulation_mode=AccumulationMode.DISCARDING,
        )
        | beam.CombineGlobally(CountCombineFn()).without_defaults()
    )


def _wait(done: Callable[[], bool], progress: Callable[[], int]) -> None:
    moved, before = time.monotonic(), -1
    pause = threading.Event()
    while not done():
        now = progress()
        if now != before:
            before, moved = now, time.monotonic()
        assert time.monotonic() - moved < STALLED_S, f"no progress after {now} messages"
        pause.wait(POLL_S)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph", choices=("full", "read", "count"), default="full")
    parser.add_argument("--without", nargs="*", default=[], choices=("all", "collector", *REPAIRS))
    parser.add_argument("subscription")
    parser.add_argument("messages", type=int)
    parser.add_argument("redis_url")
    given = parser.parse_args()
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    figures = run(given.graph, set(given.without), given.subscription, given.messages, given.redis_url)
    print(json.dumps(figures), flush=True)
    os._exit(0)  # the runner's threads may still be busy with an empty queue; nothing is left to do


if __name__ == "__main__":
    main()
