"""The tables and boxes of a report's page. Pure; every name goes through `escape`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from varde.outcomes import OUTCOMES

from .experiment_result import Compared, Estimate, Metric, Result
from .experiment_result import definition as keys_of
from .verdict import Kind
from .wording import NOTHING, day, interval, moment, number, outcome, percent, probability

COUNTS = {
    "units": "units",
    "units_several": "of them in several variations, left out",
    "lists": "lists shown",
    "impressions": "items shown",
    "days": "days",
    "orders_left_out": "orders in a currency without a rate: their money is left out",
}
FAULTS = {
    "repeated": "repeated (duplicates)",
    "robot": "robots",
    "forced": "forced testers",
    "erased": "erased customers",
}
METHODS = {"cuped": "CUPED", "ratio": "ratio"}
"""What a lift is besides a quotient of means."""


def tiles(result: Result) -> str:
    """What a glance needs."""
    experiment = result.experiment
    named = outcome(experiment.metric, experiment.unit) if result.preference is None else "credited clicks"
    days = result.quality.counts.get("days")
    pairs = [(named, "decides"), (number(days), "day" if days == 1 else "days")]
    pairs += [(number(n), f"units: {one.key}") for one, n in zip(experiment.variations, result.units, strict=True) if n]
    if result.quality.srm_p is not None:
        pairs.append((probability(result.quality.srm_p), "p of the shares (SRM)"))
    return f'<dl class="tiles">{"".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for v, k in pairs)}</dl>'


def metrics(result: Result) -> str:
    """All outcomes, or the preference of a team draft."""
    if result.preference is not None:
        return _preference(result)
    head = ["Metric", "Variation", "First", "Value", "Lift", "Interval, always valid", "Interval, fixed", "p adjusted"]
    rows = [row for metric in result.metrics for row in _rows(result, metric)]
    note = (
        f"Each variation against the first, {escape(result.experiment.variations[0].key)}. Where something is known of "
        "the units from before, the lift is adjusted by it (CUPED); the unadjusted one is below."
    )
    if result.verdict.kind is Kind.UNTRUSTED:
        note = f'<strong class="warn">Not effects of the variations: the units are not comparable.</strong> {note}'
    return _section("metrics", "Metrics", _table(head, rows, "Metrics"), note)


def _rows(result: Result, metric: Metric) -> list[str]:
    """A row a variation, and one below where there is an unadjusted effect; the metric's name spans them."""
    kind = OUTCOMES[metric.outcome].unit
    rows = []
    for one in metric.compared:
        values = [_value(metric.baseline, kind), _value(one.value, kind)]
        rows.append(_cells([escape(one.variation), *values, *_estimated(one)]))
        if one.raw is not None:
            rows.append(_cells(["<small>unadjusted</small>", "", "", *_effect(one.raw), ""], "quiet"))
    cap = f" Capped at {number(metric.cap)}." if metric.cap is not None else ""
    role = "" if metric.role == "secondary" else f"<em>{metric.role}</em>"
    named = escape(outcome(metric.outcome, result.experiment.unit))
    head = f'<th scope="rowgroup" rowspan="{len(rows)}">{named}{role}<small>{escape(metric.help)}{cap}</small></th>'
    return [f"<tbody><tr>{head}{rows[0]}</tr>", *(f"<tr>{row}</tr>" for row in rows[1:]), "</tbody>"]


def _cells(cells: Sequence[str], kind: str = "") -> str:
    first = f'<td class="text {kind}">{cells[0]}</td>'
    return first + "".join(f'<td class="nowrap {kind}">{cell}</td>' for cell in cells[1:])


def _value(value: float, kind: str) -> str:
    return f"{percent(value, signed=False)} %" if kind == "share" and not math.isnan(value) else number(value)


def _estimated(one: Compared) -> list[str]:
    """Lift, both intervals with their p, and p adjusted."""
    if one.estimate is None:
        return [NOTHING] * 4
    word = {True: "better", False: "worse", None: ""}[one.better]
    cells = _effect(one.estimate, word)
    return [*cells, probability(one.p_adjusted)]


def _effect(found: Estimate, word: str = "") -> list[str]:
    lift = f'<span class="{word}">{percent(found.lift)} % {word}</span>' if word else f"{percent(found.lift)} %"
    method = METHODS.get(found.method)
    return [
        lift + (f"<small>{method}</small>" if method else ""),
        f"{interval(found.low, found.high)}<small>p {probability(found.sequential_p)}</small>",
        f"{interval(found.fixed_low, found.fixed_high)}<small>p {probability(found.p)}</small>",
    ]


