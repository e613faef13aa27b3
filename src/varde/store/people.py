"""Customers as a server needs them for lists: many in one round trip, each failing alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from varde import latest
from varde.latest import Customer
from varde.store import reads
from varde.store.names import Names
from varde.store.reads import Reading
from varde.store.sticky import with_sticky


class Who(NamedTuple):
    """One customer of several keys (keys.customer_key), the known one first.

    relation: of which the packed rows of the `seeds` newest views are wanted; None: of none. sticky: whether the
    variations that each key stays in are wanted.
    """

    customers: tuple[str, ...]
    relation: int | None
    seeds: int = 0
    sticky: bool = False


class Known(NamedTuple):
    """A customer (latest.merged), the rows as (item, packed), and the variations of each key that was asked for."""

    customer: Customer
    rows: Sequence[tuple[str, bytes | None]] = ()
    sticky: Sequence[Mapping[str, str]] | None = None


def known(names: Names, clustered: bool, who: Who) -> Reading[Known]:
    """What is known of a customer. One round trip; on a cluster two with rows, once the items' numbers are cached."""
    reading = _known(names, clustered, who)
    if not who.sticky:
        return (yield from reading)
    found, documents = yield from with_sticky(reading, who.customers)
    return found._replace(sticky=documents)


def _known(names: Names, clustered: bool, who: Who) -> Reading[Known]:
    if who.relation is None:
        return Known(latest.merged((yield from reads.customer(who.customers))))
    return Known(*(yield from reads.personal(names, clustered, who.customers, who.relation, who.seeds)))
