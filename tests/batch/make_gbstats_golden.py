"""Writes gbstats_golden.json: what GrowthBook's statistics package says about some inputs.

gbstats 0.8.0 needs numpy < 2 and pandas < 2, so it is run once, in an environment of its own, and its answers are kept:

    python3.11 -m venv /tmp/gbstats && /tmp/gbstats/bin/pip install gbstats==0.8.0
    /tmp/gbstats/bin/python tests/batch/make_gbstats_golden.py

Units' values are drawn with a fixed seed; the file holds their sums. gbstats knows a proportion's variance as p(1 - p)
and a mean's with n - 1, so `proportion` cases are large, where the two agree, and small ones are means of 0 and 1.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from gbstats.frequentist.tests import (  # type: ignore[import-not-found]
    FrequentistConfig,
    SequentialConfig,
    SequentialTwoSidedTTest,
    TwoSidedTTest,
)
from gbstats.models.statistics import (  # type: ignore[import-not-found]
    ProportionStatistic,
    RatioStatistic,
    RegressionAdjustedStatistic,
    SampleMeanStatistic,
    compute_theta,
)
from gbstats.utils import check_srm  # type: ignore[import-not-found]

TARGET = Path(__file__).with_name("gbstats_golden.json")
SIZES = [(400, 400), (3000, 2000), (20_000, 20_000), (1500, 6000)]
LIFTS = [-0.1, 0.0, 0.04, 0.3]
ALPHAS = [0.05, 0.01, 0.1]
PLANNED = [5000, 1000, 60_000]
SPLITS: list[tuple[list[int], list[float]]] = [
    ([1000, 1000], [0.5, 0.5]),
    ([5000, 4870], [0.5, 0.5]),
    ([500_000, 495_000], [0.5, 0.5]),
    ([700_000, 693_000], [1, 1]),
    ([90, 10], [0.9, 0.1]),
    ([880, 120], [0.9, 0.1]),
    ([334, 333, 333], [0.3334, 0.3333, 0.3333]),
    ([4000, 4100, 3900], [1 / 3, 1 / 3, 1 / 3]),
    ([100, 200, 300, 400], [0.1, 0.2, 0.3, 0.4]),
    ([130, 180, 300, 390], [0.1, 0.2, 0.3, 0.4]),
    ([3, 1], [0.5, 0.5]),
    ([0, 40], [0.5, 0.5]),
    ([0, 0], [0.5, 0.5]),
]
Arm = dict[str, float]


def draw(kind: str, rng: np.random.Generator, n: int, lift: float) -> tuple[np.ndarray, np.ndarray]:
    """Outcome and denominator or covariate of n units."""
    if kind == "proportion":
        return (rng.random(n) < 0.12 * (1 + lift)).astype(float), np.zeros(n)
    if kind == "rate":
        return (rng.random(n) < 0.2 * (1 + lift)).astype(float), np.zeros(n)
    if kind == "revenue":
        return (rng.random(n) < 0.3) * rng.lognormal(4, 1, n) * (1 + lift), np.zeros(n)
    if kind == "ratio":
        shown = 1.0 + rng.poisson(12, n)
        return rng.binomial(shown.astype(int), np.minimum(rng.beta(2, 20, n) * (1 + lift), 1)).astype(float), shown
    before = rng.gamma(2, 3, n)
    return 0.6 * before * (1 + lift) + rng.gamma(2, 1, n), before


def sums(y: np.ndarray, d: np.ndarray) -> Arm:
    return {
        "n": len(y),
        "y": float(y.sum()),
        "yy": float(y @ y),
        "d": float(d.sum()),
        "dd": float(d @ d),
        "yd": float(y @ d),
    }


def statistic(kind: str, arm: Arm, theta: float = 0.0) -> Any:
    n, mean = arm["n"], SampleMeanStatistic(n=arm["n"], sum=arm["y"], sum_squares=arm["yy"])
    other = SampleMeanStatistic(n=n, sum=arm["d"], sum_squares=arm["dd"])
    if kind == "proportion":
        return ProportionStatistic(n=n, sum=arm["y"])
    if kind == "ratio":
        return RatioStatistic(n=n, m_statistic=mean, d_statistic=other, m_d_sum_of_products=arm["yd"])
    if kind == "cuped":
        return RegressionAdjustedStatistic(
            n=n, post_statistic=mean, pre_statistic=other, post_pre_sum_of_products=arm["yd"], theta=theta
        )
    return mean


def answers(kind: str, a: Arm, b: Arm, alpha: float, planned: int) -> dict[str, Any]:
    """What both tests say of the relative lift and of the difference."""
    one, two = statistic(kind, a), statistic(kind, b)
    theta = compute_theta(one, two) if kind == "cuped" else None
    if theta is not None:
        one, two = statistic(kind, a, theta), statistic(kind, b, theta)
    found: dict[str, Any] = {"theta": theta}
    for difference in ("relative", "absolute"):
        fixed = TwoSidedTTest(one, two, FrequentistConfig(difference_type=difference, alpha=alpha))
        config = SequentialConfig(difference_type=difference, alpha=alpha, sequential_tuning_parameter=planned)
        told, sequential = fixed.compute_result(), SequentialTwoSidedTTest(one, two, config).compute_result()
        assert not told.error_message
        found[difference] = {
            "lift": told.expected,
            "variance": float(fixed.variance),
            "interval": list(map(float, told.ci)),
            "p": float(told.p_value),
            "sequential": list(map(float, sequential.ci)),
            "sequential_p": float(sequential.p_value),
        }
    return found


def cases() -> list[dict[str, Any]]:
    rng = np.random.default_rng(6)
    found = []
    for kind in ("proportion", "rate", "revenue", "ratio", "cuped"):
        for size, (n_a, n_b) in enumerate(SIZES):
            for place, lift in enumerate(LIFTS):
                if kind == "proportion":
                    n_a, n_b = max(n_a, 20_000), max(n_b, 20_000)
                if (size + place) % 2:
                    continue
                a, b = sums(*draw(kind, rng, n_a, 0.0)), sums(*draw(kind, rng, n_b, lift))
                alpha, planned = ALPHAS[(size + place) // 2 % 3], PLANNED[(2 * size + place) % 3]
                case = {"kind": kind, "alpha": alpha, "planned": planned, "a": a, "b": b}
                found.append(case | answers(kind, a, b, alpha, planned))
    return found


def main() -> None:
    splits = [{"units": units, "weights": weights, "p": float(check_srm(units, weights))} for units, weights in SPLITS]
    TARGET.write_text(json.dumps({"gbstats": version("gbstats"), "srm": splits, "effects": cases()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
