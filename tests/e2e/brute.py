"""What an experiment has come to, counted from raw messages and raw records of exposures with plain dictionaries."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

CLICKED = "Product Clicked"
ADDED = {"Product Added", "Added Product"}
ORDERED = {"Order Completed", "Completed Order"}
RETURNED = {"Order Refunded", "Order Cancelled"}


@dataclass
class Shown:
    """A list that counts: whose, when (ms), what."""

    list_id: str
    unit: str
    customer: str
    variation: str
    request_id: str
    items: list[str]
    rung: str | None
    time: int


@dataclass
class Found:
    """counts: of a variation units, lists, fallback_lists, impressions, clicks, adding and ordering (units), orders,
    revenue, pieces. ways: how clicks were found; left_out: reason -> records."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    ways: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


class Shop:
    """The messages, each once, and who their customers are."""

    def __init__(self, messages: Iterable[bytes]) -> None:
        self.bodies = list({body["messageId"]: body for body in map(_object, messages) if "messageId" in body}.values())
        self._users: dict[str, str] = {}
        for body in self.bodies:
            device = body.get("previousId") or body.get("anonymousId")
            if device and body.get("userId"):
                self._users[device] = body["userId"]
        self.deleted = {
            f"u:{body['userId']}": ms(body["timestamp"]) for body in self.bodies if body["type"] == "delete"
        }

    def customer(self, user: str | None, device: str | None) -> str:
        user = user or self._users.get(device or "")
        return f"u:{user}" if user else f"a:{device}"

    def events(self, names: set[str]) -> list[tuple[dict[str, Any], str, int]]:
        """(body, customer, time) of those that count, in the order of time."""
        out = []
        for body in self.bodies:
            if body.get("event") in names:
                customer, time = self.customer(body.get("userId"), body.get("anonymousId")), ms(body["timestamp"])
                if time > self.deleted.get(customer, 0):
                    out.append((body, customer, time))
        return sorted(out, key=lambda event: event[2])


def count(messages: Iterable[bytes], records: Iterable[bytes]) -> Found:
    """Everything."""
    shop, found = Shop(messages), Found()
    lists = _lists(shop, records, found)
    first: dict[str, Shown] = {}
    for shown in lists:
        first.setdefault(shown.unit, shown)
        of = found.counts[shown.variation]
        of.update(lists=1, impressions=len(shown.items), fallback_lists=shown.rung != "pairs")
    for shown in first.values():
        found.counts[shown.variation]["units"] += 1
    _clicks(shop, lists, first, found)
    _deeds(shop, first, found)
    return found


def _lists(shop: Shop, records: Iterable[bytes], found: Found) -> list[Shown]:
    kept: dict[str, Shown] = {}
    for record in sorted((json.loads(data) for data in records), key=lambda record: record["served_at"]):
        customer, time = shop.customer(None, record["unit"]), ms(record["served_at"])
        for reason, holds in (
            ("forced", record["forced"]),
            ("robot", record["robot"]),
            ("erased", time <= shop.deleted.get(customer, 0)),
        ):
            if holds:
                found.left_out[reason] += 1
                break
        else:
            items = [entry["item"] for entry in record["items"]]
            shown = Shown(
                record["list_id"], record["unit"], customer, record["variation"], record["request_id"], items,
                record["rung"], time,
            )  # fmt: skip
            found.left_out["repeated"] += shown.list_id in kept
            kept.setdefault(shown.list_id, shown)
    return list(kept.values())


def _clicks(shop: Shop, lists: list[Shown], first: Mapping[str, Shown], found: Found) -> None:
    by_request = {one.request_id: one for one in lists}
    of_customer = defaultdict(list)
    for one in lists:
        of_customer[one.customer].append(one)
    clicked = {}
    for body, customer, time in shop.events({CLICKED}):
        item, asked = _item(body["properties"]), body["properties"].get("request_id")
        before = [one for one in of_customer[customer] if one.time <= time and item in one.items]
        shown = by_request.get(asked) or max(before, key=lambda one: one.time, default=None)
        if shown is not None and time >= first[shown.unit].time:
            found.ways["request" if asked in by_request else "item"] += 1
            clicked[shown.list_id, item] = shown.variation
    for variation in clicked.values():
        found.counts[variation]["clicks"] += 1


def _deeds(shop: Shop, first: Mapping[str, Shown], found: Found) -> None:
    returned = {
        body["properties"]["order_id"] for body, _, _ in shop.events(RETURNED)
    }  # each takes the whole order back
    adding, ordering, orders = set[str](), set[str](), set[str]()
    for body, customer, time in shop.events(ADDED | ORDERED):
        units = [shown for shown in first.values() if shown.customer == customer and shown.time <= time]
        own = [shown for shown in units if shown.unit == body.get("anonymousId")]
        shown = max(own or units, key=lambda one: one.time, default=None)
        if body["event"] in ADDED:
            adding |= {shown.unit} if shown else set()
            continue
        order = body["properties"]
        if order["order_id"] in orders | returned:
            continue
        orders.add(order["order_id"])
        if shown is not None:
            ordering.add(shown.unit)
            of = found.counts[shown.variation]
            of.update(orders=1, pieces=sum(line["quantity"] for line in order["products"]))
            of["revenue"] += order["revenue"]
    for unit in adding:
        found.counts[first[unit].variation]["adding"] += 1
    for unit in ordering:
        found.counts[first[unit].variation]["ordering"] += 1


def _item(properties: Mapping[str, Any]) -> str:
    return str(properties.get("product_id") or properties.get("sku") or properties["id"])


def _object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def ms(text: str) -> int:
    """ISO 8601 -> ms since the epoch."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
