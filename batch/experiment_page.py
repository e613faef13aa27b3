"""A report as one HTML file that a manager can read: no script, nothing from the network, pictures in place. Pure.

Every name goes through `escape`; the policy in the head allows the page's own style and nothing else.
"""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from importlib.resources import files

from . import page_tables
from .experiment_result import Compared, Metric, Result
from .interval_plot import plot
from .verdict import Kind, Verdict
from .wording import moment, outcome, percent

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
LOOK = {
    Kind.WINS: ("good", "Winner"),
    Kind.PREFERRED: ("good", "Preferred in the pre-test"),
    Kind.LOSES: ("bad", "Loser"),
    Kind.UNTRUSTED: ("bad", "Do not trust"),
    Kind.NO_DIFFERENCE: ("hold", "No difference worth having"),
    Kind.TOO_EARLY: ("hold", "Too early"),
    Kind.UNDECIDED: ("hold", "Undecided"),
}
"""Kind of verdict -> colour, and the word for those who see none."""


def page(result: Result) -> str:
    """The whole file's text."""
    title = escape(result.experiment.key)
    style = files(__package__).joinpath("experiment.css").read_text("utf-8")
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="robots" content="noindex"><title>Experiment {title}</title>',
        f"<style>\n{style}</style></head>\n<body>",
        _head(result),
        "<main>",
        _verdict(result.verdict),
        page_tables.tiles(result),
        _decision(result),
        page_tables.metrics(result),
        _guardrails(result),
        page_tables.quality(result),
        page_tables.definition(result),
        page_tables.looks(result),
        "</main>",
        _foot(result),
        "</body></html>\n",
    ]
    return "\n".join(filter(None, parts))


def _head(result: Result) -> str:
    experiment = result.experiment
    began = f" from {moment(experiment.start)}" if experiment.start is not None else ""
    ended = f" to {moment(experiment.end)}" if experiment.end is not None else ""
    where = escape(", ".join(experiment.placements)) or "all placements"
    return (
        f'<header><h1>Experiment {escape(experiment.key)}</h1><p class="sub">{result.state}{began}{ended} · {where} · '
        f"all figures up to {moment(result.as_of)}</p></header>"
    )


def _verdict(said: Verdict) -> str:
    colour, word = LOOK[said.kind]
    if said.harmed:
        colour, word = ("hold" if said.kind is Kind.WINS else colour), f"{word}, with harm"
    notes = "".join(
        f'<li class="note"><span aria-hidden="true">⚠</span> Warning: {escape(one)}</li>' for one in said.warnings
    )
    sentence = said.sentence[:1].upper() + said.sentence[1:] if said.variation is None else said.sentence
    return (
        f'<section class="verdict {colour}" aria-labelledby="verdict"><h2 id="verdict">{word}</h2>'
        f"<p>{escape(sentence)}</p>{f'<ul>{notes}</ul>' if notes else ''}</section>"
    )


def _decision(result: Result) -> str:
    """The plots that decide."""
    key = (
        '<p class="note key"><i class="wide"></i>always valid: may be looked at every day, and decides'
        '<i class="narrow"></i>fixed: holds only at one look that was planned</p>'
    )
    if result.preference is not None:
        title = "Difference of clicks per unit, second ranking less first, by day"
        said = "How units that had come by then prefer the second ranking: clicks per unit, second less first."
        drawn = f"<figure>{plot(result.looks, 'p0', title, relative=False)}<figcaption>{said}</figcaption></figure>"
        return f'<section aria-labelledby="over"><h2 id="over">Preference over time</h2>{key}{drawn}</section>'
    figures = "".join(
        _figure(result, metric, one, f"d{place}")
        for metric in result.metrics
        if metric.role == "decision"
        for place, one in enumerate(metric.compared)
    )
    if not figures:
        return ""
    return (
        f'<section aria-labelledby="over"><h2 id="over">Decision metric over time</h2>{key}'
        f'<div class="plots">{figures}</div></section>'
    )


def _figure(result: Result, metric: Metric, one: Compared, name: str) -> str:
    named = outcome(metric.outcome, result.experiment.unit)
    what = f"Lift of {named}, {one.variation} against {result.experiment.variations[0].key}"
    return (
        f"<figure><h3>{escape(one.variation)}: {escape(named)}</h3>{plot(one.looks, name, what)}"
        f"<figcaption>{escape(what)}, from the start up to each day (UTC).</figcaption></figure>"
    )


def _guardrails(result: Result) -> str:
    """What must not get worse, each with its word and plot."""
    guards = [metric for metric in result.metrics if metric.role == "guardrail"]
    if not guards:
        return ""
    rows, figures = [], []
    for row, metric in enumerate(guards):
        named = escape(outcome(metric.outcome, result.experiment.unit))
        for place, one in enumerate(metric.compared):
            who = f" in {escape(one.variation)}" if len(metric.compared) > 1 else ""
            rows.append(f"<dt>{named}{who}</dt><dd>{_guarded(result, one)}</dd>")
            if one.looks:
                figures.append(_figure(result, metric, one, f"g{row}-{place}"))
    return (
        '<section aria-labelledby="guards"><h2 id="guards">Guardrails</h2><p class="note">What must not get worse, '
        f'whatever wins: each is tested on its bad side alone.</p><dl class="facts">{"".join(rows)}</dl>'
        f'<div class="plots">{"".join(figures)}</div></section>'
    )


def _guarded(result: Result, one: Compared) -> str:
    if one.harmed and one.estimate:
        return f'<span class="worse">worse</span> ({percent(one.estimate.lift)} %)'
    if one.estimate is None:
        return "shown only, not tested"
    if result.verdict.kind is Kind.UNTRUSTED:
        return "not judged: the units are not comparable"
    return "better" if one.better else "no harm shown"


def _foot(result: Result) -> str:
    level = f"{100 * result.level:.4g}"
    each = len(result.experiment.variations) - 1
    share = f" with the error shared by {each} comparisons" if each > 1 else ""
    return (
        f"<footer><p>Intervals are those of {level} %{share}. The always-valid one is an asymptotic confidence "
        "sequence (Waudby-Smith et al.): it decides, at any look. The fixed one is Welch's, or by the delta method for "
        "ratios; p is of the former, adjusted over all comparisons by Benjamini and Hochberg. Lifts are relative to "
        f"the first variation. Made by Varde {escape(version('varde'))}.</p></footer>"
    )
