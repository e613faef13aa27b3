"""A report on an experiment for the terminal: the verdict, a table, and what speaks against the data."""

from __future__ import annotations

from collections.abc import Sequence

from varde.outcomes import OUTCOMES

from .experiment_result import Compared, Metric, Result
from .wording import NOTHING, interval, number, outcome, percent, printable, probability

HEAD = ("", "variation", "first", "value", "lift", "interval (decides)", "fixed interval", "p adjusted")


def table(result: Result) -> str:
    """Lines for people; names from elsewhere cannot reach the terminal's controls."""
    lines = [result.verdict.sentence, *(f"warning: {one}" for one in result.verdict.warnings), ""]
    if result.preference is not None:
        found = result.preference
        lines.append(f"{found.units:,} units; {found.for_a:,} prefer the first ranking, {found.for_b:,} the second")
        lines.append(f"sign test: p {probability(found.sign_p)}")
    else:
        lines += aligned([HEAD, *(row for metric in result.metrics for row in _rows(result, metric))])
    lines += ["", *_quality(result)]
    return "\n".join(map(printable, lines))


def _rows(result: Result, metric: Metric) -> list[Sequence[str]]:
    star = {"decision": "* ", "guardrail": "! "}.get(metric.role, "  ")
    name = star + outcome(metric.outcome, result.experiment.unit)
    return [(name, one.variation, *_values(metric, one), *_estimated(one)) for one in metric.compared]


def _values(metric: Metric, one: Compared) -> tuple[str, str]:
    share = OUTCOMES[metric.outcome].unit == "share"
    first, other = (
        f"{percent(value, signed=False)} %" if share and value == value else number(value)
        for value in (metric.baseline, one.value)
    )
    return first, other


def _estimated(one: Compared) -> tuple[str, str, str, str]:
    found = one.estimate
    if found is None:
        return (NOTHING,) * 4
    note = " worse!" if one.harmed else " c" if found.method == "cuped" else ""
    return (
        f"{percent(found.lift)} %{note}",
        interval(found.low, found.high),
        interval(found.fixed_low, found.fixed_high),
        probability(one.p_adjusted),
    )


def _quality(result: Result) -> list[str]:
    found = result.quality
    shown = [("units", found.counts.get("units", 0)), ("in several variations", found.counts.get("units_several", 0))]
    if n := found.counts.get("orders_left_out", 0):
        shown.append((f"orders not in {found.currency}, without their money", n))
    shown += [(f"not counted: {name}", n) for name, n in found.faults.items()]
    said = ", ".join(f"{name} {n:,}" for name, n in shown)
    by = ", ".join(f"{one.key} {n:,}" for one, n in zip(result.experiment.variations, result.units, strict=True))
    srm = "" if result.preference is not None else f"; {by}; p of the shares {probability(found.srm_p)}"
    legend = "* decides, ! guardrail, c adjusted by what units did before (CUPED)"
    return [said + srm, *([] if result.preference is not None else [legend])]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines: the first two columns to the left, figures to the right."""
    safe = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*safe, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in safe
    ]
