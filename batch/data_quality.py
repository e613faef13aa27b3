"""What speaks for an experiment's data, or against them. Pure.

Shares of units against the weights, over all and by day; units in several variations; what the variations did
before they were different; and rows that do not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import analysis
from .analysis import Plan, Totals
from .effects import Moments, effect
from .experiment_result import Quality, Shares
from .measured import Measured
from .srm import ALARM, srm
from .wording import day, listed

FEWEST_EXPECTED = 5.0
"""Units that a variation must expect for the chi-square test to hold."""


def quality(measured: Measured, last: Totals | None) -> Quality:
    """The data-quality box. last: the newest look, None without a unit."""
    units, rows = measured.units, measured.unit_days
    counts = {
        "units": len(units.variation),
        "units_several": int(units.several.sum()),
        "lists": int(rows.lists.sum()),
        "impressions": int(rows.impressions.sum()),
        "days": int(last.day - units.first_day.min() + 1) if last else 0,
        "orders_left_out": int(rows.orders_left_out.sum()),
    }
    faults = dict(sorted(measured.faults.items()))
    currency, left_out = measured.money
    if last is None or measured.experiment.mode != "ab":
        return Quality(counts, faults, currency=currency, left_out=left_out)
    weights = analysis.shares(measured.experiment)
    p = shares_p(analysis.counts(last.variation, len(weights)), weights)
    before = _before(last, len(weights))
    bound = ALARM / max(1, len(before))
    imbalanced = tuple(name for name, one in before.items() if one < bound)
    return Quality(counts, faults, p, _daily(measured, weights), before, imbalanced, currency, left_out)


def shares_p(units: Sequence[int], weights: Sequence[float]) -> float | None:
    """The p of these shares; None where there are too few units, or variations, to say."""
    total, whole = sum(units), sum(weights)
    expected = [total * weight / whole for weight in weights if weight]
    if len(expected) < 2 or min(expected) < FEWEST_EXPECTED:
        return None
    return float(srm(units, weights))


def _daily(measured: Measured, weights: Sequence[float]) -> tuple[Shares, ...]:
    units = measured.units
    kept = ~units.several & (units.variation >= 0)
    first, variation = units.first_day[kept], units.variation[kept]
    found = []
    for one in np.unique(first).tolist():
        seen = analysis.counts(variation[first == one], len(weights))
        found.append(Shares(one, seen, shares_p(seen, weights)))
    return tuple(found)


def _before(last: Totals, variations: int) -> dict[str, float]:
    """Column -> smallest p of a difference between a variation and the first, times the number of those tests."""
    found = {}
    for name, values in last.before.items():
        tested = []
        for index in range(1, variations):
            a, b = (Moments.of(values[last.variation == one]) for one in (0, index))
            if min(a.n, b.n) >= 2 and np.ptp(values):
                # The difference: the test of a relative lift errs on few events.
                tested.append(float(effect(a, b, "mean", *Plan(0.05, 5000, 1.0)[:2], relative=False).p))
        if tested:
            found[name] = min(1.0, min(tested) * len(tested))
    return found


def warnings(found: Quality) -> tuple[str, ...]:
    """What weakens a verdict, in sentences; units in several variations are the verdict's own affair."""
    said = []
    tested = [one for one in found.daily if one.p is not None]
    bad = [day(one.day) for one in tested if one.p is not None and one.p < ALARM / len(tested)]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        said.append(f"the shares of the variations were wrong on {listed(bad[:5])}{more}: has something changed then?")
    if orders := found.counts["orders_left_out"]:
        said.append(
            f"revenue is in {found.currency}: the money of {orders:,} order{'s' * (orders != 1)} in "
            f"{listed(list(found.left_out))} is left out of it, for want of a rate"
        )
    if found.imbalanced:
        names = listed([name.removeprefix("pre_") for name in found.imbalanced])
        said.append(f"the variations differed before they were shown: in {names} of the 28 days before")
    return tuple(said)
