"""The night's result: the steps one after another, each replacing its table, then the counts from the histories."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from varde import keys, robots
from varde.counts import Cells
from varde.events import Mapping
from varde.history import Limits, Signal
from varde.orders import ORDERS_PER_ITEM, items_kept, returns_kept
from varde.pairs import ANY_ITEM, Relation, Universe

from . import tombstones
from .counting import Counter, Counting, here
from .freshness import ALL_TIME
from .warehouse import Parameters, Warehouse

STEPS = (
    "raw",
    "robots",
    "messages",
    "interactions",
    "withdrawals",
    "identity",
    "sales",
    "deeds",
    "erasures",
    "forgotten",
    "order_returns",
    "order_lines",
    "histories",
    "supports",
    "catalogue_rows",
    "catalogue",
    "clocks",
    "faults",
    "volumes",
)
"""The steps in order: queries and DECIDED. Each reads tables that are not ours and what the steps before it wrote."""

NAMED = ("raw", "erasures", "forgotten")
"""Tables that say by their ids who is forgotten. They are gone when the steps are done."""

RETURN = 3
"""Stands for a return where the SQL has a signal."""
OTHERS = {RETURN: "return", 4: "sale", 5: "catalogue", 6: "message", 7: "link"}
"""What else faults.sql has in the place of a signal; a link is any call that may link ids."""

ITEM_KEYS = frozenset({"product_id", "sku", "id", "variant"})
"""Product fields that the SQL knows."""

Tick = Callable[[str], None]


@runtime_checkable
class Expecting(Protocol):
    """A tick that may be told how often a step will come."""

    def expect(self, totals: dict[str, int]) -> None:
        """Step -> times."""
        ...


class UnknownItemKeyError(ValueError):
    """A product field in the settings that the SQL does not read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the steps of one night go by: the parameters of the queries, whether robots count, and VARDE_ID_SECRET."""

    as_of: int
    parameters: Parameters
    count_robots: bool
    secret: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """What the warehouse says at `as_of`.

    as_of, window_start: last and first event time that counts, ms.
    counted: the pairs, and the items that have any history.
    supports: universe -> item -> customers; ANY_ITEM holds the number of customers.
    faults: (signal name or another of OTHERS, reason) -> messages.
    volumes: signal name or another of OTHERS -> messages that there are.
    rows_of: table -> rows, of every step.
    """

    as_of: int
    window_start: int
    counted: Counting
    supports: dict[int, Cells]
    faults: dict[tuple[str, str], int]
    volumes: dict[str, int]
    rows_of: dict[str, int]

    @property
    def customers(self) -> int:
        """Customers with a history of any signal."""
        return self.supports.get(Universe.ANY, {}).get(ANY_ITEM, 0)

    def rows(self, relation: Relation) -> Iterable[tuple[str, Cells]]:
        """(row item, column item -> customers) of a relation, one row after another."""
        return self.counted.rows(relation)


def plan(as_of: int, limits: Limits, mapping: Mapping, secret: bytes = b"") -> Plan:
    """What the steps go by.

    Args:
        as_of: last event time that counts, ms.
        limits: cap and window.
        mapping: the item keys and whether robots count; the rest of it is in the warehouse's EventTables.
        secret: VARDE_ID_SECRET.

    Raises:
        UnknownItemKeyError: an item key that the SQL does not know.
    """
    item_keys = list(dict.fromkeys(mapping.item_keys))
    if unknown := [key for key in item_keys if key not in ITEM_KEYS]:
        msg = f"the warehouse reads the product fields {', '.join(sorted(ITEM_KEYS))}, not {', '.join(unknown)}"
        raise UnknownItemKeyError(msg)
    given: Parameters = {
        "as_of": as_of,
        "window_start": window_start(as_of, limits),
        "cap": limits.cap,
        "item_keys": item_keys,
        "links_since": ALL_TIME,  # a link of any age names the customer of an event inside the window
        "orders_per_item": ORDERS_PER_ITEM,
        "items_kept": items_kept(limits.cap),
        "returns_kept": returns_kept(limits.cap),
    }
    return Plan(as_of, given, mapping.robots, secret)


def window_start(as_of: int, limits: Limits) -> int:
    """The first event time that counts: the window is that of the moment after `as_of`, which may begin a day."""
    return limits.window_start(as_of + 1)


def run(warehouse: Warehouse, given: Plan, tick: Tick = lambda _: None) -> dict[str, int]:
    """All steps; table -> rows. A repetition gives the same."""
    rows_of: dict[str, int] = {}
    try:
        for step in STEPS:
            tick(step)
            rows_of[step] = take(warehouse, step, given)
    finally:
        for table in NAMED:
            warehouse.drop(f"varde.{table}")
    return rows_of


def take(warehouse: Warehouse, step: str, given: Plan) -> int:
    """One step: replace its table; the number of rows."""
    if step in DECIDED:
        return warehouse.replace(f"varde.{step}", DECIDED[step](warehouse, given))
    return warehouse.materialize(step, given.parameters)


def _robots(warehouse: Warehouse, given: Plan) -> pa.Table:
    """The user agents in the warehouse that are robots'; none where robots count."""
    found: list[str] = []
    if not given.count_robots:
        sent = warehouse.query("user_agents", given.parameters)["user_agent"].to_pylist()
        found = sorted(agent for agent in sent if robots.is_robot(agent[: robots.LONGEST]))
    return pa.table({"user_agent": pa.array(found, pa.string())})


