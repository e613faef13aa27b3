"""What an experiment that has not decided still needs, in words: the planner asked with what has been seen. Pure."""

from __future__ import annotations

import math

from varde.outcomes import Outcome

from . import analysis, cuped
from .analysis import Plan, Totals
from .effects import Moments
from .experiment_result import Estimate
from .measured import Measured
from .planner import required_units
from .verdict import FEWEST_EVENTS, FEWEST_UNITS
from .wording import percent, roughly

POWER = 0.8
FAR = 1_000_000_000
"""Units beyond which a number says nothing more."""


def needed(measured: Measured, last: Totals, outcome: Outcome, plan: Plan, worth: float | None) -> str:
    """What is still to come until an effect is likely found.

    The lift is the one that is worth having; where nobody said which, the largest seen so far, were it to stay: a
    projection, no promise.

    Args:
        measured: for the rate at which units come.
        last: the newest look.
        outcome: the decision metric.
        plan: of its intervals.
        worth: the smallest relative lift that matters, or None.
    """
    variations = measured.experiment.variations
    seen = {index: _effect(last, outcome, index, plan) for index in range(1, len(variations))}
    lifts = {index: one.lift for index, one in seen.items() if one}
    least = f"at least {FEWEST_UNITS} units a variation and {FEWEST_EVENTS} with an event are needed"
    if not lifts:
        return least
    index = max(lifts, key=lambda one: abs(lifts[one]))
    lift = worth or lifts[index]
    given = analysis.pair(last, outcome, index, plan.winsorize)
    weights = analysis.shares(measured.experiment)
    a = Moments.of(*given.a)
    found = required_units(
        a.mean(given.kind),
        lift,
        _variance(given, a),
        alpha=plan.alpha,
        power=POWER,
        weights=weights,
        planned=plan.planned,
    )
    said = f"a lift of {percent(lift)} %" if worth else f"if it stays at {percent(lift)} %, it"
    if found is None or found.total > FAR:
        return f"{said} takes more units than will come to be shown"
    came = len(last.variation)
    more = found.total - came
    if more <= 0:
        return f"{said} would have been shown by these {came:,} units in 4 cases of 5"
    days = last.day - int(measured.units.first_day.min()) + 1
    wait = math.ceil(more * days / came)
    days_more = f"about {roughly(wait)} more day{'s' * (wait != 1)} like these"
    return f"{said} takes about {roughly(found.total)} units to be shown and {came:,} have come: {days_more}"


def _effect(last: Totals, outcome: Outcome, index: int, plan: Plan) -> Estimate | None:
    given = analysis.pair(last, outcome, index, plan.winsorize)
    enough = min(len(given.a[0]), len(given.b[0])) >= FEWEST_UNITS and analysis.events(given) >= FEWEST_EVENTS
    found = analysis.estimate(*analysis.best(given, plan))
    return found if enough and found and found.lift else None


def _variance(given: analysis.Pair, a: Moments) -> float:
    """Of one unit's outcome in the first variation, as the interval in use sees it."""
    if given.before is None:
        return a.variance(given.kind)
    one, other = Moments.of(given.a[0], given.before[0]), Moments.of(given.b[0], given.before[1])
    return one.variance("cuped", cuped.theta(one, other))
