"""All that a report says about an experiment, as values: the terminal, the page and the JSON line show the same."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from varde import tables
from varde.experiments import Experiment
from varde.pairs import Relation

from .interleaving import Preference
from .interval_plot import Look
from .verdict import Verdict


@dataclass(frozen=True, slots=True)
class Estimate:
    """A lift with its intervals, relative to the first variation; NaN where there is none.

    low, high: sequential, they decide; fixed_low, fixed_high: they hold only where it is looked at once. p: of the
    fixed one; sequential_p: always valid. method: `mean`, `ratio` (delta method) or `cuped` (adjusted with data from
    before the exposure).
    """

    lift: float
    low: float
    high: float
    fixed_low: float
    fixed_high: float
    p: float
    sequential_p: float
    method: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A variation against the first one on one outcome.

    value: of the variation, as measured. estimate: what counts; raw: without adjustment, where there was one.
    p_adjusted: Benjamini-Hochberg over all comparisons of the report. better: whether the sequential interval is on the
    good (True) or bad (False) side of nothing, None when on neither; harmed: for a guardrail, by a one-sided interval.
    """

    variation: str
    value: float
    estimate: Estimate | None = None
    raw: Estimate | None = None
    p_adjusted: float = math.nan
    better: bool | None = None
    harmed: bool = False
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """An outcome. role: `decision`, `guardrail`, `secondary`. baseline: value of the first variation; cap: at which the
    numerator of a unit was capped, None for not at all."""

    outcome: str
    help: str
    role: str
    higher_is_better: bool
    baseline: float
    compared: tuple[Compared, ...]
    cap: float | None = None


class Shares(NamedTuple):
    """Units first seen on a day (days since the epoch), by variation, and the p of their shares; None: too few."""

    day: int
    units: tuple[int, ...]
    p: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """What speaks for the data, or against them.

    counts: name -> number, in the order of docs/experiments.md. faults: reason -> exposures not counted for it. srm_p:
    None where there is nothing to compare; daily: the same by day of first exposure. before: outcome before the first
    exposure -> p of its difference between the variations; imbalanced: those that differ too much. currency: of
    revenue, empty when no order says one; left_out: currencies of orders whose money is in no revenue.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    srm_p: float | None = None
    daily: tuple[Shares, ...] = ()
    before: Mapping[str, float] = field(default_factory=dict)
    imbalanced: tuple[str, ...] = ()
    currency: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A report. as_of: last event time that counts, ms; state: `planned`, `running`, `ended` or `stopped`; units:
    analysed, by variation; level: of every interval, 0.95 with two variations.
    preference: of a team draft, and how it went."""

    experiment: Experiment
    as_of: int
    state: str
    verdict: Verdict
    units: tuple[int, ...]
    metrics: tuple[Metric, ...]
    quality: Quality
    level: float = 0.95
    preference: Preference | None = None
    looks: tuple[Look, ...] = ()

    def figures(self) -> dict[str, Any]:
        """The JSON object of the last line; docs/experiments.md describes it."""
        return {
            "experiment": self.experiment.key,
            "as_of": self.as_of,
            "state": self.state,
            "verdict": self.verdict._asdict(),
            "definition": definition(self.experiment),
            "level": self.level,
            "units": dict(zip([one.key for one in self.experiment.variations], self.units, strict=True)),
            "metrics": [_plain(one) for one in self.metrics],
            "preference": _plain(self.preference),
            "looks": _plain(self.looks),
            "quality": _plain(self.quality),
        }


def definition(experiment: Experiment) -> dict[str, Any]:
    """An experiment as JSON values: the keys of its table in the file, with the number of testers for their ids."""
    found = {one.name: _plain(getattr(experiment, one.name)) for one in tables.keys(type(experiment))}
    variations = [_plain(one) | {"forced": len(one.forced)} for one in experiment.variations]
    return {"key": experiment.key} | found | {"variations": variations}


def _plain(value: Any) -> Any:
    """JSON values of dataclasses, named tuples and sets, all the way down; None for what is no number."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(one) for name, one in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(map(_plain, value), key=str)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    if isinstance(value, Relation):
        return value.label
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
