"""What the counts must be, by the definition: raw events, kept whole, counted with plain sets. No algebra in here.

`arrival` is the world as the stream meets it, message by message; `warehouse` the same by event time alone, which is
what the nightly job sees. Both agree unless links conflict or a consent is withdrawn before older events arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from varde.events import Erasure, Event, IdentityLink, Impersonal, Interaction, Return, Withdrawal
from varde.history import Limits, Signal
from varde.orders import order_key
from varde.pairs import ANY_ITEM, Universe

Totals = tuple[dict[tuple[int, str, str], int], dict[tuple[int, str], int]]
"""((relation, i, j) -> customers, (universe, item) -> customers), as Counts.totals gives them."""

Key = tuple[str, str]
"""("u", userId) or ("a", anonymousId)."""


class Fact(NamedTuple):
    """One raw thing that a customer did: signal, or None for a return."""

    signal: Signal | None
    item: str
    time: int
    order: str | None


def facts(event: Interaction | Return) -> list[Fact]:
    """An event as facts; a return of a whole order has the item ""."""
    if isinstance(event, Return):
        return [Fact(None, item, event.time, event.order_id) for item in event.items or ("",)]
    return [Fact(event.signal, item, event.time, event.order_id) for item in event.items]


def arrival(events: Iterable[Event], limits: Limits, now: int) -> Totals:
    """The counts after these events came in this order."""
    return counted(told(events), limits, now)


def told(events: Iterable[Event]) -> dict[Key, list[Fact]]:
    """What is known of each customer after these events came in this order."""
    held: dict[Key, list[Fact]] = {}
    owner: dict[str, str] = {}
    said: dict[str, int] = {}
    erased: dict[Key, int] = {}

    def key_of(user_id: str | None, anonymous_id: str | None) -> Key:
        user = user_id if user_id is not None else owner.get(anonymous_id or "")
        return ("u", user) if user is not None else ("a", anonymous_id or "")

    for event in events:
        if isinstance(event, Interaction | Return):
            held.setdefault(key_of(event.user_id, event.anonymous_id), []).extend(facts(event))
        elif isinstance(event, IdentityLink):
            if owner.setdefault(event.anonymous_id, event.user_id) == event.user_id:
                said[event.anonymous_id] = min(event.time, said.get(event.anonymous_id, event.time))
                moved = held.pop(("a", event.anonymous_id), [])
                held.setdefault(("u", event.user_id), []).extend(moved)
        elif isinstance(event, Erasure):
            erased["u", event.user_id] = max(event.time, erased.get(("u", event.user_id), -1))
        elif isinstance(event, Withdrawal):
            for who in {key_of(event.user_id, None), key_of(None, event.anonymous_id)}:
                held[who] = [fact for fact in held.get(who, []) if fact.time > event.time]
            if said.get(event.anonymous_id or "", event.time + 1) <= event.time:
                del owner[event.anonymous_id or ""], said[event.anonymous_id or ""]
        else:
            assert isinstance(event, Impersonal)
    return {who: [f for f in some if f.time > erased.get(who, -1)] for who, some in held.items()}


def warehouse(events: Sequence[Event], limits: Limits, now: int) -> Totals:
    """The counts of these events whatever their order, as the nightly job has them."""
    withdrawn = [event for event in events if isinstance(event, Withdrawal)]
    owner: dict[str, str] = {}
    links = [event for event in events if isinstance(event, IdentityLink)]
    for link in sorted(links, key=lambda link: (link.time, link.user_id)):
        if not any(w.anonymous_id == link.anonymous_id and w.time >= link.time for w in withdrawn):
            owner.setdefault(link.anonymous_id, link.user_id)

    def key_of(user_id: str | None, anonymous_id: str | None) -> Key:
        user = user_id if user_id is not None else owner.get(anonymous_id or "")
        return ("u", user) if user is not None else ("a", anonymous_id or "")

    gone: dict[Key, int] = {}
    for event in events:
        if isinstance(event, Erasure):
            gone["u", event.user_id] = max(event.time, gone.get(("u", event.user_id), -1))
        elif isinstance(event, Withdrawal):
            both = [(event.user_id, None)] * (event.user_id is not None)
            both += [(None, event.anonymous_id)] * (event.anonymous_id is not None)  # type: ignore[list-item]
            for who in both:
                key = key_of(*who)
                gone[key] = max(event.time, gone.get(key, -1))
    held: dict[Key, list[Fact]] = {}
    for event in events:
        if isinstance(event, Interaction | Return):
            held.setdefault(key_of(event.user_id, event.anonymous_id), []).extend(facts(event))
    return counted({who: [f for f in some if f.time > gone.get(who, -1)] for who, some in held.items()}, limits, now)


def histories(done: Iterable[Fact], limits: Limits, now: int) -> list[set[str]]:
    """The items in each history of one customer, by Signal."""
    recent = [fact for fact in done if fact.time >= limits.window_start(now)]
    returned = {(fact.order, fact.item) for fact in recent if fact.signal is None}
    out = []
    for signal in Signal:
        latest: dict[str, int] = {}
        for fact in recent:
            taken_back = fact.order is not None and not returned.isdisjoint({(fact.order, fact.item), (fact.order, "")})
            if fact.signal == signal and not (signal == Signal.PURCHASE and taken_back):
                latest[fact.item] = max(latest.get(fact.item, 0), fact.time)
        out.append(set(sorted(latest, key=lambda item, at=latest: (-at[item], item))[: limits.cap]))  # type: ignore[misc]
    return out


Latest = tuple[list[tuple[str, int]], list[tuple[str, int]], list[tuple[str, int]]]
"""Views, carts and purchases as (item, time), newest first, of equal times the greater item first."""


def latest(done: Iterable[Fact], kept: tuple[int, int, int]) -> Latest:
    """A customer's latest items: so many views and carts, and the purchases of so many lines and returns of orders."""
    times: dict[tuple[int, bytes], int] = {}
    for fact in done:
        entry = fact.item.encode()
        if fact.signal in (None, Signal.PURCHASE):  # ties are cut by the bytes of order, sign and item
            sign = b"-" if fact.signal is None else b"+"
            entry = (order_key(fact.order) or bytes(8)) + sign + entry
        which = int(Signal.PURCHASE if fact.signal is None else fact.signal), entry
        times[which] = max(fact.time, times.get(which, -1))

    def newest(signal: Signal) -> list[tuple[bytes, int]]:
        some = [(entry, time) for (which, entry), time in times.items() if which == signal]
        return sorted(some, key=lambda found: (found[1], found[0]), reverse=True)[: kept[signal]]

    deeds = dict(newest(Signal.PURCHASE))
    ordered: dict[str, int] = {}
    bought: dict[str, int] = {}
    for entry, time in deeds.items():
        order, sign, item = entry[:8], entry[8:9], entry[9:]
        if sign == b"+":
            ordered[item.decode()] = max(time, ordered.get(item.decode(), -1))
            if order + b"-" + item not in deeds and order + b"-" not in deeds:
                bought[item.decode()] = max(time, bought.get(item.decode(), -1))
    return (
        [(item.decode(), time) for item, time in newest(Signal.VIEW)],
        [(item.decode(), time) for item, time in newest(Signal.CART) if time > ordered.get(item.decode(), -1)],
        sorted(bought.items(), key=lambda found: (found[1], found[0]), reverse=True),
    )


def counted(held: dict[Key, list[Fact]], limits: Limits, now: int) -> Totals:
    """Pair counts and supports of what each customer did."""
    pairs: dict[tuple[int, str, str], int] = {}
    supports: dict[tuple[int, str], int] = {}
    for done in held.values():
        every = histories(done, limits, now)
        view, bought = every[Signal.VIEW], every[Signal.PURCHASE]
        for relation, rows, columns in ((0, view, view), (1, bought, bought), (2, view, bought)):
            for i in rows:
                for j in columns - {i}:
                    pairs[relation, i, j] = pairs.get((relation, i, j), 0) + 1
        for signal in Signal:
            for item in every[signal] | ({ANY_ITEM} if every[signal] else set()):
                supports[signal, item] = supports.get((signal, item), 0) + 1
        if any(every):
            supports[Universe.ANY, ANY_ITEM] = supports.get((Universe.ANY, ANY_ITEM), 0) + 1
    return pairs, supports
