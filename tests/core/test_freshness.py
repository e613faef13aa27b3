"""Freshness against brute force over the ages themselves, and as the monoid that differences and sums rely on."""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.freshness import BOUNDS_MS, PREFIX, cumulative, histogram, quantile

NOW = 1_800_000_000_000
ages = st.one_of(
    st.integers(-5_000, 10_000_000),
    st.sampled_from(BOUNDS_MS).flatmap(lambda bound: st.sampled_from([bound - 1, bound, bound + 1])),
)
some = st.lists(ages, min_size=1, max_size=120)
quantiles = st.one_of(st.floats(0, 1), st.integers(0, 100).map(lambda percent: percent / 100))


def counted(found: list[int]) -> dict[str, int]:
    return histogram(Counter(NOW - age for age in found), NOW)


def bucket(age: int) -> float:
    """The upper bound, in seconds, of the bucket of an age in ms."""
    return min((bound / 1000 for bound in BOUNDS_MS if age <= bound), default=inf)


@given(some)
def test_every_interaction_is_in_the_bucket_of_its_age(found: list[int]) -> None:
    expected = Counter(bucket(age) for age in found)
    stats = counted(found)
    assert {float(name.removeprefix(PREFIX)) / 1000: n for name, n in stats.items()} == expected
    assert cumulative(stats) == [
        (bound, sum(n for at, n in expected.items() if at <= bound)) for bound in (*(b / 1000 for b in BOUNDS_MS), inf)
    ]


@given(some, some)
def test_histograms_add_up(first: list[int], second: list[int]) -> None:
    assert Counter(counted(first)) + Counter(counted(second)) == counted(first + second)


@given(some, quantiles)
def test_a_quantile_is_the_bound_above_the_exact_one(found: list[int], q: float) -> None:
    """The exact one: the smallest age that at least q of all (and at least one) do not exceed."""
    needed = next(n for n in range(1, len(found) + 1) if n / len(found) >= q)
    exact = bucket(sorted(found)[needed - 1])
    assert quantile(counted(found), q) == (None if exact == inf else exact)


@given(some, quantiles, quantiles)
def test_a_higher_quantile_is_never_fresher(found: list[int], p: float, q: float) -> None:
    low, high = (quantile(counted(found), part) for part in sorted((p, q)))
    assert (inf if low is None else low) <= (inf if high is None else high)


@given(st.dictionaries(st.text(), st.integers()), some)
def test_other_counters_do_not_matter(others: dict[str, int], found: list[int]) -> None:
    stats = {name: n for name, n in others.items() if not name.startswith(PREFIX)} | counted(found)
    assert quantile(stats, 0.5) == quantile(counted(found), 0.5)


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_hundred_interactions_have_exact_percentiles(percent: int) -> None:
    """No bucket too far where q * 100 is a little more than a whole number, as .07 * 100 and .29 * 100 are."""
    for split in (percent - 1, percent):
        stats = {f"{PREFIX}100": split, f"{PREFIX}5000": 100 - split}
        assert quantile(stats, percent / 100) == (0.1 if percent <= split else 5.0)


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({f"{PREFIX}100": 0}, 0.5) is None
    assert quantile({f"{PREFIX}inf": 3}, 0.5) is None
    assert cumulative({})[-1] == (inf, 0)
