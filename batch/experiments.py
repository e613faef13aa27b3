"""Experiments in the warehouse: from exposures and Segment's events to units, what they did, and tables for reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from varde.experiments import Experiment
from varde.history import DAY_MS
from varde.settings import Settings

from . import nightly
from .measured import Measured, Money, Real, Teams, UnitDays, Units, cap
from .nightly import Plan, Tick
from .warehouse import Shared, Warehouse, ddl
from .warehouse.apart import Apart
from .warehouse.columns import column

__all__ = ["DROPPED", "PUBLISHED", "STEPS", "Measured", "Teams", "UnitDays", "Units", "cap", "measure", "plan", "run"]

BEFORE_MS = 28 * DAY_MS
"""How long before its first list the deeds of a customer are taken for CUPED; sql/experiment_units.sql has it, too."""

STEPS = (
    "experiment_settings",
    "experiment_currencies",
    "raw",
    "robots",
    "withdrawals",
    "identity",
    "catalogue_rows",
    "catalogue",
    "experiment_exposures",
    "experiment_messages",
    "erasures",
    "forgotten",
    "experiment_events",
    "experiment_lists",
    "experiment_orders",
    "experiment_rates",
    "experiment_units",
    "experiment_clicks",
    "experiment_unit_days",
    "experiment_teams",
    "experiment_days",
    "experiment_faults",
)
"""The steps in order; those that the night has, too, are its own."""

DROPPED = (*nightly.NAMED, "experiment_exposures", "experiment_messages", "experiment_events")
"""Tables that have everybody's ids and are not asked for again. They are gone when the steps are done."""


PUBLISHED = tuple(step for step in STEPS if step.startswith("experiment_") and step not in DROPPED)
"""Tables that a report leaves for others to read, as those of the report that ended last."""


def measure(
    warehouse: Shared,
    settings: Settings,
    experiments: Mapping[str, Experiment],
    key: str,
    as_of: int,
    views_within: int = 0,
    tick: Tick = lambda _: None,
) -> Measured:
    """Run the steps for all experiments, and return one of them; a repetition gives the same.

    It runs those steps of the night that it needs itself (identity, robots, withdrawals, ...), on tables of its own, so
    that it may run beside the night and beside other reports. At the end the tables of experiments become those of this
    run, for others to read (PUBLISHED). See `varde.batch.measured` for the arrays.

    Args:
        warehouse: with Segment's tables and store.exposures (optional: without it there are no units).
        settings: item keys, events, consent, robots, id_secret.
        experiments: of the configuration file; each gets rows in the tables of reports.
        key: the experiment to return.
        as_of: the last moment that counts, ms.
        views_within: ms; a product that is viewed no later than this after a list showed it counts as clicked, for
            shops that send no Product Clicked. 0: only Product Clicked counts.
        tick: called with the name of each step.

    Raises:
        KeyError: no such experiment.
        UnknownItemKeyError: an item key that the SQL does not know.
        WarehouseError: the warehouse refuses or does not answer.
    """
    experiment = experiments[key]
    with Apart(warehouse) as own:
        run(own, experiments, plan(settings, experiments, as_of, views_within), tick)
        found = _read(own, experiment, as_of)
        own.publish([f"varde.{table}" for table in PUBLISHED])
    return found


def plan(settings: Settings, experiments: Mapping[str, Experiment], as_of: int, views_within: int = 0) -> Plan:
    """What the steps go by; arguments as for `measure`.

    Exposures are read from the earliest start on, or all of them when an experiment has none. Events are read from
    the first exposure on, which is known later, and BEFORE_MS before.

    Raises:
        UnknownItemKeyError: an item key that the SQL does not know.
    """
    made = nightly.plan(as_of, settings.limits, settings.mapping, settings.id_secret.encode())
    since = min((one.start or 0 for one in experiments.values()), default=0)
    own = {
        "exposed_since": since,
        "events_since": max(since - BEFORE_MS, 0),
        "count_robots": int(settings.mapping.robots),
        "views_within": views_within,
    }
    return Plan(as_of, {**made.parameters, **own}, made.count_robots, made.secret)


def run(
    warehouse: Warehouse, experiments: Mapping[str, Experiment], given: Plan, tick: Tick = lambda _: None
) -> dict[str, int]:
    """All steps; table -> rows."""
    rows_of: dict[str, int] = {}
    try:
        for step in STEPS:
            tick(step)
            rows_of[step] = take(warehouse, experiments, step, given)
            if step == "experiment_exposures":
                given = _since_first(warehouse, given)
    finally:
        for table in DROPPED:
            warehouse.drop(f"varde.{table}")
    return rows_of


