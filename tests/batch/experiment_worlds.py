"""Small worlds of lists in experiments and of what shoppers did, with every trap in them, as plain lists of JSON."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from varde.experiments import Experiment, Variation
from varde.history import DAY_MS

DAY = 20_454  # 2026-01-01
NOW = (DAY + 12) * DAY_MS + 1234
"""The last moment that counts."""
RECEIVED = NOW + 10 * DAY_MS
"""After everything that happens, also what happens too late to count."""
Message = dict[str, Any]

EXPERIMENTS = {
    "plain": Experiment(
        key="plain",
        variations=(Variation(key="control", weight=0.5), Variation(key="cosine", weight=0.5)),
        attribution_days=3,
        winsorize=0.75,
        currency="SEK",
        rates=(("EUR", 11.5), ("USD", 10.0)),
        start=DAY * DAY_MS,
        end=(DAY + 9) * DAY_MS,
    ),
    "known": Experiment(
        key="known",
        unit="uid",
        fallback="aid",
        bucket_version=2,
        variations=tuple(Variation(key=key, weight=1 / 3) for key in ("a", "b", "c")),
        attribution_days=5,
        winsorize=1.0,
        start=(DAY - 1) * DAY_MS,
    ),
    "draft": Experiment(
        key="draft",
        mode="team_draft",
        variations=(Variation(key="left", weight=0.5), Variation(key="right", weight=0.5)),
        attribution_days=2,
        start=DAY * DAY_MS,
    ),
}
ITEMS = "abcdefgh"
AGENTS = ("Mozilla/5.0 Firefox/140.0",) * 8 + ("Mozilla/5.0 (compatible; Googlebot/2.1)", None)


class World(NamedTuple):
    """exposures: records as they lie in the topic. messages: Segment's, with time of receipt. views_within: ms."""

    exposures: list[Message]
    messages: list[tuple[bytes, int]]
    views_within: int

    def shuffled(self, seed: int) -> World:
        """The same in another order, and everything twice."""
        rng = random.Random(seed)
        return World(
            rng.sample(self.exposures * 2, 2 * len(self.exposures)),
            rng.sample(self.messages * 2, 2 * len(self.messages)),
            self.views_within,
        )


