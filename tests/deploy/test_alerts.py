"""Prometheus' alerts as code: each fires when it should and not near by, has its page, asks for metrics there are."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .firing import CASES, Case

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "monitoring"
ALERTS, SLOS = FOLDER / "alerts.yaml", FOLDER / "slo.yaml"
METRICS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split("\n## Stream\n")[0]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool: apt-get install prometheus")

SERIES = re.compile(r"\b(?:varde_\w+|up|pubsub_googleapis_com:\w+|varde:\w+:\w+)\b")


def rules(path: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


ALERT_RULES = list(rules(ALERTS))
RECORDED = {rule["record"] for rule in rules(SLOS)}


def documented() -> set[str]:
    """Metrics of docs/metrics.md, a histogram's with its suffixes."""
    found = re.findall(r"^\| `([a-z_:]+)` \| (\w+) \|", METRICS, re.MULTILINE)
    out = set()
    for name, kind in found:
        out |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"} if kind == "histogram" else {name}
    return out - {"varde_stream_freshness_seconds_sum"}


def metrics_of(expression: str) -> set[str]:
    """Names of series, without what stands in quotes or in a range."""
    return set(SERIES.findall(re.sub(r'"[^"]*"', '""', expression)))


@pytest.mark.parametrize("path", [ALERTS, SLOS], ids=lambda path: path.name)
def test_every_metric_that_is_asked_for_is_documented(path: Path) -> None:
    asked = set().union(*(metrics_of(rule["expr"]) for rule in rules(path)))
    assert len(asked) > 3
    assert asked - RECORDED - documented() == set()


def test_every_word_of_a_rule_is_a_metric_or_known() -> None:
    """Or a metric by another beginning would be overlooked above."""
    words = {"and", "by", "histogram_quantile", "increase", "max", "min_over_time", "offset", "on", "or"}
    words |= {"predict_linear", "rate", "scalar", "sum", "time", "vector"}
    for rule in [*ALERT_RULES, *rules(SLOS)]:
        bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\{[^}]*\}|\b(?:by|on|group_left) \([^)]*\)|offset \w+', " ", rule["expr"])
        unknown = {word for word in re.findall(r"[a-zA-Z_][\w:]*", bare) if not SERIES.fullmatch(word)} - words
        assert unknown == set(), rule


def test_every_label_that_is_asked_for_is_documented() -> None:
    rows = re.findall(r"^\| `([a-z_:]+)` \| \w+ \| (.*?) \|", METRICS, re.MULTILINE)
    labels = {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows}
    for rule in [*ALERT_RULES, *rules(SLOS)]:
        for series, matchers in re.findall(r"([\w:]+)\{((?:[^}\"]|\"[^\"]*\")*)\}", rule["expr"]):
            name = re.sub(r"_(bucket|count)$", "", series) if series not in labels else series
            asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", matchers))) - {"le"}
            if series not in RECORDED:
                assert asked <= labels[name], rule


def test_every_alert_has_its_page_in_the_runbook() -> None:
    headings = re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert set(headings) == {rule["alert"] for rule in ALERT_RULES}
    for rule in ALERT_RULES:
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_every_page_says_what_it_means_and_what_to_do() -> None:
    for page in re.split(r"^### ", RUNBOOK.partition("\n## Alerts\n")[2], flags=re.MULTILINE)[1:]:
        page = page.split("\n## ")[0]
        assert re.search(r"^\*\*Means\.\*\* ", page, re.MULTILINE), page
        assert re.search(r"^\*\*Look\.\*\* ", page, re.MULTILINE), page
        assert re.search(r"^\*\*Do\.\*\* ", page, re.MULTILINE), page


