"""Orders as two grow-only parts: a semilattice within its bounds, and exact beyond them as long as nothing returns."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varde import history, orders
from varde.orders import LEAST_CAP, NO_ORDER, NO_ORDERS, ORDERS_PER_ITEM, Orders, order_key

CAP = 6
KEYS = [order_key(name) for name in "xyz"]
MANY = settings(max_examples=4 * settings().max_examples)

Bought = tuple[bytes, tuple[str, ...], int]
Returned = tuple[bytes, tuple[str, ...], int]

some_items = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True).map(tuple)
bought = st.tuples(st.sampled_from([*KEYS, NO_ORDER]), some_items, st.integers(0, 9))
returned = st.tuples(st.sampled_from(KEYS), st.just(()) | some_items, st.integers(0, 9))
facts = st.lists(
    st.one_of(
        bought.map(lambda fact: orders.bought(*fact)),
        bought.map(lambda fact: orders.bought(*fact)),
        returned.map(lambda fact: orders.returned(*fact)),
    ),
    max_size=12,
)
"""Of 6 items, 4 orders and 3 x 7 returns: within the bounds of a cap of 6 (16 items, 8 orders, 32 returns)."""


def joined(parts: list[Orders], cap: int = CAP) -> Orders:
    return reduce(lambda a, b: a.merged(b, cap), parts, NO_ORDERS)


def by_definition(parts: list[Orders], cap: int) -> dict[str, int]:
    """Purchases from the raw facts: every line that no return names, its item or its whole order."""
    back = {(order, item) for part in parts for order, items in part.returns.items() for item in items}
    return history.of(
        (
            (item, time)
            for part in parts
            for item, times in part.lines.items()
            for order, time in times.items()
            if not {(order, item), (order, "")} & back
        ),
        cap,
    )


@MANY
@given(facts, facts, facts)
def test_orders_are_a_semilattice_within_their_bounds(a: list[Orders], b: list[Orders], c: list[Orders]) -> None:
    x, y, z = joined(a), joined(b), joined(c)
    assert x.merged(x, CAP) == x
    assert x.merged(NO_ORDERS, CAP) == NO_ORDERS.merged(x, CAP) == x
    assert x.merged(y, CAP) == y.merged(x, CAP)
    assert x.merged(y, CAP).merged(z, CAP) == x.merged(y.merged(z, CAP), CAP) == joined([*a, *b, *c])


@MANY
@given(facts, st.integers(1, CAP), st.randoms(use_true_random=False))
def test_purchases_are_the_definition_in_any_order_and_with_repeats(parts, cap, rng) -> None:
    again = parts + [rng.choice(parts) for _ in parts]
    rng.shuffle(again)
    assert joined(again).purchases(cap) == by_definition(parts, cap)


many = st.lists(
    st.tuples(
        st.integers(0, 30).map(lambda n: order_key(str(n))),
        st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=5, unique=True).map(tuple),
        st.integers(0, 40),
    ),
    max_size=60,
)


@MANY
@given(many, st.integers(1, 3), st.integers(0, 60), st.randoms(use_true_random=False))
def test_beyond_the_bounds_purchases_are_exact_without_returns(lines, cap, cut, rng) -> None:
    parts = [orders.bought(*line) for line in lines]
    rng.shuffle(parts)
    whole = joined(parts[:cut], cap).merged(joined(parts[cut:], cap), cap)
    assert whole.purchases(cap) == history.of(((item, time) for _, items, time in lines for item in items), cap)


@given(many, many, st.integers(1, LEAST_CAP + 2))
def test_nothing_outgrows_its_bound(lines, back, cap) -> None:
    parts = [orders.bought(*line) for line in lines] + [orders.returned(*one) for one in back]
    whole = joined(parts, cap)
    room = max(cap, LEAST_CAP)
    assert len(whole.lines) <= 2 * room
    assert all(len(times) <= ORDERS_PER_ITEM for times in whole.lines.values())
    assert sum(map(len, whole.returns.values())) <= 4 * room
    assert all(whole.returns.values())
    assert len(whole.purchases(cap)) <= cap


def test_what_is_beyond_the_bounds_is_what_the_page_says() -> None:
    """A ninth order of an item pushes out the oldest, so that returning the latest eight uncovers nothing."""
    lines = [orders.bought(order_key(str(n)), ("a",), n) for n in range(ORDERS_PER_ITEM + 1)]
    back = [orders.returned(order_key(str(n)), (), 99) for n in range(1, ORDERS_PER_ITEM + 1)]
    assert joined(lines + back).purchases(CAP) == {}
    assert by_definition(lines + back, CAP) == {"a": 0}
    assert joined(lines[1:] + back[:-1]).purchases(CAP) == {"a": ORDERS_PER_ITEM}


def test_a_small_cap_has_room_for_what_a_return_uncovers() -> None:
    """Three items are bought after four, beside a history of two; once they are gone, the latest of the four count."""
    lines = [orders.bought(order_key("x"), tuple("abcd"), 1), orders.bought(order_key("y"), tuple("efg"), 2)]
    back = orders.returned(order_key("y"), (), 3)
    assert joined([*lines, back], 2).purchases(2) == by_definition([*lines, back], 2) == {"a": 1, "b": 1}


def test_an_item_stays_while_another_order_holds_it() -> None:
    lines = [orders.bought(order_key("x"), ("a", "b"), 1), orders.bought(order_key("y"), ("a",), 2)]
    refund = orders.returned(order_key("y"), ("a",), 3)
    assert joined([*lines, refund]).purchases(CAP) == {"a": 1, "b": 1}
    assert joined([refund, *lines]).purchases(CAP) == {"a": 1, "b": 1}
    cancelled = orders.returned(order_key("x"), (), 3)
    assert joined([*lines, cancelled]).purchases(CAP) == {"a": 2}
    assert joined([*lines, cancelled, refund]).purchases(CAP) == {}


def test_an_order_without_an_id_cannot_be_returned() -> None:
    line = orders.bought(order_key(None), ("a",), 1)
    assert order_key(None) == NO_ORDER
    assert joined([line, orders.returned(order_key(""), (), 2), orders.returned(order_key("o"), ("a",), 2)]).purchases(
        CAP
    ) == {"a": 1}


@given(facts, st.integers(0, 10))
def test_since_keeps_what_is_at_or_after(parts: list[Orders], start: int) -> None:
    whole = joined(parts)
    kept = whole.since(start)
    times: Callable[[Orders], list[int]] = lambda o: [  # noqa: E731 - of both sides
        *(time for nested in o.lines.values() for time in nested.values()),
        *(time for nested in o.returns.values() for time in nested.values()),
    ]
    assert sorted(times(kept)) == sorted(time for time in times(whole) if time >= start)
    assert all(kept.lines.values())
    assert all(kept.returns.values())
    assert kept == joined([part.since(start) for part in parts])
    assert (kept is whole) == (len(times(kept)) == len(times(whole)))
    assert whole.newest == max(times(whole), default=-1)


@given(facts)
def test_codec(parts: list[Orders]) -> None:
    whole = joined(parts)
    assert orders.decode(orders.encode(whole)) == whole
    assert orders.encode(NO_ORDERS) == b""
    assert orders.decode(b"") == NO_ORDERS
    assert bool(whole) == bool(parts) == bool(orders.encode(whole))


@pytest.mark.parametrize("name", ["", "o", "x" * 256, "🏕", "\0", "\ud800"])
def test_an_order_key_has_eight_bytes(name: str) -> None:
    assert len(order_key(name)) == 8
    assert order_key(name) == order_key(name) != order_key(name + "x")


def test_what_is_merged_stays_as_it_was() -> None:
    """Orders are shared between a profile before and after a step."""
    a = orders.bought(order_key("x"), ("a",), 1)
    b = orders.bought(order_key("y"), ("a",), 2)
    before = orders.encode(a), orders.encode(b)
    a.merged(b, CAP)
    assert (orders.encode(a), orders.encode(b)) == before
