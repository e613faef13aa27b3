"""How a message changes a customer's profile: pure functions from a profile to a `Step`.

Whatever happens is either a join (an interaction, an order, a return, a history that is handed over), which moves the
counts by f(new) - f(old), or it forgets (a link, an erasure, a withdrawn consent), which takes counts back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from varde import orders
from varde.flood import Bounds
from varde.history import DAY_MS, NO_HISTORY, Limits, Signal, merge, since
from varde.orders import NO_ORDERS, Orders
from varde.pairs import NOBODY, Changes, Histories, difference, negated
from varde.profile import EMPTY, NEVER, Profile, window_start

NO_CHANGES = Changes([], [])


class Past(NamedTuple):
    """A piece of a customer's past that can be joined to a profile: views and carts, and orders."""

    view: dict[str, int] = NO_HISTORY
    cart: dict[str, int] = NO_HISTORY
    orders: Orders = NO_ORDERS

    def since(self, start: int) -> Past:
        """The part at or after `start`, ms; the same object when all of it is."""
        view, cart, bought = since(self.view, start), since(self.cart, start), self.orders.since(start)
        if view is self.view and cart is self.cart and bought is self.orders:
            return self
        return Past(view, cart, bought)

    @property
    def newest(self) -> int:
        """Time of the newest thing in it, ms; -1 when empty."""
        times = [max(history.values()) for history in (self.view, self.cart) if history]
        if self.orders:
            times.append(self.orders.newest)
        return max(times, default=-1)

    def __bool__(self) -> bool:
        return bool(self.view or self.cart or self.orders)


NOTHING = Past()


class Step(NamedTuple):
    """The result of a transition: the new profile, f(new) - f(old), what to hand on, and a word for the metrics."""

    profile: Profile
    changes: Changes = NO_CHANGES
    handed_over: Past = NOTHING
    outcome: str = "unchanged"


def interaction(signal: Signal, items: tuple[str, ...], time: int, order: bytes = orders.NO_ORDER) -> Past:
    """One event as a past: joining it is the event. `order` is for purchases (orders.order_key)."""
    if signal == Signal.VIEW:
        return Past(view=dict.fromkeys(items, time))
    if signal == Signal.CART:
        return Past(cart=dict.fromkeys(items, time))
    return Past(orders=orders.bought(order, items, time))


def take_back(order: bytes, items: tuple[str, ...], time: int) -> Past:
    """A refund or cancellation as a past; without items it takes back the whole order."""
    return Past(orders=orders.returned(order, items, time))


def past_of(held: Profile) -> Past:
    """All that a profile holds, as a past."""
    return Past(held.histories.view, held.histories.cart, orders.decode(held.orders))


