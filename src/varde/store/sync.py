"""The sync side: what the stream and the nightly job use. Reads as in `aio`; writes only here.

Every call may be repeated: a delivery is applied once, a row is patched from exact counts, recents merge. So an error
of the connection simply propagates, and whoever owns the delivery tries it again:

    store.apply(delivery)
    store.refresh(delivery)    # also after a repeat: the first try may have died before it
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from redis.exceptions import ConnectionError as RedisConnectionError

from varde.delivery import Delivery, Recent
from varde.latest import Customer
from varde.pairs import Relation
from varde.rows import Row
from varde.settings import Settings
from varde.store import frozen, packing, reads, sticky
from varde.store.cluster import Cluster
from varde.store.connection import Client, connect
from varde.store.names import Names
from varde.store.patch import Touched, patch, touched_by
from varde.store.reads import Weighted
from varde.store.sending import Sending
from varde.store.supports import SupportTable

SERVERS = 4
"""Lives of a server that one `apply` may meet."""


def now_ms() -> int:
    """The wall clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


class Store(Sending):
    """Varde's data in Redis. Threads may share it as they may share the client."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        clock: Callable[[], int] = now_ms,
        names: Names | None = None,
        entropy: Callable[[], int] = lambda: random.getrandbits(32),
        supports_max_age: float = 30.0,
    ) -> None:
        """Over a client that replies in bytes.

        Args:
            client: redis.Redis or cluster.Cluster.
            settings: what is kept, and how long.
            clock: the current time, ms.
            names: the cache of item numbers; must be emptied on reconnection, as `from_settings` arranges.
            entropy: 32 random bits for the first revision of a row.
            supports_max_age: seconds after which supports that others may have changed are read again.
        """
        self._client = client
        self._settings = settings
        self._clock = clock
        self._names = names or Names()
        self._entropy = entropy
        self._servers: dict[int, str] = {}
        """shard -> run id of the server that holds it; apply.lua tells."""
        self._table = SupportTable(self._send, clock, supports_max_age)

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], int] = now_ms) -> Self:
        """Over a new client for VARDE_REDIS_URL; nothing is sent yet."""
        names = Names()
        return cls(connect(settings.redis_url, names.clear, settings.clustered), settings, clock, names)

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    # Writes

    def intern(self, ids: Iterable[str]) -> list[int]:
        """The numbers of ids, in their order; an id without one gets the next of its shard.

        What `apply` does by itself with the items of a delivery, for whoever has to know the numbers.

        Raises:
            KeyError: there are VARDE_MAX_ITEMS items already, so an id got none.
        """
        wanted = list(ids)
        numbers = self._intern(wanted)
        return [numbers[item] for item in wanted]

    def apply(self, delivery: Delivery) -> bool:
        """Add a delivery's differences, at most once.

        Returns:
            False when its token was applied before; nothing has changed then.

        Raises:
            redis.exceptions.RedisError: not reached, or refused; whether it was applied is then unknown: try again.
        """
        sums, numbers, applied = self._applied(delivery)
        if sums == 0:
            return False
        changes = packing.support_changes(applied, numbers)
        self._table.learn((where, number, n) for (where, number), n in zip(changes, sums, strict=True))
        return True

    def _applied(self, delivery: Delivery) -> tuple[Any, packing.Numbers, Delivery]:
        """The script's answer, and the numbers and what it was given, from the server that it ran on."""
        whole = delivery
        for _ in range(SERVERS):
            server = self._servers.get(delivery.shard, "")
            numbers: packing.Numbers = self._names.numbers
            delivery = whole
            try:
                call = packing.apply_call(delivery, numbers, server, self._clock(), self._settings)
            except KeyError:  # new items are rare: looking for them first would cost half as much as the rest
                items = packing.items_of(whole)
                numbers = self._intern(items)
                if len(numbers) < len(items):
                    delivery = packing.without_refused(whole, numbers)
                call = packing.apply_call(delivery, numbers, server, self._clock(), self._settings)
            (reply,) = self._send([call])
            if not isinstance(reply, bytes):
                return reply, numbers, delivery
            self._servers[delivery.shard] = reply.decode()
            if server:
                self._names.clear()
                self._table.forget()
        msg = "Redis was another server each time"
        raise RedisConnectionError(msg)

    def refresh(self, *deliveries: Delivery) -> int:
        """Bring the serving rows that deliveries touch up to date; to be called after every `apply`, repeats too.

        Best called once for all deliveries that are at hand: a row then gets the supports of the whole pane, and a
        row that several deliveries touch is written once.

        Returns:
            The number of rows.

        Raises:
            patch.RowContentionError: other writers were faster every time; try again.
        """
        try:
            touched = touched_by(deliveries, self._names.numbers)
        except KeyError:
            numbers = self._intern(packing.row_items_of(deliveries))
            touched = touched_by((packing.without_refused(delivery, numbers) for delivery in deliveries), numbers)
        return self._patch(touched)

    def remember(self, recents: Iterable[Recent]) -> None:
        """Merge customers' latest items, forget what the erased were given and note them, in one round trip."""
        every = list(recents)
        calls = [packing.remember_call(recent, self._settings) for recent in every]
        calls += sticky.forget_commands(every)
        calls += frozen.forget_commands(every)
        calls += packing.tombstone_commands(every, self._clock(), self._settings)
        if calls:
            self._send(calls)

    def _patch(self, touched: Touched) -> int:
        self._table.refresh()
        return patch(touched, self._send, self._table, self._settings, self._clock(), self._entropy)

    def _intern(self, ids: Iterable[str]) -> dict[str, int]:
        known = self._names.numbers
        found = {item: known.get(item) for item in ids}
        if unknown := [item for item, number in found.items() if number is None]:
            groups, calls = packing.intern_calls(unknown, self._settings.max_items)
            for group, numbers in zip(groups, self._send(calls), strict=True):
                # Empty: the id has come too late for a number.
                new = [(item, int(number)) for item, number in zip(group, numbers, strict=True) if number]
                self._names.learn(new)
                found.update(new)
        return {item: number for item, number in found.items() if number is not None}

    # Reads; see `reads` for what each returns

    def numbers(self, ids: Sequence[str]) -> list[int | None]:
        """The numbers of ids; None for one that was never counted."""
        return self._run(reads.numbers(self._names, ids))

    def names(self, numbers: Sequence[int]) -> list[str | None]:
        """The ids of numbers."""
        return self._run(reads.names(self._names, numbers))

    def row(self, relation: Relation | int, item: str) -> Row | None:
        """The serving row of an item; None when it has no neighbours."""
        return self.rows(relation, [item])[0]

    def rows(self, relation: Relation | int, items: Sequence[str]) -> list[Row | None]:
        """The serving rows of items."""
        return self._run(reads.rows(self._names, relation, items))

    def pair_count(self, relation: Relation | int, item: str, other: str) -> int:
        """The number of customers of a pair, exact."""
        return self._run(reads.pair_count(self._names, relation, item, other))

    def supports(self, where: int, items: Sequence[str]) -> list[int]:
        """The number of customers who have each item in a universe, exact."""
        return self._run(reads.supports(self._names, where, items))

    def total(self, relation: Relation | int) -> int:
        """The number of customers that a relation is about."""
        return self._run(reads.total(relation))

    def recents(self, customer: str) -> list[tuple[str, int]]:
        """A customer's latest viewed items as (id, time ms), newest first."""
        return self._run(reads.recents(customer))

    def customer(self, customers: Sequence[str]) -> list[Customer]:
        """What is known of each customer (keys.customer_key): latest views, carts and purchases. One round trip."""
        return self._run(reads.customer(customers))

    def personal(
        self, customers: Sequence[str], relation: Relation | int, seeds: int
    ) -> tuple[Customer, list[tuple[str, bytes | None]]]:
        """One customer of several keys, the known one first, and the packed rows of the `seeds` newest views."""
        clustered = isinstance(self._client, Cluster)
        return self._run(reads.personal(self._names, clustered, customers, relation, seeds))

    def popular(self, signal: int, n: int) -> list[Weighted]:
        """The n most popular items of a signal."""
        return self._run(reads.popular(self._names, signal, n))

    def counts(self, relation: Relation | int, item: str) -> dict[str, int]:
        """Every neighbour of an item with its pair count, exact."""
        return self._run(reads.counts(self._names, relation, item))

    def all_items(self) -> dict[str, int]:
        """Every item that was ever counted, id -> number."""
        return self._run(reads.all_items(self._names))

    def stats(self) -> dict[str, int]:
        """The stream's counters."""
        return self._run(reads.stats())

    def tombstones(self) -> dict[str, int]:
        """Customers who were erased: customer key -> up to when, ms."""
        return self._run(reads.tombstones())

    def ping(self) -> bool:
        """Whether Redis answers."""
        return self._client.execute_command("PING") in (True, b"PONG")