def take(warehouse: Warehouse, experiments: Mapping[str, Experiment], step: str, given: Plan) -> int:
    """One step: replace its table; the number of rows."""
    if step == "experiment_settings":
        return warehouse.replace("varde.experiment_settings", settings_rows(experiments))
    if step == "experiment_currencies":
        return warehouse.replace("varde.experiment_currencies", currency_rows(experiments))
    if step == "erasures":
        return warehouse.replace("varde.erasures", nightly.erasures(warehouse, given, "experiment_users"))
    return nightly.take(warehouse, step, given)


def _since_first(warehouse: Warehouse, given: Plan) -> Plan:
    """The plan whose events begin BEFORE_MS before the first exposure: most of Segment's tables need not be read."""
    (first,) = warehouse.query("experiment_span", given.parameters)["first_exposure"].to_pylist()
    since = given.as_of if first is None else max(first - BEFORE_MS, 0)
    return Plan(given.as_of, {**given.parameters, "events_since": since}, given.count_robots, given.secret)


def settings_rows(experiments: Mapping[str, Experiment]) -> pa.Table:
    """The rows of varde.experiment_settings, one an experiment and variation, in the order of the file."""
    rows: list[dict[str, Any]] = [
        {
            "experiment": one.key,
            "variation": variation.key,
            "variation_index": index,
            "weight": variation.weight,
            "mode": one.mode,
            "bucket_version": one.bucket_version,
            "start_time": one.start,
            "end_time": one.end,
            "attribution_ms": one.attribution_days * DAY_MS,
            "winsorize": one.winsorize,
            "currency": one.currency or None,
            "metric": one.metric,
            "stopped": one.stopped or None,
        }
        for one in experiments.values()
        for index, variation in enumerate(one.variations)
    ]
    return _table("experiment_settings", rows)


def currency_rows(experiments: Mapping[str, Experiment]) -> pa.Table:
    """The rows of varde.experiment_currencies, one an experiment and configured rate."""
    rows = [
        {"experiment": one.key, "currency": currency, "rate": rate}
        for one in experiments.values()
        for currency, rate in one.rates
    ]
    return _table("experiment_currencies", rows)


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows with the columns that a table of ours is declared with."""
    types = ddl.tables()[name].types
    return pa.table({one: column([row[one] for row in rows], type_) for one, type_ in types.items()})


def _read(warehouse: Warehouse, experiment: Experiment, as_of: int) -> Measured:
    asked = {"experiment": experiment.key}
    units = warehouse.query("experiment_unit_rows", asked).sort_by("number")
    rows = warehouse.query("experiment_unit_day_rows", asked).sort_by([("day", "ascending"), ("number", "ascending")])
    teams = warehouse.query("experiment_team_rows", asked).sort_by("number")
    whole, real = _numbers(np.int64), _numbers(np.float64)
    found = Units(
        whole(units["variation_index"]),
        whole(units["first_day"]),
        _numbers(np.bool_)(units["several"]),
        *(real(units[name]) for name in Units._fields[3:]),
    )
    unit_days = UnitDays(
        whole(rows["number"]), whole(rows["day"]), *(real(rows[name]) for name in UnitDays._fields[2:])
    )
    days = warehouse.read("varde.experiment_days")
    days = days.filter(pa.compute.equal(days["experiment"], experiment.key))
    clicks = np.column_stack([real(teams["first_clicks"]), real(teams["second_clicks"])])
    return Measured(
        experiment,
        as_of,
        found,
        unit_days,
        days.sort_by([("day", "ascending"), ("variation_index", "ascending")]),
        Teams(whole(teams["number"]), clicks),
        _faults(warehouse, experiment.key),
        _money(warehouse, experiment),
        cap(_revenue(unit_days, len(found.variation)), experiment.winsorize),
    )


def _revenue(rows: UnitDays, units: int) -> Real:
    """float64[U]: of each unit over all days."""
    total = np.zeros(units)
    np.add.at(total, rows.unit, rows.revenue)
    return total


def _money(warehouse: Warehouse, experiment: Experiment) -> Money:
    rows = warehouse.read("varde.experiment_rates").to_pylist()
    ours = sorted((row for row in rows if row["experiment"] == experiment.key), key=lambda row: str(row["currency"]))
    own = next((row["currency"] for row in ours if row["own"]), experiment.currency)
    return Money(own, tuple(row["currency"] for row in ours if row["rate"] is None))


def _faults(warehouse: Warehouse, key: str) -> dict[str, int]:
    rows = warehouse.read("varde.experiment_faults").to_pylist()
    ours = [row for row in rows if row["experiment"] in (None, key)]
    return {row["reason"]: row["exposures"] for row in sorted(ours, key=lambda row: str(row["reason"]))}


def _numbers(kind: type[np.generic]) -> Callable[[pa.ChunkedArray], np.ndarray[Any, Any]]:
    """Columns without NULL as arrays of a kind; both engines' own types of numbers fit."""
    return lambda values: values.to_numpy().astype(kind)
