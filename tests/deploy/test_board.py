"""The Grafana board as code: of Grafana's own form, nothing overlaps, and every query asks for metrics there are."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from .test_alerts import FOLDER, RECORDED, documented, metrics_of, needs_promtool, promtool

BOARD = json.loads((FOLDER / "board.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = BOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in SHOWN for target in panel["targets"]]
SOURCE = {"type": "object", "required": ["type", "uid"], "properties": {"type": {"const": "prometheus"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time", "timezone"],
    "properties": {
        "uid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
        "title": {"type": "string", "minLength": 1},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "timezone": {"enum": ["browser", "utc", ""]},
        "refresh": {"type": "string", "pattern": r"^\d+[smhd]$"},
        "templating": {
            "properties": {
                "list": {"items": {"required": ["name", "type", "query"], "type": "object"}, "type": "array"}
            }
        },
        "panels": {"type": "array", "items": {"$ref": "#/$defs/panel"}, "minItems": 1},
    },
    "$defs": {
        "panel": {
            "type": "object",
            "required": ["id", "type", "title", "gridPos"],
            "properties": {
                "id": {"type": "integer", "minimum": 1},
                "type": {"enum": ["row", "timeseries", "stat"]},
                "gridPos": {
                    "type": "object",
                    "required": ["x", "y", "w", "h"],
                    "additionalProperties": False,
                    "properties": {
                        "x": {"type": "integer", "minimum": 0, "maximum": 23},
                        "y": {"type": "integer", "minimum": 0},
                        "w": {"type": "integer", "minimum": 1, "maximum": 24},
                        "h": {"type": "integer", "minimum": 1},
                    },
                },
            },
            "if": {"properties": {"type": {"not": {"const": "row"}}}},
            "then": {
                "required": ["datasource", "targets", "fieldConfig", "options", "description"],
                "properties": {
                    "datasource": SOURCE,
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["refId", "expr", "datasource", "legendFormat"],
                            "properties": {"refId": {"pattern": "^[A-Z]$"}, "datasource": SOURCE},
                        },
                    },
                    "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]},
                },
            },
            "else": {"required": ["collapsed", "panels"]},
        }
    },
}
"""What Grafana's reference of the dashboard's JSON model demands of what is used here."""


def test_it_has_the_form_of_a_dashboard() -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(BOARD)


def test_ids_are_unique_and_no_panel_lies_on_another() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    places = [panel["gridPos"] for panel in PANELS]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = any(
            a[axis] + a[size] <= b[axis]
            for a, b in ((one, other), (other, one))
            for axis, size in (("x", "w"), ("y", "h"))
        )
        assert apart, (one, other)


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_every_metric_is_known(title: str, query: str) -> None:
    asked = metrics_of(query)
    assert asked
    assert asked - RECORDED - documented() == set()


def test_what_the_project_promises_to_show_is_there() -> None:
    asked = set().union(*(metrics_of(query) for _, query in QUERIES))
    assert asked >= {
        "varde_stream_freshness_seconds_bucket",
        "varde_drift_ratio",
        "pubsub_googleapis_com:subscription_oldest_unacked_message_age",
        "varde_stream_messages_total",
        "varde_redis_memory_bytes",
        "varde_redis_memory_bound_bytes",
        "varde_http_request_seconds_bucket",
        "varde_http_answers_total",
        "varde_exposures_total",
        "varde_collector_messages_total",
        "varde_email_answers_total",
    }
    budgets = [query for _, query in QUERIES if "varde:slo_budget:ratio" in query]
    assert len(budgets) == 5


@needs_promtool
def test_every_query_can_be_parsed(tmp_path: Path) -> None:
    rules = [{"record": f"board:query:n{n}", "expr": query} for n, (_, query) in enumerate(QUERIES)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}), encoding="utf-8")
    run = promtool("check", "rules", file)
    assert run.returncode == 0, run.stdout + run.stderr
