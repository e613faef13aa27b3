"""Messages of the topic of exposures become rows, or are counted with a reason."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varde import exposure
from varde.assignment import Assignment, Request
from varde.batch.exposures_loader import MAX_BYTES, ExposureLoader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import EXPOSURE_COLUMNS

from .experiment_worlds import EXPERIMENTS, NOW, world


def load(*messages: bytes) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """(rows, skipped)."""
    with DuckDBWarehouse(None, threads=1) as warehouse:
        loader = ExposureLoader(warehouse, batch_rows=2)
        for data in messages:
            loader.add(data)
        loader.flush()
        assert loader.loaded.messages == len(messages)
        assert loader.loaded.rows + sum(loader.loaded.skipped.values()) == len(messages), "nothing vanishes"
        if not loader.loaded.rows:
            return [], dict(loader.loaded.skipped)
        table = warehouse.read("store.exposures")
        assert dict(zip(table.schema.names, table.schema.types, strict=True)) == EXPOSURE_COLUMNS
        return list(table.to_pylist()), dict(loader.loaded.skipped)


def test_what_the_server_sends_comes_back() -> None:
    plain = EXPERIMENTS["plain"]
    shown = [exposure.Shown("å", 1, "pairs", None), exposure.Shown("b", 2, "popular", None)]
    served = exposure.Served(shown, ["s"], "llr", "also_viewed", "pairs", False, 1.25, "/v1/similar/{item}", "r1")
    assigned = Assignment(plain, plain.variations[1], 1, "aid", "a1", 0.7, False, False)
    sent = exposure.record(assigned, Request(None, "a1", "pdp", None, None, None, NOW), served)
    (row,), skipped = load(exposure.message(sent))
    assert not skipped
    assert int(row["served_at"].timestamp() * 1000 + 0.5) == NOW
    assert {k: v for k, v in row.items() if k != "served_at"} == {k: v for k, v in sent.items() if k != "served_at"}


RECORD = world(0).exposures[0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "not_json"),
        (b"\xff", "not_json"),
        (b"[]", "not_an_object"),
        (b'"' + b"x" * MAX_BYTES + b'"', "too_large"),
        ({"bucket_version": "1"}, "bad_bucket_version"),
        ({"bucket_version": True}, "bad_bucket_version"),
        ({"bucket_version": 2**63}, "bad_bucket_version"),
        ({"forced": 1}, "bad_forced"),
        ({"unit": 7}, "bad_unit"),
        ({"latency_ms": "1"}, "bad_latency_ms"),
        ({"latency_ms": True}, "bad_latency_ms"),
        ({"served_at": "yesterday"}, "bad_served_at"),
        ({"served_at": 1_767_225_600_000}, "bad_served_at"),
        ({"served_at": "1999-12-31T23:59:59Z"}, "bad_served_at"),
        ({"seeds": "a"}, "bad_seeds"),
        ({"seeds": ["a", None]}, "bad_seeds"),
        ({"items": None}, "bad_items"),
        ({"items": {}}, "bad_items"),
        ({"items": ["a"]}, "bad_items"),
        ({"items": [{"item": "a", "position": "1"}]}, "bad_items"),
    ],
)
def test_bad_messages_are_counted(data: bytes | dict[str, Any], reason: str) -> None:
    message = data if isinstance(data, bytes) else orjson.dumps(RECORD | data)
    rows, skipped = load(message, orjson.dumps(RECORD))
    assert skipped == {reason: 1}
    assert len(rows) == 1


def test_what_is_missing_is_null_and_what_is_unknown_is_left_out() -> None:
    (row,), skipped = load(orjson.dumps({"items": [{"item": "a"}], "seeds": [], "latency_ms": 3, "more": {}}))
    assert not skipped
    assert row["items"] == [{"item": "a", "position": None, "rung": None, "team": None}]
    assert row["latency_ms"] == 3.0 and row["served_at"] is None and row["list_id"] is None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["item", "position", "x"]), inner),
    max_leaves=6,
)


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(list(EXPOSURE_COLUMNS)), values, max_size=4), min_size=1, max_size=8))
def test_no_value_stops_it(changes: list[dict[str, Any]]) -> None:
    load(*(orjson.dumps(_json(RECORD | change)) for change in changes))


def _json(value: Any) -> Any:
    """Whole numbers that orjson does not write, as text."""
    if isinstance(value, dict):
        return {key: _json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_json(one) for one in value]
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value
