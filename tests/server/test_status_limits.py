"""The status page says the same as the alerts: each limit against the rule of deploy/monitoring that has its name."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path

import pytest
import yaml

from varde.server.status_limits import BURN, LIMITS, LONG_S, OBJECTIVES, SHORT_S, SLO_OF, runbook
from varde.server.status_readings import FALLBACK_RUNGS, NOT_COUNTED
from varde.server.tally import SECONDS

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
UNITS = {"m": 60, "h": 3600, "d": 86_400}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def rules(name):
    groups = yaml.safe_load((MONITORING / name).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {(rule["alert"], rule["labels"]["severity"]): rule for rule in rules("alerts.yaml") if "alert" in rule}
SLOS = rules("slo.yaml")


def numbers(expression):
    """What is compared with: the products after > and ==, outside of label matchers."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    return [prod(map(float, found.split("*"))) for found in re.findall(r"(?:>|==) ([\d.]+(?: \* [\d.]+)*)", bare)]


def windows(expression):
    return {float(n) * UNITS[unit] for n, unit in re.findall(r"\[(\d+)([mhd])\]", expression)}


@pytest.mark.parametrize("key", LIMITS, ids=" ".join)
def test_a_limit_is_that_of_the_alert(key):
    limit, expression = LIMITS[key], ALERTS[key]["expr"]
    assert limit.bound in numbers(expression), expression
    if limit.over_s:
        assert limit.over_s in windows(expression), expression
    else:
        assert not windows(expression.partition("\nor\n")[0]), expression


@pytest.mark.parametrize("alert", OBJECTIVES)
def test_an_objective_is_that_of_the_budget(alert):
    objective, slo = OBJECTIVES[alert], SLO_OF[alert]
    expression = ALERTS[alert, "page"]["expr"]
    assert f'ratio_rate1h{{slo="{slo}"}} > {BURN} *' in expression
    assert f'ratio_rate5m{{slo="{slo}"}} > {BURN} *' in expression
    assert (LONG_S, SHORT_S) == (3600, 300)
    budgets = {rule["labels"]["slo"]: rule["expr"] for rule in SLOS if rule["record"] == "varde:slo_budget:ratio"}
    assert budgets[slo] == f"vector({objective.budget})"
    (errors,) = [
        rule["expr"]
        for rule in SLOS
        if rule["record"] == "varde:slo_errors:ratio_rate5m" and rule["labels"]["slo"] == slo
    ]
    bounds = {float(bound) for bound in re.findall(r'le="([\d.]+)"', errors)}
    assert bounds == ({objective.bound} if objective.bound else set())


def test_the_time_of_a_list_is_a_bound_of_its_histogram():
    assert OBJECTIVES["LatencyBudgetBurns"].bound in SECONDS


def test_rungs_and_routes_are_those_of_the_rules():
    (rungs,) = set(re.findall(r'rung=~"([\w|]+)"', ALERTS["FallbackShareHigh", "ticket"]["expr"]))
    assert set(rungs.split("|")) == FALLBACK_RUNGS
    (errors,) = {
        routes
        for rule in SLOS
        for routes in re.findall(r'route!~"([^"]+)"', rule["expr"])
        if rule["labels"]["slo"] == "availability"
    }
    assert set(errors.split("|")) == NOT_COUNTED - {"/v1/status"}


@pytest.mark.parametrize("alert", sorted({name for name, _ in LIMITS} | set(OBJECTIVES)))
def test_the_runbook_has_the_place_that_is_named(alert):
    anchors = {f"docs/runbook.md#{title.lower()}" for title in re.findall(r"^### (\w+)$", RUNBOOK, re.M)}
    assert runbook(alert) in anchors
