"""From what units did to lifts by day: against sums made by hand, and what the report makes of them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from varde.batch import analysis, data_quality, projection
from varde.batch.conclusion import conclude, state
from varde.batch.experiment_page import page
from varde.batch.measured import Measured, Money, UnitDays, cap
from varde.batch.report_table import table
from varde.batch.verdict import Kind
from varde.history import DAY_MS
from varde.outcomes import DECIDING, OUTCOMES

from . import trials
from .trials import FIRST, experiment, measured

GUARDED = 'guardrails = ["revenue_per_unit", "fallback_share", "latency_p95"]\n'


@pytest.fixture(scope="module")
def told() -> Measured:
    made = measured(experiment(), units=700, days=6, rates=(0.5, 0.7), several=0.05)
    rows = made.unit_days
    later = np.arange(0, len(rows.unit), 3)  # some act again two days later
    every = [np.concatenate([column, column[later]]) for column in rows]
    every[1][len(rows.unit) :] += 2
    order = np.argsort(every[1], kind="stable")
    return made._replace(unit_days=UnitDays._make(column[order] for column in every))


def by_hand(told: Measured, day: int, index: int) -> list[dict[str, float]]:
    """What each unit of a variation had done by the end of a day, one at a time."""
    found = {}
    units = told.units
    for unit, first in enumerate(units.first_day):
        if first <= day and units.variation[unit] == index and not units.several[unit]:
            found[unit] = dict.fromkeys(analysis.SUMS, 0.0)
    for row, unit in enumerate(told.unit_days.unit):
        if told.unit_days.day[row] <= day and unit in found:
            for name in analysis.SUMS:
                found[unit][name] += getattr(told.unit_days, name)[row]
    return list(found.values())


def mean(units: list[dict[str, float]], name: str, most: float) -> float:
    outcome = OUTCOMES[name]
    above = [min(most, unit[outcome.numerator]) for unit in units]
    if outcome.once:
        above = [float(value > 0) for value in above]
    below = len(units) if outcome.denominator is None else sum(unit[outcome.denominator] for unit in units)
    return sum(above) / below


@pytest.mark.parametrize("name", DECIDING)
def test_every_look_is_that_of_the_sums_by_hand(told: Measured, name: str) -> None:
    outcome, plan = OUTCOMES[name], analysis.plans(5000, 0.9, 2)[0]
    days = []
    for found in analysis.totals(told):
        days.append(found.day)
        first, second = (by_hand(told, found.day, index) for index in (0, 1))
        revenue = np.array([unit["revenue"] for unit in [*first, *second]])
        most = cap(revenue, 0.9) if outcome.winsorized else math.inf
        assert analysis.value(found, outcome, 1, 0.9) == pytest.approx(mean(second, name, most))
        effect = analysis.raw(analysis.pair(found, outcome, 1, 0.9), plan)
        if effect is not None:
            assert effect.lift == pytest.approx(mean(second, name, most) / mean(first, name, most) - 1)
            assert effect.n == len(first) + len(second)
    assert days == list(range(FIRST, FIRST + 8))


def test_a_long_experiment_is_looked_at_less_often_but_at_its_last_day() -> None:
    days = analysis.days_of(measured(experiment(), units=3000, days=500))
    assert len(days) <= analysis.MOST_LOOKS + 1
    assert days[-1] == FIRST + 499
    assert {b - a for a, b in pairwise(days)} == {5}


def test_what_units_did_before_narrows_the_interval_and_keeps_the_value() -> None:
    result = conclude(measured(experiment(), units=6000, rates=(0.8, 0.9)))
    clicks = result.metrics[0]
    (one,) = clicks.compared
    assert one.estimate is not None
    assert one.raw is not None
    assert (one.estimate.method, one.raw.method) == ("cuped", "mean")
    assert one.estimate.high - one.estimate.low < one.raw.high - one.raw.low
    assert one.raw.lift == pytest.approx(one.value / clicks.baseline - 1)


def test_covariates_that_say_nothing_are_left_alone() -> None:
    (one,) = conclude(measured(experiment(), units=6000)).metrics[3].compared  # conversion: no orders before
    assert one.estimate is not None
    assert (one.estimate.method, one.raw) == ("mean", None)


# Verdicts from data


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"units": 8000, "rates": (0.5, 0.65)}, Kind.WINS),
        ({"units": 8000, "rates": (0.65, 0.5)}, Kind.LOSES),
        ({"units": 8000, "rates": (0.5, 0.5)}, Kind.TOO_EARLY),
        ({"units": 8000, "rates": (0.5, 0.65), "shares": (0.46, 0.54)}, Kind.UNTRUSTED),
        ({"units": 60, "rates": (0.2, 2.0)}, Kind.TOO_EARLY),
        ({"units": 0}, Kind.TOO_EARLY),
        ({"units": 1}, Kind.TOO_EARLY),
        ({"units": 8000, "rates": (0.0, 0.0)}, Kind.TOO_EARLY),
    ],
)
def test_the_verdict_on_what_was_measured(options: dict[str, Any], kind: Kind) -> None:
    assert conclude(measured(experiment(GUARDED), **options)).verdict.kind is kind


def test_a_guardrail_that_falls_is_named_beside_the_win() -> None:
    found = conclude(measured(experiment(GUARDED), units=20_000, rates=(0.5, 0.6), revenue=(3, 2))).verdict
    assert found.kind is Kind.WINS
    assert found.sentence.startswith("cosine wins, but revenue per visitor falls (")
    assert found.harmed


def test_without_trust_nothing_is_called_better_or_worse() -> None:
    found = conclude(measured(experiment(GUARDED), units=20_000, rates=(0.5, 0.7), revenue=(3, 2), shares=(0.45, 0.55)))
    assert found.verdict.kind is Kind.UNTRUSTED
    assert all(one.better is None and not one.harmed for metric in found.metrics for one in metric.compared)


def test_what_is_no_guardrail_is_not_named() -> None:
    of = experiment("guardrails = []\n")
    found = conclude(measured(of, units=20_000, rates=(0.5, 0.6), revenue=(3, 2))).verdict
    assert "revenue" not in found.sentence


def test_worth_makes_a_verdict_of_no_difference() -> None:
    told = measured(experiment(), units=60_000, rates=(1.0, 1.0))
    assert conclude(told).verdict.kind is Kind.TOO_EARLY
    assert conclude(told, worth=0.5).verdict.kind is Kind.NO_DIFFERENCE


def test_several_comparisons_share_the_error() -> None:
    of = experiment(keys=("a", "b", "c"))
    result = conclude(measured(of, units=3000, rates=(0.5, 0.5, 0.5), revenue=(3, 3, 3)))
    assert result.level == pytest.approx(0.975)
    two = conclude(measured(experiment(keys=("a", "b")), units=3000))
    assert two.level == pytest.approx(0.95)
    assert [one.variation for one in result.metrics[0].compared] == ["b", "c"]


def test_every_p_is_adjusted_over_all_comparisons() -> None:
    result = conclude(measured(experiment(), units=3000, rates=(0.5, 0.6)))
    tested = [one for metric in result.metrics for one in metric.compared if one.estimate]
    assert len(tested) >= 6
    assert all(one.p_adjusted >= one.estimate.sequential_p for one in tested if one.estimate)
    assert max(one.p_adjusted for one in tested) == max(one.estimate.sequential_p for one in tested if one.estimate)


def test_what_has_no_interval_comes_from_the_table_of_reports() -> None:
    by_name = {one.outcome: one for one in conclude(measured(experiment(), units=500)).metrics}
    assert (by_name["latency_p95"].baseline, by_name["latency_p95"].compared[0].value) == (12.5, 13.5)
    assert (by_name["coverage"].baseline, by_name["coverage"].compared[0].value) == (0.25, 0.375)
    assert by_name["coverage"].compared[0].estimate is None


def test_an_ended_experiment_waits_for_late_orders_before_it_is_undecided() -> None:
    last = FIRST + 14
    of = experiment(f"end = {np.datetime64(last, 'D')}\nattribution_days = 7\n")
    told = measured(of, units=2000)
    assert conclude(told).verdict.kind is Kind.TOO_EARLY
    assert conclude(told._replace(as_of=(last + 7) * DAY_MS)).verdict.kind is Kind.UNDECIDED


def test_states() -> None:
    of = experiment("start = 2026-03-01\nend = 2026-04-01\n")
    day = 20_513 * DAY_MS  # 2026-03-01
    assert [state(of, at) for at in (day - 1, day, day + 30 * DAY_MS, day + 31 * DAY_MS)] == [
        "planned",
        "running",
        "running",
        "ended",
    ]
    assert state(experiment('stopped = "cosine"\n'), 0) == "stopped"


# Team drafts


def test_a_team_draft_finds_the_preferred_ranking() -> None:
    of = experiment('mode = "team_draft"\n')
    assert conclude(trials.team_draft(of, 2000, (0.3, 0.45))).verdict.variation == "cosine"
    assert conclude(trials.team_draft(of, 2000, (0.45, 0.3))).verdict.variation == "control"
    even = conclude(trials.team_draft(of, 2000, (0.3, 0.3)))
    assert even.verdict.kind is Kind.TOO_EARLY
    assert even.preference is not None
    assert even.preference.units == 2000
    assert len(even.looks) == 14
    assert even.looks[-1].units == 2000
    assert even.metrics == ()
    assert even.quality.srm_p is None  # everybody sees both


def test_a_team_draft_that_nobody_saw() -> None:
    found = conclude(trials.team_draft(experiment('mode = "team_draft"\n'), 0, (0.3, 0.3)))
    assert found.verdict.sentence == "pre-test: too early: no unit has been seen"


# Quality


def test_the_quality_box_counts_what_came() -> None:
    told = measured(experiment(), units=5000, several=0.03, faults={"robot": 2, "forced": 5})
    found = conclude(told)
    assert found.quality.counts["units"] == 5000
    assert found.quality.counts["units_several"] == int(told.units.several.sum())
    assert found.quality.counts["units_several"] + sum(found.units) == 5000
    assert found.quality.counts["impressions"] == int(told.unit_days.impressions.sum())
    assert found.quality.counts["days"] == 14
    assert found.quality.faults == {"forced": 5, "robot": 2}
    assert sum(sum(one.units) for one in found.quality.daily) == sum(found.units)
    assert any("several variations" in warning for warning in found.verdict.warnings)


def test_money_that_is_left_out_is_told_everywhere() -> None:
    told = measured(experiment(), units=500)
    assert not any("revenue is in" in one for one in conclude(told).verdict.warnings)
    assert "orders not in" not in table(conclude(told))
    rows = told.unit_days._replace(orders_left_out=told.unit_days.orders)
    found = conclude(told._replace(unit_days=rows, money=Money("SEK", ("EUR", "NOK"))))
    orders = int(told.unit_days.orders.sum())
    assert found.quality.counts["orders_left_out"] == orders
    assert (found.quality.currency, found.quality.left_out) == ("SEK", ("EUR", "NOK"))
    warning = f"revenue is in SEK: the money of {orders} orders in EUR and NOK is left out of it, for want of a rate"
    assert warning in found.verdict.warnings
    assert f"orders not in SEK, without their money {orders}" in table(found)
    shown = page(found)
    assert warning in shown
    assert "currency of revenue" in shown
    assert "orders in a currency without a rate" in shown


def test_shares_follow_the_weights() -> None:
    of = experiment(weights=(0.9, 0.1))
    uneven = measured(of, units=5000, shares=(0.9, 0.1))
    assert (conclude(uneven).quality.srm_p or 0) > 0.001
    even = conclude(measured(of, units=5000))
    assert even.verdict.kind is Kind.UNTRUSTED


def test_shares_of_a_handful_say_nothing() -> None:
    assert data_quality.shares_p((9, 0), (0.5, 0.5)) is None
    assert data_quality.shares_p((10, 0), (0.5, 0.5)) == pytest.approx(0.0016, abs=1e-4)


def test_a_day_with_wrong_shares_is_named() -> None:
    told = measured(experiment(), units=20_000)
    units = told.units
    third = (units.first_day == FIRST + 3) & (np.arange(20_000) % 3 > 0)
    moved = told._replace(units=units._replace(variation=np.where(third, 1, units.variation)))
    found = conclude(moved)
    assert any("2026-02-19" in one for one in found.verdict.warnings)


def test_variations_that_differed_before_are_a_warning() -> None:
    told = measured(experiment(), units=5000)
    views = told.units.pre_views * (1 + 0.3 * told.units.variation)
    found = conclude(told._replace(units=told.units._replace(pre_views=views)))
    assert found.quality.imbalanced == ("pre_views",)
    assert any("differed before" in one for one in found.verdict.warnings)
    assert conclude(told).quality.imbalanced == ()


# What is still needed


def needed(told: Measured, worth: float | None) -> str:
    plan = analysis.plans(5000, 0.99, 2)[0]
    return projection.needed(told, list(analysis.totals(told))[-1], OUTCOMES["clicks_per_unit"], plan, worth)


def test_what_is_needed_is_said_in_units_and_days() -> None:
    told = measured(experiment(), units=1400, days=14, rates=(0.5, 0.52))
    said = needed(told, 0.05)
    assert said.startswith("a lift of +5 % takes about ")
    assert "1,400 have come" in said
    assert "more days like these" in said
    assert needed(told, None).startswith("if it stays at ")
    assert needed(told, 1e-6).endswith("takes more units than will come to be shown")
    assert needed(told, 3.0).endswith("in 4 cases of 5")


def test_with_a_handful_the_least_is_said() -> None:
    assert needed(measured(experiment(), units=50), 0.05).startswith("at least 100 units a variation")
