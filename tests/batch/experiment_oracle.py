"""What a world of experiments comes to, by the definitions of docs/sql.md alone: plain loops over plain lists."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from varde.history import DAY_MS

from .experiment_worlds import EXPERIMENTS, NOW, World

Row = dict[str, Any]
UnitKey = tuple[str, str, str]
"""experiment, unit kind, unit."""
BEFORE = 28 * DAY_MS


class Oracle:
    """Everything that the steps make, from a world. Each attribute is what the table of its name holds."""

    def __init__(self, world: World) -> None:
        self._views_within = world.views_within
        said = {one.get("messageId", n): one for n, one in enumerate(json.loads(data) for data, _ in world.messages)}
        self._said = list(said.values())
        self._learn_identity()
        self.faults: Counter[tuple[str | None, str]] = Counter()
        self.lists: list[Row] = self._lists(world.exposures)
        self._deeds = [one for one in map(self._deed, self._said) if one is not None]
        self.orders = self._orders()
        self.units: dict[UnitKey, Row] = self._units()
        self.clicks = self._clicks()
        self.unit_days = self._unit_days()

    # Who is who.

    def _learn_identity(self) -> None:
        withdrawn: dict[tuple[str | None, str | None], int] = {}
        self.forgotten: dict[str, int] = {}
        for one in self._said:
            if one["type"] == "delete" and one["timestamp"] <= NOW:
                self._forget("u:" + one["userId"], one["timestamp"])
            if "consent" in one.get("context", {}) and one["timestamp"] <= NOW:
                key = (one.get("userId"), one.get("anonymousId"))
                withdrawn[key] = max(one["timestamp"], withdrawn.get(key, 0))
        self.linked: dict[str, str] = {}
        links = [
            (one["timestamp"], one["userId"], one["anonymousId"])
            for one in self._said
            if one.get("userId") and one.get("anonymousId") and self._heard(one)
        ]
        for time, user, device in sorted(links):
            if all(time > at for (_, of), at in withdrawn.items() if of == device):
                self.linked.setdefault(device, user)
        for (user, device), at in withdrawn.items():
            if user:
                self._forget("u:" + user, at)
            if device:
                self._forget(self._customer(None, device), at)

    def _forget(self, customer: str, time: int) -> None:
        self.forgotten[customer] = max(time, self.forgotten.get(customer, 0))

    def _heard(self, one: Row) -> bool:
        context = one.get("context", {})
        robot = "bot" in (context.get("userAgent") or "")
        return one["type"] != "delete" and one["timestamp"] <= NOW and not robot and "consent" not in context

    def _customer(self, user: str | None, device: str | None) -> str:
        if not user and device:
            user = self.linked.get(device)
        return f"u:{user}" if user else f"a:{device}"

    def _counts(self, customer: str, time: int) -> bool:
        return time > self.forgotten.get(customer, -1)

    # What was shown.

    def _lists(self, exposures: Iterable[Row]) -> list[Row]:
        found: dict[Any, Row] = {}
        for one in sorted(exposures, key=lambda one: one["served_at"] or ""):
            time = one["served_at"] and round(datetime.fromisoformat(one["served_at"]).timestamp() * 1000)
            if time and not min(e.start or 0 for e in EXPERIMENTS.values()) <= time <= NOW:
                continue
            fault = self._fault(one, time)
            experiment = one["experiment"]
            if fault:
                nobody = fault in ("no_list_id", "bad_time", "no_experiment", "unknown_experiment")
                self.faults[None if nobody else experiment, fault] += 1
                continue
            user, device = (one["unit"], None) if one["unit_kind"] == "uid" else (None, one["unit"])
            customer = self._customer(user, device)
            key = (experiment, one["unit_kind"], one["unit"], one["list_id"])
            keys = [variation.key for variation in EXPERIMENTS[experiment].variations]
            index = -1 if EXPERIMENTS[experiment].mode == "team_draft" else keys.index(one["variation"])
            row = one | {"time": time, "customer": customer, "variation_index": index}
            if not self._counts(customer, time):
                self.faults[experiment, "erased"] += 1
            elif key in found:
                self.faults[experiment, "repeated"] += 1
                found[key] = min(found[key], row, key=_first_copy)
            else:
                found[key] = row
        return list(found.values())

    def _fault(self, one: Row, time: int | None) -> str | None:  # noqa: C901 - one reason after another
        experiment = EXPERIMENTS.get(one["experiment"] or "")
        if not one["list_id"]:
            return "no_list_id"
        if time is None:
            return "bad_time"
        if not one["experiment"]:
            return "no_experiment"
        if experiment is None:
            return "unknown_experiment"
        if one["unit_kind"] not in ("uid", "aid") or not 0 < len(one["unit"]) <= 256:
            return "no_unit"
        if one["bucket_version"] != experiment.bucket_version:
            return "other_version"
        if one["mode"] != experiment.mode:
            return "other_mode"
        if experiment.mode == "ab" and one["variation"] not in [variation.key for variation in experiment.variations]:
            return "unknown_variation"
        if any(not item["item"] or item["position"] < 1 for item in one["items"]):
            return "items_malformed"
        if not experiment.runs(time):
            return "outside_dates"
        return "robot" if one["robot"] else "forced" if one["forced"] else None

    # What was done.

    def _deed(self, one: Row) -> Row | None:
        kinds = {
            "Product Clicked": "click", "Clicked Product": "click", "Product Viewed": "view", "Product Added": "cart",
            "Order Completed": "order", "Order Refunded": "return", "Order Cancelled": "return",
        }  # fmt: skip
        kind = kinds.get(one.get("event", ""))
        if kind is None or not self._heard(one):
            return None
        properties = one["properties"]
        customer = self._customer(one.get("userId"), one.get("anonymousId"))
        if not self._counts(customer, one["timestamp"]) or (kind == "return" and not properties["order_id"]):
            return None
        return {
            "kind": kind, "id": one["messageId"], "customer": customer, "user": one.get("userId"),
            "device": one.get("anonymousId"), "time": one["timestamp"], "order": properties.get("order_id"),
            "request": properties.get("varde_request_id") or properties.get("request_id"),
            "item": _item(properties) if kind in ("click", "view", "cart") else None,
            "revenue": _number(properties.get("revenue")), "total": _number(properties.get("total")),
            "currency": _currency(properties.get("currency")),
            "lines": [] if kind in ("click", "view", "cart") else _lines(properties.get("products")),
            "cancelled": one["event"] == "Order Cancelled",
        }  # fmt: skip

    def _orders(self) -> dict[str, Row]:
        since = min((one["time"] for one in self.lists), default=NOW) - BEFORE
        placed: dict[str, Row] = {}
        for one in sorted(self._deeds, key=lambda one: (one["time"], one["id"])):
            if one["kind"] == "order" and one["time"] >= since:
                placed.setdefault(one["order"] or f"message {one['id']}", one)
        return {one["id"]: self._order(one, since) for one in placed.values()}

    def _order(self, one: Row, since: int) -> Row:
        worth = [line["price"] * (line["quantity"] or 1) for line in one["lines"] if line["price"] is not None]
        said = [value for value in (one["revenue"], one["total"]) if value is not None and value >= 0]
        gross = said[0] if said else math.fsum(worth)
        bought = sum(line["quantity"] or 1 for line in one["lines"])
        back, pieces, whole = 0.0, 0.0, False
        for other in self._deeds:
            if other["kind"] != "return" or other["order"] != one["order"] or other["time"] < since:
                continue
            value, some = self._refund(other, one)
            pieces += some
            whole |= other["cancelled"] or value is None
            back += value or 0
        if gross > 0:
            whole |= gross - back < 0.005
        else:
            whole |= 0 < bought <= pieces
        return one | {
            "gross": gross,
            "revenue": 0.0 if whole else max(gross - back, 0.0),
            "items": 0.0 if whole else max(bought - pieces, 0),
            "counts": not whole,
        }

    def _refund(self, other: Row, one: Row) -> tuple[float | None, float]:
        """(value, pieces) of a refund of an order."""
        value, pieces = [], 0.0
        for line in other["lines"]:
            same = [mine for mine in one["lines"] if mine["item"] and mine["item"] == line["item"]]
            prices = [mine["price"] for mine in same if mine["price"] is not None]
            price = line["price"] if line["price"] is not None else max(prices, default=None)
            quantity = line["quantity"] or sum(mine["quantity"] or 1 for mine in same) or 1
            pieces += quantity
            if price is not None:
                value.append(price * quantity)
        for said in (other["total"], other["revenue"]):
            if said is not None:
                return abs(said), pieces
        return (math.fsum(value) if value else None), pieces

    def _rate(self, key: str, order: Row) -> float | None:
        """What the money of an order is worth in the currency of an experiment; None: it is left out."""
        said = sorted(one["currency"] for one in self.orders.values() if one["currency"])
        own = EXPERIMENTS[key].currency or max(sorted(set(said)), key=said.count, default=None)
        currency = order["currency"]
        return 1.0 if currency in (None, own) else dict(EXPERIMENTS[key].rates).get(currency)

    # Who was in, and what of that counts.

    def _units(self) -> dict[UnitKey, Row]:
        of: dict[UnitKey, list[Row]] = defaultdict(list)
        for one in self.lists:
            of[one["experiment"], one["unit_kind"], one["unit"]].append(one)
        found: dict[UnitKey, Row] = {}
        for key in sorted(of):
            first = min(of[key], key=lambda one: (one["time"], one["variation_index"], one["list_id"]))
            start, customer = first["time"], first["customer"]
            past = [one for one in self._deeds if one["customer"] == customer and start - BEFORE <= one["time"] < start]
            bought = [self.orders[one["id"]] for one in past if one["id"] in self.orders]
            kinds = Counter(one["kind"] for one in past)
            found[key] = {
                "customer": customer, "variation_index": first["variation_index"], "first_exposure": start,
                "several": len({one["variation_index"] for one in of[key]}) > 1,
                "until": start + EXPERIMENTS[key[0]].attribution_days * DAY_MS,
                "pre_views": kinds["view"], "pre_clicks": kinds["click"], "pre_adds": kinds["cart"],
                "pre_orders": sum(one["counts"] for one in bought),
                "pre_revenue": math.fsum(one["revenue"] * (self._rate(key[0], one) or 0) for one in bought),
            }  # fmt: skip
        return found

    def _clicks(self) -> dict[tuple[UnitKey, str, str], tuple[int, str | None]]:
        """(unit, list, item) -> (earliest click, team)."""
        found: dict[tuple[UnitKey, str, str], tuple[int, str | None]] = {}
        for one in self._deeds:
            named = []
            if one["kind"] == "click" and one["request"]:
                named = [shown for shown in self.lists if shown["request_id"] == one["request"]]
            if named:
                chosen = [_chosen(named, one["item"])]
            elif one["kind"] == "click" or (one["kind"] == "view" and self._views_within):
                chosen = self._seen_before(one)
            else:
                continue
            for shown in chosen:
                key = (shown["experiment"], shown["unit_kind"], shown["unit"])
                unit = self.units[key]
                if unit["several"] or not unit["first_exposure"] <= one["time"] <= unit["until"]:
                    continue
                team = next((item["team"] for item in shown["items"] if item["item"] == one["item"]), None)
                click = (key, shown["list_id"], one["item"] or "")
                found[click] = min(found.get(click, (one["time"], team)), (one["time"], team), key=lambda at: at[0])
        return found

    def _seen_before(self, one: Row) -> list[Row]:
        """The latest list of each experiment before a click that showed its item to the same customer."""
        latest: dict[str, Row] = {}
        for shown in self.lists:
            unit = self.units[shown["experiment"], shown["unit_kind"], shown["unit"]]
            if shown["customer"] != one["customer"] or one["item"] not in [item["item"] for item in shown["items"]]:
                continue
            if not shown["time"] <= one["time"] <= unit["until"]:
                continue
            if one["kind"] == "view" and one["time"] > shown["time"] + self._views_within:
                continue
            other = latest.get(shown["experiment"])
            if other is None or _by_item(shown) < _by_item(other):
                latest[shown["experiment"]] = shown
        return list(latest.values())

    def _unit_days(self) -> dict[tuple[UnitKey, int], Counter[str]]:
        found: dict[tuple[UnitKey, int], Counter[str]] = defaultdict(Counter)
        for shown in self.lists:
            key = (shown["experiment"], shown["unit_kind"], shown["unit"])
            if not self.units[key]["several"] and shown["time"] <= self.units[key]["until"]:
                day = found[key, shown["time"] // DAY_MS]
                day["impressions"] += len(shown["items"])
                day["lists"] += 1
                day["fallback_lists"] += shown["rung"] != "pairs"
        for (key, _, _), (time, _) in self.clicks.items():
            found[key, time // DAY_MS]["clicks"] += 1
        for one in self._deeds:
            if one["kind"] == "cart" or one["id"] in self.orders:
                for key in self._owners(one):
                    day = found[key, one["time"] // DAY_MS]
                    day["adds"] += one["kind"] == "cart"
                    if one["kind"] == "order":
                        order: Any = self.orders[one["id"]]
                        day["orders"] += order["counts"]
                        rate = self._rate(key[0], order)
                        day["orders_left_out"] += order["counts"] and rate is None
                        day["revenue"] += order["revenue"] * (rate or 0)
                        day["items"] += order["items"]
        return found

    def _owners(self, one: Row) -> list[UnitKey]:
        """In each experiment the unit that a deed counts for."""
        chosen: dict[str, tuple[bool, int, UnitKey]] = {}
        for key, unit in sorted(self.units.items()):
            if unit["customer"] == one["customer"] and unit["first_exposure"] <= one["time"] <= unit["until"]:
                own = key[2] == one["user" if key[1] == "uid" else "device"]
                rank = (not own, -unit["first_exposure"], key)
                chosen[key[0]] = min(chosen.get(key[0], rank), rank)
        return [key for _, _, key in chosen.values() if not self.units[key]["several"]]

    # Reports.

    def day(self, experiment: str, index: int, day: int) -> Row:
        """The row of experiment_days but for its names."""
        ours = {
            key: unit
            for key, unit in self.units.items()
            if key[0] == experiment and unit["first_exposure"] // DAY_MS <= day
        }
        totals: dict[UnitKey, Counter[str]] = {key: Counter() for key, unit in ours.items() if not unit["several"]}
        for (key, at), counted in self.unit_days.items():
            if key in totals and at <= day:
                totals[key].update(counted)
        spent = sorted(one["revenue"] for one in totals.values() if one["revenue"] > 0)
        quantile = EXPERIMENTS[experiment].winsorize
        most = spent[math.ceil(quantile * len(spent) - 1e-9) - 1] if spent and quantile < 1 else math.inf
        mine = {key: one for key, one in totals.items() if ours[key]["variation_index"] == index}
        total: Counter[str] = sum(mine.values(), Counter())
        lists = [
            one
            for one in self.lists
            if (key := (one["experiment"], one["unit_kind"], one["unit"])) in mine
            and one["time"] <= ours[key]["until"]
            and one["time"] // DAY_MS <= day
        ]
        waited = sorted(math.floor(one["latency_ms"] * 10 + 0.5) for one in lists if one["latency_ms"] is not None)
        units, seen = len(mine), {item["item"] for one in lists for item in one["items"]}
        several = [1 for unit in ours.values() if unit["several"] and unit["variation_index"] == index]
        names = ("impressions", "lists", "fallback_lists", "clicks", "adds", "orders", "revenue", "items")
        buyers = sum(one["orders"] > 0 for one in mine.values())
        adders = sum(one["adds"] > 0 for one in mine.values())
        capped = math.fsum(min(one["revenue"], most) for one in mine.values())
        return {name: total[name] for name in names} | {
            "units": units, "units_several": len(several), "buyers": buyers, "adders": adders,
            "clickers": sum(one["clicks"] > 0 for one in mine.values()),
            "ctr_per_impression": _share(total["clicks"], total["impressions"]),
            "ctr_per_unit": _share(total["clicks"], units), "add_rate": _share(adders, units),
            "conversion": _share(buyers, units), "orders_per_unit": _share(total["orders"], units),
            "revenue_per_unit": _share(capped, units), "items_per_order": _share(total["items"], total["orders"]),
            "fallback_share": _share(total["fallback_lists"], total["lists"]),
            "latency_p95_ms": waited[math.ceil(len(waited) * 0.95 - 1e-9) - 1] / 10 if waited else None,
            "items_shown": len(seen),
        }  # fmt: skip


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _first_copy(one: Row) -> Any:
    """Copies that differ in more than their time are told apart by these."""
    return (
        one["time"], one["request_id"] or "", one["variation_index"], json.dumps(one["items"]), one["rung"] or "",
        one["latency_ms"] if one["latency_ms"] is not None else -1,
    )  # fmt: skip


def _chosen(named: list[Row], item: str | None) -> Row:
    """Of the lists of a request the one with the item, of these the latest."""
    return min(
        named,
        key=lambda one: (
            item not in [shown["item"] for shown in one["items"]], -one["time"], one["experiment"], one["list_id"],
            one["unit_kind"], one["unit"],
        ),
    )  # fmt: skip


def _by_item(shown: Row) -> Any:
    return (-shown["time"], shown["list_id"], shown["unit_kind"], shown["unit"])


def _item(product: Row) -> str | None:
    for name in ("product_id", "sku"):
        if product.get(name) not in (None, ""):
            return str(product[name])
    return None


def _currency(value: Any) -> str | None:
    said = str(value)
    return said.upper() if isinstance(value, str) and len(said) == 3 and said.isalpha() and said.isascii() else None


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) or value is None else float(value)
    except ValueError:
        return None


def _lines(products: Any) -> list[Row]:
    try:
        listed = json.loads(products) if isinstance(products, str) else products or []
    except ValueError:
        return []
    found = []
    for one in listed:
        price, quantity = _number(one.get("price")), _number(one.get("quantity"))
        good = quantity is not None and quantity > 0
        found.append(
            {
                "item": _item(one),
                "price": price if price is None or price >= 0 else None,
                "quantity": quantity if good else None,
            }
        )
    return found
