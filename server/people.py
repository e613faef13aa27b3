"""Customers: their latest items as seeds, and what they must not be offered. Nothing of them is kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
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
    """A customer's item ids, newest first: viewed, in the cart now, bought.

    sticky: variations of experiments by kind of id, "uid" and "aid"; None where they were not asked for or not read.
    """

    views: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    bought: tuple[str, ...] = ()
    sticky: Mapping[str, Mapping[str, str]] | None = None


NOBODY = Person()


class Wish(NamedTuple):
    """Whose items: hashed keys, the known customer's first; and of which relation seeds' rows come along, if any.

    sticky: whether the variations of experiments come along, too.
    """

    customers: tuple[str, ...]
    relation: Relation | None
    sticky: bool = False


class Found(NamedTuple):
    """A customer, and the sticky variations of each key that was asked for."""

    customer: Customer
    sticky: Sequence[Mapping[str, str]] | None = None


class CustomerStore(Protocol):
    """What this room reads of Redis."""

    async def customer(self, customers: Sequence[str], /) -> Sequence[Customer]:
        """The latest items of each key."""

    async def personal(
        self, customers: Sequence[str], relation: Relation | int, seeds: int, /
    ) -> tuple[Customer, Sequence[tuple[str, bytes | None]]]:
        """The latest items of one customer of several keys, and the rows of the newest views."""

    async def customer_and_sticky(
        self, customers: Sequence[str], /
    ) -> tuple[Sequence[Customer], Sequence[Mapping[str, str]]]:
        """`customer`, and the sticky variations of each key."""

    async def personal_and_sticky(
        self, customers: Sequence[str], relation: Relation | int, seeds: int, /
    ) -> tuple[tuple[Customer, Sequence[tuple[str, bytes | None]]], Sequence[Mapping[str, str]]]:
        """`personal`, and the sticky variations of each key."""


class People:
    """Reads customers, and leaves the rows of their newest views in memory on the way: one trip for both."""

    def __init__(
        self,
        store: CustomerStore,
        trips: Callable[[Callable[[Sequence[Wish]], object]], Trips[Wish, Found]],
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

    async def of(
        self, uid: str | None, aid: str | None, relation: Relation, seeded: bool, sticky: bool = False
    ) -> Person:
        """The customer of a userId, an anonymousId or both: views of the first that has any, all of the rest.

        Args:
            uid: Segment's userId.
            aid: an anonymousId.
            relation: of which the newest views' rows are wanted.
            seeded: whether there are other seeds, so that no rows are wanted.
            sticky: whether the variations of experiments are wanted.

        Raises:
            StoreError: Redis does not answer.
        """
        customers = {}
        if uid is not None:
            customers["uid"] = keys.customer_key(uid, None, self._secret)
        if aid is not None:
            customers["aid"] = keys.customer_key(None, aid, self._secret)
        wish = Wish(tuple(customers.values()), None if seeded else relation, sticky)
        found, documents = await self._trips.wish(wish)
        return Person(
            tuple(item for item, _ in found.views),
            tuple(in_cart(found, self._clock(), self._cart_hours)),
            tuple(item for item, _ in found.bought),
            None if documents is None else dict(zip(customers, documents, strict=True)),
        )

    async def _send(self, wanted: Sequence[Wish]) -> list[Found | StoreError]:
        return list(await asyncio.gather(*map(self._one, wanted)))

    async def _one(self, wish: Wish) -> Found | StoreError:
        try:
            async with self._turns:
                began = self._hot.now()
                found, rows, sticky = await self._read(wish)
        except (ResponseError, ValueError):  # what Redis holds of this one makes no sense: nobody else's loss
            return StoreError("answer")
        for item, data in rows:
            slot = self._shelf.slots.get(item)
            number = -1 if slot is None else self._shelf.numbers[slot]
            if number >= 0 and wish.relation is not None:
                # What is no row is left to whoever asks for it.
                with suppress(ValueError):
                    self._hot.keep(HotRow(RowKey(int(wish.relation), number), data), began)
        return Found(found, sticky)

    async def _read(
        self, wish: Wish
    ) -> tuple[Customer, Sequence[tuple[str, bytes | None]], Sequence[Mapping[str, str]] | None]:
        """The customer, the rows and the variations that are wanted, in one trip."""
        store, sticky = self._store, None
        if wish.relation is None:
            if wish.sticky:
                each, sticky = await store.customer_and_sticky(wish.customers)
            else:
                each = await store.customer(wish.customers)
            return merged(each), (), sticky
        if wish.sticky:
            (found, rows), sticky = await store.personal_and_sticky(wish.customers, wish.relation, SEEDS)
        else:
            found, rows = await store.personal(wish.customers, wish.relation, SEEDS)
        return found, rows, sticky
