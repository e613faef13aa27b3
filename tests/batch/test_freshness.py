"""Up to when the warehouse is complete, and which table decides it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pyarrow as pa
import pytest

from varde.batch import freshness
from varde.batch.freshness import ENDED_MS, MARGIN_MS, NoMessagesError, Reach, judge
from varde.batch.loader import Loader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import TIMESTAMP
from varde.events import Mapping as EventMapping
from varde.history import DAY_MS, Signal

DAY = 20_454
MIDNIGHT = DAY * DAY_MS
HOUR = 3_600_000
NOW = MIDNIGHT + 5 * HOUR
COUNTED = ("product_viewed", "order_completed")


def test_tables_that_lack_nothing_are_complete_up_to_the_newest_row() -> None:
    found = judge({"tracks": Reach(NOW, None), "product_viewed": Reach(NOW - HOUR, None)}, COUNTED)
    assert (found.newest, found.until, found.table) == (NOW, NOW, "tracks")
    assert found.as_of == MIDNIGHT - 1
    assert not found.behind and not found.ended


@pytest.mark.parametrize(
    ("reach", "until"),
    [
        (Reach(NOW - 40 * HOUR, NOW - 30 * HOUR), NOW - 30 * HOUR - 1),  # since the first row that it lacks
        (Reach(None, NOW - 2 * HOUR), NOW - 2 * HOUR - 1),  # not even made yet
        (Reach(MIDNIGHT - 1, MIDNIGHT), MIDNIGHT - 1),
    ],
)
def test_an_event_table_that_lags_alone_decides(reach: Reach, until: int) -> None:
    found = judge({"tracks": Reach(NOW, None), "product_viewed": reach, "order_completed": Reach(5, None)}, COUNTED)
    assert (found.until, found.table, found.newest) == (until, "product_viewed", NOW)
    assert found.behind == {"product_viewed": until + 1}
    assert found.as_of == (until - MARGIN_MS) // DAY_MS * DAY_MS - 1
    assert "tracks has rows since then that product_viewed lacks" in found.told()


def test_the_table_that_lags_most_decides() -> None:
    lagging = {"product_viewed": Reach(1, NOW - 9 * HOUR), "order_completed": Reach(1, NOW - 30 * HOUR)}
    found = judge({"tracks": Reach(NOW, None), **lagging}, COUNTED)
    assert found.table == "order_completed"
    assert "also behind: product_viewed since 2025-12-31T20:00:00+00:00" in found.told()


def test_tracks_may_lag_itself() -> None:
    found = judge({"tracks": Reach(NOW - 20 * HOUR, None), "product_viewed": Reach(NOW, None)}, COUNTED)
    assert (found.table, found.until, found.newest) == ("tracks", NOW - 20 * HOUR, NOW)
    assert "tracks reaches no further" in found.told()


def test_a_table_that_has_ended_holds_nothing_back_and_is_told() -> None:
    since = NOW - ENDED_MS
    found = judge({"tracks": Reach(NOW, None), "product_viewed": Reach(7, since)}, COUNTED)
    assert (found.until, found.ended) == (NOW, {"product_viewed": since})
    assert "no longer written, so not waited for: product_viewed since 2025-12-25" in found.told()
    assert judge({"tracks": Reach(NOW, None), "product_viewed": Reach(7, since + 1)}, COUNTED).table == "product_viewed"
    gone = judge({"tracks": Reach(since, None), "product_viewed": Reach(NOW, None)}, COUNTED)
    assert (gone.until, gone.table, gone.ended) == (NOW, "product_viewed", {"tracks": since})
    never = judge({"product_viewed": Reach(NOW, None), "order_completed": Reach(3, None)}, COUNTED)
    assert (never.until, never.table) == (NOW, "product_viewed")


def test_events_that_nobody_counts_do_not_matter() -> None:
    found = judge({"tracks": Reach(NOW, None), "signed_in": Reach(None, 3), "coupon": Reach(2, NOW - HOUR)}, COUNTED)
    assert (found.until, found.behind, found.ended) == (NOW, {}, {})


def test_nothing_is_told_apart_from_an_old_warehouse() -> None:
    with pytest.raises(NoMessagesError):
        judge({}, COUNTED)


def test_the_newest_whole_day() -> None:
    assert freshness.complete(MIDNIGHT + MARGIN_MS) == MIDNIGHT - 1
    assert freshness.complete(MIDNIGHT + MARGIN_MS - 1) == MIDNIGHT - DAY_MS - 1
    assert freshness.complete(MIDNIGHT + DAY_MS) == MIDNIGHT - 1


def test_the_tables_that_matter_are_those_of_the_settings() -> None:
    plain = freshness.counted_tables(EventMapping())
    assert {"product_viewed", "viewed_product", "product_added", "order_completed", "order_cancelled"} <= plain
    assert "segment_consent_preference_updated" not in plain
    own = EventMapping(custom_events=(("Trail Opened", Signal.VIEW),), consent=("Analytics",))
    assert freshness.counted_tables(own) - plain == {"trail_opened", "segment_consent_preference_updated"}


def message(at: int, event: str, **more: Any) -> bytes:
    said: Mapping[str, Any] = {"type": "track", "event": event, "userId": "u", "timestamp": at, "receivedAt": at}
    return orjson.dumps({**said, **more})


def test_a_warehouse_that_is_read_in_the_middle_of_a_sync() -> None:
    """`tracks` has come, the table of the views has not; then it has; and no date ahead of the clock decides."""
    with DuckDBWarehouse(threads=1) as warehouse:
        loader = Loader(warehouse)
        for at in (MIDNIGHT - 30 * HOUR, NOW - HOUR):
            loader.add(message(at, "Product Viewed"), at)
            loader.add(message(at + 5, "Signed In"), at)
        loader.flush()
        held = warehouse.read("segment.product_viewed")
        bound = pa.scalar((MIDNIGHT - 20 * HOUR) * 1000, TIMESTAMP)
        early = held.filter(pa.compute.less(held["received_at"], bound))
        assert early.num_rows == 1
        warehouse.replace("segment.product_viewed", early)
        found = freshness.look(warehouse, EventMapping(), NOW)
        assert (found.table, found.until, found.newest) == ("product_viewed", NOW - HOUR - 1, NOW - HOUR + 5)
        warehouse.replace("segment.product_viewed", held)
        assert freshness.look(warehouse, EventMapping(), NOW).table == "tracks"
        loader.add(message(NOW + 50 * HOUR, "Product Viewed"), NOW + 50 * HOUR)
        loader.flush()
        assert freshness.look(warehouse, EventMapping(), NOW).until == NOW - HOUR + 5
        assert freshness.newest(warehouse) == NOW + 50 * HOUR
