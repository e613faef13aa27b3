from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varde.batch.consents import CATEGORIES
from varde.batch.loader import Loader
from varde.batch.tombstones import TABLE as ERASURES
from varde.batch.warehouse import segment
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.events import MAX_BYTES, Mapping
from varde.history import Signal
from varde.keys import customer_key

NOW = 1_767_225_600_000
SECRET = b"of this test"


def loaded(*messages: Any, mapping: Mapping | None = None) -> tuple[Loader, DuckDBWarehouse]:
    warehouse = DuckDBWarehouse(threads=1)
    loader = Loader(warehouse, mapping, secret=SECRET)
    for message in messages:
        loader.add(message if isinstance(message, bytes) else orjson.dumps(message), NOW)
    loader.flush()
    return loader, warehouse


def rows(warehouse: DuckDBWarehouse, table: str) -> list[dict[str, Any]]:
    return list(warehouse.read(table).to_pylist())


def test_columns_of_a_track() -> None:
    said = {
        "type": "track", "event": "Order Completed", "messageId": "m1", "userId": 12, "anonymousId": "a",
        "originalTimestamp": "2025-12-31T23:00:00Z", "sentAt": "2025-12-31T23:00:01.5Z",
        "receivedAt": "2025-12-31T23:59:59Z", "timestamp": "2025-12-31T23:59:57.500Z",
        "context": {"library": {"name": "analytics.js"}, "ip": "192.0.2.1", "userAgent": "Firefox"},
        "properties": {"order_id": 7, "currency": "SEK", "id": "x", "products": [{"product_id": "å"}, {"sku": 8}],
                       "revenue": 9.5, "total": "12", "request_id": {"a": 1}},
    }  # fmt: skip
    loader, warehouse = loaded(said)
    (row,) = rows(warehouse, "segment.order_completed")
    assert row == {
        "id": "m1", "anonymous_id": "a", "user_id": "12", "event": "order_completed", "event_text": "Order Completed",
        "timestamp": datetime(2025, 12, 31, 23, 59, 57, 500_000, UTC),
        "original_timestamp": datetime(2025, 12, 31, 23, 0, 0, 0, UTC),
        "sent_at": datetime(2025, 12, 31, 23, 0, 1, 500_000, UTC),
        "received_at": datetime(2025, 12, 31, 23, 59, 59, 0, UTC),
        "loaded_at": datetime(2026, 1, 1, tzinfo=UTC), "uuid_ts": datetime(2026, 1, 1, tzinfo=UTC),
        "context_library_name": "analytics.js", "context_user_agent": "Firefox", "product_id": None, "sku": None,
        "variant": None, "revenue": "9.5", "total": "12", "request_id": None, "varde_request_id": None,
        "order_id": "7", "currency": "SEK", "products": '[{"product_id":"å"},{"sku":8}]',
    }  # fmt: skip
    assert "192.0.2.1" not in str(rows(warehouse, "segment.tracks"))
    assert loader.loaded.discarded == {"id": 1}, "the message's own column has that name"
    assert loader.loaded.rows == {"segment.tracks": 1, "segment.order_completed": 1}


def test_which_tables() -> None:
    by = {"userId": "u", "properties": {"product_id": "p"}}
    mapping = Mapping(custom_events=(("Trail Opened", Signal.VIEW),))
    loader, warehouse = loaded(
        {"type": "track", "event": "viewed product", **by},
        {"type": "track", "event": "Trail Opened", **by},
        {"type": "track", "event": "Product Clicked", **by},
        {"type": "track", "event": None, **by},
        *({"type": kind, **by, "name": 5, "groupId": "g", "previousId": "b"} for kind in
          ("identify", "page", "screen", "group", "alias", "delete")),
        mapping=mapping,
    )  # fmt: skip
    assert loader.loaded.rows == {
        "segment.tracks": 4, "segment.viewed_product": 1, "segment.trail_opened": 1, "segment.identifies": 1,
        "segment.pages": 1, "segment.screens": 1, "segment.groups": 1, "segment.aliases": 1, ERASURES: 1,
        "segment.product_clicked": 1,
    }  # fmt: skip
    assert rows(warehouse, "segment.aliases")[0]["previous_id"] == "b"
    assert rows(warehouse, "segment.pages")[0]["name"] == "5"
    assert rows(warehouse, ERASURES) == [{"customer": customer_key("u", None, SECRET), "erased_at": NOW}]


