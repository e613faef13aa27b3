"""A day in a shop as the official Segment Python SDK would send it, and the same day as the queue may deliver it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from segment.analytics.client import Client
from tests.property import oracle
from tests.property.fold import Fold

from varde import keys
from varde.demo.messages import Message, iso
from varde.events import Event, Mapping, Rejected, parse
from varde.history import Limits

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PER_CUSTOMER = 40
SHUFFLE_MS = 600_000
"""Messages overtake each other within so much event time."""
COPIES = 3
LATE = 20
"""One customer of so many logs in only after all she did: 5 %."""
ERASED = (0, 101)
"""Numbers, of each 200, of the customers who are deleted: 1 %; the first logs in late, too."""
NEVER_KNOWN = 5
"""One customer of so many never logs in."""

_sdk = Client("key", send=False)  # builds messages with the SDK's own code and hands them back unsent


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who she is, what she buys from, and from when on she is logged in (ms); None for never."""

    user: str
    device: str
    known_from: int | None

    def ids(self, at: int, rng: random.Random) -> tuple[str | None, str | None]:
        """(user id, anonymous id) of a message: the device alone before she logs in, then the user or both."""
        if self.known_from is None or at < self.known_from:
            return None, self.device
        return self.user, self.device if rng.random() < 0.3 else None


def day(seed_: int, messages: int, now: int) -> list[Message]:
    """So many distinct messages of the day before `now` (ms), in the order of event time.

    Views, carts, orders, refunds and cancellations, log-ins, pages; every device belongs to one user, so no links
    conflict.
    """
    rng = random.Random(seed_)
    customers = max(20, messages // PER_CUSTOMER)
    items = max(60, messages // 250)
    out: list[Message] = []
    for number in range(customers):
        left = (messages - len(out)) // (customers - number)
        out += _of_one_customer(rng, number, left, items, now)
    return sorted(out, key=lambda message: message.time)


def _of_one_customer(rng: random.Random, number: int, messages: int, items: int, now: int) -> list[Message]:
    begin = now - DAY_MS
    times = sorted(begin + rng.randrange(20 * HOUR_MS) for _ in range(messages))
    late, erased = number % LATE == 0, number % 200 in ERASED
    user, device = f"user-{number}", f"device-{number}"
    known_from = None
    if late:
        known_from = times[-1]
    elif number % NEVER_KNOWN:
        known_from = rng.choice([begin, rng.choice(times)])
    shopper = Shopper(user, device, known_from)
    orders: list[tuple[str, list[str]]] = []
    out = [_action(rng, shopper, at, items, orders) for at in times[: messages - 1 - erased]]
    if known_from is not None:
        out.append(_log_in(rng, shopper, max(known_from, times[0]) + (3 * HOUR_MS if late else 0)))
    else:
        out.append(_action(rng, shopper, times[-1], items, orders))
    if erased:
        out.append(_deletion(user, rng.choice(times)))
    return out


def _action(rng: random.Random, shopper: Shopper, at: int, items: int, orders: list[tuple[str, list[str]]]) -> Message:
    user, device = shopper.ids(at, rng)
    ids: dict[str, Any] = {"anonymous_id": device, "timestamp": _datetime(at)}
    item = f"sku-{int(items * rng.random() ** 2)}"
    roll = rng.random()
    if roll < 0.72:
        made = _sdk.track(user, "Product Viewed", {"product_id": item, "price": 9.5, "currency": "EUR"}, **ids)
    elif roll < 0.82:
        made = _sdk.track(user, "Product Added", {"product_id": item, "quantity": 1}, **ids)
    elif roll < 0.92:
        bought = [item, *(f"sku-{rng.randrange(items)}" for _ in range(rng.randrange(3)))]
        # Now and then an order is sent under an id that was used before.
        order = orders[-1][0] if orders and rng.random() < 0.05 else f"{shopper.user}/{len(orders)}"
        orders.append((order, bought))
        made = _sdk.track(user, "Order Completed", {"order_id": order, "products": _products(bought)}, **ids)
    elif roll < 0.96 and orders:
        order, bought = rng.choice(orders)
        some = rng.sample(bought, rng.randint(0, len(bought)))  # none: the whole order
        name = rng.choice(["Order Refunded", "Order Cancelled"])
        made = _sdk.track(user, name, {"order_id": order, "products": _products(some)}, **ids)
    else:
        made = _sdk.page(user, "Shop", "Home", **ids)
    return _message(made, at)


def _log_in(rng: random.Random, shopper: Shopper, at: int) -> Message:
    when = _datetime(at)
    if rng.random() < 0.5:
        return _message(_sdk.alias(shopper.device, shopper.user, timestamp=when), at)
    return _message(_sdk.identify(shopper.user, {}, anonymous_id=shopper.device, timestamp=when), at)


def _deletion(user: str, at: int) -> Message:
    """Segment sends these by itself when a deletion is asked for; no SDK does."""
    body = {"type": "delete", "userId": user, "messageId": f"delete-{user}", "timestamp": iso(at), "version": 2}
    return Message(orjson.dumps(body), at)


def _products(items: list[str]) -> list[dict[str, Any]]:
    return [{"product_id": item, "quantity": 1} for item in items]


def _message(made: tuple[bool, dict[str, Any]], at: int) -> Message:
    ok, body = made
    assert ok
    return Message(orjson.dumps(body), at)


def _datetime(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def delivered(messages: Iterable[Message], rng: random.Random, copies: int = COPIES) -> list[Message]:
    """Every message so many times, each copy at its own place within SHUFFLE_MS of its time."""
    placed = [(m.time + rng.randrange(SHUFFLE_MS), rng.random(), m) for m in messages for _ in range(copies)]
    return [message for _, _, message in sorted(placed)]


def events(messages: Iterable[Message], now: int) -> list[Event]:
    """What messages mean, in their order."""
    found: list[Event] = []
    for message in messages:
        parsed = parse(message.data, now, Mapping())
        if isinstance(parsed, Rejected):
            assert not parsed.dead_letter, (parsed, message)
            found += [parsed.link] if parsed.link else []
        else:
            found += parsed
    return found


def truth(messages: Iterable[Message], limits: Limits, now: int) -> oracle.Totals:
    """What the counts must be, by the definition: as the stream meets the messages, and by event time alone."""
    met = events(messages, now)
    counts = oracle.arrival(met, limits, now)
    assert counts == oracle.warehouse(met, limits, now), "the input itself depends on its order"
    return counts


def folded(messages: Iterable[Message], limits: Limits, now: int) -> Fold:
    """The profiles after these messages, and their counts; customers by their keys, as the stream names them."""
    return Fold(limits, now).play(_keyed(event) for event in events(messages, now))


def _keyed(event: Event) -> Event:
    given: dict[str, Any] = {}
    if getattr(event, "user_id", None) is not None:
        given["user_id"] = keys.customer_key(event.user_id, None)  # type: ignore[union-attr]
    if getattr(event, "anonymous_id", None) is not None:
        given["anonymous_id"] = keys.customer_key(None, event.anonymous_id)  # type: ignore[union-attr]
    return replace(event, **given)
