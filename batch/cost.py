"""What a run will read of BigQuery, asked before it runs: BigQuery's own estimate for every query, free of charge.

It is an estimate. Tables of ours are as the last run left them, and a query over one that is not there cannot be asked
about; a clustered table is taken whole; a query that is answered from BigQuery's cache costs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from varde.pairs import Relation

from . import experiments, nightly, outputs
from .warehouse import MissingError, Parameters

HELPERS: Mapping[str, tuple[str, ...]] = {"robots": ("user_agents",), "erasures": ("deletes", "users")}
"""Step that is decided outside of SQL -> the queries that it asks."""

Asked = Mapping[str, int]
"""Query -> how often its whole table is read."""


class Estimating(Protocol):
    """What is asked of BigQueryWarehouse."""

    def dry_run(self, name: str, parameters: Parameters) -> int:
        """Bytes that a query would read."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes that will be read; unknown: queries over tables that are not there yet, which are not in it."""

    read: int
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"about {self.read / 1e9:,.2f} GB"
        names = ", ".join(self.unknown)
        return f"{text}, and what is not known before their tables are there: {names}" if names else text


def of_night() -> Asked:
    """The queries of the steps."""
    return Counter(query for step in nightly.STEPS for query in HELPERS.get(step, (step,)))


def of_reconcile(there: bool, apply: bool, newest: bool) -> Asked:
    """The queries of `varde reconcile`.

    Args:
        there: BigQuery counts the pairs, and they are read back for each comparison and for the writing.
        apply: the result is written, compared again and published.
        newest: the time that is counted, or whether the warehouse is stale, is asked of it.
    """
    asked = Counter(of_night())
    if newest or apply:
        asked["newest"] += 1
    if there:
        asked["pair_counts"] += 1
        for query in ("pair_sizes", "pair_rows"):
            asked[query] += 3 if apply else 1
    if apply:
        asked.update(("popularity", "pasts", "item_supports", "neighbours"))  # the first two in the first night alone
    return asked


def of_seeds(newest: bool) -> Asked:
    """The queries of `varde seeds`; `newest` as in `of_reconcile`."""
    return Counter(of_night()) + Counter(("pasts", *(("newest",) if newest else ())))


def of_report(newest: bool) -> Asked:
    """The queries of `varde report`; `newest` as in `of_reconcile`. Events are taken to reach back a window."""
    helpers = {
        **HELPERS,
        "erasures": ("deletes", "experiment_users"),
        "experiment_settings": (),
        "experiment_currencies": (),
    }
    asked = Counter(query for step in experiments.STEPS for query in helpers.get(step, (step,)))
    asked.update(("experiment_span", "experiment_unit_rows", "experiment_unit_day_rows", "experiment_team_rows"))
    return asked + Counter(("newest",) if newest else ())


def estimate(warehouse: Estimating, plan: nightly.Plan, asked: Asked) -> Estimate:
    """What the queries will read.

    Args:
        warehouse: BigQuery.
        plan: the parameters of the night.
        asked: the queries.

    Raises:
        WarehouseError: BigQuery refuses a query for another reason than a missing table, or does not answer.
    """
    read, unknown = 0, []
    given: Parameters = {
        **plan.parameters,
        # Bounds that leave nothing out, and numbers that make no difference to what is read.
        **{"until": plan.as_of, "relation": int(Relation.ALSO_VIEWED), "first": "", "last": "\U0010ffff"},
        **{"top": outputs.TOP, "landmark": 0, "half_life": 1},
        **{"exposed_since": 0, "events_since": plan.parameters["window_start"]},
        **{"count_robots": 1, "views_within": 0, "experiment": ""},
    }
    for query, times in asked.items():
        try:
            read += times * warehouse.dry_run(query, given)
        except MissingError:
            unknown.append(query)
    return Estimate(read, tuple(unknown))
