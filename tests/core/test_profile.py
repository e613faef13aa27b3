"""The state cell: its codec, and the day from which a profile may be let go."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import ecommerce, orders, profile, transitions
from varde.flood import Rate
from varde.history import DAY_MS, Limits, Signal
from varde.pairs import Histories
from varde.profile import EMPTY, NEVER, Profile

NOW = 20_000 * DAY_MS + 12_345
LIMITS = Limits(4, 3)

times = st.integers(19_990 * DAY_MS, NOW)
held_items = st.dictionaries(st.sampled_from("abc"), times, max_size=3)
some_orders = st.builds(
    lambda lines, returns: orders.Orders(lines, returns),
    st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.binary(max_size=8), times, min_size=1)),
    st.dictionaries(st.binary(min_size=8, max_size=8), st.dictionaries(st.sampled_from(["", "a"]), times, min_size=1)),
)
profiles = st.builds(
    lambda view, cart, bought, *rest: Profile(
        Histories(view, cart, bought.purchases(LIMITS.cap)), orders.encode(bought), *rest
    ),
    held_items,
    held_items,
    some_orders,
    st.none() | st.text("0123456789abcdef", min_size=24, max_size=24),
    st.just(NEVER) | times,
    st.just(NEVER) | times,
    st.builds(Rate, st.integers(-1, 600_000), st.integers(0, 1000), st.integers(0, 500)),
    st.just(NEVER) | st.integers(19_990, 20_000),
    st.booleans(),
)


@given(profiles)
def test_codec(held: Profile) -> None:
    again = profile.decode(profile.encode(held))
    assert again == held
    assert isinstance(again.histories, Histories)
    assert isinstance(again.rate, Rate)


def test_trailing_defaults_take_no_room() -> None:
    assert len(profile.encode(EMPTY)) == 2
    viewed = Profile(Histories(view={"P1": NOW}))
    assert msgpack.unpackb(profile.encode(viewed)) == [2, [{"P1": NOW}, {}, {}]]
    assert profile.decode(profile.encode(EMPTY)) == EMPTY


def test_a_cell_of_another_version_is_refused() -> None:
    for cell in (msgpack.packb([1, [{}, {}, {}]]), msgpack.packb([3])):
        with pytest.raises(ValueError, match="unknown version of a state cell"):
            profile.decode(cell)


def moments(held: Profile) -> list[int]:
    """Every time in a profile that may still decide about a count."""
    bought = orders.decode(held.orders)
    nested: list[dict[Any, int]] = [*held.histories, *bought.lines.values(), *bought.returns.values()]
    met = [held.met_on * DAY_MS] if held.met_on != NEVER else []
    return [t for some in nested for t in some.values()] + [held.linked_at, held.erased_at, *met]


@given(profiles)
def test_a_profile_expires_with_the_window_of_its_newest_moment(held: Profile) -> None:
    day = held.expires_on(LIMITS.window_days)
    newest = max(moments(held))
    assert LIMITS.window_start(day * DAY_MS) > newest
    assert newest == NEVER or LIMITS.window_start((day - 1) * DAY_MS) <= newest


@given(profiles)
def test_an_expired_profile_counts_as_an_empty_one(held: Profile) -> None:
    """What comes on that day has the same effect, so letting go changes nothing; but for links, which end so."""
    today = held.expires_on(LIMITS.window_days) * DAY_MS
    alone = held._replace(linked=None, seeded=False)
    past = transitions.interaction(Signal.VIEW, ("x", "a"), today)
    kept, fresh = (transitions.join(one, past, LIMITS, today) for one in (alone, EMPTY))
    assert kept.profile.histories == fresh.profile.histories
    assert kept.outcome == fresh.outcome
    if (newest := max(moments(held))) == NEVER:
        return
    late = transitions.interaction(Signal.VIEW, ("x",), newest)
    assert transitions.join(alone, late, LIMITS, today).profile.histories == held.histories
    assert transitions.join(EMPTY, late, LIMITS, today).profile == EMPTY


def test_a_linked_profile_lives_while_its_device_is_seen() -> None:
    linked = transitions.link(EMPTY, "K", NOW - DAY_MS, LIMITS, NOW).profile
    assert linked.expires_on(3) == 20_000 + 3 + 1
    tomorrow = transitions.met(linked, NOW + DAY_MS)
    assert tomorrow.expires_on(3) == 20_001 + 3 + 1
    assert transitions.met(tomorrow, NOW) is tomorrow


def test_the_largest_cell_is_as_large_as_the_page_says() -> None:
    """Longest ids, full histories, and as many orders and returns as are kept (docs/counting.md, property 7)."""
    limits, held = Limits(), EMPTY
    for n in range(5 * limits.cap):
        item, at = f"{n:03}".ljust(ecommerce.MAX_ID_BYTES, "x"), NOW + n
        for signal in (Signal.VIEW, Signal.CART):
            held = transitions.join(held, transitions.interaction(signal, (item,), at), limits, NOW).profile
        for order in range(orders.ORDERS_PER_ITEM + 1):
            line = transitions.interaction(Signal.PURCHASE, (item,), at, orders.order_key(f"{n} {order}"))
            held = transitions.join(held, line, limits, NOW).profile
        gone = transitions.take_back(orders.order_key(f"gone {n}"), (item,), at)
        held = transitions.join(held, gone, limits, NOW).profile
    assert len(orders.decode(held.orders).lines) == 2 * limits.cap
    assert 170_000 < len(profile.encode(held)) <= 180_000