def _preference(result: Result) -> str:
    found = result.preference
    assert found is not None
    first, second = (escape(one.key) for one in result.experiment.variations)
    facts = [
        ("units", number(found.units)),
        (f"units that prefer {first}", number(found.for_a)),
        (f"units that prefer {second}", number(found.for_b)),
        (f"share of the credited clicks that are {second}'s", f"{percent(found.share, signed=False)} %"),
        ("difference of clicks per unit", number(found.difference)),
        ("interval, always valid: decides", f"{number(found.sequential[0])} to {number(found.sequential[1])}"),
        ("p, always valid", probability(found.sequential_p)),
        ("interval, fixed", f"{number(found.interval[0])} to {number(found.interval[1])}"),
        ("p, fixed", probability(found.p)),
        ("p of the sign test over the units that prefer one", probability(found.sign_p)),
    ]
    note = (
        "Both rankings are in every list; a click is credited to the one that put the item there. A unit counts once."
    )
    return _section("metrics", "Preference", _facts(facts), note)


def quality(result: Result) -> str:
    """The data-quality box."""
    found = result.quality
    facts = [(COUNTS.get(name, name), number(n)) for name, n in found.counts.items()]
    if found.currency:
        facts.append(("currency of revenue", escape(found.currency)))
    facts.append(("p that the shares are as asked for (SRM); below 0.001 nothing holds", probability(found.srm_p)))
    facts += [(f"not counted: {escape(FAULTS.get(name, name))}", number(n)) for name, n in found.faults.items()]
    facts += [
        (f"p of a difference in {escape(name)}, 28 days before", probability(p)) for name, p in found.before.items()
    ]
    facts.append(("differ from before", escape(", ".join(found.imbalanced)) or "none"))
    shares = ""
    if found.daily:
        head = ["First seen", *(one.key for one in result.experiment.variations), "p of the shares"]
        rows = [
            f'<tr><th scope="row" class="nowrap">{day(one.day)}</th>'
            f"{''.join(f'<td>{number(n)}</td>' for n in one.units)}<td>{probability(one.p)}</td></tr>"
            for one in found.daily
        ]
        shares = f"<details><summary>Shares by day</summary>{_table(head, rows, 'Shares by day')}</details>"
    return _section("quality", "Data quality", _facts(facts) + shares)


def definition(result: Result) -> str:
    """How the experiment is configured."""
    experiment = result.experiment
    facts = [(escape(name), _said(name, value)) for name, value in keys_of(experiment).items() if name != "variations"]
    head = ["Variation", "Weight", "Ranking", "Relation", "Placement", "Forced ids"]
    rows = []
    for one in keys_of(experiment)["variations"]:
        told = [
            number(one["weight"]),
            *(escape(str(one[name] or NOTHING)) for name in ("ranking", "relation", "placement")),
        ]
        cells = "".join(f"<td>{cell}</td>" for cell in [*told, number(one["forced"])])
        rows.append(f'<tr><th scope="row">{escape(one["key"])}</th>{cells}</tr>')
    return _section("definition", "Definition", _table(head, rows, "Variations") + _facts(facts))


def _said(name: str, value: Any) -> str:
    if name in ("start", "end"):
        return moment(value)
    if isinstance(value, dict):
        return escape(", ".join(f"{key} {_plain(one)}" for key, one in value.items())) or NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return escape(_plain(value))
    return number(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or NOTHING
    if isinstance(value, int | float):
        return number(value)
    return NOTHING if value in (None, "") else str(value)


def looks(result: Result) -> str:
    """Every look's figures, for those who want them: folded."""
    head = ["Up to", "Units", "Lift", "Interval, always valid", "Interval, fixed"]
    tables = []
    named = [
        (f"{outcome(metric.outcome, result.experiment.unit)}, {one.variation}", one.looks, True)
        for metric in result.metrics
        for one in metric.compared
        if one.looks
    ]
    named += [("preference", result.looks, False)] if result.looks else []
    for name, of, relative in named:
        rows = []
        for at in of:
            pair = interval if relative else _numbers
            lift = f"{percent(at.lift)} %" if relative else number(at.lift)
            cells = [number(at.units), lift, pair(at.low, at.high), pair(at.fixed_low, at.fixed_high)]
            row = "".join(f'<td class="nowrap">{cell}</td>' for cell in cells)
            rows.append(f'<tr><th scope="row" class="nowrap">{day(at.day)}</th>{row}</tr>')
        tables.append(f"<h3>{escape(name)}</h3>{_table(head, rows, name)}")
    return f"<details><summary>Every look in figures</summary>{''.join(tables)}</details>" if tables else ""


def _numbers(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"


def _section(name: str, title: str, inside: str, note: str = "") -> str:
    said = f'<p class="note">{note}</p>' if note else ""
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>{said}{inside}</section>'


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    """A list of HTML pairs."""
    return f'<dl class="facts">{"".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in pairs)}</dl>'


def _table(head: Sequence[str], rows: Iterable[str], title: str) -> str:
    """A table that scrolls by itself where the screen is narrow; by keyboard too."""
    inside = "".join(rows)
    if not inside.startswith("<tbody>"):
        inside = f"<tbody>{inside}</tbody>"
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return (
        f'<div class="wide-table" role="region" aria-label="{escape(title)}" tabindex="0"><table><thead>'
        f"<tr>{names}</tr></thead>{inside}</table></div>"
    )
