"""Summing differences: per bundle in the worker, per lane for a short processing time, then cut into deliveries."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.coders import Coder, registry
from apache_beam.transforms.trigger import AccumulationMode, AfterProcessingTime, Repeatedly
from apache_beam.transforms.window import GlobalWindow, GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from varde.delivery import Delivery, Pane, Recent, split
from varde.progress import DELIVERIES, DELIVERIES_APPLIED


def in_global_window(value: Any) -> WindowedValue:
    """An output of finish_bundle: the global window is the only one, and nothing in it is ever late."""
    window = GlobalWindow()
    return WindowedValue(value, window.max_timestamp(), [window])


_NOMINAL_BYTES = 100_000


class PaneCoder(Coder):
    """Panes and deliveries between workers: pickled, since both ends are the same staged code."""

    def encode(self, value: Any) -> bytes:
        """Value to bytes."""
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)

    def decode(self, encoded: bytes) -> Any:
        """Bytes to value."""
        return pickle.loads(encoded)  # noqa: S301 - written by `encode` in the same job

    def estimate_size(self, _value: Any) -> int:
        """A constant: Beam samples sizes for its metrics, and its default would pickle every sampled pane twice."""
        return _NOMINAL_BYTES

    def is_deterministic(self) -> bool:
        """Never used for keys."""
        return False


class Written:
    """One element of the write step: a Delivery, or the latest items of some customers."""

    __slots__ = ("delivery", "recents")

    def __init__(self, delivery: Delivery | None, recents: list[Recent]) -> None:
        self.delivery = delivery
        self.recents = recents

    def __getstate__(self) -> tuple[Delivery | None, list[Recent]]:
        return self.delivery, self.recents

    def __setstate__(self, state: tuple[Delivery | None, list[Recent]]) -> None:
        self.delivery, self.recents = state


registry.register_coder(Pane, PaneCoder)
registry.register_coder(Written, PaneCoder)


class SumPanes(beam.CombineFn):
    """The sum of panes. Takes over and changes its accumulators, never its inputs."""

    def create_accumulator(self) -> Pane:
        """Zero."""
        return Pane()

    def add_input(self, accumulator: Pane, pane: Pane) -> Pane:
        """accumulator + pane."""
        accumulator.update(pane)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Pane]) -> Pane:
        """The sum of any number of accumulators, also of none (late panes ask for that)."""
        total = Pane()
        for accumulator in accumulators:
            total.update(accumulator)
        return total

    def extract_output(self, accumulator: Pane) -> Pane:
        """The sum itself."""
        return accumulator


class FormDeliveries(beam.DoFn):
    """(lane, Pane) -> (key, Written): mints the tokens (run, lane, pane index, part). A shuffle must fix them next."""

    RECENTS = 500
    """Customers in one element."""

    def __init__(self, run_id: str, batch_updates: int) -> None:
        self._run_id = run_id
        self._batch_updates = batch_updates

    def process(
        self, element: tuple[int, Pane], pane_info: Any = beam.DoFn.PaneInfoParam
    ) -> Iterator[tuple[str, Written]]:
        """One pane. Its index counts up from 0 in its lane."""
        where, pane = element
        deliveries = list(split(pane, self._run_id, where, pane_info.index, self._batch_updates))
        if deliveries:  # their number goes with the pane's other counters, see varde.progress
            counted = next((delivery for delivery in deliveries if delivery.stats), deliveries[0])
            counted.stats[DELIVERIES] = len(deliveries)
        for delivery in deliveries:
            delivery.stats[DELIVERIES_APPLIED] = 1
        for delivery in deliveries:
            yield f"{delivery.shard}", Written(delivery, [])
        recents = list(pane.recents.values())
        for start in range(0, len(recents), self.RECENTS):
            yield "recents", Written(None, recents[start : start + self.RECENTS])


class SumBriefly(beam.PTransform):
    """(lane, Pane) -> (lane, Pane), summed for `seconds` of processing time; over everything when the input is bounded.

    The global window with a processing-time trigger: no event-time window stands between an event and its count.
    """

    def __init__(self, seconds: int, bounded: bool) -> None:
        super().__init__()
        self._seconds = seconds
        self._bounded = bounded

    def expand(self, panes: Any) -> Any:
        """Window, then sum."""
        if not self._bounded:
            panes = panes | "Trigger" >> beam.WindowInto(
                GlobalWindows(),
                trigger=Repeatedly(AfterProcessingTime(self._seconds)),
                accumulation_mode=AccumulationMode.DISCARDING,
            )
        return panes | "Sum" >> beam.CombinePerKey(SumPanes())
