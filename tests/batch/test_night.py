"""Messages -> loader -> SQL on DuckDB -> counts, against the core's definitions and the stream's transitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.oracle import Totals

from varde.batch import count, freshness, nightly
from varde.batch.loader import Loader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.events import Erasure, Event, IdentityLink, Interaction, Mapping, Return, Withdrawal
from varde.history import Limits
from varde.pairs import Relation

from .worlds import (
    AS_OF,
    MAPPING,
    SECRET,
    WINDOW_DAYS,
    brute_force,
    loaded,
    mappings,
    meanings,
    order_matters_not,
    stream_fold,
    world,
)


def totals(night: nightly.Night) -> Totals:
    pairs = {
        (int(relation), item, other): n
        for relation in Relation
        for item, cells in night.rows(relation)
        for other, n in cells.items()
    }
    return pairs, {(where, item): n for where, cells in night.supports.items() for item, n in cells.items()}


@pytest.mark.timeout(3600)
@settings(max_examples=settings().max_examples * 3 // 5, deadline=None)
@given(world(), st.integers(2, 5), mappings)
def test_warehouse_equals_definition_equals_stream(
    messages: list[tuple[bytes, int]], cap: int, mapping: Mapping
) -> None:
    limits = Limits(cap, WINDOW_DAYS)
    with loaded(messages, mapping) as warehouse:
        night = nightly.build(warehouse, AS_OF, limits, mapping, SECRET)
        joined = warehouse.query("pair_counts", {}).to_pylist()
        assert not any(warehouse.columns(f"varde.{table}") for table in nightly.NAMED), "no names of the forgotten"
    found = meanings(messages, mapping)
    expected = brute_force(found, limits)
    assert totals(night) == expected
    assert {(row["relation"], row["row_item"], row["column_item"]): row["customers"] for row in joined} == expected[0]
    if order_matters_not(found, cap):
        assert stream_fold(found, limits) == expected


def test_worlds_are_not_empty() -> None:
    """The property above would hold of worlds in which nothing counts: see that each thing changes something."""
    limits = Limits(5, WINDOW_DAYS)
    seen: Counter[str] = Counter()

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(world())
    def look(messages: list[tuple[bytes, int]]) -> None:
        found = meanings(messages, MAPPING)
        pairs, supports = brute_force(found, limits)
        seen["pairs"] += bool(pairs)
        seen["directed"] += any(relation == Relation.VIEWED_BOUGHT for relation, _, _ in pairs)
        for kind in (IdentityLink, Erasure, Return, Withdrawal):
            without = [event for event in found if not isinstance(event, kind)]
            seen[kind.__name__] += brute_force(without, limits) != (pairs, supports)
        for rule in ({"robots": True}, {"consent": ()}, {"consent_default": False}):
            others = meanings(messages, replace(MAPPING, **rule))
            seen[str(rule)] += brute_force(others, limits) != (pairs, supports)
        seen["compared with the stream"] += order_matters_not(found, limits.cap)
        capped = brute_force(found, Limits(2, WINDOW_DAYS))
        seen["cap"] += capped != (pairs, supports)
        seen["ties at the cap"] += capped != _the_other_way_round(found)
        seen["edge of the window"] += brute_force(found, Limits(5, WINDOW_DAYS + 1)) != (pairs, supports)

    look()
    assert len(seen) == 13
    assert min(seen.values()) >= 5, seen


def _the_other_way_round(found: Sequence[Event]) -> Totals:
    """The counts with a cap of 2, if of equal times the larger item id stayed."""
    items = sorted({item for event in found if isinstance(event, Interaction | Return) for item in event.items})
    turned = dict(zip(items, reversed(items), strict=True))
    back = turned | {"": ""}
    events = [
        replace(event, items=tuple(turned[item] for item in event.items))
        if isinstance(event, Interaction | Return)
        else event
        for event in found
    ]
    pairs, supports = brute_force(events, Limits(2, WINDOW_DAYS))
    return (
        {(relation, back[i], back[j]): n for (relation, i, j), n in pairs.items()},
        {(where, back[item]): n for (where, item), n in supports.items()},
    )


def test_blocks_do_not_matter() -> None:
    histories = (
        pa.table(
            {
                "customer": [f"u:{n % 7}" for n in range(60)],
                "signal": [n % 3 for n in range(60)],
                "item": [f"i{n * n % 11}-{n % 4}" for n in range(60)],
            }
        )
        .group_by(["customer", "signal", "item"])
        .aggregate([])
    )
    who = count.incidence(histories)
    for relation in Relation:
        whole = dict(count.rows(who, relation, block=1000))
        assert whole == dict(count.rows(who, relation, block=1)) == dict(count.rows(who, relation, block=7))
        assert all(item not in cells and 0 not in cells.values() for item, cells in whole.items())
        if relation.symmetric:
            assert all(whole[other][item] == n for item, cells in whole.items() for other, n in cells.items())


def test_an_empty_warehouse_counts_nothing() -> None:
    with DuckDBWarehouse() as warehouse:
        night = nightly.build(warehouse, AS_OF, Limits(), Mapping())
        assert totals(night) == ({}, {})
        assert night.customers == 0
        with pytest.raises(freshness.NoMessagesError):
            freshness.newest(warehouse)


def test_an_unknown_item_key_stops_the_job() -> None:
    with pytest.raises(nightly.UnknownItemKeyError, match="parent_id"):
        nightly.plan(AS_OF, Limits(), Mapping(("sku", "parent_id")))


def test_a_repeated_run_gives_the_same() -> None:
    with DuckDBWarehouse() as warehouse:
        loader = Loader(warehouse)
        for n in range(6):
            said = {
                "type": "track",
                "event": "Product Viewed",
                "messageId": str(n),
                "userId": "u",
                "timestamp": AS_OF - n,
            }
            loader.add(orjson.dumps(said | {"properties": {"sku": f"s{n}"}}), AS_OF)
        loader.flush()
        first = nightly.build(warehouse, AS_OF, Limits(3), Mapping(("sku",)))
        later = nightly.build(warehouse, AS_OF, Limits(3), Mapping(("sku",)))
        assert totals(first) == totals(later)
        earlier = nightly.build(warehouse, AS_OF - 4, Limits(3), Mapping(("sku",)))
        assert set(earlier.supports[0]) == {"", "s4", "s5"}
