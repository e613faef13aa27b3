"""Segment messages for the stream's tests, and what they must come to."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.property import oracle

from varde.events import Event, Mapping, Rejected, parse
from varde.history import DAY_MS, Limits

_ALL = Mapping()

NOW = 20_400 * DAY_MS + 40_000_000
"""The moment at which the tests take place, ms."""


def clock() -> int:
    """NOW, as a function that can be pickled to a worker."""
    return NOW


class Cell:
    """One cell of state and the timer beside it, as far as the stream's steps use them."""

    def __init__(self, value: bytes | None = None) -> None:
        self.value = value

    def read(self) -> bytes | None:
        return self.value

    def write(self, value: bytes) -> None:
        self.value = value

    def set(self, timestamp: Any) -> None:
        assert timestamp.micros >= 0

    def clear(self) -> None:
        self.value = None


def message(kind: str = "track", event: str | None = "Product Viewed", at: int = NOW, **fields: Any) -> bytes:
    properties = fields.pop("properties", None)
    item = fields.pop("item", None)
    if item is not None:
        properties = {"product_id": item}
    body = {"type": kind, "event": event, "timestamp": at, "receivedAt": NOW, "properties": properties, **fields}
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def view(item: str, user: str | None = None, device: str | None = None, at: int = NOW) -> bytes:
    return message(item=item, userId=user, anonymousId=device, at=at)


def order(items: list[str], user: str, at: int = NOW, number: str = "o", event: str = "Order Completed") -> bytes:
    products = [{"product_id": item} for item in items]
    return message(event=event, userId=user, at=at, properties={"order_id": number, "products": products})


def take_back(items: list[str], user: str, at: int = NOW, number: str = "o", event: str = "Order Refunded") -> bytes:
    """These items of an order, or all of it."""
    return order(items, user, at, number, event)


def refused(data: bytes) -> bytes:
    """The same message of somebody who does not agree to `ads`."""
    return with_consent(data, ads=False)


def with_consent(data: bytes, **categories: bool) -> bytes:
    body = json.loads(data)
    body["context"] = {"consent": {"categoryPreferences": categories}}
    return json.dumps(body).encode()


def withdrawn(user: str | None = None, device: str | None = None, at: int = NOW) -> bytes:
    return refused(message(event="Segment Consent Preference Updated", userId=user, anonymousId=device, at=at))


def identify(user: str, device: str, at: int = NOW) -> bytes:
    return message("identify", None, at, userId=user, anonymousId=device)


def shop(seed: int, messages: int, customers: int = 30, items: int = 40) -> list[bytes]:
    """A random afternoon, one customer a device, and of each what there is.

    Views and carts, orders taken back or not, log-ins, erasures, refused consent, and messages nobody can use.
    """
    rng = random.Random(seed)
    out: list[bytes] = []
    for _ in range(messages):
        who = rng.randrange(customers)
        at = NOW - rng.randrange(3 * DAY_MS)
        item = f"item-{int(items * rng.random() ** 2)}"
        roll = rng.random()
        number = f"{who}-{rng.randrange(3)}"
        if roll < 0.48:
            out.append(view(item, user=f"u{who}" if who % 2 else None, device=f"d{who}", at=at))
        elif roll < 0.62:
            out.append(view(item, device=f"d{who}", at=at))
        elif roll < 0.65:
            out.append(message(event="Product Added", item=item, anonymousId=f"d{who}", at=at))
        elif roll < 0.67:
            out.append(refused(view(item, device=f"d{who}", at=at)))
        elif roll < 0.8:
            out.append(order([item, f"item-{rng.randrange(items)}"], f"u{who}", at, number))
        elif roll < 0.85:
            event = rng.choice(["Order Refunded", "Order Cancelled"])
            out.append(take_back(rng.choice([[], [item]]), f"u{who}", at, number, event))
        elif roll < 0.93:
            out.append(identify(f"u{who}", f"d{who}", at))
        elif roll < 0.95:
            out.append(message("delete", None, at, userId=f"u{rng.randrange(customers)}"))
        else:
            out.append(rng.choice([b"{", b"[]", b'{"type":"page","userId":"u1"}', view("", user="u1")]))
    return out + rng.choices(out, k=messages // 5)


def truth(messages: list[bytes], limits: Limits, mapping: Mapping = _ALL) -> oracle.Totals:
    """The counts by the definition, of messages in the order in which they came."""
    events: list[Event] = []
    for data in messages:
        parsed = parse(data, NOW, mapping)
        if isinstance(parsed, Rejected):
            events += [parsed.link] if parsed.link else []
        else:
            events += parsed
    return oracle.arrival(events, limits, NOW)


def live(store: Any) -> tuple[dict[tuple[int, str, str], int], dict[tuple[int, str], int]]:
    """Everything in Redis, in the shape of `Counts.totals`."""
    items = list(store.all_items())
    pairs = {
        (relation, item, other): n
        for relation in range(3)
        for item in items
        for other, n in store.counts(relation, item).items()
    }
    supports = {
        (where, item): n
        for where in range(4)
        for item, n in zip(["", *items], store.supports(where, ["", *items]), strict=True)
        if n
    }
    return pairs, supports
