"""The metrics that decide experiments, each defined once: configuration, SQL, statistics and report use this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A metric of one variation.

    numerator and denominator: columns of `experiment_unit_days`, summed over the days of a unit. Without a denominator
    it is the mean over units; with one the ratio of the two sums, whose variance is by the delta method since units,
    not impressions, are independent. An empty numerator: descriptive only, without an interval.
    once: a unit counts as 0 or 1, whether it did it at all. winsorized: capped at the experiment's quantile.
    unit: "clicks", "share", "orders", "money", "items" or "ms".
    covariate: column of `experiment_units` from before the first exposure, for CUPED.
    """

    name: str
    help: str
    numerator: str = ""
    denominator: str | None = None
    higher_is_better: bool = True
    unit: str
    covariate: str | None = None
    once: bool = False
    winsorized: bool = False

    @property
    def descriptive(self) -> bool:
        """Whether it is only shown: no interval, and no decision."""
        return not self.numerator


_ALL = (
    Outcome(
        name="clicks_per_unit",
        help="Clicks on items of the lists, per unit.",
        numerator="clicks",
        unit="clicks",
        covariate="pre_views",
    ),
    Outcome(
        name="click_through",
        help="Clicks per item shown.",
        numerator="clicks",
        denominator="impressions",
        unit="share",
    ),
    Outcome(
        name="add_rate",
        help="Share of units that put an item into the cart.",
        numerator="adds",
        once=True,
        unit="share",
        covariate="pre_views",
    ),
    Outcome(
        name="conversion",
        help="Share of units that ordered.",
        numerator="orders",
        once=True,
        unit="share",
        covariate="pre_orders",
    ),
    Outcome(
        name="orders_per_unit",
        help="Orders per unit.",
        numerator="orders",
        unit="orders",
        covariate="pre_orders",
    ),
    Outcome(
        name="revenue_per_unit",
        help="Revenue per unit after refunds, that of the largest units capped.",
        numerator="revenue",
        winsorized=True,
        unit="money",
        covariate="pre_revenue",
    ),
    Outcome(
        name="items_per_order",
        help="Items per order.",
        numerator="items",
        denominator="orders",
        unit="items",
    ),
    Outcome(
        name="fallback_share",
        help="Share of lists that came from a lower rung than pairs.",
        numerator="fallback_lists",
        denominator="lists",
        higher_is_better=False,
        unit="share",
    ),
    Outcome(
        name="latency_p95",
        help="95th percentile of the time that the server took for a list.",
        higher_is_better=False,
        unit="ms",
    ),
    Outcome(
        name="coverage",
        help="Share of the catalogue's items that were shown.",
        unit="share",
    ),
)

OUTCOMES: Mapping[str, Outcome] = MappingProxyType({outcome.name: outcome for outcome in _ALL})
"""By name, in the order in which they are shown."""
DECIDING = tuple(outcome.name for outcome in _ALL if not outcome.descriptive)
"""Those that may decide an experiment."""
