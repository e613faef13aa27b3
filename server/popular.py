"""What is popular and what is rising, over all and by category, held in memory so that no answer is ever empty.

Read again from Redis in the background, a few shards at a time; after its loss the last known order stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from varde.history import Signal

from .rules import Offer
from .shelf import Shelf

MOST = 2_000
"""Items in the order over all."""
MOST_CONSIDERED = 20_000
"""Items that are looked at for the orders of categories: the loop runs in the server's one thread."""
MOST_IN_CATEGORY = 200
PRIOR = 5.0
"""Pseudo-customers of trending: items that few people know are held back."""


class Popular:
    """Items by decayed interactions, per signal; weights are the store's (delivery.popularity)."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._shards: dict[tuple[int, int], tuple[NDArray[np.uint32], NDArray[np.float64]]] = {}
        self._orders: dict[int, list[tuple[int, float]]] = {}
        self._categories: dict[int, dict[int, list[tuple[int, float]]]] = {}

    def put(self, signal: int, shard: int, weighted: list[tuple[int, float]]) -> None:
        """What a shard of Redis holds now, as (item number, weight), best first."""
        numbers = np.fromiter((number for number, _ in weighted), np.uint32, len(weighted))
        self._shards[signal, shard] = (
            numbers,
            np.fromiter((weight for _, weight in weighted), np.float64, len(weighted)),
        )

    def arrange(self, signal: int) -> None:
        """Make the orders of a signal anew from all shards, ties by item number.

        A hidden or sold-out item stays in: rules decide late.
        """
        parts = [part for (of, _), part in self._shards.items() if of == signal and len(part[0])]
        if not parts:
            self._orders[signal], self._categories[signal] = [], {}
            return
        numbers = np.concatenate([part[0] for part in parts])
        weights = np.concatenate([part[1] for part in parts])
        best = np.lexsort((numbers, -weights))[:MOST_CONSIDERED]
        columns = (self._shelf.of_numbers(numbers[best]), weights[best])
        pairs = zip(*(column.tolist() for column in columns), strict=True)
        order = [(slot, weight) for slot, weight in pairs if slot >= 0]
        self._orders[signal] = order[:MOST]
        by_category: dict[int, list[tuple[int, float]]] = {}
        for slot, weight in order:
            for category in self._shelf.categories[slot]:
                there = by_category.setdefault(category, [])
                if len(there) < MOST_IN_CATEGORY:
                    there.append((slot, weight))
        self._categories[signal] = by_category

    def size(self, signal: int) -> int:
        """How many items the order of a signal has."""
        return len(self._orders.get(signal, ()))

    def over_all(self, signal: int, now: float) -> Iterator[Offer]:
        """Best first; the score is how many interactions of this moment theirs are worth.

        Args:
            signal: view, cart or purchase.
            now: the weight of an interaction of this moment.
        """
        return ((slot, weight / now, None, None) for slot, weight in self._orders.get(signal, ()))

    def in_category(self, signal: int, categories: Iterable[int], now: float) -> Iterator[Offer]:
        """The same within categories, those of the first before those of the next; an item may come again."""
        lists = self._categories.get(signal, {})
        return ((slot, weight / now, None, None) for category in categories for slot, weight in lists.get(category, ()))

    @property
    def signals(self) -> tuple[int, ...]:
        """Signals that popularity is kept of."""
        return tuple(int(signal) for signal in Signal)


class Trending:
    """Items that more customers have met of late than their share of the whole window would have it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._shards: dict[int, list[tuple[int, int, int]]] = {}
        self._order: list[Offer] = []

    def put(self, shard: int, changed: Sequence[tuple[int, int]], supports: Sequence[int]) -> None:
        """Customers that items of a shard have won in the last days, with the supports they have now."""
        found = zip(changed, supports, strict=True)
        self._shards[shard] = [(number, n, support) for (number, n), support in found if n > 0]

    def arrange(self, share: float) -> None:
        """Make the order anew.

        Args:
            share: the last days' part of the window: short / long.
        """
        entries = [entry for part in self._shards.values() for entry in part]
        slots = self._shelf.of_numbers(np.fromiter((entry[0] for entry in entries), np.uint32, len(entries)))
        scored: list[Offer] = [
            (slot, rise(n, support, share), n, None)
            for slot, (_, n, support) in zip(slots.tolist(), entries, strict=True)
            if slot >= 0
        ]
        ids = self._shelf.ids
        rising = [candidate for candidate in scored if candidate[1] > 0]
        self._order = sorted(rising, key=lambda one: (-one[1], ids[one[0]]))[:MOST]

    def order(self, floor: int) -> list[Offer]:
        """Best first; `customers` is how many met the item for the first time in the last days, at least `floor`."""
        return [offer for offer in self._order if (offer[2] or 0) >= floor]


def rise(recent: int, support: int, share: float) -> float:
    """The signed G² of `recent` customers where `support` x `share` would be expected; a Poisson deviance, shrunk.

    2 (x ln(x / e) - (x - e)), the deviance residual of a Poisson count x with expectation e (McCullagh and Nelder,
    Generalized Linear Models, 1989), with PRIOR added to the expectation, so that two visitors are no trend.
    """
    expected = support * share + PRIOR
    deviance = 2 * (recent * math.log(recent / expected) - (recent - expected)) if recent > 0 else 2 * expected
    return deviance if recent > expected else -deviance
