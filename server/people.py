"""Customers: their latest items as seeds, and what they must not be offered. Nothing of them is kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from redis.exceptions import ResponseError

from varde import keys
from varde.latest import Customer, in_cart, merged
from varde.pairs import Relation
from varde.store.serving import RowKey

from .blend import SEEDS
from .errors import StoreError
from .hot import HotRow, HotRows
from .shelf import Shelf
from .trips import Trips

READS = 48
"""Customers read at once: fewer than the connections a client opens."""


class Person(NamedTuple):
    """A customer's item ids, newest first: viewed, in the cart now, bought."""

    views: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    bought: tuple[str, ...] = ()


NOBODY = Person()


class Wish(NamedTuple):
    """Whose items: hashed keys, the known customer's first; and of which relation seeds' rows come along, if any."""

    customers: tuple[str, ...]
    relation: Relation | None


class CustomerStore(Protocol):
    """What this room reads of Redis."""

    async def customer(self, customers: Sequence[str], /) -> Sequence[Customer]:
        """The latest items of each key."""

    async def personal(
        self, customers: Sequence[str], relation: Relation | int, seeds: int, /
    ) -> tuple[Customer, Sequence[tuple[str, bytes | None]]]:
        """The latest items of one customer of several keys, and the rows of the newest views."""


class People:
    """Reads customers, and leaves the rows of their newest views in memory on the way: one trip for both."""

    def __init__(
        self,
        store: CustomerStore,
        trips: Callable[[Callable[[Sequence[Wish]], object]], Trips[Wish, Customer]],
        hot: HotRows,
        shelf: Shelf,
        clock: Callable[[], int],
        secret: bytes,
        cart_hours: float,
    ) -> None:
        """Over a store.

        Args:
            store: reads customers.
            trips: makes the coalescer of this kind of wish, given how a batch is sent.
            hot: is given the rows that come along.
            shelf: numbers of items.
            clock: ms since the epoch.
            secret: VARDE_ID_SECRET.
            cart_hours: VARDE_CART_HOURS.
        """
        self._store, self._hot, self._shelf = store, hot, shelf
        self._clock, self._secret, self._cart_hours = clock, secret, cart_hours
        self._trips = trips(self._send)
        self._turns = asyncio.Semaphore(READS)

    async def of(self, uid: str | None, aid: str | None, relation: Relation, seeded: bool) -> Person:
        """The customer of a userId, an anonymousId or both: views of the first that has any, all of the rest.

        Args:
            uid: Segment's userId.
            aid: an anonymousId.
            relation: of which the newest views' rows are wanted.
            seeded: whether there are other seeds, so that no rows are wanted.

        Raises:
            StoreError: Redis does not answer.
        """
        customers = []
        if uid is not None:
            customers.append(keys.customer_key(uid, None, self._secret))
        if aid is not None:
            customers.append(keys.customer_key(None, aid, self._secret))
        found = await self._trips.wish(Wish(tuple(customers), None if seeded else relation))
        return Person(
            tuple(item for item, _ in found.views),
            tuple(in_cart(found, self._clock(), self._cart_hours)),
            tuple(item for item, _ in found.bought),
        )

    async def _send(self, wanted: Sequence[Wish]) -> list[Customer | StoreError]:
        return list(await asyncio.gather(*map(self._one, wanted)))

    async def _one(self, wish: Wish) -> Customer | StoreError:
        try:
            async with self._turns:
                if wish.relation is None:
                    return merged(await self._store.customer(wish.customers))
                began = self._hot.now()
                found, rows = await self._store.personal(wish.customers, wish.relation, SEEDS)
        except (ResponseError, ValueError):  # what Redis holds of this one makes no sense: nobody else's loss
            return StoreError("answer")
        for item, data in rows:
            slot = self._shelf.slots.get(item)
            number = -1 if slot is None else self._shelf.numbers[slot]
            if number >= 0:
                # What is no row is left to whoever asks for it.
                with suppress(ValueError):
                    self._hot.keep(HotRow(RowKey(int(wish.relation), number), data), began)
        return found
