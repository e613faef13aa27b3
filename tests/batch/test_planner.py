"""The planner's promise kept by simulated experiments, and the power that it is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varde.batch import sequential
from varde.batch.crossing import crossing
from varde.batch.effects import Moments, effect
from varde.batch.planner import EVEN, Plan, required_units

pytestmark = pytest.mark.filterwarnings("error")
DAYS = 28
Sums = tuple[np.ndarray, np.ndarray]
"""Sum and sum of squares a day: [experiment, day]."""


def conversions(rng: np.random.Generator, units: int, lift: float, rounds: int) -> Sums:
    bought = rng.binomial(units, 0.05 * (1 + lift), (rounds, DAYS)).astype(float)
    return bought, bought


def spending(rng: np.random.Generator, units: int, lift: float, rounds: int) -> Sums:
    """Gamma of shape 1/2: mean 10, variance 200, whatever the lift."""
    spent = rng.gamma(0.5, 20.0, (rounds, DAYS, units)) + 10.0 * lift
    return spent.sum(2), (spent * spent).sum(2)


def winners(
    draw: Callable[..., Sums], plan: Plan, lift: float, planned: float, rounds: int = 1000
) -> tuple[float, float]:
    """Share of experiments in which b wins: by the sequential rule within 28 looks, by the t-test at the end."""
    rng = np.random.default_rng(13)
    a, b = (
        [one.cumsum(1) for one in draw(rng, units // DAYS, gain, rounds)]
        for units, gain in zip(plan.units, (0.0, lift), strict=True)
    )
    units = [count // DAYS * np.arange(1, DAYS + 1) for count in plan.units]
    sequential = fixed = 0
    for place in range(rounds):
        for day in range(DAYS - 1, -1, -1):
            one, two = (
                Moments(int(units[arm][day]), sums[0][place, day], sums[1][place, day])
                for arm, sums in enumerate((a, b))
            )
            found = effect(one, two, planned=planned)
            fixed += day == DAYS - 1 and found.interval[0] > 0
            if found.sequential[0] > 0:
                sequential += 1
                break
    return sequential / rounds, fixed / rounds


CONVERSION: dict[str, Any] = {"mean": 0.05, "lift": 0.1}
SPENDING: dict[str, Any] = {"mean": 10.0, "lift": 0.25, "variance": 200.0}


@pytest.mark.parametrize(
    ("draw", "baseline", "options"),
    [
        (conversions, CONVERSION, {}),
        (conversions, CONVERSION, {"power": 0.9, "weights": (0.8, 0.2)}),
        (conversions, CONVERSION, {"planned": 5000}),
        (spending, SPENDING, {"weights": (0.3, 0.7)}),
    ],
)
def test_the_sequential_rule_wins_as_often_as_promised(
    draw: Callable[..., Sums], baseline: dict[str, Any], options: dict[str, Any]
) -> None:
    plan = required_units(**baseline, **options, looks=DAYS)
    assert plan is not None
    found, _ = winners(draw, plan, baseline["lift"], options.get("planned", plan.total))
    assert found == pytest.approx(options.get("power", 0.8), abs=0.04)


@pytest.mark.parametrize(
    ("draw", "baseline", "weights"), [(conversions, CONVERSION, EVEN), (spending, SPENDING, (0.3, 0.7))]
)
def test_the_fixed_rule_wins_as_often_as_promised(
    draw: Callable[..., Sums], baseline: dict[str, Any], weights: tuple[float, float]
) -> None:
    plan = required_units(**baseline, weights=weights, rule="fixed")
    assert plan is not None
    _, found = winners(draw, plan, baseline["lift"], plan.total)
    assert found == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize(
    ("drift", "ripeness", "looks", "alpha"),
    [(0, 1, 28, 0.05), (3.7, 1, 28, 0.05), (4, 20, 90, 0.05), (5, 0.2, 7, 0.01)],
)
def test_crossing_is_what_random_walks_do(drift: float, ripeness: float, looks: int, alpha: float) -> None:
    rng = np.random.default_rng(14)
    time = np.arange(1, looks + 1) / looks
    walks = rng.normal(drift / looks, math.sqrt(1 / looks), (40_000, looks)).cumsum(1)
    limits = [sequential.critical(ripeness * at, 1, alpha) * math.sqrt(at) for at in time]
    crossed = (np.abs(walks) > limits).any(1).mean()
    assert crossing(drift, ripeness, looks, alpha) == pytest.approx(crossed, abs=0.008)


def test_however_often_one_looks_the_error_stays_below_alpha() -> None:
    for ripeness in (0.1, 1, 50, 1e6):
        often = [crossing(0, ripeness, looks) for looks in (1, 7, 28, 300)]
        assert often == sorted(often)
        assert 0 < often[-1] < 0.05


def test_known_sizes() -> None:
    # 2·(1.95996 + 0.84162)²·variance/lift² a variation, for a small lift.
    plan = required_units(10.0, 0.001, 25.0, rule="fixed")
    assert plan is not None
    assert plan.units[0] == plan.units[1] == pytest.approx(2 * 7.8489 * 0.25 / 1e-6, rel=0.002)
    sequential = required_units(10.0, 0.001, 25.0)
    assert sequential is not None
    assert sequential.total / plan.total == pytest.approx(1.72, abs=0.02)  # documented


def test_three_variations_are_each_planned_against_the_baseline() -> None:
    pair, three = (required_units(0.05, 0.1, weights=weights) for weights in ((1, 1), (1, 1, 1)))
    assert pair is not None
    assert three is not None
    assert three.units == (pair.units[0],) * 3
    small = required_units(0.05, 0.1, weights=(0.5, 0.4, 0.1))
    alone = required_units(0.05, 0.1, weights=(0.5, 0.1))
    assert small is not None
    assert alone is not None
    assert (small.units[0], small.units[2]) == alone.units


@given(
    st.sampled_from(["fixed", "sequential"]),
    st.floats(0.01, 0.4),
    st.floats(0.02, 1.0),
    st.floats(0.3, 0.95),
    st.floats(0.1, 0.9),
)
@settings(max_examples=15)
def test_more_is_asked_for_more(rule: Any, mean: float, lift: float, power: float, weight: float) -> None:
    def total(**other: Any) -> int:
        asked: dict[str, Any] = {
            "mean": mean,
            "lift": lift,
            "power": power,
            "weights": (weight, 1 - weight),
            "looks": 5,
        } | other
        found = required_units(**asked, rule=rule)
        assert found is not None
        return found.total

    assert total(lift=lift * 0.9) > total()
    assert total(power=power + 0.03) > total()
    assert total(variance=mean * 2) > total(variance=mean)
    assert total(weights=(0.02, 0.98)) > total(weights=(0.3, 0.7))


@pytest.mark.parametrize(
    "asked",
    [
        {"mean": 0},
        {"mean": -1, "variance": 1.0},
        {"mean": math.nan},
        {"mean": math.inf, "variance": 1.0},
        {"mean": 1.2},
        {"mean": 0.8, "lift": 0.3},
        {"lift": 0},
        {"lift": math.nan},
        {"lift": 1e-200},
        {"lift": -1.5, "variance": 1.0},
        {"variance": 0.0},
        {"variance": math.nan},
        {"alpha": 0},
        {"alpha": 0.9},
        {"power": 1},
        {"power": math.nan},
        {"weights": (1,)},
        {"weights": (1, 0)},
        {"weights": (1, math.nan)},
        {"looks": 0},
        {"looks": 10**6},
        {"planned": 0},
        {"planned": math.inf},
        {"planned": 1e30},
    ],
)
@pytest.mark.parametrize("rule", ["fixed", "sequential"])
def test_a_question_without_sense_has_no_answer(asked: dict[str, Any], rule: Any) -> None:
    options = {"mean": 0.1, "lift": 0.1} | asked
    if rule == "fixed" and options.get("planned") == 1e30:
        return
    assert required_units(**options, rule=rule) is None


@given(st.floats(), st.floats(), st.none() | st.floats(), st.floats(), st.none() | st.floats())
@settings(max_examples=60)
def test_whatever_is_asked_there_is_a_plan_or_none(
    mean: float, lift: float, variance: float | None, power: float, planned: float | None
) -> None:
    plan = required_units(mean, lift, variance, power=power, planned=planned, looks=3)
    assert plan is None or plan.total == sum(plan.units) >= 4
