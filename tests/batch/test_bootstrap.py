"""What an empty Redis gets beside counts."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.property import oracle

from varde import latest
from varde.batch import bootstrap, customers, nightly
from varde.delivery import Recent
from varde.history import Signal
from varde.keys import customer_key
from varde.settings import Settings

SHOP = Settings(recent_items=3, id_secret="a secret")
Row = tuple[str, int, str, int]


def table(rows: Sequence[Row]) -> pa.Table:
    columns = {
        "customer": pa.array([row[0] for row in rows], pa.string()),
        "signal": pa.array([row[1] for row in rows], pa.int64()),
        "item": pa.array([row[2] for row in rows], pa.string()),
        "order_id": pa.array([str(row[3]) for row in rows], pa.string()),
        "time": pa.array([row[3] for row in rows], pa.int64()),
    }
    return pa.table(columns)


def customer_of(recent: Recent) -> oracle.Latest:
    """As the server reads it."""
    views, carts = (
        sorted(times.items(), key=lambda entry: (entry[1], entry[0]), reverse=True)
        for times in (recent.views, recent.carts)
    )
    known = latest.customer(views, carts, recent.orders.items())
    return known.views, known.carts, known.bought


rows_ = st.lists(
    st.tuples(
        st.sampled_from(["u:1", "a:1", "u:2", "a:x:y"]), st.integers(0, 3), st.sampled_from("abcdef"), st.integers(0, 9)
    ),
    max_size=40,
    unique_by=lambda row: row[:3],
)


@examples(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_, st.integers(-1, 9), st.integers(1, 4))
def test_each_customer_has_the_latest_items_of_after_an_erasure(
    monkeypatch: pytest.MonkeyPatch, rows: list[Row], bound: int, batch: int
) -> None:
    monkeypatch.setattr(customers, "BATCH", batch)
    secret = b"a secret"
    names = {
        "u:1": customer_key("1", None, secret),
        "a:1": customer_key(None, "1", secret),
        "u:2": customer_key("2", None, secret),
        "a:x:y": customer_key(None, "x:y", secret),
    }
    expected: dict[str, oracle.Latest] = {}
    for who, key in names.items():
        lost = bound if who == "u:1" else -1
        done = [
            oracle.Fact(None if signal == nightly.RETURN else Signal(signal), item, time, str(time))
            for name, signal, item, time in rows
            if name == who and time > lost
        ]
        if done:
            expected[key] = oracle.latest(done, SHOP.latest_kept)
    found = list(bootstrap.recents(table(rows), SHOP, {names["u:1"]: bound}))
    assert {recent.customer: customer_of(recent) for recent in found} == expected
    assert len({recent.customer for recent in found}) == len(found)


def test_no_more_than_a_batch_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "BATCH", 1000)
    many = table([(f"u:{n // 10:06}", 0, f"item-{n % 10}", n) for n in range(60_000)])
    recents = bootstrap.recents(many, SHOP, {})
    next(recents)  # sorted by now
    tracemalloc.start()
    try:
        assert sum(1 for _ in itertools.islice(recents, 5_000)) == 5_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000, "all rows would be 12 MB"
