"""Why two items belong together: the exact counts, every ranking's score, and a sentence. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from varde.history import Limits, Signal
from varde.pairs import Relation
from varde.ranking import Formula, everything

_DONE = {Signal.VIEW: "viewed", Signal.CART: "put into the cart", Signal.PURCHASE: "bought"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Distinct customers: of the pair, of the row item, of the column item, of the relation's universe."""

    customers: int
    item_customers: int
    other_customers: int
    total_customers: int


def scored(evidence: Evidence, also: Iterable[Formula | str] = ()) -> dict[str, float | None]:
    """Every score of the pair, those of the formulas `also` too, and its lift (None when an item has no customer)."""
    k, a, b = evidence.customers, evidence.item_customers, evidence.other_customers
    got = everything([k], a, [b], evidence.total_customers, also)
    return {name: None if math.isnan(score[0]) else float(score[0]) for name, score in got.items()}


def sentence(item: str, other: str, relation: Relation, evidence: Evidence, days: int) -> str:
    """The evidence for a person: `37 customers viewed both, of 410 who viewed A and 96 who viewed B, in 90 days`."""
    row, column = _DONE[relation.row_signal], _DONE[relation.column_signal]
    both = f"{row} both" if relation.symmetric else f"{row} {item} and {column} {other}"
    people = "customer" if evidence.customers == 1 else "customers"
    return (
        f"{evidence.customers:,} {people} {both}, of {evidence.item_customers:,} who {row} {item}"
        f" and {evidence.other_customers:,} who {column} {other}, in {days} {'day' if days == 1 else 'days'}"
    )


def window(limits: Limits, now: int) -> dict[str, Any]:
    """The window of the counts: its length in days and the date (UTC) it starts on at `now` (ms)."""
    start = datetime.fromtimestamp(limits.window_start(now) / 1000, UTC)
    return {"days": limits.window_days, "start": start.date().isoformat()}
