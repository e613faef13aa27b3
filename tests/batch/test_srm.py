"""Sample ratio mismatch: against gbstats, at its level without a leak, and above 99 % power with one of 1 %."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from varde.batch.srm import ALARM, srm

SPLITS = json.loads(Path(__file__).with_name("gbstats_golden.json").read_text())["srm"]
pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: str(split["units"]))
def test_p_is_that_of_gbstats(split: dict[str, list[float]]) -> None:
    assert srm(split["units"], split["weights"]) == pytest.approx(split["p"], rel=1e-9)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0.01, 1)), min_size=2, max_size=6))
def test_p_is_that_of_scipy(rows: list[tuple[int, float]]) -> None:
    units, weights = np.array(rows).T
    if units.sum():
        expected = weights / weights.sum() * units.sum()
        assert srm(units, weights) == pytest.approx(stats.chisquare(units, expected).pvalue, rel=1e-6, abs=1e-300)
    assert srm(units, weights) == pytest.approx(srm(units, weights * 3), rel=1e-6)


def alarms(units: int, kept: float, rounds: int = 4000) -> float:
    """Share of alarms in experiments of so many units, half in each variation, of which the second keeps a part."""
    rng = np.random.default_rng(9)
    a = rng.binomial(units, 0.5, rounds)
    b = rng.binomial(units - a, kept)
    return sum(srm(pair, (0.5, 0.5)) < ALARM for pair in zip(a.tolist(), b.tolist(), strict=True)) / rounds


def test_a_leak_of_one_percent_is_found() -> None:
    # z = 0.01·√units/2 on average, ALARM is at z = 3.29: 1.4 million units for a power of 99.5 %.
    assert alarms(1_400_000, 0.99) > 0.99
    assert alarms(350_000, 0.98) > 0.99
    assert alarms(56_000, 0.95) > 0.99


def test_without_a_leak_it_is_quiet() -> None:
    # 4,000 rounds at 1 in 1,000: 12 or more by chance in one of 1,000 seeds.
    assert alarms(1_400_000, 1.0) < 0.003
    assert alarms(2_000, 1.0) < 0.003


def test_the_level_is_that_of_chance() -> None:
    rng = np.random.default_rng(10)
    p = np.array([srm(units, (0.6, 0.3, 0.1)) for units in rng.multinomial(10_000, (0.6, 0.3, 0.1), 4000).tolist()])
    assert (p < 0.1).mean() == pytest.approx(0.1, abs=0.02)
    assert stats.kstest(p, "uniform").pvalue > 1e-4


def test_what_has_no_answer() -> None:
    assert srm([], []) == 1
    assert srm([0, 0], [0.5, 0.5]) == 1
    assert srm([10], [1]) == 1
    assert srm([10, 0], [1, 0]) == 1
    assert srm([10, 1], [1, 0]) == 0
    assert srm([10, 11, 0], [0.5, 0.5, 0]) == srm([10, 11], [1, 1])
    for bad in (math.nan, math.inf, -1.0):
        assert math.isnan(srm([10, bad], [0.5, 0.5]))
        assert math.isnan(srm([10, 10], [0.5, bad]))
    with pytest.raises(ValueError, match="2 variations have units, 1 weights"):
        srm([1, 2], [1])
