"""What the warehouse says about one experiment: what `varde.batch.experiments.measure` returns.

Rows that do not count (robots, forced, erased customers, duplicates, faults) are gone; `faults` counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from varde.experiments import Experiment

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

TEAMS = -1
"""The variation index of a unit of a team draft, which sees both variations in every list."""


class Units(NamedTuple):
    """The units of an experiment, U of them, ordered by unit kind and unit; a unit's index is its place here.

    variation: int64[U], index into Experiment.variations of the unit's first list; TEAMS in a team draft.
    first_day: int64[U], UTC day of the first list, in days since the epoch.
    several: bool[U], whether it was seen in several variations: such a unit counts in no metric, and `unit_days` and
        `teams` have no row of it.
    pre_views, pre_clicks, pre_adds, pre_orders, pre_revenue: float64[U], the customer's in the 28 days before the first
        list: product views, product clicks, additions to the cart, orders, revenue net of refunds. For CUPED.
    """

    variation: Whole
    first_day: Whole
    several: Flags
    pre_views: Real
    pre_clicks: Real
    pre_adds: Real
    pre_orders: Real
    pre_revenue: Real


class UnitDays(NamedTuple):
    """What a unit saw and did on a day, R rows ordered by day and unit; a unit and day without anything have no row.

    unit: int64[R], index into Units. day: int64[R], UTC day, in days since the epoch.
    impressions: items shown. lists, fallback_lists: lists shown, and those of another rung than `pairs`.
    clicks: items clicked in lists, each once a list. adds: additions to the cart. orders: not those that were taken
    back whole. orders_left_out: those of them whose money is in no revenue (Money). revenue: of orders, net of refunds
    known by `as_of`, on the day of the order. items: pieces bought, net.
    All are float64[R] counts, revenue in the experiment's currency; what the unit did counts from its first list on for
    attribution_days.
    """

    unit: Whole
    day: Whole
    impressions: Real
    lists: Real
    fallback_lists: Real
    clicks: Real
    adds: Real
    orders: Real
    orders_left_out: Real
    revenue: Real
    items: Real


class Money(NamedTuple):
    """Which currency revenue is in, empty when no order says one; and those of orders whose money is left out of it."""

    currency: str
    left_out: tuple[str, ...]


class Teams(NamedTuple):
    """Credits of a team draft, T rows: every unit that is not `several`. Without rows in another mode.

    unit: int64[T], index into Units. clicks: float64[T, 2], clicks on items that variation 0 and 1 put into the lists.
    """

    unit: Whole
    clicks: Real


class Measured(NamedTuple):
    """One experiment at `as_of`.

    experiment: as configured. as_of: the last moment that counts, ms.
    units, unit_days, teams: see there.
    days: the rows of varde.experiment_days of this experiment (docs/sql.md), ordered by day and variation_index:
        figures by variation, each from the start up to and with the day. Empty without a unit.
    faults: reason -> rows of the table of exposures that do not count (docs/sql.md, experiment_faults); `repeated` are
        duplicates. Those that name no experiment that is configured are in every experiment's.
    money: see there.
    cap: revenue per unit at which it is winsorized, over all days (`cap`); infinite when nothing is capped.
    """

    experiment: Experiment
    as_of: int
    units: Units
    unit_days: UnitDays
    days: pa.Table
    teams: Teams
    faults: Mapping[str, int]
    money: Money
    cap: float


def cap(revenue: Real, quantile: float) -> float:
    """The revenue per unit that no unit may exceed: the nearest-rank quantile of the units with any revenue.

    Units without revenue are not asked: where 2 of 100 buy, the quantile .9 of all would be 0. sql/experiment_days.sql
    has the same.

    Args:
        revenue: float64[U], of units of all variations together, those of `several` left out.
        quantile: from 0 to 1; 1 caps nothing.

    Returns:
        Infinity when no unit has revenue or the quantile is 1.
    """
    bought = np.sort(revenue[revenue > 0])
    if quantile >= 1 or not len(bought):
        return float("inf")
    return float(bought[max(int(np.ceil(quantile * len(bought) - 1e-9)), 1) - 1])
