"""The night's result: the SQL steps one after another, each replacing its table, then the counts from the histories."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from varde.counts import Cells
from varde.history import Limits, Signal
from varde.pairs import ANY_ITEM, Relation, Universe

from . import count
from .warehouse import Parameters, Warehouse

STEPS = ("messages", "interactions", "identity", "erasures", "histories", "supports", "faults")
"""The queries in order; each reads only Segment's tables and the tables of the steps before it."""

ITEM_KEYS = frozenset({"product_id", "sku", "id", "variant"})
"""Product fields that the SQL knows."""

ALL_TIME = 0
"""`links_since`: a link of any age names the customer of an event inside the window."""

Tick = Callable[[str], None]


class NoMessagesError(LookupError):
    """The warehouse holds no message of Segment's, so it does not say up to when it is complete."""


class UnknownItemKeyError(ValueError):
    """A product field in the settings that the SQL does not read."""


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """What the warehouse says at `as_of`.

    as_of, window_start: last and first event time that counts, ms.
    supports: universe -> item -> customers; ANY_ITEM holds the number of customers.
    faults: (signal name, reason) -> messages.
    rows_of: table -> rows, of every step.
    """

    as_of: int
    window_start: int
    incidence: count.Incidence
    supports: dict[int, Cells]
    faults: dict[tuple[str, str], int]
    rows_of: dict[str, int]

    @property
    def customers(self) -> int:
        """Customers with a history of any signal."""
        return self.supports.get(Universe.ANY, {}).get(ANY_ITEM, 0)

    def rows(self, relation: Relation) -> Iterable[tuple[str, Cells]]:
        """(row item, column item -> customers) of a relation, one row after another."""
        return count.rows(self.incidence, relation)


def parameters(as_of: int, limits: Limits, item_keys: Iterable[str]) -> Parameters:
    """The parameters of all steps.

    Raises:
        UnknownItemKeyError: an item key that the SQL does not know.
    """
    keys = list(dict.fromkeys(item_keys))
    if unknown := [key for key in keys if key not in ITEM_KEYS]:
        msg = f"the warehouse reads the product fields {', '.join(sorted(ITEM_KEYS))}, not {', '.join(unknown)}"
        raise UnknownItemKeyError(msg)
    return {
        "as_of": as_of,
        "window_start": limits.window_start(as_of),
        "cap": limits.cap,
        "item_keys": keys,
        "links_since": ALL_TIME,
    }


def newest(warehouse: Warehouse) -> int:
    """The newest time of receipt in the warehouse, ms: the latest `as_of` that makes sense.

    Raises:
        NoMessagesError: there is none.
    """
    (found,) = warehouse.query("newest", {"links_since": ALL_TIME})["received_at"].to_pylist()
    if found is None:
        msg = "the warehouse holds no messages"
        raise NoMessagesError(msg)
    return int(found)


def build(
    warehouse: Warehouse, as_of: int, limits: Limits, item_keys: Iterable[str], tick: Tick = lambda _: None
) -> Night:
    """Run the steps for one `as_of`; a repetition gives the same.

    Raises:
        UnknownItemKeyError: an item key that the SQL does not know.
    """
    given = parameters(as_of, limits, item_keys)
    rows_of: dict[str, int] = {}
    for step in STEPS:
        tick(step)
        rows_of[step] = warehouse.materialize(step, given)
    supports: dict[int, Cells] = {}
    for row in warehouse.read("varde.supports").to_pylist():
        supports.setdefault(row["universe"], {})[row["item"]] = row["customers"]
    faults = {
        (Signal(row["signal"]).name.lower(), row["reason"]): row["messages"]
        for row in warehouse.read("varde.faults").to_pylist()
    }
    tick("pairs")
    who = count.incidence(warehouse.read("varde.histories"))
    return Night(as_of, limits.window_start(as_of), who, supports, dict(sorted(faults.items())), rows_of)
