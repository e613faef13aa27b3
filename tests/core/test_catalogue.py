"""What is held of an item: merged in any order and any number of times, and shown by the rules of docs/catalogue.md."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.catalogue import (
    CHANGEABLE,
    EMPTY,
    Change,
    Entry,
    Record,
    Text,
    changed,
    decode,
    effective,
    encode,
    loaded,
    merge,
    shown,
    swept,
)

times = st.integers(0, 6)
stocks = st.none() | st.integers(-1, 2)
prices = st.none() | st.sampled_from([0.0, 1.5, 2.0])
words = st.text(max_size=6)
entries = st.builds(
    Entry,
    st.just("a"),
    parent=st.none() | words,
    title=st.none() | words,
    price=prices,
    stock=stocks,
    categories=st.lists(words, max_size=2).map(tuple),
    brand=st.none() | words,
    hidden=st.booleans(),
    texts=st.dictionaries(words, st.builds(Text, st.none() | words, st.none() | words), max_size=2),
    prices=st.dictionaries(words, st.floats(0, 9), max_size=2),
    updated=st.none() | times,
)
VALUES = {"hidden": st.none() | st.booleans(), "stock": stocks, "price": prices}
said = st.fixed_dictionaries({}, optional=VALUES).filter(bool)
changes = st.builds(Change, st.just("a"), times, said)
pieces = st.one_of(st.builds(loaded, entries, times), changes.map(changed))


def merged(records: list[Record]) -> Record:
    out = EMPTY
    for record in records:
        out = merge(out, record)
    return out


@given(st.lists(pieces, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_any_repeats_give_the_same(records: list[Record], chance: random.Random) -> None:
    again = records + chance.choices(records, k=3) if records else []
    chance.shuffle(again)
    assert encode(merged(again)) == encode(merged(records))


@given(pieces, pieces, pieces)
def test_merging_is_associative_and_has_a_neutral_element(a: Record, b: Record, c: Record) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, EMPTY) == merge(EMPTY, a) == a


@given(st.lists(pieces, max_size=4).map(merged))
def test_bytes_and_back(record: Record) -> None:
    assert decode("a", encode(record)) == record


@given(st.binary(max_size=40) | st.sampled_from([b"[]", b"[1,2,3]", b"{}", b'[0,{"l":{"a":3}},{}]', b"[0,null,{}]x"]))
def test_other_bytes_are_refused_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a record"):
        decode("a", data)


def brute(loads: list[tuple[Entry, int]], told: list[Change]) -> dict[str, Any]:
    """hidden, stock and price by the words of docs/catalogue.md, of loads at different times."""
    feed, as_of = max(loads, key=lambda load: load[1])
    since = as_of if feed.updated is None else min(as_of, feed.updated)
    out: dict[str, Any] = {name: getattr(feed, name) for name in CHANGEABLE}
    for name in CHANGEABLE:
        newest = max((c for c in told if name in c.said), key=lambda c: c.at, default=None)
        if newest is None or newest.said[name] is None:
            continue
        value, later = newest.said[name], newest.at >= since
        if (name == "hidden" and value is True) or later or (name != "hidden" and out[name] is None):
            out[name] = value
    return out


@given(
    st.lists(st.tuples(entries, times), min_size=1, max_size=4, unique_by=lambda load: load[1]),
    st.lists(changes, max_size=5, unique_by=lambda change: change.at),
)
def test_what_is_shown_is_what_the_rules_say(loads: list[tuple[Entry, int]], told: list[Change]) -> None:
    entry = effective("a", merged([*(loaded(*load) for load in loads), *map(changed, told)]))
    assert entry is not None and entry.listed and entry.updated is None
    assert {name: getattr(entry, name) for name in CHANGEABLE} == brute(loads, told)


def at(time: int, **values: Any) -> Record:
    return changed(Change("a", time, values))


FED = loaded(Entry("a", title="A", stock=5, price=9.0), 10)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([FED, at(5, hidden=True)], (True, 5, 9.0)),
        ([FED, at(5, hidden=True), loaded(Entry("a", stock=5, price=9.0), 99)], (True, 5, 9.0)),
        ([FED, at(5, hidden=True), at(6, hidden=False)], (False, 5, 9.0)),
        ([FED, at(5, hidden=True), at(6, hidden=None)], (False, 5, 9.0)),
        ([loaded(Entry("a", hidden=True), 10), at(11, hidden=False)], (False, None, None)),
        ([loaded(Entry("a", hidden=True), 10), at(9, hidden=False)], (True, None, None)),
        ([FED, at(11, stock=0)], (False, 0, 9.0)),
        ([FED, at(9, stock=0)], (False, 5, 9.0)),
        ([FED, at(10, stock=0)], (False, 0, 9.0)),
        ([FED, at(11, stock=0), at(12, stock=None)], (False, 5, 9.0)),
        ([loaded(Entry("a"), 10), at(9, stock=0, price=1.0)], (False, 0, 1.0)),
        ([loaded(Entry("a", stock=5, updated=3), 10), at(4, stock=0)], (False, 0, None)),
    ],
)
def test_examples_of_the_rules(records: list[Record], expected: tuple[Any, ...]) -> None:
    entry = effective("a", merged(records))
    assert entry is not None
    assert (entry.hidden, entry.stock, entry.price) == expected


def test_an_item_that_only_changes_know() -> None:
    entry = effective("a", at(5, hidden=True))
    assert entry == Entry("a", hidden=True, listed=False)
    assert effective("a", merge(at(5, hidden=True), at(6, hidden=None))) is None
    assert effective("a", EMPTY) is None


@pytest.mark.parametrize(("stock", "sold_out"), [(None, False), (1, False), (0, True), (-3, True)])
def test_sold_out(stock: int | None, sold_out: bool) -> None:
    assert Entry("a", stock=stock).sold_out == sold_out


def test_a_complete_load_leaves_newer_rows_and_recent_changes() -> None:
    both = merge(FED, at(7, hidden=True, stock=0))
    assert swept(both, 10, 0) == both
    assert swept(both, 11, 7) == at(7, hidden=True, stock=0)
    assert swept(both, 11, 8) is None
    assert swept(FED, 11, 0) is None


def test_what_is_shown_leaves_out_what_says_nothing() -> None:
    entry = Entry("a", title="A", texts={"sv": Text("Å", None)}, categories=("x",))
    assert shown(entry) == {
        "id": "a",
        "title": "A",
        "categories": ("x",),
        "texts": {"sv": {"title": "Å", "url": None}},
        "listed": True,
    }
