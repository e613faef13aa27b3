"""Messages through the whole graph, on Beam's own runners."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct import clock as direct_clock
from apache_beam.runners.direct import direct_runner
from apache_beam.testing import test_pipeline, test_stream
from apache_beam.testing.util import assert_that

from varde import profile
from varde.streaming import local_runner, seeds
from varde.streaming.pipeline import build

from .world import NOW, clock


def in_bundles(messages, size):
    return [messages[start : start + size] for start in range(0, len(messages), size)]


def play_stream(bundles, parameters, check_dead=None, past=None):
    """Run on the local streaming runner with Beam's TestStream: bundles as given, processing time moving between.

    `past`: lines of seeds, or the pattern of their files; read at any moment.
    """
    source = test_stream.TestStream()
    for bundle in bundles:
        source = source.add_elements([(data, NOW) for data in bundle]).advance_processing_time(2)
    return play(source, parameters, clock, check_dead, past)


def play(source, parameters, now=clock, check_dead=None, past=None):
    """Run a TestStream to its end; the states of each step by its name, as they then are."""
    local_runner.repair()
    source = source.advance_processing_time(5).advance_watermark_to_infinity()
    options = PipelineOptions(["--streaming"])
    with test_pipeline.TestPipeline(runner="BundleBasedDirectRunner", options=options) as p:
        outputs = build(p | source, parameters, bounded=False, clock=now, past=lines_of(p, past))
        if check_dead is not None:
            assert_that(outputs.dead, check_dead)
    return states_of(p.result)


def states_of(result):
    """The states of a pipeline that has ended: step -> key -> state."""
    states = result._evaluation_context._transform_keyed_states
    return {step.full_label.partition("/")[0]: dict(keyed) for step, keyed in states.items()}


def lines_of(pipeline, past):
    """Seeds: a list of lines, the pattern of their files, or None."""
    if past is None:
        return None
    return seeds.read(pipeline, past) if isinstance(past, str) else pipeline | "Past" >> beam.Create(past)


def play_batch(messages, parameters, runner="FnApiRunner", *options, past=None):
    """Run a bounded input."""
    local_runner.repair()
    with beam.Pipeline(runner=runner, options=PipelineOptions(list(options))) as p:
        source = p | beam.Create([(data, NOW) for data in messages])
        build(source, parameters, bounded=True, clock=clock, past=lines_of(p, past))


def profiles(states, step):
    """The profiles that a step holds: customer key -> Profile."""
    found = {}
    for key, state in states[step].items():
        for cells in state.state.values():
            for (cell,) in cells.values():
                found[key.decode()] = profile.decode(cell)
    return found


class SharedClock(direct_clock.TestClock):
    """The clock of a TestStream, which the steps can read, too: Beam makes one for each pipeline."""

    last: SharedClock

    def __init__(self):
        super().__init__()
        SharedClock.last = self


def share_the_clock(monkeypatch):
    """Let `stream_clock` agree with the TestStream of the next pipeline."""
    monkeypatch.setattr(direct_runner, "TestClock", SharedClock)


def stream_clock():
    """Now in ms, as the TestStream has it."""
    return round(SharedClock.last.time() * 1000)
