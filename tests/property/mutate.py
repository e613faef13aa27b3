"""Broken, odd and hostile messages made from good ones: seeded, fast, over random.Random. Any bytes may come out."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml
from tests.streaming.world import NOW, shop

GOLDEN = Path(__file__).parents[1] / "golden" / "events"

JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**53, -(2**63), 2**64 - 1, 0.1, -0.0, 1e308, "", " ", "\x00", "0", "null", "é" * 200,
    "x" * 257, "x" * 5000, "\u202e\ufeff", "💥", [], {}, [[]], [None], {"": None}, {"a": {"b": {"c": [1, {"d": 2}]}}},
    "2026-03-01T10:00:00Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "2026-02-30", "now", NOW, NOW // 1000,
    NOW + 10**12, "[{\"product_id\":\"P1\"}]", "[{\"produ", "{}", "__proto__", "*", "{c}", "a\r\nDEL b", "userId",
)  # fmt: skip
NAMES = (
    "type", "event", "userId", "anonymousId", "previousId", "properties", "products", "product_id", "sku", "id",
    "order_id", "orderId", "timestamp", "originalTimestamp", "sentAt", "receivedAt", "context", "consent",
    "categoryPreferences", "ads", "userAgent", "traits", "messageId", "",
)  # fmt: skip
WORDS = (
    "track", "identify", "page", "screen", "group", "alias", "delete", "Track", "Product Viewed", "Product Added",
    "Order Completed", "Order Refunded", "Order Cancelled", "Viewed Product", "Segment Consent Preference Updated",
    "Product Clicked", "u1", "u2", "d1", "d2", "item-1", "Mozilla/5.0 (compatible; Googlebot/2.1)",
)  # fmt: skip


def corpus() -> list[bytes]:
    """The golden messages of every producer, and a random afternoon in a shop."""
    messages: list[bytes] = []
    for path in sorted(GOLDEN.glob("*.yaml")):
        for entry in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)["entries"]:
            message = entry["message"]
            messages.append(message.encode() if isinstance(message, str) else orjson.dumps(message))
    return messages + shop(1, 300)


_ANYTHING = (*JUNK, *WORDS)


class Mutator:
    """An endless stream of mutated messages."""

    def __init__(self, rng: random.Random, messages: list[bytes]) -> None:
        self._rng = rng
        self._messages = messages
        self._bodies = [body for body in map(_object, messages) if body is not None]

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self.one()

    def one(self) -> bytes:
        """One message: nearly always changed, in its structure, in its bytes, or in both."""
        rng = self._rng
        roll = rng.random()
        if roll < 0.05:
            return rng.choice(self._messages)
        if roll < 0.2:
            return self._torn(rng.choice(self._messages))
        body = orjson.loads(orjson.dumps(rng.choice(self._bodies)))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
            self._change(body)
        data = _dumped(body)
        return self._torn(data) if roll > 0.9 else data

    def _change(self, body: dict[str, Any]) -> None:
        """One change of structure, anywhere in the tree."""
        rng = self._rng
        holder, key = rng.choice(_places(body))
        act = rng.randrange(7)
        if act == 0:
            del holder[key]
        elif act == 1:
            holder[key] = self._word(JUNK)
        elif act == 2:
            holder[key] = rng.choice(WORDS)
        elif act == 3:
            other_holder, other_key = rng.choice(_places(rng.choice(self._bodies)))
            holder[key] = orjson.loads(orjson.dumps(other_holder[other_key]))
        elif act == 4:
            body[rng.choice(NAMES)] = self._word(_ANYTHING)
        elif act == 5 and isinstance(holder[key], dict):
            holder[key][rng.choice(NAMES)] = self._word(_ANYTHING)
        else:
            holder[key] = [holder[key]] * rng.choice((1, 2, 3)) if act == 5 else {rng.choice(NAMES): holder[key]}
        if not body:
            body["type"] = "track"

    def _word(self, words: tuple[Any, ...]) -> Any:
        """One of them; a copy, as later changes may be inside it."""
        return copy.deepcopy(word) if isinstance(word := self._rng.choice(words), dict | list) else word

    def _torn(self, data: bytes) -> bytes:
        """One change of bytes."""
        rng = self._rng
        at = rng.randrange(len(data) + 1)
        changes: tuple[Callable[[], bytes], ...] = (
            lambda: data[:at],
            lambda: data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at:],
            lambda: data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
            lambda: data[:at] + data[at + rng.randrange(1, 40) :],
            lambda: data[:at] + rng.choice(self._messages)[at:],
            lambda: data + data,
            lambda: data * (40_000 // max(len(data), 1)) if at % 9 == 0 else b" " + data,
            lambda: b"[" * (at * 30) if at % 9 == 0 else data.replace(b":", b"::", 1),
        )
        return rng.choice(changes)()


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) and body else None


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) in a tree."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            found.append((holder, key))
            if isinstance(value, dict | list) and value:
                waiting.append(value)
    return found


def _dumped(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # an integer beyond 64 bits, or too deep: what comes from a queue has no such thing
        return b"{}"
