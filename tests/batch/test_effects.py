"""Effects against gbstats and scipy, on input that says nothing, and the properties that a report relies on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

from varde.batch import sequential
from varde.batch.effects import SPARSE, Effect, Kind, Moments, effect

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("gbstats_golden.json").read_text())
CASES = GOLDEN["effects"]
KINDS: tuple[Kind, ...] = ("mean", "ratio", "cuped")
pytestmark = pytest.mark.filterwarnings("error")


def kind_of(case: dict[str, Any]) -> Kind:
    return case["kind"] if case["kind"] in KINDS else "mean"


def sparse_loss(case: dict[str, Any]) -> bool:
    """Where the sequential rule is more cautious than gbstats."""
    a, kind = Moments(**case["a"]), kind_of(case)
    return case["relative"]["lift"] < 0 and math.sqrt(a.variance(kind) / a.n) > SPARSE * a.mean(kind)


@pytest.mark.parametrize("scale", ["relative", "absolute"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']} {case['a']['n']}:{case['b']['n']}")
def test_effects_are_those_of_gbstats(case: dict[str, Any], scale: str) -> None:
    a, b, golden = Moments(**case["a"]), Moments(**case["b"]), case[scale]
    found = effect(a, b, kind_of(case), case["alpha"], case["planned"], scale == "relative")
    # gbstats divides a proportion's squares by n, all others by n - 1; else all 9 digits agree.
    within = 5e-5 if case["kind"] == "proportion" else 1e-9
    half = (golden["interval"][1] - golden["interval"][0]) / 2
    assert found.lift == pytest.approx(golden["lift"], rel=1e-9)
    assert found.variance == pytest.approx(golden["variance"], rel=2 * within)
    assert found.interval == pytest.approx(golden["interval"], abs=within * half)
    assert found.p == pytest.approx(golden["p"], abs=within)
    if scale == "relative" and sparse_loss(case):
        assert found.sequential[0] < golden["sequential"][0] < golden["sequential"][1] < found.sequential[1]
        assert found.sequential_p >= golden["sequential_p"]
    else:
        assert found.sequential == pytest.approx(golden["sequential"], abs=2 * within * half)
        assert found.sequential_p == pytest.approx(golden["sequential_p"], abs=2 * within)


@pytest.mark.parametrize("scale", ["relative", "absolute"])
def test_the_sequential_formulas_are_those_of_gbstats_in_every_case(scale: str) -> None:
    for case in CASES:
        golden, n = case[scale], case["a"]["n"] + case["b"]["n"]
        error = math.sqrt(golden["variance"])
        half = error * sequential.critical(n, case["planned"], case["alpha"])
        p = sequential.p_value(golden["lift"] / error, n, case["planned"], case["alpha"])
        assert (golden["lift"] - half, golden["lift"] + half) == pytest.approx(golden["sequential"], rel=1e-9)
        assert p == pytest.approx(golden["sequential_p"], rel=1e-9)


def test_the_golden_cases_are_of_all_kinds() -> None:
    assert GOLDEN["gbstats"] == "0.8.0"
    assert len(CASES) == 40
    assert {case["kind"] for case in CASES} == {"proportion", "rate", "revenue", "ratio", "cuped"}
    assert 0 < sum(map(sparse_loss, CASES)) < len(CASES) / 5
    sure = [case for case in CASES if case["relative"]["sequential_p"] < case["alpha"]]
    assert len(CASES) / 4 < len(sure) < len(CASES) * 3 / 4


# -- against scipy and brute force ------------------------------------------------------------------------------------

values = st.lists(st.integers(0, 100).map(float), min_size=2, max_size=30)


@st.composite
def arms(draw: st.DrawFn, kind: Kind) -> Moments:
    """Sums of some units; denominators are above 0."""
    y = draw(values)
    low = 1 if kind == "ratio" else 0
    d = draw(st.lists(st.integers(low, 20).map(float), min_size=len(y), max_size=len(y)))
    return Moments.of(y, None if kind == "mean" else d)


comparisons = st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(arms(kind), arms(kind), st.just(kind)))


@given(values, values, st.sampled_from([0.01, 0.05, 0.2]))
def test_the_difference_is_welchs(one: list[float], two: list[float], alpha: float) -> None:
    assume(np.ptp(one) and np.ptp(two))
    found = effect(Moments.of(one), Moments.of(two), alpha=alpha, relative=False)
    welch = stats.ttest_ind(two, one, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue, rel=1e-6)
    assert found.interval == pytest.approx(tuple(welch.confidence_interval(1 - alpha)), rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=30))
def test_the_variance_of_a_ratio_is_the_delta_methods(rows: list[tuple[int, int]]) -> None:
    y, d = np.array(rows, dtype=float).T
    (vy, cov), (_, vd) = np.cov(y, d)
    delta = vy / d.mean() ** 2 - 2 * cov * y.mean() / d.mean() ** 3 + vd * y.mean() ** 2 / d.mean() ** 4
    assert Moments.of(y, d).variance("ratio") == pytest.approx(delta, abs=1e-9)
    assert Moments.of(y, d).mean("ratio") == y.sum() / d.sum()


def test_the_interval_of_a_ratio_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    propensity = rng.beta(2, 20, (2, 2000, 300))
    shown = 1 + rng.poisson(
        10 * propensity / propensity.mean()
    )  # who clicks more, sees more: units, not clicks, are free
    clicks = rng.binomial(shown, propensity)
    covered = 0
    for place in range(2000):
        a, b = (Moments.of(clicks[arm, place], shown[arm, place]) for arm in (0, 1))
        low, high = effect(a, b, "ratio").interval
        covered += low <= 0 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


pairs = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=9)


@given(pairs, pairs)
def test_sums_add_up(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    assert summed(one) + summed(two) == summed(one + two)
    # Any order of units gives the same: sums of whole numbers are exact.
    assert summed(one[::-1]) == summed(one)


def summed(rows: list[tuple[int, int]]) -> Moments:
    return Moments.of(*np.array(rows, dtype=float).T)


# -- properties -------------------------------------------------------------------------------------------------------


@given(comparisons, st.floats(1e-3, 1e3), st.booleans())
def test_a_relative_lift_does_not_know_the_unit(
    compared: tuple[Moments, Moments, Kind], scale: float, relative: bool
) -> None:
    a, b, kind = compared
    plain = effect(a, b, kind, relative=relative)
    one, two = (Moments(m.n, m.y * scale, m.yy * scale * scale, m.d, m.dd, m.yd * scale) for m in (a, b))
    scaled = effect(one, two, kind, relative=relative)
    factor = 1 if relative else scale
    assert scaled.lift == pytest.approx(plain.lift * factor, rel=1e-6, abs=1e-9 * factor, nan_ok=True)
    assert scaled.interval == pytest.approx([x * factor for x in plain.interval], rel=1e-6, abs=1e-9, nan_ok=True)
    assert scaled.sequential == pytest.approx([x * factor for x in plain.sequential], rel=1e-6, abs=1e-9, nan_ok=True)
    assert scaled.sequential_p == pytest.approx(plain.sequential_p, rel=1e-6, nan_ok=True)


@given(comparisons)
def test_a_difference_is_the_other_way_round_the_other_way_round(compared: tuple[Moments, Moments, Kind]) -> None:
    a, b, kind = compared
    there, back = effect(a, b, kind, relative=False), effect(b, a, kind, relative=False)
    assert there.lift == pytest.approx(-back.lift, nan_ok=True, abs=1e-12)
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]), nan_ok=True)
    assert there.sequential == pytest.approx((-back.sequential[1], -back.sequential[0]), nan_ok=True)
    assert (there.p, there.sequential_p) == pytest.approx((back.p, back.sequential_p), nan_ok=True)


@given(comparisons, st.sampled_from([0.001, 0.05, 0.3]), st.sampled_from([1, 30, 5000, 10**7]), st.booleans())
def test_the_sequential_interval_holds_the_fixed_one_and_p_says_the_same(
    compared: tuple[Moments, Moments, Kind], alpha: float, planned: int, relative: bool
) -> None:
    a, b, kind = compared
    found = effect(a, b, kind, alpha, planned, relative)
    assume(found.known)
    for (low, high), p in ((found.interval, found.p), (found.sequential, found.sequential_p)):
        assert low < found.lift < high
        assert 0 <= p <= 1
        if abs(p - alpha) > 1e-9:
            assert (p < alpha) == (not low <= 0 <= high)
    assert found.sequential[0] <= found.interval[0] <= found.interval[1] <= found.sequential[1]
    assert found.sequential_p >= found.p


def test_a_handful_of_units_is_not_decided_by_a_rule_for_many() -> None:
    # With 4 units and tuned to 4, the boundary is 3.1 standard errors; Student's t with 2 degrees of freedom 4.3.
    a, b = Moments.of([10, 11]), Moments.of([12.8, 13.8])
    found = effect(a, b, planned=4, relative=False)
    assert sequential.critical(4, 4, 0.05) * math.sqrt(found.variance) < found.lift
    assert found.sequential == found.interval
    assert found.sequential_p == found.p > 0.05


# -- where there is nothing to say ------------------------------------------------------------------------------------

SOME = Moments.of([1, 2, 3, 4], [1, 2, 2, 1])
NOTHING = {
    "no units": Moments(0, 0, 0),
    "one unit": Moments.of([3.0], [1.0]),
    "not a number": Moments.of([1, math.nan, 2], [1, 1, 1]),
    "infinite": Moments.of([1, math.inf, 2], [1, 1, 1]),
    "overflow": Moments.of([1e200, 2e200, 3e200], [1e200, 1e200, 2e200]),
    "count is not a number": Moments(math.nan, 1, 1, 1, 1, 1),  # type: ignore[arg-type]
    "negative count": Moments(-3, 1, 1, 1, 1, 1),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NOTHING)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("relative", [False, True])
def test_without_an_estimate_all_is_nan(kind: Kind, name: str, swapped: bool, relative: bool) -> None:
    a, b = (NOTHING[name], SOME) if swapped else (SOME, NOTHING[name])
    says_nothing(effect(a, b, kind, relative=relative))


def says_nothing(found: Effect) -> None:
    assert not found.known
    assert all(map(math.isnan, (*found.interval, found.p, *found.sequential, found.sequential_p, found.variance)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_baseline_of_zero_or_less_has_no_lift_but_a_difference(kind: Kind) -> None:
    nought, refunds = Moments.of([0, 0, 0, 0], [1, 2, 2, 1]), Moments.of([-4, -2, 1, 0], [1, 2, 2, 1])
    for base in (nought, refunds):
        found = effect(base, SOME, kind)
        says_nothing(found)
        assert math.isnan(found.lift)
        assert found.mean_a == base.mean(kind)
        assert effect(base, SOME, kind, relative=False).known
    says_nothing(effect(nought, nought, kind, relative=False))


def test_a_ratio_without_a_denominator_has_no_estimate() -> None:
    says_nothing(effect(SOME, Moments.of([1, 2, 3], [0, 0, 0]), "ratio"))
    says_nothing(effect(Moments.of([1, 2, 3], [0, 0, 0]), SOME, "ratio"))


@pytest.mark.parametrize("same", [0.1, 1 / 3, 7.0, 1e6 + 0.1])
def test_no_variance_is_no_variance_in_spite_of_rounding(same: float) -> None:
    constant = Moments.of([same] * 1001, [same * 3] * 1001)
    assert (constant.variance(), constant.variance("ratio")) == (0, 0)
    for kind in KINDS:
        says_nothing(effect(constant, constant, kind))
    assert Moments.of([1e6, 1e6 + 1]).variance() == 0.5


def test_a_variation_that_broke_everything_loses() -> None:
    """gbstats has no result for a variation without variance, so the worst of all would never be found."""
    a, dead = Moments(5000, 200, 200), Moments(5000, 0, 0)
    found = effect(a, dead)
    pooled = math.sqrt(0.02 * 0.98 * 2 / 5000)
    assert found.lift == -1
    assert math.sqrt(found.variance) == pytest.approx(pooled / 0.04, rel=1e-3)
    assert found.sequential[1] < 0
    assert effect(a, dead, relative=False).sequential[1] < 0
    ratio = effect(Moments(5000, 200, 200, 20_000, 90_000, 900), Moments(5000, 0, 0, 20_000, 90_000, 0), "ratio")
    assert ratio.sequential[1] < 0
    few = effect(Moments(500, 4, 4), Moments(500, 0, 0))
    assert few.known
    assert few.sequential[1] > 0


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 100) | st.just(0.0)
any_moments = st.builds(Moments, st.integers(-1, 10**9), numbers, numbers, numbers, numbers, numbers)


@given(any_moments, any_moments, st.sampled_from(KINDS), st.booleans())
@example(Moments(3, 1e308, 1e308, 1e308, 1e308, 1e308), SOME, "ratio", True)
@example(SOME, Moments(3, 5e-324, 5e-324, 5e-324, 5e-324, 5e-324), "cuped", True)
def test_whatever_comes_there_is_an_estimate_or_none(a: Moments, b: Moments, kind: Kind, relative: bool) -> None:
    found = effect(a, b, kind, relative=relative)
    if found.known:
        assert 0 <= found.p <= found.sequential_p <= 1
        assert found.variance > 0
    else:
        says_nothing(found)
    assert found.n == a.n + b.n


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"alpha": 1}, {"alpha": math.nan}, {"planned": 0}])
def test_a_level_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="alpha"):
        effect(SOME, SOME, **wrong)  # type: ignore[arg-type]


def test_arrays_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 outcomes, 3 denominators"):
        Moments.of([1, 2], [1, 2, 3])
