"""Customers: their latest items as seeds, and what they must not be offered. Nothing of them is kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from redis.exceptions import ResponseError

from varde import keys
from varde.latest import in_cart
from varde.pairs import Relation
from varde.store.people import Known, Who
from varde.store.serving import RowKey

from .blend import SEEDS
from .errors import StoreError
from .hot import HotRows
from .hot_row import HotRow
from .shelf import Shelf
from .trips import Trips


class Person(NamedTuple):
    """A customer's item ids, newest first: viewed, in the cart now, bought.

    sticky: variations of experiments by kind of id, "uid" and "aid"; None where they were not asked for or not read.
    """

    views: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    bought: tuple[str, ...] = ()
    sticky: Mapping[str, Mapping[str, str]] | None = None


NOBODY = Person()


class CustomerStore(Protocol):
    """What this room reads of Redis."""

    async def people(self, wanted: Sequence[Who], /) -> Sequence[Known | ResponseError | ValueError]:
        """What is known of each customer, or why it cannot be read."""


class People:
    """Reads customers, and leaves the rows of their newest views in memory on the way: one trip for both."""

    def __init__(
        self,
        store: CustomerStore,
        trips: Callable[[Callable[[Sequence[Who]], object]], Trips[Who, Known]],
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
        wish = Who(tuple(customers.values()), None if seeded else int(relation), SEEDS, sticky)
        found, _, documents = await self._trips.wish(wish)
        return Person(
            tuple(item for item, _ in found.views),
            tuple(in_cart(found, self._clock(), self._cart_hours)),
            tuple(item for item, _ in found.bought),
            None if documents is None else dict(zip(customers, documents, strict=True)),
        )

    async def _send(self, wanted: Sequence[Who]) -> list[Known | StoreError]:
        began = self._hot.now()
        out: list[Known | StoreError] = []
        for who, found in zip(wanted, await self._store.people(wanted), strict=True):
            if isinstance(found, Exception):  # what Redis holds of this one makes no sense: nobody else's loss
                out.append(StoreError("answer"))
                continue
            self._keep(who, found, began)
            out.append(found)
        return out

    def _keep(self, who: Who, found: Known, began: float) -> None:
        """Leave the rows that came along in memory."""
        for item, data in found.rows:
            slot = self._shelf.slots.get(item)
            number = -1 if slot is None else self._shelf.numbers[slot]
            if number >= 0 and who.relation is not None:
                # What is no row is left to whoever asks for it.
                with suppress(ValueError):
                    self._hot.keep(HotRow(RowKey(who.relation, number), data), began)