def test_alerts_are_alike() -> None:
    seen = set()
    for rule in ALERT_RULES:
        key = rule["alert"], rule["labels"]["severity"]
        assert key not in seen
        seen.add(key)
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert set(rule["labels"]) == {"severity"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["description"].endswith(".")


def test_an_objective_is_recorded_alike_for_every_window() -> None:
    found: dict[str, set[str]] = {}
    windows: dict[str, set[str]] = {}
    for rule in rules(SLOS):
        if rule["record"].startswith("varde:slo_errors:"):
            window = rule["record"].removeprefix("varde:slo_errors:ratio_rate")
            slo = rule["labels"]["slo"]
            assert f"[{window}]" in rule["expr"]
            found.setdefault(slo, set()).add(rule["expr"].replace(f"[{window}]", "[]"))
            windows.setdefault(slo, set()).add(window)
    assert {len(expressions) for expressions in found.values()} == {1}
    assert {frozenset(each) for each in windows.values()} == {
        frozenset({"5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"})
    }
    budgets = {rule["labels"]["slo"] for rule in rules(SLOS) if rule["record"] == "varde:slo_budget:ratio"}
    assert budgets == set(found)


def test_the_runbook_states_the_objectives() -> None:
    table = RUNBOOK.partition("\n## Objectives\n")[2].partition("\n## ")[0]
    stated = {name: float(part) / 100 for name, part in re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) % \|$", table, re.M)}
    budgets = {
        rule["labels"]["slo"]: float(re.sub(r"[^\d.]", "", rule["expr"]))
        for rule in rules(SLOS)
        if rule["record"] == "varde:slo_budget:ratio"
    }
    assert {name: round(1 - part, 9) for name, part in stated.items()} == budgets


def test_every_rule_has_a_case() -> None:
    assert {(case.alert, case.severity) for case in CASES} == {
        (rule["alert"], rule["labels"]["severity"]) for rule in ALERT_RULES
    }


def test_of(case: Case, series: dict[str, str], fires: bool) -> dict[str, Any]:
    """A test of promtool: whether the rule fires on series."""
    step = f"{case.step}m"
    firing = f'count(ALERTS{{alertname="{case.alert}",severity="{case.severity}",alertstate="firing"}}) > bool 0'
    return {
        "name": f"{case.alert} {case.severity} {'fires' if fires else 'is quiet'} on {next(iter(series.items()))}",
        "interval": step,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": firing,
                "eval_time": f"{case.at}m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }


test_of.__test__ = False  # type: ignore[attr-defined]


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *words], capture_output=True, text=True, timeout=280, check=False)


@needs_promtool
def test_the_rules_are_sound() -> None:
    run = promtool("check", "rules", ALERTS, SLOS)
    assert run.returncode == 0, run.stdout + run.stderr


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.severity}")
def test_each_alert_fires_when_it_should_and_not_near_by(case: Case, tmp_path: Path) -> None:
    """With the rules that it needs alone: all of them, over days, would take minutes."""
    (alert,) = [
        rule for rule in ALERT_RULES if (rule["alert"], rule["labels"]["severity"]) == (case.alert, case.severity)
    ]
    needed = [rule for rule in rules(SLOS) if _feeds(rule, alert)]
    # One group, whose rules are evaluated in their order; promtool takes groups in any.
    groups = [{"name": "all", "rules": [*needed, alert]}]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    told = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{case.step}m",
        "tests": [test_of(case, case.bad, True), test_of(case, case.good, False)],
    }
    file = tmp_path / "alerts.test.yaml"
    file.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    run = promtool("test", "rules", file)
    assert run.returncode == 0, run.stdout + run.stderr


def _feeds(recorded: dict[str, Any], alert: dict[str, Any]) -> bool:
    """Whether an alert asks for what is recorded, of that objective."""
    return f'{recorded["record"]}{{slo="{recorded["labels"]["slo"]}"}}' in alert["expr"]


@needs_promtool
def test_an_alert_says_where_and_how_much(tmp_path: Path) -> None:
    """Its words are templates, which fail only when they are filled."""
    (rule,) = [rule for rule in ALERT_RULES if rule["alert"] == "DriftHigh" and rule["labels"]["severity"] == "page"]
    words = {**rule["annotations"], "summary": "also_viewed: live and nightly counts are 20% apart"}
    expected = {"exp_labels": {"severity": "page", "of": "also_viewed"}, "exp_annotations": words}
    told = {
        "rule_files": [str(ALERTS)],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": 'varde_drift_ratio{of="also_viewed"}', "values": "0.2+0x60"}],
                "alert_rule_test": [{"eval_time": "30m", "alertname": "DriftHigh", "exp_alerts": [expected]}],
            }
        ],
    }
    told["tests"][0]["alert_rule_test"][0]["exp_alerts"].append(  # type: ignore[index]
        {
            "exp_labels": {"severity": "ticket", "of": "also_viewed"},
            "exp_annotations": {
                **next(rule["annotations"] for rule in ALERT_RULES if rule["alert"] == "DriftHigh"),
                "summary": words["summary"],
            },
        }
    )
    file = tmp_path / "words.test.yaml"
    file.write_text(yaml.safe_dump(told), encoding="utf-8")
    run = promtool("test", "rules", file)
    assert run.returncode == 0, run.stdout + run.stderr
