"""Repairs of Beam's local runners, all in one place: apache-beam is pinned exactly because of this module.

Each mends something measured (docs/benchmarks.md, ADR 0006) and touches private names; each is held by a test in
tests/streaming/test_local_runner.py. Production runners are not touched.
"""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import apache_beam as beam
from apache_beam.metrics.execution import MetricsContainer
from apache_beam.runners import common
from apache_beam.runners.direct import direct_userstate, evaluation_context, executor, transform_evaluator
from apache_beam.runners.direct.util import TimerFiring
from apache_beam.runners.direct.watermark_manager import _TransformWatermarks
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.transforms import userstate
from apache_beam.utils.timestamp import Timestamp

from .alarms import KeyedStates
from .local_source import PullingEvaluator

_specs = userstate.get_dofn_specs
_handle_result = evaluation_context.EvaluationContext.handle_result


_known_specs: weakref.WeakKeyDictionary[Any, tuple[set[Any], set[Any]]] = weakref.WeakKeyDictionary()


def _get_dofn_specs(dofn: Any) -> tuple[set[Any], set[Any]]:
    """State and timer specs of a DoFn, found once: Beam inspects every signature again for every bundle."""
    found = _known_specs.get(dofn)
    if found is None:
        found = _known_specs[dofn] = _specs(dofn)
    return found


def _is_stateful_dofn(dofn: Any) -> bool:
    states, timers = _get_dofn_specs(dofn)
    return bool(states or timers)


class _ReusingEvaluator(transform_evaluator._ParDoEvaluator):
    """Runs the DoFn itself instead of a fresh pickled copy for every bundle; bundles of a step run one by one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **(kwargs | {"perform_dofn_pickle_test": False}))


def _handle_result_without_empty_bundles(context: Any, bundle: Any, timers: Any, result: Any) -> Any:
    """Do not run everything downstream, bundle by bundle, for outputs that have no elements."""
    result.uncommitted_output_bundles = [b for b in result.uncommitted_output_bundles if b.has_elements()]
    return _handle_result(context, bundle, timers, result)


def _initialize_keyed_states(_context: Any, roots: Any, consumers_of: Any) -> dict[Any, KeyedStates]:
    """Beam's, with dictionaries that know about timers."""
    steps = [*roots, *(consumer for consumers in consumers_of.values() for consumer in consumers)]
    return {step: KeyedStates() for step in steps}


def _extract_transform_timers(self: Any) -> tuple[list[TimerFiring], bool]:
    """Due timers of one step, from the keys that may have one: Beam asks every key on every turn."""
    with self._lock:
        states: KeyedStates = self._keyed_states
        due: list[TimerFiring] = []
        now = Timestamp.of(self._clock.time())  # once, or every comparison would make one of its own
        for key in states.to_ask(self._input_watermark, now):
            timers, _ = states[key].get_timers(watermark=self._input_watermark, processing_time=now)
            # One that is due stays so until a bundle has put in its state without the timer.
            states.answer(key, bool(timers))
            due.extend(
                TimerFiring(key, window, name, domain, at, dynamic_timer_tag=tag)
                for window, (name, domain, at, tag) in timers
            )
        self._fired_timers.update(due)
        return due, states.any_real_time


def _copy_of_state(self: Any) -> Any:
    """A copy that a bundle may change. Beam copies windows and times deeply, which nothing ever changes."""
    copied = evaluation_context.DirectUnmergedState()
    for window, timers in self.timers.items():
        copied.timers[window] = dict(timers)
    if self.global_state:
        copied.global_state = copy.deepcopy(self.global_state)
    for window, cells in self.state.items():
        copied.state[window].update((tag, copy.copy(cell)) for tag, cell in cells.items())
    return copied


_containers: dict[str, MetricsContainer] = {}


def _metrics_container(step: str) -> MetricsContainer:
    """One container a step, emptied for each bundle.

    The sampler of a thread keeps handing out the container of a step's first bundle; what later bundles count into a
    container of their own would never be seen.
    """
    container = _containers.get(step)
    if container is None:
        container = _containers[step] = MetricsContainer(step)
    container.metrics = {}
    return container


def repair() -> None:
    """Mend the local runners of this process. Idempotent; call before a pipeline is run."""
    for module in (userstate, transform_evaluator, direct_userstate, common):
        for name, mended in (("get_dofn_specs", _get_dofn_specs), ("is_stateful_dofn", _is_stateful_dofn)):
            if hasattr(module, name):
                setattr(module, name, mended)
    evaluators = transform_evaluator.TransformEvaluatorRegistry._test_evaluators_overrides  # Beam's hook for this
    evaluators[transform_evaluator._DirectReadFromPubSub] = PullingEvaluator
    evaluators[beam.ParDo] = _ReusingEvaluator
    evaluation_context.EvaluationContext.handle_result = _handle_result_without_empty_bundles
    evaluation_context.EvaluationContext._initialize_keyed_states = _initialize_keyed_states
    evaluation_context.DirectUnmergedState.copy = _copy_of_state
    _TransformWatermarks.extract_transform_timers = _extract_transform_timers
    executor.MetricsContainer = _metrics_container
    # The batch runner sizes every cached value by walking the globals of all modules, .35 ms each.
    worker_handlers.STATE_CACHE_SIZE_MB = 0


def spare_the_collector() -> None:
    """Let Python look for cycles less often. For a process whose only work is one pipeline; call before it runs.

    Beam keeps some hundred thousand objects alive and every message makes dozens of new ones that die by themselves, so
    the collector's usual pace (every 700 new objects) took a fifth of the processor's time and found nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
