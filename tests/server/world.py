"""A small world for server tests: histories of customers -> a filled Redis, and the answers by brute force."""

import random

from varde.counts import count
from varde.delivery import Pane, Recent, popularity, split
from varde.history import Signal
from varde.pairs import Histories

DAY = 20_000
NOW = DAY * 86_400_000 + 43_200_000
"""The clock of the tests: noon on 2024-10-04, UTC."""

ITEMS = ["tent", "stove", "mat", "lamp", "boots", "map", "mug", "rope", "a/b c?", "nul\0", "{x}", "snö 🏔", "x:y\n"]
UNKNOWN = "never-seen"

COUNTERS = {
    "messages": 1300, "accepted": 1234, "ignored:event_not_mapped": 61, "rejected:not_json": 3, "rejected:bad_id": 2,
    "known_work": 1500, "known_work_done": 1496, "deliveries": 40, "deliveries_applied": 39, "pairs_added": 5000,
    "pairs_removed": 120, "linked": 70, "forgotten": 4, "freshness_ms:600": 900, "freshness_ms:1400": 91,
    "freshness_ms:inf": 1,
}  # fmt: skip
"""What the stream has counted in this world."""


def customers(n, items, seed=7):
    """n customers who view a few of the items, the first ones more often, and buy some of what they view."""
    chance = random.Random(seed)
    weights = [1 / (place + 1) for place in range(len(items))]
    out = []
    for _ in range(n):
        seen = dict.fromkeys(chance.choices(items, weights, k=chance.randint(1, 8)), NOW - chance.randint(0, 10**9))
        bought = {item: time for item, time in seen.items() if chance.random() < 0.4}
        out.append(Histories(view=seen, purchase=bought))
    return out


def fill(store, everyone, run, recents=None, stats=None):
    """Put the counts of these customers into Redis as the stream would, as one pane of a new run.

    Args:
        store: varde.store.sync.Store.
        everyone: the histories of distinct customers.
        run: a name that no other fill of this Redis has.
        recents: customer key -> item -> time.
        stats: counters.
    """
    pane = Pane(counts=count(everyone), stats=stats or {})
    for histories in everyone:
        for signal in Signal:
            for item, time in histories[signal].items():
                weights = pane.popular.setdefault(int(signal), {})
                weights[item] = weights.get(item, 0.0) + popularity(time, 7.0)
    for name, items in (recents or {}).items():
        pane.remember(Recent(name, items))
    deliveries = list(split(pane, run, lane=0, index=0, size=1000))
    for delivery in deliveries:
        assert store.apply(delivery)
    for delivery in deliveries:  # when all supports are there, so that the rows hold what brute force counts
        store.refresh(delivery)
    store.remember(list(pane.recents.values()))


def pair(everyone, relation, item, other):
    """Customers of a pair, support of both items, customers of the relation: one customer at a time."""
    rows = [histories[relation.row_signal] for histories in everyone]
    columns = [histories[relation.column_signal] for histories in everyone]
    in_universe = [
        bool(row) if relation.symmetric else bool(histories) for row, histories in zip(rows, everyone, strict=True)
    ]
    return (
        sum(item in row and other in column for row, column in zip(rows, columns, strict=True)),
        sum(item in row for row in rows),
        sum(other in column for column in columns),
        sum(in_universe),
    )


def neighbours(everyone, relation, item, floor):
    """Item -> customers of the pair, for all pairs of at least `floor` customers."""
    found: dict[str, int] = {}
    for histories in everyone:
        if item in histories[relation.row_signal]:
            for other in histories[relation.column_signal]:
                if other != item:
                    found[other] = found.get(other, 0) + 1
    return {other: customers for other, customers in found.items() if customers >= floor}
