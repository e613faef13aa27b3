"""`varde experiment plan`: units and days that an experiment needs, by both rules."""

from __future__ import annotations

import argparse
import math
import sys
from typing import NamedTuple

import orjson

from varde.outcomes import DECIDING, OUTCOMES
from varde.settings import Settings

from . import analysis, arguments, cost, cuped, experiment_config, experiment_report, freshness
from .effects import Moments
from .experiments import measure
from .measured import Measured
from .planner import Rule, required_units
from .report import Progress
from .warehouse import WarehouseError
from .wording import number, percent

HELP = (
    "Units that each variation needs until a relative lift is found with the given power, and the days that takes: by "
    "the sequential rule, which the report decides by, and with one look at the end. The baseline is given, or taken "
    "from what an experiment of the file VARDE_CONFIG has measured (--from and a warehouse)."
)


class Baseline(NamedTuple):
    """mean: of a unit in the first variation; variance: of one unit, None: the mean is a rate. daily: units a day,
    None: unknown. weights: of the variations. alpha: for each comparison."""

    mean: float
    variance: float | None
    daily: float | None
    weights: tuple[float, ...]
    alpha: float


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--baseline", type=float, metavar="MEAN", help="rate or mean of a unit as it is now")
    parser.add_argument("--sd", type=float, metavar="SD", help="standard deviation of a unit (default: of a rate)")
    parser.add_argument(
        "--lift", type=experiment_report.share, required=True, metavar="PART", help="relative, such as 0.05 or 5%%"
    )
    parser.add_argument("--power", type=float, default=0.8, help="probability to find it [0.8]")
    parser.add_argument("--alpha", type=float, default=0.05, help="error allowed in all comparisons together [0.05]")
    parser.add_argument("--variations", type=int, default=2, metavar="N", help="with the first, of equal weight [2]")
    parser.add_argument("--per-day", type=float, metavar="N", help="new units a day, in all variations together")
    parser.add_argument("--looks", type=int, default=28, metavar="N", help="of the sequential rule [28]")
    parser.add_argument("--from", dest="source", metavar="EXPERIMENT", help="take the baseline from it")
    parser.add_argument(
        "--metric", choices=DECIDING, metavar="NAME", help="with --from: another metric than the one it decides by"
    )
    arguments.add(parser, required=False)
    experiment_report.add(parser)


def command(given: argparse.Namespace, settings: Settings) -> int:
    """Run; the exit code.

    Raises:
        SettingsError: a setting or the configuration file makes no sense, or no such experiment is in it.
    """
    if (given.source is None) == (given.baseline is None):
        return _refused("either --baseline or --from is needed")
    if given.source is None:
        if given.variations < 2:
            return _refused("--variations must be 2 or more")
        variance = None if given.sd is None else given.sd * given.sd
        weights = (1 / given.variations,) * given.variations
        baseline = Baseline(given.baseline, variance, given.per_day, weights, given.alpha / (given.variations - 1))
        return _told(given, baseline)
    if given.warehouse is None and given.bigquery is None:
        return _refused("--from needs --warehouse or --bigquery")
    found = experiment_config.load(settings)
    experiment_config.known(found, given.source)
    progress = Progress(sys.stderr)
    try:
        with arguments.opened(given, settings, cost.of_report(given.as_of is None)) as warehouse:
            warehouse.define()
            as_of = experiment_report.moment_of(given, warehouse, settings)
            views = given.views_within * experiment_report.MINUTE_MS
            measured = measure(warehouse, settings, found.experiments, given.source, as_of, views, progress)
    except (freshness.NoMessagesError, WarehouseError) as error:
        return arguments.failed("experiment", given, error)
    finally:
        progress.done()
    seen = _seen(measured, given)
    return _told(given, seen) if seen else _refused(f"{given.source} has no units yet")


def _seen(measured: Measured, given: argparse.Namespace) -> Baseline | None:
    """What an experiment's first variation has shown; None where it has no units."""
    every = list(analysis.totals(measured))
    if not every:
        return None
    experiment, last = measured.experiment, every[-1]
    pair = analysis.pair(last, OUTCOMES[given.metric or experiment.metric], 0, experiment.winsorize)
    moments = Moments.of(*pair.a)
    variance = moments.variance(pair.kind)
    if pair.before is not None:
        with_before = Moments.of(pair.a[0], pair.before[0])
        variance = with_before.variance("cuped", cuped.theta(with_before, Moments(0, 0, 0)))
    weights = tuple(analysis.shares(experiment))
    daily = given.per_day or len(last.variation) / (last.day - int(measured.units.first_day.min()) + 1)
    return Baseline(moments.mean(pair.kind), variance, daily, weights, given.alpha / max(1, len(weights) - 1))


def _told(given: argparse.Namespace, baseline: Baseline) -> int:
    figures: dict[str, object] = {
        "baseline": baseline.mean,
        "sd": None if baseline.variance is None else math.sqrt(baseline.variance),
        "lift": given.lift,
        "power": given.power,
        "alpha": baseline.alpha,
        "per_day": baseline.daily,
    }
    lines = [f"To find {percent(given.lift)} % on {number(baseline.mean)} with power {number(given.power)}:"]
    rules: tuple[Rule, ...] = ("sequential", "fixed")
    for rule in rules:
        plan = required_units(
            baseline.mean,
            given.lift,
            baseline.variance,
            alpha=baseline.alpha,
            power=given.power,
            weights=baseline.weights,
            rule=rule,
            looks=given.looks,
        )
        if plan is None:
            return _refused(
                "these numbers have no answer: is the baseline above 0, and the rate with its lift below 1?"
            )
        days = math.ceil(plan.total / baseline.daily) if baseline.daily else None
        took = f", {days:,} day{'s' * (days != 1)}" if days is not None else ""
        units = ", ".join(f"{n:,}" for n in plan.units)
        how = "looked at every day" if rule == "sequential" else "one look at the end"
        lines.append(f"  {rule} ({how}): {units} units by variation, {plan.total:,} in all{took}")
        figures[rule] = {"units": list(plan.units), "total": plan.total, "days": days}
    sys.stdout.write("\n".join([*lines, orjson.dumps(figures).decode()]) + "\n")
    return 0


def _refused(why: str) -> int:
    sys.stderr.write(f"varde experiment plan: {why}\n")
    return arguments.MISUSED
