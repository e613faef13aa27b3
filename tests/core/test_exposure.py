"""The record of an exposure: its fields, its ids, and the table schema that is made from the same description."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.assignment import Assignment, Request
from varde.experiments import Experiment, Variation
from varde.exposure import SCHEMA, Field, Served, Shown, exposure_id, list_id, message, record, table_schema, viewed

ROOT = Path(__file__).parents[2]
NOW = 1_793_491_200_123
WINDOW = 30 * 60_000
EXPERIMENT = Experiment(key="e", placements=("p",), variations=(Variation(key="a"), Variation(key="b")))
TYPES: dict[str, type | tuple[type, ...]] = {
    "STRING": str,
    "INT64": int,
    "BOOL": bool,
    "FLOAT64": float,
    "TIMESTAMP": str,
}


def assignment(unit: str = "a1", experiment: Experiment = EXPERIMENT) -> Assignment:
    return Assignment(experiment, experiment.variations[1], 1, "aid", unit, 0.5, False, False)


def request(**values: Any) -> Request:
    return Request(
        **({"uid": None, "aid": "a1", "placement": "p", "lang": "", "currency": "", "client": "", "now": NOW} | values)
    )


def served(*items: str, **values: Any) -> Served:
    shown = tuple(Shown(item, place, "pairs", "b") for place, item in enumerate(items or ("x", "y"), 1))
    rest: dict[str, Any] = {
        "seeds": ("s",),
        "ranking": "llr",
        "relation": "also_viewed",
        "rung": "pairs",
        "stale": False,
    }
    rest |= {"latency_ms": 0.4, "route": "/v1/similar/{item}", "request_id": "r1"}
    return Served(shown, **(rest | values))


def fits(value: Any, field: Field) -> bool:
    if field.mode == "REPEATED":
        return isinstance(value, list) and all(
            fits(one, Field(field.name, field.type, "REQUIRED", "", field.fields)) for one in value
        )
    if value is None:
        return field.mode == "NULLABLE"
    if field.type == "STRUCT":
        return list(value) == [one.name for one in field.fields] and all(
            fits(value[one.name], one) for one in field.fields
        )
    return isinstance(value, TYPES[field.type])


@pytest.mark.parametrize("empty", [False, True])
def test_a_record_has_every_field_of_the_schema(empty: bool) -> None:
    nothing: dict[str, Any] = dict.fromkeys(["ranking", "relation", "rung", "latency_ms", "route", "request_id"])
    one = record(assignment(), request(), Served((), (), stale=False, **nothing) if empty else served())
    assert list(one) == [field.name for field in SCHEMA]
    assert [field.name for field in SCHEMA if not fits(one[field.name], field)] == []
    assert orjson.loads(message(one)) == one
    assert re.fullmatch(r"[0-9a-f]{32}", one["exposure_id"])
    assert re.fullmatch(r"[0-9a-f]{32}", one["list_id"])
    assert one["served_at"] == "2026-11-01T00:00:00.123Z"


def test_one_exposure_a_window() -> None:
    start = NOW // WINDOW * WINDOW
    same = {exposure_id(assignment(), start + at) for at in (0, 1, WINDOW - 1)}
    assert len(same) == 1
    later = Experiment(key="e", bucket_version=2, placements=("p",), variations=EXPERIMENT.variations)
    longer = Experiment(key="e", window_minutes=31, placements=("p",), variations=EXPERIMENT.variations)
    other = {
        exposure_id(assignment(), start + WINDOW),
        exposure_id(assignment("a2"), start),
        exposure_id(assignment()._replace(unit_kind="uid"), start),
        exposure_id(assignment(experiment=later), start),
        exposure_id(assignment(experiment=longer), start),
    }
    assert len(other | same) == 6
    assert exposure_id(assignment()._replace(variation=EXPERIMENT.variations[0]), start) in same


def test_one_list_is_what_is_shown_where() -> None:
    changed = [served("y", "x"), served("x"), served(seeds=()), served(campaign="c"), served(send_id="c")]
    ids = [list_id("e", "p", one) for one in (served(), *changed)] + [
        list_id("e", "q", served()),
        list_id("f", "p", served()),
    ]
    assert len(set(ids)) == len(ids)
    assert list_id("e", "p", served(latency_ms=9.0, request_id="r2", stale=True)) == ids[0]


awkward = st.text(st.characters(exclude_categories=()), max_size=5)


@given(awkward, awkward, awkward)
def test_any_text_has_a_record(unit: str, item: str, campaign: str) -> None:
    """Lone surrogates too, which are no text that a queue would take."""
    one = record(assignment(unit), request(aid=unit), served(item, campaign=campaign))
    assert json.loads(message(one).decode("utf-8"))["experiment"] == "e"
    assert exposure_id(assignment(unit), NOW) == one["exposure_id"]
    assert exposure_id(assignment(unit + "!"), NOW) != one["exposure_id"]


def test_experiment_viewed_is_one_message_an_exposure() -> None:
    one = record(assignment(), request(uid="u1"), served())
    sent = viewed(one)
    assert sent == viewed(record(assignment(), request(uid="u1", now=NOW + 1), served("z"))) | {
        "timestamp": sent["timestamp"]
    }
    assert (sent["messageId"], sent["userId"], sent["anonymousId"]) == (one["exposure_id"], "u1", "a1")
    assert sent["properties"]["variation_id"] == "b"


def test_the_schema_of_the_table_is_made_from_the_description() -> None:
    """`python -m varde.exposure > deploy/exposures.schema.json`."""
    assert json.loads((ROOT / "deploy" / "exposures.schema.json").read_text()) == table_schema()


def test_the_page_and_the_description_are_the_same() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    section = page.split("\n## Exposure")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \| (\w*) \| (.*) \|$", section, re.MULTILINE)
    described = [(f.name, f.type, f.mode.lower(), f.help) for f in SCHEMA]
    place = next(index for index, one in enumerate(SCHEMA) if one.fields) + 1
    described[place:place] = [(f"items.{f.name}", f.type, f.mode.lower(), f.help) for f in SCHEMA[place - 1].fields]
    assert rows == described