def test_skipped_by_reason() -> None:
    loader, _ = loaded(
        b"{", b"[]", b"\xff", b'"' + b"x" * MAX_BYTES + b'"', {"type": "track"}, {"type": "delete"}, {"userId": "u"},
        {"type": ["track"], "userId": "u"}, {"type": "identify", "userId": 1.5},
        {"type": "page", "userId": "", "anonymousId": ""},
    )  # fmt: skip
    assert loader.loaded.skipped == {
        "not_json": 2, "not_an_object": 1, "too_large": 1, "no_id": 3, "unknown_type": 2, "bad_id": 1,
    }  # fmt: skip
    assert loader.loaded.messages == 10
    assert not loader.loaded.rows


def test_an_assigned_message_id_is_the_same_for_the_same_bytes() -> None:
    said = {"type": "identify", "userId": "u"}
    _, warehouse = loaded(said, said, said | {"messageId": ""}, said | {"messageId": 7})
    assigned = [row["id"] for row in rows(warehouse, "segment.identifies")]
    assert len(set(assigned)) == 3
    assert assigned[0] == assigned[1]


@pytest.mark.parametrize("value", [9.5, True, [], {}])
def test_what_no_item_id_can_be_is_discarded_and_counted(value: Any) -> None:
    said = {"type": "track", "event": "Product Viewed", "userId": "u", "properties": {"product_id": value, "sku": "s"}}
    loader, warehouse = loaded(said)
    (row,) = rows(warehouse, "segment.product_viewed")
    assert (row["product_id"], row["sku"]) == (None, "s")
    assert loader.loaded.discarded == {"product_id": 1}


@pytest.mark.parametrize(
    "date", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", 10**17 - 1, -(10**17) + 1, "x", [], 1e300]
)
def test_absurd_dates_are_no_obstacle(date: Any) -> None:
    dates = {"timestamp": date, "originalTimestamp": date, "sentAt": date, "receivedAt": date}
    _, warehouse = loaded({"type": "delete", "userId": "u", **dates}, {"type": "page", "userId": "u", **dates})
    assert len(rows(warehouse, "segment.pages")) == len(rows(warehouse, ERASURES)) == 1


def test_columns_come_into_being() -> None:
    _, warehouse = loaded({"type": "identify", "userId": "u"})
    extra = warehouse.read("segment.identifies").append_column("plan", [["gold"]])
    warehouse.load("segment.identifies", extra.select(["id", "plan"]))
    assert [row["plan"] for row in rows(warehouse, "segment.identifies")] == [None, "gold"]
    assert warehouse.columns("segment.absent") == frozenset()


def test_two_signals_cannot_share_a_table() -> None:
    with pytest.raises(ValueError, match="trail_opened"):
        segment.event_tables((("Trail Opened", Signal.VIEW), ("trail-opened", Signal.CART)))
    own = segment.event_tables((("Viewed Product", Signal.CART), ("Order Refunded", Signal.CART))).names
    assert "viewed_product" in own["product_added"]
    assert "viewed_product" not in own["product_viewed"]
    assert own["order_refunded"] == ("order_cancelled",)


