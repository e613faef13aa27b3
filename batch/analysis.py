"""From what units did, day by day, to lifts with their intervals at one look a day. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from varde.experiments import Experiment
from varde.outcomes import Outcome

from .effects import Effect, Kind, Moments, effect
from .experiment_result import Estimate
from .interval_plot import Look
from .measured import Measured, Real, Whole, cap

SUMS = ("impressions", "lists", "fallback_lists", "clicks", "adds", "orders", "revenue", "items")
BEFORE = ("pre_views", "pre_clicks", "pre_adds", "pre_orders", "pre_revenue")
MOST_LOOKS = 120
"""Looks that are computed; of a longer experiment every second or third day, and the last."""


class Totals(NamedTuple):
    """What U units had done by the end of a day: those first seen until then, without those in several variations.

    day: in days since the epoch. variation: int64[U]. sums: column of UnitDays -> float64[U]; before: column of Units
    -> float64[U], from before the first exposure.
    """

    day: int
    variation: Whole
    sums: Mapping[str, Real]
    before: Mapping[str, Real]


class Plan(NamedTuple):
    """alpha: error allowed in each interval; planned: units at the decision, which tunes the sequential one; winsorize:
    quantile at which what is capped is capped."""

    alpha: float
    planned: int
    winsorize: float


class Pair(NamedTuple):
    """An outcome in the first variation (a) and another (b). before: of the covariate, None where there
    is none; all float64, a value a unit."""

    a: tuple[Real, Real | None]
    b: tuple[Real, Real | None]
    before: tuple[Real, Real] | None
    kind: Kind


def days_of(measured: Measured) -> list[int]:
    """The days that are looked at, in order: from the first exposure to the last day that is told of."""
    if not len(measured.units.first_day):
        return []
    first = int(measured.units.first_day.min())
    last = max(int(measured.units.first_day.max()), int(measured.unit_days.day.max(initial=0)))
    stride = (last - first) // MOST_LOOKS + 1
    return list(range(last, first - 1, -stride))[::-1]


def totals(measured: Measured) -> Iterator[Totals]:
    """What the units had done by the end of each day of `days_of`."""
    units, rows = measured.units, measured.unit_days
    sums = {name: np.zeros(len(units.variation)) for name in SUMS}
    done = 0
    for day in days_of(measured):
        upto = int(np.searchsorted(rows.day, day, side="right"))
        for name, total in sums.items():
            np.add.at(total, rows.unit[done:upto], getattr(rows, name)[done:upto])
        done = upto
        seen = (units.first_day <= day) & ~units.several & (units.variation >= 0)
        yield Totals(
            day,
            units.variation[seen],
            {name: total[seen] for name, total in sums.items()},
            {name: getattr(units, name)[seen] for name in BEFORE},
        )


def capped_at(found: Totals, outcome: Outcome, winsorize: float) -> float:
    """The most that a unit counts with; infinity where nothing is capped."""
    return cap(found.sums[outcome.numerator], winsorize) if outcome.winsorized else math.inf


def pair(found: Totals, outcome: Outcome, index: int, winsorize: float) -> Pair:
    """An outcome of the first variation and of the one at `index`."""
    numerator = found.sums[outcome.numerator]
    if outcome.once:
        numerator = (numerator > 0).astype(np.float64)
    numerator = np.minimum(numerator, capped_at(found, outcome, winsorize))
    denominator = None if outcome.denominator is None else found.sums[outcome.denominator]
    first, other = found.variation == 0, found.variation == index
    before = None
    if outcome.covariate is not None and denominator is None:
        asked = found.before[outcome.covariate]
        before = (asked[first], asked[other])
    return Pair(
        (numerator[first], None if denominator is None else denominator[first]),
        (numerator[other], None if denominator is None else denominator[other]),
        before,
        "mean" if denominator is None else "ratio",
    )


def raw(given: Pair, plan: Plan) -> Effect | None:
    """The effect without adjustment; None where there is none."""
    a, b = Moments.of(*given.a), Moments.of(*given.b)
    found = effect(a, b, given.kind, plan.alpha, plan.planned)
    return found if found.known else None


def adjusted(given: Pair, plan: Plan) -> Effect | None:
    """The effect adjusted by CUPED; None where nothing is known from before, or all units are alike in it."""
    if given.before is None or raw(given, plan) is None or not np.ptp(np.concatenate(given.before)):
        return None
    a, b = Moments.of(given.a[0], given.before[0]), Moments.of(given.b[0], given.before[1])
    found = effect(a, b, "cuped", plan.alpha, plan.planned)
    return found if found.known else None


def best(given: Pair, plan: Plan) -> tuple[Effect | None, Kind]:
    """The effect that counts, and its method."""
    found = adjusted(given, plan)
    if found is not None:
        return found, "cuped"
    return raw(given, plan), given.kind


def estimate(found: Effect | None, method: Kind) -> Estimate | None:
    """An effect as a report has it."""
    if found is None:
        return None
    return Estimate(found.lift, *found.sequential, *found.interval, found.p, found.sequential_p, method)


def look(found: Totals, outcome: Outcome, index: int, plan: Plan) -> Look:
    """One point of the plot."""
    given = pair(found, outcome, index, plan.winsorize)
    units = len(given.a[0]) + len(given.b[0])
    told = estimate(*best(given, plan))
    if told is None:
        return Look(found.day, units, *[math.nan] * 5)
    return Look(found.day, units, told.lift, told.low, told.high, told.fixed_low, told.fixed_high)


def value(found: Totals, outcome: Outcome, index: int, winsorize: float) -> float:
    """The outcome of a variation as measured; NaN where there is nothing."""
    y, d = pair(found, outcome, index, winsorize).b
    below = float(len(y)) if d is None else float(d.sum())
    return float(y.sum()) / below if below else math.nan


def events(given: Pair) -> int:
    """Units of both variations in which something happened."""
    return int(np.count_nonzero(given.a[0]) + np.count_nonzero(given.b[0]))


def counts(variation: Whole, of: int) -> tuple[int, ...]:
    """Units by variation."""
    return tuple(np.bincount(variation, minlength=of).tolist())


def plans(planned: int, winsorize: float, variations: int, alpha: float = 0.05) -> tuple[Plan, Plan]:
    """For deciding outcomes, and for guardrails.

    Each variation after the first is compared with it, so the error is divided among them (Bonferroni): all intervals
    hold together. Guardrails are one-sided, each at the whole error: a two-sided interval of twice the error has such
    a bound. A harm is named rather too early than too late.
    """
    return Plan(alpha / max(1, variations - 1), planned, winsorize), Plan(2 * alpha, planned, winsorize)


def shares(experiment: Experiment) -> list[float]:
    """What part of the units each variation should get, of those in the experiment: the widths of its ranges."""
    widths = [high - low for low, high in experiment.dealt]
    whole = sum(widths)
    if len(widths) != len(experiment.variations) or whole <= 0:
        widths, whole = [1.0] * len(experiment.variations), float(len(experiment.variations))
    return [width / whole for width in widths]
