"""A/A: 1,000 experiments without an effect, looked at on 28 days. The sequential rule may name a winner in 5 %."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest

from varde.batch import sequential
from varde.batch.effects import Effect, Kind, Moments, effect

pytestmark = pytest.mark.filterwarnings("error")
ROUNDS = 1000
DAYS = 28
Day = tuple[np.ndarray, ...]
"""Cumulative sums of one variation: n, y, yy, d, dd, yd; each [experiment]."""


class Share(NamedTuple):
    """Of the experiments, those in which anything was ever found by a rule."""

    sequential: float
    daily: float
    unguarded: float


def visits(rng: np.random.Generator, units: int, rate: float) -> Iterator[Day]:
    """New units every day, of which a part buys."""
    y, n = np.zeros(ROUNDS), 0
    for _ in range(DAYS):
        n, y = n + units, y + rng.binomial(units, rate, ROUNDS)
        yield np.full(ROUNDS, n), y, y, *[np.zeros(ROUNDS)] * 3


def baskets(rng: np.random.Generator, units: int, rate: float) -> Iterator[Day]:
    """The same; what is spent is lognormal with a standard deviation of 1.2: skewed, of no known variance."""
    y, yy, n = np.zeros(ROUNDS), np.zeros(ROUNDS), 0
    for _ in range(DAYS):
        buyers = np.repeat(np.arange(ROUNDS), rng.binomial(units, rate, ROUNDS))
        spent = rng.lognormal(4, 1.2, len(buyers))
        n += units
        y = y + np.bincount(buyers, spent, ROUNDS)
        yy = yy + np.bincount(buyers, spent * spent, ROUNDS)
        yield np.full(ROUNDS, n), y, yy, *[np.zeros(ROUNDS)] * 3


def returning(rng: np.random.Generator, units: int, rate: float) -> Iterator[Day]:
    """Units that come back: their clicks and impressions grow from day to day, each clicks as it uses to."""
    likes = rng.beta(2, 2 / rate - 2, (ROUNDS, units))
    comes = rng.gamma(1, 0.5, (ROUNDS, units))
    d = y = np.zeros((ROUNDS, units))
    for _ in range(DAYS):
        shown = rng.poisson(comes)
        d, y = d + shown, y + rng.binomial(shown, likes)
        seen = (d > 0).sum(1)
        yield seen, y.sum(1), (y * y).sum(1), d.sum(1), (d * d).sum(1), (y * d).sum(1)


def looked_at(a: Iterator[Day], b: Iterator[Day], kind: Kind) -> Share:
    """What each rule makes of 28 looks."""
    ever = np.zeros((3, ROUNDS), dtype=bool)
    for one, two in zip(a, b, strict=True):
        rows = zip(
            zip(*map(np.ndarray.tolist, one), strict=True), zip(*map(np.ndarray.tolist, two), strict=True), strict=True
        )
        for place, (ours, theirs) in enumerate(rows):
            ever[:, place] |= found(effect(Moments(*ours), Moments(*theirs), kind))
    return Share(*ever.mean(1).tolist())


def found(one: Effect) -> tuple[bool, bool, bool]:
    """Whether the sequential rule, the t-test and the sequential rule with the plain delta method find a lift."""
    if not one.known:
        return False, False, False
    z = one.lift / math.sqrt(one.variance)
    return one.sequential_p < 0.05, one.p < 0.05, abs(z) > sequential.critical(one.n, 5000, 0.05)


@pytest.mark.parametrize(
    ("draw", "units", "rate", "kind"),
    [
        (visits, 200, 0.04, "mean"),
        (baskets, 200, 0.04, "mean"),
        (returning, 150, 0.06, "ratio"),
    ],
)
def test_28_looks_at_nothing_find_nothing(
    draw: Callable[[np.random.Generator, int, float], Iterator[Day]], units: int, rate: float, kind: Kind
) -> None:
    rng = np.random.default_rng(15)
    share = looked_at(draw(rng, units, rate), draw(rng, units, rate), kind)
    assert share.sequential <= 0.05
    assert share.daily > 0.15


def test_few_events_do_not_look_like_a_loss() -> None:
    """The delta method alone, as gbstats has it, names a loser in more than 5 % where events are rare."""
    rng = np.random.default_rng(16)
    share = looked_at(visits(rng, 1000, 0.002), visits(rng, 1000, 0.002), "mean")
    assert share.unguarded > 0.08
    assert share.sequential <= 0.05
