"""From what was measured of an experiment to a report: effects, guardrails, quality and the verdict. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

from varde.experiments import Experiment
from varde.history import DAY_MS
from varde.outcomes import OUTCOMES, Outcome

from . import analysis, pretest, verdict, wording
from .analysis import Plan, Totals
from .corrections import benjamini_hochberg
from .data_quality import quality, warnings
from .experiment_result import Compared, Metric, Result
from .interval_plot import Look
from .measured import Measured
from .projection import needed
from .verdict import Facts, Kind, Seen, Verdict

DESCRIPTIVE = {"latency_p95": "latency_p95_ms", "coverage": "coverage"}
"""Outcome without an interval -> its column in varde.experiment_days."""


def conclude(measured: Measured, worth: float | None = None) -> Result:
    """The report on an experiment.

    Args:
        measured: what the warehouse says.
        worth: the smallest relative lift that matters, for `no difference worth having`; None: nobody said so.
    """
    experiment = measured.experiment
    every = list(analysis.totals(measured))
    last = every[-1] if every else None
    found = quality(measured, last)
    units = analysis.counts(last.variation, len(experiment.variations)) if last else (0,) * len(experiment.variations)
    metrics: tuple[Metric, ...] = ()
    preferred, looks = None, cast("tuple[Look, ...]", ())
    if experiment.mode == "team_draft":
        preferred, looks = pretest.preferences(measured)
        said = pretest.judge(preferred, experiment, _over(experiment, measured.as_of))
    else:
        metrics = _corrected(tuple(_metric(measured, every, one) for one in OUTCOMES.values()))
        said = _verdict(measured, metrics, every, found.srm_p, worth)
    if said.kind is Kind.UNTRUSTED:
        metrics = _unmarked(metrics)
    said = said._replace(warnings=(*said.warnings, *warnings(found)))
    level = 1 - _plans(experiment)[0].alpha
    now = state(experiment, measured.as_of)
    return Result(experiment, measured.as_of, now, said, units, metrics, found, level, preferred, looks)


def state(experiment: Experiment, now: int) -> str:
    """`planned`, `running`, `ended` or `stopped`, at a moment in ms."""
    if experiment.stopped:
        return "stopped"
    if experiment.start is not None and now < experiment.start:
        return "planned"
    return "ended" if experiment.end is not None and experiment.end <= now else "running"


def _over(experiment: Experiment, as_of: int) -> bool:
    """Whether nothing more will be attributed to it: orders count for a while after the last exposure."""
    if experiment.stopped:
        return True
    return experiment.end is not None and experiment.end + experiment.attribution_days * DAY_MS <= as_of


def _plans(experiment: Experiment) -> tuple[Plan, Plan]:
    return analysis.plans(experiment.planned_units, experiment.winsorize, len(experiment.variations))


def _role(experiment: Experiment, outcome: Outcome) -> str:
    if outcome.name == experiment.metric:
        return "decision"
    return "guardrail" if outcome.name in experiment.guardrails else "secondary"


def _metric(measured: Measured, every: list[Totals], outcome: Outcome) -> Metric:
    experiment = measured.experiment
    role = _role(experiment, outcome)
    indexes = range(1, len(experiment.variations))
    if outcome.descriptive or not every:
        shown = [_described(measured, outcome, index) for index in range(len(experiment.variations))]
        compared = tuple(Compared(experiment.variations[index].key, shown[index]) for index in indexes)
        return Metric(outcome.name, outcome.help, role, outcome.higher_is_better, shown[0], compared)
    last = every[-1]
    cap = analysis.capped_at(last, outcome, experiment.winsorize)
    return Metric(
        outcome.name,
        outcome.help,
        role,
        outcome.higher_is_better,
        analysis.value(last, outcome, 0, experiment.winsorize),
        tuple(_compared(experiment, every, outcome, index, role) for index in indexes),
        cap if math.isfinite(cap) else None,
    )


def _described(measured: Measured, outcome: Outcome, index: int) -> float:
    """What the newest day of the table of reports says of a variation; NaN where it says nothing."""
    column = DESCRIPTIVE.get(outcome.name)
    rows = measured.days
    if column is None or not rows.num_rows:
        return math.nan
    of = [
        (day, value)
        for day, at, value in zip(*(rows[name].to_pylist() for name in ("day", "variation_index", column)), strict=True)
        if at == index and value is not None
    ]
    return float(max(of)[1]) if of else math.nan


def _compared(experiment: Experiment, every: list[Totals], outcome: Outcome, index: int, role: str) -> Compared:
    decides, guards = _plans(experiment)
    last = every[-1]
    given = analysis.pair(last, outcome, index, experiment.winsorize)
    found = analysis.estimate(*analysis.best(given, decides))
    raw = analysis.estimate(analysis.raw(given, decides), "mean") if found and found.method == "cuped" else None
    seen = _seen(experiment, last, outcome, index, decides)
    harmed = role == "guardrail" and _seen(experiment, last, outcome, index, guards).worse
    looks = () if role == "secondary" else tuple(analysis.look(one, outcome, index, decides) for one in every)
    return Compared(
        experiment.variations[index].key,
        analysis.value(last, outcome, index, experiment.winsorize),
        found,
        raw,
        better=True if seen.better else False if seen.worse else None,
        harmed=harmed,
        looks=looks,
    )


def _seen(experiment: Experiment, last: Totals, outcome: Outcome, index: int, plan: Plan) -> Seen:
    given = analysis.pair(last, outcome, index, plan.winsorize)
    found = analysis.estimate(*analysis.best(given, plan))
    lift, low, high = (found.lift, found.low, found.high) if found else (math.nan,) * 3
    fewest = min(len(given.a[0]), len(given.b[0]))
    name = wording.outcome(outcome.name, experiment.unit)
    key = experiment.variations[index].key
    return Seen(key, name, lift, low, high, outcome.higher_is_better, fewest, analysis.events(given))


def _corrected(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """With the always-valid p, which holds at any look, adjusted over all comparisons there are."""
    tested = [one.estimate.sequential_p for metric in metrics for one in metric.compared if one.estimate]
    if not tested:
        return metrics
    adjusted = iter(benjamini_hochberg(tested)[0])
    return tuple(
        replace(
            metric,
            compared=tuple(
                replace(one, p_adjusted=float(next(adjusted))) if one.estimate else one for one in metric.compared
            ),
        )
        for metric in metrics
    )


def _unmarked(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """Without a word on what is better or worse: the units are not comparable."""
    return tuple(
        replace(metric, compared=tuple(replace(one, better=None, harmed=False) for one in metric.compared))
        for metric in metrics
    )


def _verdict(
    measured: Measured, metrics: tuple[Metric, ...], every: list[Totals], srm_p: float | None, worth: float | None
) -> Verdict:
    experiment = measured.experiment
    keys = [one.key for one in experiment.variations]
    weights = analysis.shares(experiment)
    if not every:
        return verdict.judge(Facts(keys[0], (), over=_over(experiment, measured.as_of)))
    decides, guards = _plans(experiment)
    outcome, last = OUTCOMES[experiment.metric], every[-1]
    indexes = range(1, len(keys))
    seen = [_seen(experiment, last, outcome, index, decides) for index in indexes]
    harms = [
        _seen(experiment, last, OUTCOMES[metric.outcome], index, guards)
        for metric in metrics
        for index in indexes
        if metric.compared[index - 1].harmed
    ]
    several = float(measured.units.several.mean())
    units = analysis.counts(last.variation, len(keys))
    more = needed(measured, last, outcome, decides, worth)
    over = _over(experiment, measured.as_of)
    return verdict.judge(Facts(keys[0], seen, harms, units, weights, srm_p, several, over, worth, more))
