"""Small random shops: few customers, devices, items and orders, so that everything meets everything.

Strategies are made once for each window: making one inside a test takes hypothesis longer than drawing from it.
"""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from varde.events import Erasure, Event, IdentityLink, Interaction, Return, Withdrawal
from varde.history import DAY_MS, Limits, Signal

NOW = 20_000 * DAY_MS + 12_345

USERS = ("U", "V", "W")
DEVICES = ("a", "b", "c")
ITEMS = st.lists(st.sampled_from("pqrstuv"), min_size=1, max_size=4, unique=True).map(tuple)
"""Seven, and three orders: within the bounds of varde.orders for any cap, so that returns are exact, too."""

limits = st.builds(Limits, st.integers(2, 5), st.integers(1, 4))


@cache
def times(window_days: int) -> st.SearchStrategy[int]:
    """Around the window: its edges, midnights, and anything between, a day before it included."""
    start = Limits(1, window_days).window_start(NOW)
    edges = [start - 1, start, start + 1, start + DAY_MS - 1, start + DAY_MS, NOW - 1, NOW]
    return st.one_of(st.sampled_from(edges), st.integers(start - DAY_MS, NOW))


@cache
def who() -> st.SearchStrategy[tuple[str | None, str | None]]:
    """(user id, anonymous id); a message with both comes as a link and then this, so the link is drawn apart."""
    return st.one_of(
        st.tuples(st.sampled_from(USERS), st.none()),
        st.tuples(st.none(), st.sampled_from(DEVICES)),
    )


@cache
def interactions(window_days: int) -> st.SearchStrategy[Event]:
    """Views, carts and orders, with and without order ids."""
    order_ids = st.one_of(st.none(), st.sampled_from(["o1", "o2", "o3"]))
    return st.builds(
        lambda ids, signal, items, time, order: Interaction(
            ids[0], ids[1], signal, items, time, order if signal == Signal.PURCHASE else None
        ),
        who(),
        st.sampled_from(Signal),
        ITEMS,
        times(window_days),
        order_ids,
    )


@cache
def returns(window_days: int) -> st.SearchStrategy[Event]:
    """Refunds and cancellations, of items or of the whole order."""
    named = st.one_of(st.just(()), ITEMS)
    return st.builds(
        lambda ids, order, items, time: Return(ids[0], ids[1], order, items, time),
        who(),
        st.sampled_from(["o1", "o2", "o3"]),
        named,
        times(window_days),
    )


@cache
def links(window_days: int, owners: tuple[tuple[str, str], ...] = ()) -> st.SearchStrategy[Event]:
    """Any device with any user, so that shared devices are common; or only these devices with their owners."""
    pairs = st.sampled_from(owners) if owners else st.tuples(*map(st.sampled_from, (DEVICES, USERS)))
    return st.builds(lambda pair, time: IdentityLink(pair[0], pair[1], time), pairs, times(window_days))


@cache
def erasures(window_days: int) -> st.SearchStrategy[Event]:
    """Deletions of users."""
    return st.builds(Erasure, st.sampled_from(USERS), times(window_days))


@cache
def withdrawals(window_days: int) -> st.SearchStrategy[Event]:
    """Consent withdrawn by a user, a device, or both in one message."""
    ids = st.one_of(who(), st.tuples(st.sampled_from(USERS), st.sampled_from(DEVICES)))
    return st.builds(lambda ids, time: Withdrawal(ids[0], ids[1], time), ids, times(window_days))


@cache
def worlds(window_days: int, max_size: int = 25) -> st.SearchStrategy[list[Event]]:
    """Everything, mostly interactions."""
    some = interactions(window_days)
    rest = [links(window_days), returns(window_days), erasures(window_days), withdrawals(window_days)]
    return st.lists(st.one_of(some, some, some, *rest), max_size=max_size)


@cache
def peaceful(window_days: int, before: int = NOW + 1, max_size: int = 20) -> st.SearchStrategy[list[Event]]:
    """Before a time, without withdrawals and conflicting links, which are about order: devices have one owner."""
    some = interactions(window_days)
    rest = [links(window_days, (("a", "U"), ("b", "V"))), returns(window_days), erasures(window_days)]
    return st.lists(st.one_of(some, some, *rest).filter(lambda event: event.time < before), max_size=max_size)
