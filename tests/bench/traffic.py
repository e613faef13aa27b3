"""Messages for the benches: synthetic views of one size, and the simulator's mix; and what the views must count."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence

from varde import history
from varde.counts import Counts, count
from varde.demo.messages import delivered, encode
from varde.demo.simulate import shoppers
from varde.events import Interaction, parse
from varde.pairs import Histories
from varde.settings import Settings

BYTES = 600
CUSTOMERS = 2_000
ITEMS = 3_000
MIX_PER_S = 100.0
"""Simulated messages per second of simulated time."""


def views(n: int, seed: int = 1, customers: int = CUSTOMERS, items: int = ITEMS) -> list[bytes]:
    """`n` messages Product Viewed of 600 bytes, in the order of their times, the last one now.

    Customers are equally likely, items are not (weight 1 / rank ** .7, as in a shop); each message carries a userId.
    """
    chance = random.Random(seed)
    shelf = chance.choices(range(items), [1 / (rank + 1) ** 0.7 for rank in range(items)], k=n)
    start = int(time.time() * 1000) - n
    return [_view(f"user-{chance.randrange(customers):05d}", f"SKU-{shelf[i]:06d}", start + i) for i in range(n)]


def _view(user: str, item: str, at: int) -> bytes:
    properties = {
        "product_id": item,
        "name": f"Product {item}",
        "category": "outdoor",
        "price": 49.9,
        "currency": "EUR",
        "url": f"https://shop.example/p/{item}",
        "note": "",
    }
    body = {"type": "track", "event": "Product Viewed", "userId": user, "properties": properties}
    message = delivered(body, f"bench-{user}-{at}", at, server=True)
    properties["note"] = "x" * (BYTES - len(encode(message, at).data))
    return encode(message, at).data


def probe(user: str, item: str) -> bytes:
    """One customer looks at one item now."""
    return _view(user, item, int(time.time() * 1000))


def mix(n: int, seed: int = 1) -> list[bytes]:
    """`n` messages of the simulator: all event types, logins, duplicates, late and malformed ones; the last one now."""
    start = int((time.time() - n / MIX_PER_S) * 1000)
    return [message.data for message in itertools.islice(shoppers(seed, start, MIX_PER_S), n)]


def counts_of_views(messages: Sequence[bytes], settings: Settings) -> Counts:
    """What the views must count: the definition, customer by customer, without any stream."""
    viewed: dict[str, list[tuple[str, int]]] = {}
    for data in messages:
        events = parse(data, 0, settings.mapping)
        assert isinstance(events, tuple)
        (event,) = events
        assert isinstance(event, Interaction)
        viewed.setdefault(event.user_id or "", []).extend((item, event.time) for item in event.items)
    return count(Histories(view=history.of(entries, settings.cap)) for entries in viewed.values())
