"""The same messages as Segment's tables and as what a Pub/Sub subscription writes: the same night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varde import timestamps
from varde.batch import freshness, nightly, tombstones
from varde.batch.loader import Loader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import CategoryError, event_tables
from varde.events import Mapping
from varde.history import DAY_MS, Limits

from .test_night import totals
from .worlds import (
    AS_OF,
    CATEGORIES,
    MAPPING,
    RECEIVED,
    SECRET,
    WINDOW_DAYS,
    loaded,
    mappings,
    message,
    world,
    write_raw,
)

TABLE = "pubsub export"
COMPARED = ("interactions", "withdrawals", "identity", "deeds", "histories", "order_lines", "order_returns", "faults")


def raw(messages: Iterable[tuple[bytes, int]], mapping: Mapping) -> DuckDBWarehouse:
    """A warehouse in memory in which a subscription has written these messages."""
    tables = event_tables(mapping.custom_events, mapping.consent, mapping.consent_default, TABLE)
    warehouse = DuckDBWarehouse(None, tables, threads=1)
    write_raw(warehouse, f"segment.{TABLE}", messages)
    return warehouse


def rows(warehouse: DuckDBWarehouse, table: str) -> list[dict[str, Any]]:
    found = warehouse.read(f"varde.{table}").to_pylist()
    for row in found:
        if isinstance(text := row.get("products"), str):
            try:
                row["products"] = orjson.loads(text)
            except orjson.JSONDecodeError:
                row["products"] = text.strip()
    return sorted(found, key=repr)


@pytest.mark.timeout(3600)
@settings(max_examples=settings().max_examples // 8, deadline=None)
@given(world(), st.lists(message()), mappings)
def test_the_same_night(messages: list[tuple[bytes, int]], others: list[dict[str, Any]], mapping: Mapping) -> None:
    messages = messages + [(orjson.dumps(said | {"messageId": f"n{n}"}), AS_OF + n) for n, said in enumerate(others)]
    limits = Limits(3, WINDOW_DAYS)
    with loaded(messages, mapping) as shaped, raw(messages, mapping) as written:
        one = nightly.build(shaped, AS_OF, limits, mapping, SECRET)
        two = nightly.build(written, AS_OF, limits, mapping, SECRET)
        assert totals(one) == totals(two)
        assert one.customers == two.customers
        for table in ("messages", *COMPARED):
            ours = [row for row in rows(written, table) if row.get("signal") != 6]
            assert rows(shaped, table) == ours, table
        assert tombstones.latest(shaped, AS_OF) == tombstones.latest(written, AS_OF)
        assert not written.columns("varde.raw")
        assert freshness.newest(written) == max(at for _, at in messages)
        counted = Loader(shaped, mapping, secret=SECRET)
        for data, at in messages:
            counted.add(data, at)
        faults = Counter(written.query("raw", {"links_since": 0})["fault"].drop_null().to_pylist())
        assert faults == counted.loaded.skipped


moments = st.integers(RECEIVED - 3 * DAY_MS, RECEIVED + 3 * DAY_MS)


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


written_times: st.SearchStrategy[Any] = st.one_of(
    moments,
    moments.map(lambda ms: ms // 1000),
    moments.map(lambda ms: ms / 1000),
    moments.map(str),
    moments.map(lambda ms: str(ms // 1000)),
    moments.map(lambda ms: f"{ms // 1000}.{ms % 1000:03}7"),
    moments.map(iso),
    moments.map(lambda ms: iso(ms).replace("+00:00", "Z")),
    moments.map(lambda ms: iso(ms).replace("+00:00", "")),
    moments.map(lambda ms: iso(ms).replace("+00:00", "987654+02:00")),
    moments.map(lambda ms: iso(ms).replace("+00:00", "-0330").replace("T", " ")),
    moments.map(lambda ms: iso(ms)[:10]),
    st.sampled_from(
        [
            None,
            "",
            "soon",
            True,
            [],
            {},
            10**16,
            -5,
            "2026-02-30",
            "2026-1-2",
            "1969-12-31T23:59:59.5Z",
            0,
            "9999-12-31",
        ]
    ),
)


@settings(max_examples=settings().max_examples // 8, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("timestamp", "originalTimestamp", "sentAt", "receivedAt"), written_times)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_times_are_those_of_the_parser(said: list[dict[str, Any]]) -> None:
    messages = [(orjson.dumps({"type": "page", "userId": "u", "messageId": str(n), **times}), RECEIVED)
                for n, times in enumerate(said)]  # fmt: skip
    with raw(messages, MAPPING) as warehouse:
        found = {row["id"]: row for row in warehouse.query("raw", {"links_since": 0}).to_pylist()}
    for n, times in enumerate(said):
        time, _ = timestamps.event_time(times, RECEIVED)
        received = timestamps.received_time(times, RECEIVED)
        claimed, _, _ = timestamps.claimed_time(times, RECEIVED)
        assert found[str(n)]["timestamp"] == min(max(claimed, -62_135_596_800_000), 253_402_300_799_999), times
        assert min(found[str(n)]["timestamp"], received) == max(time, -62_135_596_800_000), times
        assert found[str(n)]["received_at"] == received, times


def test_what_cannot_be_read_is_counted() -> None:
    good = orjson.dumps({"type": "track", "event": "Product Viewed", "userId": "u", "properties": {"sku": "a"}})
    bad = [b"", b"{", b"[1]", b'{"type": "page"}', b'{"type": "page", "userId": 1.5}', b"x" * 40_000, b"\xff\xfe"]
    with raw([(data, AS_OF - 5) for data in [good, *bad]], MAPPING) as warehouse:
        night = nightly.build(warehouse, AS_OF, Limits(), Mapping(("sku",)))
    assert night.customers == 1
    assert night.faults == {
        ("message", "bad_id"): 1,
        ("message", "no_id"): 1,
        ("message", "not_an_object"): 1,
        ("message", "not_json"): 3,
        ("message", "too_large"): 1,
    }


def test_an_empty_or_missing_raw_table() -> None:
    with DuckDBWarehouse(None, event_tables(raw_table=TABLE)) as warehouse:
        assert nightly.build(warehouse, AS_OF, Limits(), Mapping()).customers == 0
        with pytest.raises(freshness.NoMessagesError):
            freshness.newest(warehouse)


def test_categories_that_no_path_can_name() -> None:
    assert event_tables(consent=("同意", "a.b", CATEGORIES[1]), raw_table=TABLE).categories[0] == "同意"
    for category in ('a"b', "a\\b", "a'b", "", "a\nb"):
        with pytest.raises(CategoryError):
            event_tables(consent=(category,), raw_table=TABLE)


@pytest.mark.parametrize("category", ["Data Sharing", "a.b", "同意", "C0001", "a-b", "$x", "[0]"])
@pytest.mark.parametrize("said", [True, False, None, "true"])
def test_consent_by_any_name(category: str, said: Any) -> None:
    message_ = {"type": "page", "userId": "u", "context": {"consent": {"categoryPreferences": {category: said}}}}
    with raw([(orjson.dumps(message_), AS_OF)], Mapping(consent=(category,))) as warehouse:
        (row,) = warehouse.query("raw", {"links_since": 0}).to_pylist()
    assert row["consent_given"] == (said is True)


def test_an_earlier_night_knows_the_earlier_delete() -> None:
    def said(type_: str, time: int, **more: Any) -> tuple[bytes, int]:
        return orjson.dumps({"type": type_, "userId": "u", "timestamp": time, **more}), time

    view = {"event": "Product Viewed", "properties": {"sku": "a"}}
    messages = [
        said("track", AS_OF - 30, **view),
        said("delete", AS_OF - 20),
        said("track", AS_OF - 10, **view),
        said("delete", AS_OF),
    ]
    with raw(messages, MAPPING) as warehouse:
        found = [
            nightly.build(warehouse, moment, Limits(), Mapping(("sku",)), SECRET).customers
            for moment in (AS_OF, AS_OF - 15, AS_OF - 5, AS_OF - 25, AS_OF)
        ]
    assert found == [0, 0, 1, 1, 0]