def join(held: Profile, past: Past, limits: Limits, now: int, floor: int = 0) -> Step:
    """Merge a past into a profile.

    What lies before the window at `now`, or at or before an erasure, does not count. Items whose window has passed
    leave the state here without a difference: expiry is the nightly job's (docs/counting.md).

    Args:
        floor: the first day that new pairs may be dated by; the day of the link for what a link hands over.
    """
    start = window_start(held, limits, now)
    fresh = past.since(start)
    if not fresh:
        return Step(held, outcome="erased" if held.erased_at >= limits.window_start(now) else "too_old")
    old = held.histories.since(start)
    view = merge(old.view, fresh.view, limits.cap) if fresh.view else old.view
    cart = merge(old.cart, fresh.cart, limits.cap) if fresh.cart else old.cart
    purchase, packed = old.purchase, held.orders
    if fresh.orders:
        before = orders.decode(packed).since(start)
        after = before.merged(fresh.orders, limits.cap)
        if after != before:
            purchase, packed = after.purchases(limits.cap), orders.encode(after)
    new = Histories(view, cart, purchase)
    if new == old and packed == held.orders:
        return Step(held)
    changes = difference(old, new, max(fresh.newest // DAY_MS, floor), floor)
    return Step(held._replace(histories=new, orders=packed), changes, outcome="counted" if changes else "refreshed")


def interact(held: Profile, past: Past, limits: Limits, bounds: Bounds, now: int) -> Step:
    """Join one interaction, unless the customer does more in an hour than people do (varde.flood)."""
    time = past.newest
    view, cart, purchase = held.histories
    new_items = len(past.view.keys() - view.keys()) if past.view else 0
    if past.cart:
        new_items += len(past.cart.keys() - cart.keys())
    if past.orders:
        new_items += len(past.orders.lines.keys() - purchase.keys())
    if held.rate.exceeded(time, new_items, bounds):
        return Step(held, outcome="flooded")
    step = join(held, past, limits, now)
    if step.profile is held:
        return step
    return Step(step.profile._replace(rate=held.rate.after(time, new_items)), step.changes, NOTHING, step.outcome)


def link(held: Profile, customer: str, time: int, limits: Limits, now: int) -> Step:
    """Bind an anonymous profile to a customer: it gives up its counts and hands its past over.

    The first link stays. A second customer on the same anonymousId (a shared device, or an id injected through a
    link's query string) is left alone and counted; when the late one is the older by event time, the nightly job,
    which sees all links at once, puts it right.
    """
    today = now // DAY_MS
    if held.linked is not None:
        if held.linked == customer:
            if time >= held.linked_at and today <= held.met_on:
                return Step(held)
            return Step(held._replace(linked_at=min(time, held.linked_at), met_on=max(today, held.met_on)))
        return Step(held, outcome="link_conflict_older" if time < held.linked_at else "link_conflict")
    start = limits.window_start(now)
    changes = negated(difference(NOBODY, held.histories.since(start), time // DAY_MS, time // DAY_MS))
    after = Profile(linked=customer, linked_at=time, met_on=today, seeded=held.seeded)
    return Step(after, changes, past_of(held).since(start), "linked")


def met(held: Profile, now: int) -> Profile:
    """A linked profile that forwards something: notes the day, at most once a day, so that it is not idle."""
    today = now // DAY_MS
    return held if today <= held.met_on else held._replace(met_on=today)


def erase(held: Profile, time: int, limits: Limits, now: int) -> Step:
    """Forget a known customer up to `time`: counts go down at once, and older events never count again.

    Only the bound of the window moves, so an erasure commutes with events and with other erasures.
    """
    return _forget(held, time, limits, now)._replace(outcome="forgotten")


def withdraw(held: Profile, time: int, limits: Limits, now: int) -> Step:
    """Forget a customer up to `time`, who took her consent back: like `erase`, but nothing remembers that.

    An event from before that arrives after it therefore counts again; while an erasure stands, it keeps standing.
    """
    step = _forget(held, time, limits, now)
    kept = step.profile._replace(erased_at=held.erased_at)
    if held.linked_at <= time:  # a later link was said with consent
        kept = kept._replace(linked=None, linked_at=EMPTY.linked_at, met_on=EMPTY.met_on)
    if kept.linked is None and not kept.histories and not kept.orders:
        kept = EMPTY._replace(erased_at=held.erased_at, seeded=held.seeded)
    return step._replace(profile=kept, outcome="withdrawn")


def _forget(held: Profile, time: int, limits: Limits, now: int) -> Step:
    bound = held._replace(erased_at=max(time, held.erased_at))
    before = held.histories.since(window_start(held, limits, now))
    left = past_of(held).since(window_start(bound, limits, now))
    after = Histories(left.view, left.cart, left.orders.purchases(limits.cap))
    changes = difference(before, after, time // DAY_MS)
    return Step(bound._replace(histories=after, orders=orders.encode(left.orders), rate=EMPTY.rate), changes)


def seed(held: Profile, past: Profile, limits: Limits, now: int) -> Step:
    """Bring in the past of a customer whose counts are already where the differences go.

    The stream may have counted some of her since it began, by itself: it takes that back together with the past and
    puts their join in place, f(past + own) - f(past) - f(own), which is nothing when she was not seen yet.
    A second seed changes nothing.
    """
    if held.seeded:
        return Step(held, outcome="seeded_before")
    start, today = limits.window_start(now), now // DAY_MS
    own, before = held.histories.since(start), past.histories.since(start)
    linked = held.linked or past.linked
    together = Profile(
        linked=linked,
        linked_at=_earlier(held.linked_at, past.linked_at),
        erased_at=max(held.erased_at, past.erased_at),
        rate=held.rate,
        met_on=today if linked else EMPTY.met_on,
        seeded=True,
    )
    joined = join(together, past_of(past), limits, now).profile
    joined = join(joined, past_of(held), limits, now).profile
    # What was counted alone goes, on the days on which it came, and comes beside the past: a night that ends between
    # two days must find all of it on one side.
    first = min((min(history.values()) for history in own if history), default=NEVER)
    alone = negated(difference(NOBODY, own, first // DAY_MS))
    if linked is None:
        beside = difference(before, joined.histories, max(first, held.erased_at) // DAY_MS)
        return Step(joined, _sum([alone, beside]), NOTHING, "seeded")
    day = joined.linked_at // DAY_MS
    gone = negated(difference(NOBODY, before, day, day))
    return Step(joined._replace(histories=NOBODY, orders=b""), _sum([alone, gone]), past_of(joined), "seeded")


def _earlier(a: int, b: int) -> int:
    return min(a, b) if a >= 0 and b >= 0 else max(a, b)


def _sum(parts: Sequence[Changes]) -> Changes:
    return Changes([row for part in parts for row in part.rows], [s for part in parts for s in part.supports])
