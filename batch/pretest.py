"""A team-draft experiment's looks and verdict: which ranking is preferred, as a reason for an A/B. Pure."""

from __future__ import annotations

import math

import numpy as np

from varde.experiments import Experiment

from . import analysis
from .interleaving import Preference, preference
from .interval_plot import Look
from .measured import Measured
from .verdict import FEWEST_EVENTS, FEWEST_UNITS, Kind, Verdict
from .wording import percent, short

ALPHA = 0.05


def preferences(measured: Measured) -> tuple[Preference, tuple[Look, ...]]:
    """The preference of the units at the end, and how it went: units first seen by the end of each day.

    A unit's credits are not dated: those of its first day's look are all that it ever gave. Only the last look decides.
    A look's lift is the mean difference of clicks per unit.
    """
    found, planned = measured.teams, measured.experiment.planned_units
    first = measured.units.first_day[found.unit] if len(found.unit) else np.zeros(0, dtype=np.int64)
    looks = []
    for day in analysis.days_of(measured):
        seen = found.clicks[first <= day]
        told = preference(seen[:, 0], seen[:, 1], ALPHA, planned)
        looks.append(Look(day, told.units, told.difference, *told.sequential, *told.interval))
    last = preference(found.clicks[:, 0], found.clicks[:, 1], ALPHA, planned) if len(found.unit) else None
    nothing = Preference(0, 0, 0, math.nan, math.nan)
    return last or nothing, tuple(looks)


def judge(found: Preference, experiment: Experiment, over: bool) -> Verdict:
    """Which of the two rankings is preferred, if either is; never who wins, which only an A/B tells.

    Args:
        found: of the last look.
        experiment: with its two variations.
        over: nothing more will come.
    """
    first, second = (one.key for one in experiment.variations)
    low, high = found.sequential
    said = (
        f"{percent(found.share, signed=False)} % of the credited clicks are {second}'s, difference of clicks per unit "
        f"{short(found.difference)}, interval {short(low)} to {short(high)}"
    )
    enough = found.units >= FEWEST_UNITS and found.for_a + found.for_b >= FEWEST_EVENTS
    if enough and (low > 0 or high < 0):
        better = second if low > 0 else first
        return Verdict(Kind.PREFERRED, f"pre-test: {better} is preferred: {said}; confirm with an A/B", better)
    if not found.units:
        said = "no unit has been seen"
    elif not enough:
        said = "too few units with clicks to compare"
    if over:
        return Verdict(Kind.UNDECIDED, f"pre-test: no preference was found before it ended ({said})")
    return Verdict(Kind.TOO_EARLY, f"pre-test: too early: {said}")
