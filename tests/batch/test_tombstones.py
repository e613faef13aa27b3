"""Erasures outlive Redis: from delete messages and from what the stream has noted, by keyed hash alone."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from varde.batch import nightly, tombstones
from varde.batch.loader import Loader
from varde.batch.reconcile import Request
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.delivery import Leave, Recent
from varde.events import Mapping
from varde.history import Limits
from varde.keys import customer_key
from varde.settings import Settings
from varde.store.sync import Store

from .nights import run

NOW = 1_767_225_600_000
SECRET = b"of this test"

noted = st.dictionaries(st.sampled_from(["k1", "k2", "k3"]), st.integers(0, 5), max_size=3)


@settings(max_examples=settings().max_examples // 5, deadline=None)
@given(st.lists(noted, max_size=5), st.integers(0, 5))
def test_the_latest_of_each_customer_counts(many: list[dict[str, int]], as_of: int) -> None:
    with DuckDBWarehouse(threads=1) as warehouse:
        for some in many:
            tombstones.merge(warehouse, some)
            assert tombstones.merge(warehouse, some) == 0, "a repetition adds nothing"
        every = [entry for some in many for entry in some.items()]
        assert tombstones.latest(warehouse) == {who: max(at for k, at in every if k == who) for who, _ in every}
        # What was noted before anything later is still known; what came after something later is not needed.
        kept: dict[str, list[int]] = {}
        for who, at in every:
            if at > max(kept.get(who, []), default=-1):
                kept.setdefault(who, []).append(at)
        until = {who: max(found) for who, times in kept.items() if (found := [at for at in times if at <= as_of])}
        assert tombstones.latest(warehouse, as_of) == until


def warehouse_of(messages: list[dict[str, Any]], path: Path | None = None, begin: int = NOW) -> DuckDBWarehouse:
    warehouse = DuckDBWarehouse(path, threads=1)
    loader = Loader(warehouse, secret=SECRET)
    for n, said in enumerate(messages):
        loader.add(orjson.dumps(said), begin + n)
    loader.flush()
    return warehouse


def view(item: str, **ids: str) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"sku": item}, **ids}


SAID = [
    view("a", userId="gone"),
    view("b", anonymousId="device"),
    {"type": "identify", "anonymousId": "device", "userId": "gone"},
    view("c", userId="here"),
    {"type": "delete", "userId": "gone"},
    view("d", userId="gone"),
]


def items(warehouse: DuckDBWarehouse, as_of: int, secret: bytes = SECRET) -> set[str]:
    night = nightly.build(warehouse, as_of, Limits(), Mapping(), secret)
    return set(night.supports[0]) - {""}


def test_a_tombstone_holds_from_its_time_on() -> None:
    with warehouse_of(SAID) as warehouse:
        assert items(warehouse, NOW + 3) == {"a", "b", "c"}
        assert items(warehouse, NOW + 5) == {"c", "d"}
        assert items(warehouse, NOW + 5, b"another") == {"a", "b", "c", "d"}, "nobody is known by another secret"


def test_no_id_of_the_forgotten_stays_in_our_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    with warehouse_of(SAID[:5]) as warehouse:
        items(warehouse, NOW + 5)
        assert "gone" not in str(warehouse.read(tombstones.TABLE).to_pydict())
        for table in ("erasures", "forgotten"):
            assert not warehouse.columns(f"varde.{table}")
        monkeypatch.setattr(nightly, "STEPS", (*nightly.STEPS, "no such step"))
        with pytest.raises(LookupError):
            items(warehouse, NOW + 5)
        assert not warehouse.columns("varde.erasures"), "nor when a step fails"


def test_redis_tells_the_warehouse_and_may_be_lost(redis_url: str, tmp_path: Path) -> None:
    shop = Settings(redis_url=redis_url, id_secret=SECRET.decode())
    path, now = tmp_path / "warehouse.duckdb", int(time.time() * 1000)  # Redis lets old tombstones go
    said = [view("a", userId="gone"), view("c", userId="here"), view("d", userId="here")]
    warehouse_of(said, path, now).close()
    assert set(run(shop, path, Request(now + 10)).night.supports[0]) == {"", "a", "c", "d"}
    gone = Recent(customer_key("gone", None, SECRET), {}, erased_at=now + 1, leave=Leave.TOMBSTONE)
    with closing(Store.from_settings(shop)) as store:
        store.remember([gone])
        assert store.tombstones() == {gone.customer: now + 1}
    steps: list[str] = []
    assert set(run(shop, path, Request(now + 10), steps.append).night.supports[0]) == {"", "c", "d"}
    assert steps[0] == "tombstones"
    redis.Redis.from_url(redis_url).flushall()
    assert set(run(shop, path, Request(now + 10)).night.supports[0]) == {"", "c", "d"}
