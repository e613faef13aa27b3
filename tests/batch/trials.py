"""Experiments as the warehouse would tell them, made of a seed: for what comes after the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from varde import config
from varde.batch.measured import TEAMS, Measured, Money, Teams, UnitDays, Units, cap
from varde.experiments import Experiment
from varde.history import DAY_MS

FIRST = 20_500
"""The first day, in days since the epoch."""
RANKINGS = ("llr", "cosine")


def text(
    more: str = "", keys: Sequence[str] = ("control", "cosine"), name: str = "pdp", weights: Sequence[float] = ()
) -> str:
    """A configuration file with one experiment. more: lines of its table."""
    shares = weights or [1 / len(keys)] * len(keys)
    variations = "".join(
        f'[[experiments.{name}.variations]]\nkey = "{key}"\nweight = {share!r}\n'
        + ('ranking = "cosine"\n' if place else "")
        for place, (key, share) in enumerate(zip(keys, shares, strict=True))
    )
    return f"[experiments.{name}]\n{more}\n{variations}"


def experiment(more: str = "", **options: Any) -> Experiment:
    """The experiment of such a file."""
    (found,) = config.read(text(more, **options), RANKINGS).experiments.values()
    return found


def measured(
    of: Experiment,
    units: int = 4000,
    days: int = 14,
    rates: Sequence[float] = (0.5, 0.5),
    revenue: Sequence[float] = (3.0, 3.0),
    shares: Sequence[float] | None = None,
    several: float = 0.0,
    seed: int = 1,
    faults: Mapping[str, int] | None = None,
) -> Measured:
    """Units that come evenly over the days, and what they do on their first day.

    Args:
        of: the experiment.
        units: how many.
        days: over which they come.
        rates: clicks a unit, by variation.
        revenue: of an order, by variation; one unit of ten orders.
        shares: of the units, by variation; None: even.
        several: part of them that was seen in several variations.
        seed: of all that is random.
        faults: rows that do not count.
    """
    rng = np.random.default_rng(seed)
    count = len(of.variations)
    variation = rng.choice(count, units, p=shares).astype(np.int64)
    first = FIRST + np.sort(rng.integers(0, days, units))
    mixed = rng.random(units) < several
    keen = rng.gamma(2.0, 0.5, units)
    clicks = rng.poisson(np.asarray(rates)[variation] * keen).astype(float)
    orders = (rng.random(units) < 0.1).astype(float)
    earned = orders * np.asarray(revenue)[variation] * rng.gamma(4.0, 0.25, units)
    lists = rng.integers(1, 4, units).astype(float)
    kept = np.flatnonzero(~mixed)
    views = rng.poisson(4 * keen).astype(float)
    nothing = np.zeros(units)
    told = Units(variation, first, mixed, views, nothing, nothing, nothing, nothing)
    rows = UnitDays(
        kept,
        first[kept],
        impressions=10 * lists[kept],
        lists=lists[kept],
        fallback_lists=((rng.random(units) < 0.2) * lists)[kept],
        clicks=clicks[kept],
        adds=(clicks > 1).astype(float)[kept],
        orders=orders[kept],
        orders_left_out=np.zeros(len(kept)),
        revenue=earned[kept],
        items=2 * orders[kept],
    )
    return Measured(
        of,
        (FIRST + days) * DAY_MS - 1,
        told,
        rows,
        days_table(of),
        Teams(np.zeros(0, dtype=np.int64), np.zeros((0, 2))),
        faults if faults is not None else {"repeated": 17, "robot": 3},
        Money("SEK", ()),
        cap(earned[kept], of.winsorize),
    )


def days_table(of: Experiment) -> pa.Table:
    """What is read of varde.experiment_days, of its last day."""
    indexes = list(range(len(of.variations)))
    return pa.table(
        {
            "day": [FIRST] * len(indexes),
            "variation_index": indexes,
            "latency_p95_ms": [12.5 + index for index in indexes],
            "coverage": [0.25 + index / 8 for index in indexes],
        }
    )


def team_draft(of: Experiment, units: int, rates: tuple[float, float], seed: int = 1) -> Measured:
    """A team draft: clicks credited to the two rankings, by these rates a unit."""
    made = measured(of, units, seed=seed)
    rng = np.random.default_rng(seed)
    clicks = np.column_stack([rng.poisson(rate, units) for rate in rates]).astype(float)
    all_teams = np.full(units, TEAMS, dtype=np.int64)
    return made._replace(
        units=made.units._replace(variation=all_teams, several=np.zeros(units, dtype=bool)),
        teams=Teams(np.arange(units, dtype=np.int64), clicks),
    )