def world(seed: int, lists: int = 60, messages: int = 160) -> World:
    """One of many worlds."""
    rng = random.Random(seed)
    exposures = [_exposure(rng, n) for n in range(lists)]
    said = [_message(rng, n, exposures) for n in range(messages)]
    exposures += [_broken(rng, one) for one in rng.choices(exposures, k=lists // 4)]
    exposures += [dict(one) for one in rng.choices(exposures, k=lists // 5)]
    sent = [(orjson.dumps(one), RECEIVED + n) for n, one in enumerate(said)]
    return World(rng.sample(exposures, len(exposures)), rng.sample(sent, len(sent)), rng.choice((0, 0, 1_800_000)))


def _moment(rng: random.Random) -> int:
    """Often at the same few moments, so that bounds are met."""
    day = rng.randrange(-3, 13)
    return (DAY + day) * DAY_MS + rng.choice((0, 0, 1, DAY_MS - 1, rng.randrange(DAY_MS)))


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _exposure(rng: random.Random, n: int) -> Message:
    experiment = rng.choice(tuple(EXPERIMENTS.values()))
    kind = "aid" if experiment.unit == "aid" or rng.random() < 0.3 else "uid"
    unit = f"{kind[0]}{rng.randrange(5)}"
    draft = experiment.mode == "team_draft"
    # Mostly by the unit, as it is dealt, so that few units are seen in several variations.
    index = int(unit[1]) if rng.random() < 0.93 else rng.randrange(9)
    variation = experiment.variations[index % len(experiment.variations)]
    shown = rng.sample(ITEMS, rng.randrange(5))
    return {
        "exposure_id": f"e{n}",
        "list_id": f"l{n}",
        "experiment": experiment.key,
        "variation": variation.key,
        "bucket_version": experiment.bucket_version,
        "mode": experiment.mode,
        "unit_kind": kind,
        "unit": unit,
        "user_id": unit if kind == "uid" else None,
        "anonymous_id": unit if kind == "aid" else None,
        "forced": False,
        "placement": "pdp",
        "route": "/v1/similar/{item}",
        "request_id": rng.choice((None, f"r{n}", f"r{n // 2}")),
        "seeds": ["a"],
        "items": [
            {
                "item": item,
                "position": at,
                "rung": "pairs",
                "team": rng.choice(("left", "right", None)) if draft else None,
            }
            for at, item in enumerate(shown, 1)
        ],
        "ranking": "llr",
        "relation": "also_viewed",
        "rung": rng.choice(("pairs", "pairs", "popular", None)),
        "stale": False,
        "latency_ms": rng.choice((None, 1.26, 3.5, rng.random() * 50)),
        "campaign": None,
        "send_id": None,
        "robot": False,
        "served_at": _iso(_moment(rng)),
    }


def _broken(rng: random.Random, exposure: Message) -> Message:
    """A row that does not count, or not twice, under an id of its own half of the time."""
    changes: Sequence[Message] = (
        {"list_id": None},
        {"experiment": None},
        {"experiment": "gone"},
        {"unit": ""},
        {"unit": "x" * 257},
        {"unit_kind": "device"},
        {"bucket_version": 7},
        {"mode": "bandit"},
        {"variation": "nobody"},
        {"items": [{"item": None, "position": 1}]},
        {"items": [{"item": "a", "position": 0}, {"item": "b", "position": 2}]},
        {"robot": True},
        {"forced": True},
        {"served_at": None},
        {"rung": "static"},
        {"served_at": _iso(_moment(rng))},
    )
    other = exposure | rng.choice(changes)
    if rng.random() < 0.5 and other["list_id"]:
        other["list_id"] += "'"
    return other


def _after(rng: random.Random, exposure: Message) -> int:
    """A moment at or after a list, often one at which something ends."""
    days = EXPERIMENTS[exposure["experiment"]].attribution_days
    passed = rng.choice((0, 1, 1_800_000, 1_800_001, days * DAY_MS, days * DAY_MS + 1, rng.randrange(days * DAY_MS)))
    return int(datetime.fromisoformat(exposure["served_at"]).timestamp() * 1000 + 0.5) + passed


def _message(rng: random.Random, n: int, exposures: list[Message]) -> Message:
    of = rng.choice(exposures)
    time = _after(rng, of) if rng.random() < 0.7 else _moment(rng)
    said: Message = {"type": "track", "messageId": f"m{n}", "timestamp": time, "receivedAt": RECEIVED}
    who = int(of["unit"][1]) if rng.random() < 0.8 else rng.randrange(5)
    if rng.random() < 0.75:
        said["anonymousId"] = f"a{who if rng.random() < 0.9 else rng.randrange(5)}"
    if rng.random() < 0.45 or "anonymousId" not in said:
        said["userId"] = f"u{who}"
    said["context"] = {"userAgent": rng.choice(AGENTS)}
    kind = rng.choice(("click", "click", "click", "view", "cart", "cart", "order", "order", "order", "return", "other"))
    if kind == "other":
        return _other(rng, said, who)
    if kind in ("click", "view", "cart"):
        return said | {"event": rng.choice(NAMES[kind]), "properties": _product(rng, kind, of)}
    return said | {"event": rng.choice(NAMES[kind]), "properties": _order(rng)}


NAMES = {
    "click": ("Product Clicked", "Clicked Product"),
    "view": ("Product Viewed",),
    "cart": ("Product Added",),
    "order": ("Order Completed",),
    "return": ("Order Refunded", "Order Refunded", "Order Cancelled"),
}


def _other(rng: random.Random, said: Message, who: int) -> Message:
    roll = rng.random()
    if roll < 0.12:
        return {"type": "delete", "userId": f"u{who}", "timestamp": said["timestamp"], "receivedAt": RECEIVED}
    if roll < 0.2:
        denied = {"categoryPreferences": {"Analytics": False}}
        return said | {"event": "Segment Consent Preference Updated", "context": {"consent": denied}}
    return said | {"type": "identify"}


def _product(rng: random.Random, kind: str, of: Message) -> Message:
    properties: Message = {rng.choice(("product_id", "sku")): rng.choice((*ITEMS, "", 7))}
    if of["items"] and rng.random() < 0.7:
        properties = {"product_id": rng.choice(of["items"])["item"]}
    if kind == "click" and rng.random() < 0.5:
        name = rng.choice(("request_id", "varde_request_id"))
        properties[name] = rng.choice((of["request_id"], of["request_id"], "r-unknown"))
    return properties


def _order(rng: random.Random) -> Message:
    properties: Message = {"order_id": rng.choice((*(f"o{order}" for order in range(25)), None))}
    if rng.random() < 0.4:
        properties["revenue"] = rng.choice((10, 12.5, "99.90", "1,000", -3, None, True))
    if rng.random() < 0.3:
        properties["total"] = rng.choice((5, "20", 3.25, "x"))
    if rng.random() < 0.7:
        properties["currency"] = rng.choice(("SEK", "sek", "EUR", "EUR", "NOK", "NOK", "kr", None, 752))
    if rng.random() < 0.85:
        products = [_line(rng) for _ in range(rng.randrange(4))]
        properties["products"] = rng.choice((products, products, orjson.dumps(products).decode(), '[{"sku": "a"'))
    return properties


def _line(rng: random.Random) -> Message:
    line: Message = {"product_id": rng.choice((*ITEMS, None))}
    if rng.random() < 0.7:
        line["price"] = rng.choice((1, 2.5, "4.75", "free", -1))
    if rng.random() < 0.5:
        line["quantity"] = rng.choice((1, 2, "3", 0, "many"))
    return line