def test_returns_and_changed_consent_have_tables() -> None:
    by = {"userId": "u", "properties": {"orderId": 7, "id": "not-an-order", "products": [{"sku": "s"}]}}
    names = ("Order Refunded", "order cancelled", "Segment Consent Preference Updated", "Order Updated")
    loader, warehouse = loaded(*({"type": "track", "event": name, **by} for name in names))
    assert loader.loaded.rows == {
        "segment.tracks": 4, "segment.order_refunded": 1, "segment.order_cancelled": 1,
        "segment.segment_consent_preference_updated": 1,
    }  # fmt: skip
    (row,) = rows(warehouse, "segment.order_cancelled")
    assert (row["order_id"], row["products"]) == ("7", '[{"sku":"s"}]')


def test_what_no_order_id_can_be_is_discarded_and_counted() -> None:
    orders: list[Any] = [
        {"order_id": "o"},
        {"order_id": True, "orderId": "p"},
        {"order_id": 1.5},
        {"order_id": "x" * 257},
    ]
    said = [{"type": "track", "event": "Order Completed", "userId": "u", "properties": order} for order in orders]
    loader, warehouse = loaded(*said)
    assert [row["order_id"] for row in rows(warehouse, "segment.order_completed")] == ["o", "p", None, None]
    assert loader.loaded.discarded == {"order_id": 2}


def consents(*said: Any, mapping: Mapping | None = None) -> tuple[Loader, list[dict[str, Any]]]:
    """The consent columns of a page call for each consent object."""
    loader, warehouse = loaded(
        *({"type": "page", "userId": "u", "context": {"consent": consent}} for consent in said), mapping=mapping
    )
    found = rows(warehouse, "segment.pages")
    return loader, [{name: row[name] for name in row if name.startswith("context_consent")} for row in found]


def test_a_consent_category_has_a_column() -> None:
    prefix = "context_consent_category_preferences"
    _, found = consents(
        {"categoryPreferences": {"Analytics": True, "DataSharing": False}}, None,
        {"categoryPreferences": {"Analytics": "true", "C0001": None}},
        {"categoryPreferences": {"Data Sharing": True, "DataSharing": False, "data-sharing": True}},
    )  # fmt: skip
    kept = [
        {name.removeprefix(f"{prefix}_"): value for name, value in row.items() if value is not None} for row in found
    ]
    assert kept == [
        {"analytics": True, "data_sharing": False}, {}, {"analytics": False, "c0001": False}, {"data_sharing": False},
    ]  # fmt: skip


@pytest.mark.parametrize("said", [{}, "yes", [], {"categoryPreferences": {}}, {"categoryPreferences": {"同意": True}}])
def test_consent_without_a_category_says_something(said: Any) -> None:
    _, (row,) = consents(said)
    assert orjson.loads(row["context_consent"]) == said


def test_nobody_can_make_any_number_of_columns() -> None:
    many = {"categoryPreferences": {f"C{n}": True for n in range(1000)}}
    loader, (row,) = consents(many, mapping=Mapping(consent=("C999",)))
    assert len(row) == CATEGORIES + 1
    assert row["context_consent_category_preferences_c999"] is True
    assert loader.loaded.discarded == {"consent": 1000 - CATEGORIES - 1}


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


properties = st.fixed_dictionaries({}, optional=dict.fromkeys(("product_id", "products", "sku", "order_id"), json))
call = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "alias", "delete", "page", "group"])},
    optional=dict.fromkeys(
        ("userId", "anonymousId", "messageId", "timestamp", "sentAt", "context", "previousId", "name"), json
    )
    | {"event": st.sampled_from(["Product Viewed", "Order Completed"]) | json, "properties": properties | json},
)


@settings(max_examples=settings().max_examples * 3 // 5, deadline=None)
@given(st.lists(call | json | st.binary(max_size=30), max_size=5))
def test_anything_is_stored_or_counted(messages: list[Any]) -> None:
    loader, warehouse = loaded(*messages)
    written = loader.loaded.rows
    calls = {"tracks", "identifies", "pages", "screens", "groups", "aliases"}
    stored = sum(n for table, n in written.items() if table == ERASURES or table.partition(".")[2] in calls)
    assert stored + loader.loaded.skipped.total() == loader.loaded.messages == len(messages)
    warehouse.close()
