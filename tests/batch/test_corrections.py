from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from varde.batch.corrections import benjamini_hochberg

pytestmark = pytest.mark.filterwarnings("error")
many = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]), max_size=20)


@given(many, st.sampled_from([0.01, 0.05, 0.2]))
def test_it_is_the_step_up_procedure(p: list[float], q: float) -> None:
    adjusted, found = benjamini_hochberg(p, q)
    ordered = sorted(p)
    passing = [rank for rank, one in enumerate(ordered, 1) if one <= q * rank / len(p)]
    limit = ordered[max(passing) - 1] if passing else -1.0
    for one, its, kept in zip(p, adjusted, found, strict=True):
        assert kept == (its <= q)
        if abs(its - q) > 1e-12:
            assert kept == (one <= limit)
        assert its >= one
    assert adjusted == (tuple(stats.false_discovery_control(p)) if p else ())


@given(many, st.data())
def test_what_has_no_estimate_is_no_test(p: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(p)))
    adjusted, found = benjamini_hochberg([*p[:place], math.nan, *p[place:]])
    assert math.isnan(adjusted[place])
    assert not found[place]
    assert (*adjusted[:place], *adjusted[place + 1 :]) == benjamini_hochberg(p)[0]


def test_of_ten_small_ones_the_smallest_is_found() -> None:
    assert benjamini_hochberg([0.004] + [0.5] * 9)[1] == (True,) + (False,) * 9
    assert not any(benjamini_hochberg([0.006] + [0.5] * 9)[1])
    with pytest.raises(ValueError, match=r"\[0, 1\]|between 0 and 1|include"):
        benjamini_hochberg([1.5])
