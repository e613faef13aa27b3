"""The user-level test of interleaving: against scipy, on input that says nothing, at its level with 28 looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from varde.batch.interleaving import preference

pytestmark = pytest.mark.filterwarnings("error")
clicks = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=40)


@given(clicks, st.sampled_from([0.01, 0.05]))
def test_it_is_students_and_the_sign_test(rows: list[tuple[int, int]], alpha: float) -> None:
    a, b = np.array(rows, dtype=float).T
    found = preference(a, b, alpha)
    assert (found.units, found.for_a, found.for_b) == (len(a), (a > b).sum(), (b > a).sum())
    assert found.difference == pytest.approx((b - a).mean())
    if a.sum() + b.sum():
        assert found.share == b.sum() / (a + b).sum()
    if found.for_a + found.for_b:
        sign = stats.binomtest(found.for_b, found.for_a + found.for_b).pvalue
        assert found.sign_p == pytest.approx(sign, rel=1e-9)
    if np.ptp(b - a):
        student = stats.ttest_1samp(b - a, 0)
        assert found.p == pytest.approx(student.pvalue, rel=1e-6)
        assert found.interval == pytest.approx(tuple(student.confidence_interval(1 - alpha)), abs=1e-9)
        assert found.sequential[0] <= found.interval[0] <= found.interval[1] <= found.sequential[1]
        if abs(found.sequential_p - alpha) > 1e-9:
            assert (found.sequential_p < alpha) == (not found.sequential[0] <= 0 <= found.sequential[1])


@given(clicks)
def test_exchanged_rankings_exchange_the_answer(rows: list[tuple[int, int]]) -> None:
    a, b = np.array(rows, dtype=float).T
    there, back = preference(a, b), preference(b, a)
    assert (there.for_a, there.for_b) == (back.for_b, back.for_a)
    assert there.difference == -back.difference
    assert there.sequential == pytest.approx((-back.sequential[1], -back.sequential[0]), nan_ok=True)
    assert (there.sign_p, there.p) == pytest.approx((back.sign_p, back.p), nan_ok=True)


def test_what_has_no_answer() -> None:
    for a, b in (([], []), ([1], [2]), ([0, 0, 0], [0, 0, 0]), ([1, math.nan], [1, 2]), ([math.inf, 1], [1, 2])):
        found = preference(a, b)
        assert all(map(math.isnan, (*found.interval, found.p, *found.sequential, found.sequential_p)))
    all_alike = preference([0] * 20, [1] * 20)
    assert math.isnan(all_alike.sequential_p)
    assert all_alike.sign_p == pytest.approx(2**-19)
    with pytest.raises(ValueError, match="2 units of a, 1 of b"):
        preference([1, 2], [1])
    with pytest.raises(ValueError, match="alpha 2"):
        preference([1, 2], [1, 3], alpha=2)


def looks(share: float, rounds: int, units: int = 300) -> tuple[float, float]:
    """Share of rounds in which the sequential rule, and a daily t-test, find a preference within 28 days.

    Units differ in how much they click; a click is of the second ranking with probability `share`.
    """
    rng = np.random.default_rng(12)
    sequential = fixed = 0
    for _ in range(rounds):
        rate = rng.gamma(0.5, 0.3, units)
        daily = rng.poisson(rate, (28, units))
        b = rng.binomial(daily, share).cumsum(0)
        a = daily.cumsum(0) - b
        found = [preference(a[day], b[day], planned=units) for day in range(28)]
        sequential += any(one.sequential_p < 0.05 for one in found)
        fixed += any(one.p < 0.05 for one in found)
    return sequential / rounds, fixed / rounds


def test_rankings_alike_are_told_apart_in_few_of_many_experiments() -> None:
    sequential, fixed = looks(0.5, 1000)
    assert sequential <= 0.05
    assert fixed > 0.15


def test_the_better_ranking_is_found() -> None:
    assert looks(0.6, 100)[0] > 0.95
