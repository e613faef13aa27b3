"""CUPED: adjusts as a regression does, helps where the past tells something, and does no harm where it does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.batch import cuped
from varde.batch.effects import Moments, effect


def world(seed: int, tells: float, n: int = 4000) -> tuple[Moments, Moments]:
    """Two variations of one effect whose outcome correlates with the covariate by `tells`."""
    rng = np.random.default_rng(seed)
    before = rng.normal(5, 1, 2 * n)
    after = 10 + tells * (before - 5) + math.sqrt(1 - tells * tells) * rng.normal(0, 1, 2 * n)
    after[n:] += 0.05
    return Moments.of(after[:n], before[:n]), Moments.of(after[n:], before[n:])


@given(st.integers(0, 1000))
def test_a_covariate_that_tells_nothing_changes_nothing(seed: int) -> None:
    a, b = world(seed, 0.0)
    plain, adjusted = effect(a, b), effect(a, b, "cuped")
    error = math.sqrt(plain.variance)
    assert adjusted.variance == pytest.approx(plain.variance, rel=0.01)
    assert adjusted.lift == pytest.approx(plain.lift, abs=error / 3)
    assert (adjusted.mean_a, adjusted.mean_b) == (plain.mean_a, plain.mean_b)


@pytest.mark.parametrize("tells", [0.5, 0.8, 0.95])
def test_variance_shrinks_by_the_square_of_the_correlation(tells: float) -> None:
    a, b = world(3, tells)
    assert cuped.remaining(a, b) == pytest.approx(1 - tells * tells, rel=0.05)
    assert effect(a, b, "cuped", relative=False).variance == pytest.approx(
        (1 - tells * tells) * effect(a, b, relative=False).variance, rel=0.05
    )


def test_the_slope_is_that_of_a_regression_over_all_units() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.gamma(2, 3, 90), rng.gamma(2, 3, 90)
    after += before
    a, b = Moments.of(after[:50], before[:50]), Moments.of(after[50:], before[50:])
    slope = np.polyfit(before, after, 1)[0]
    assert cuped.theta(a, b) == pytest.approx(slope)
    rest = after - slope * before
    found = effect(a, b, "cuped", relative=False)
    assert found.lift == pytest.approx(rest[50:].mean() - rest[:50].mean())
    assert found.variance == pytest.approx(rest[50:].var(ddof=1) / 40 + rest[:50].var(ddof=1) / 50)


def test_a_covariate_without_variance_is_no_covariate() -> None:
    a, b = Moments.of([1, 2, 3], [0, 0, 0]), Moments.of([2, 3, 7], [0, 0, 0])
    assert cuped.theta(a, b) == 0
    assert effect(a, b, "cuped") == effect(a, b)
    assert math.isnan(cuped.remaining(Moments.of([1, 1], [1, 2]), Moments.of([1, 1], [1, 2])))


def test_chance_in_the_past_is_taken_out() -> None:
    """b drew the better customers; without them there is no difference."""
    before_a, before_b = np.arange(100.0), np.arange(100.0) + 10
    noise = np.tile([1.0, -1.0], 50)
    a, b = Moments.of(before_a + noise, before_a), Moments.of(before_b + noise, before_b)
    assert effect(a, b).p < 0.05
    assert effect(a, b, "cuped").p > 0.5