def erasures(warehouse: Warehouse, given: Plan, users: str = "users") -> pa.Table:
    """The users who have a tombstone: it has only their hash, so every user is asked.

    Delete messages among raw messages become tombstones first. They hold in this night also when a later one of the
    same user is known already.

    Args:
        warehouse: after the steps that `users` reads.
        given: as_of and the secret.
        users: the query that names the users.
    """
    said = {
        keys.customer_key(row["user_id"], None, given.secret): row["time"]
        for row in warehouse.query("deletes", given.parameters).to_pylist()
    }
    tombstones.merge(warehouse, said)
    erased = tombstones.latest(warehouse, given.as_of)
    for customer, at in said.items():
        erased[customer] = max(at, erased.get(customer, at))
    found: dict[str, int] = {}
    for user in warehouse.query(users, given.parameters)["user_id"].to_pylist() if erased else ():
        at = erased.get(keys.customer_key(user, None, given.secret))
        if at is not None:
            found[user] = at
    return pa.table({"user_id": pa.array(found.keys(), pa.string()), "time": pa.array(found.values(), pa.int64())})


DECIDED: dict[str, Callable[[Warehouse, Plan], pa.Table]] = {"robots": _robots, "erasures": erasures}
"""Steps that SQL cannot do: what they decide becomes a table that the queries join."""


def build(
    warehouse: Warehouse,
    as_of: int,
    limits: Limits,
    mapping: Mapping,
    secret: bytes = b"",
    tick: Tick = lambda _: None,
    counter: Counter = here(),  # noqa: B008 - holds nothing that changes
) -> Night:
    """Run the steps for one `as_of` and count; a repetition gives the same. Arguments as for `plan`, and who counts.

    Raises:
        UnknownItemKeyError: an item key that the SQL does not know.
    """
    rows_of = run(warehouse, plan(as_of, limits, mapping, secret), tick)
    supports: dict[int, Cells] = {}
    for row in warehouse.read("varde.supports").to_pylist():
        supports.setdefault(row["universe"], {})[row["item"]] = row["customers"]
    names = OTHERS | {int(signal): signal.name.lower() for signal in Signal}
    faults = {
        (names[row["signal"]], row["reason"]): row["messages"] for row in warehouse.read("varde.faults").to_pylist()
    }
    volumes = {names[row["signal"]]: row["messages"] for row in warehouse.read("varde.volumes").to_pylist()}
    tick("pairs")
    items = sorted({item for cells in supports.values() for item in cells} - {ANY_ITEM})
    counted = counter(warehouse, items)
    return Night(as_of, window_start(as_of, limits), counted, supports, dict(sorted(faults.items())), volumes, rows_of)
