"""What a customer bought, order by order, so that an order counts once and can be taken back. Pure.

Two grow-only parts: the lines (item, order -> time) and what was returned (order, item -> time). A purchase is a line
that nothing returned, so orders, their repeats, refunds and cancellations may come in any order: merging both parts is
associative, commutative and idempotent.

Both are bounded. Of an item the latest ORDERS_PER_ITEM orders stay, of the items the latest 2 M, of the returns the
latest 4 M; a small M leaves as much room as LEAST_CAP. Without returns the history that follows (the latest M items)
is exact for every input, by the argument of `varde.history`. With returns it is exact while a customer keeps to these
bounds; beyond them an older purchase that a return would uncover may be gone, and the nightly job puts it back.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple, TypeVar

import msgpack

from varde import history
from varde.history import History

K = TypeVar("K", str, bytes)
L = TypeVar("L", str, bytes)

ORDERS_PER_ITEM = 8
LEAST_CAP = 8
"""A smaller cap of the history leaves as much room for orders and returns as this one."""
WHOLE_ORDER = ""
"""The item of a return that names none. No parsed item id is empty."""
NO_ORDER = b""
"""The order of a purchase without an order id; nothing can return it."""


def items_kept(cap: int) -> int:
    """Most items whose orders are kept, for a history of `cap` items."""
    return 2 * max(cap, LEAST_CAP)


def returns_kept(cap: int) -> int:
    """Most returns that are kept, for a history of `cap` items."""
    return 4 * max(cap, LEAST_CAP)


Lines = dict[str, dict[bytes, int]]
"""item -> order -> time, ms."""
Returns = dict[bytes, dict[str, int]]
"""order -> item or WHOLE_ORDER -> time, ms."""


def order_key(order_id: str | None) -> bytes:
    """A short name of an order (8 bytes), unique among one customer's: order ids may have 256 bytes."""
    if order_id is None:
        return NO_ORDER
    return hashlib.blake2b(order_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"varde-order").digest()


class Orders(NamedTuple):
    """The orders of one customer. Treated as immutable."""

    lines: Lines = {}  # noqa: RUF012 - immutable by convention, like every History
    returns: Returns = {}  # noqa: RUF012 - the same

    def __bool__(self) -> bool:
        return bool(self.lines or self.returns)

    @property
    def newest(self) -> int:
        """Time of the newest line or return, ms; -1 when there is none."""
        return max(
            max((max(times.values()) for times in self.lines.values()), default=-1),
            max((max(times.values()) for times in self.returns.values()), default=-1),
        )

    def since(self, start: int) -> Orders:
        """The part at or after `start` (ms); the same object when all of it is."""
        lines, returns = _since(self.lines, start), _since(self.returns, start)
        return self if lines is self.lines and returns is self.returns else Orders(lines, returns)

    def merged(self, other: Orders, cap: int) -> Orders:
        """The join with other orders, cut to the bounds for a history of `cap` items."""
        lines = _joined(self.lines, other.lines)
        for item, orders in lines.items():
            if len(orders) > ORDERS_PER_ITEM:
                latest = sorted(orders.items(), key=lambda entry: (-entry[1], entry[0]))
                lines[item] = dict(latest[:ORDERS_PER_ITEM])
        items = items_kept(cap)
        if len(lines) > items:
            kept = history.of(((item, max(orders.values())) for item, orders in lines.items()), items)
            lines = {item: lines[item] for item in kept}
        return Orders(lines, _latest_returns(_joined(self.returns, other.returns), returns_kept(cap)))

    def purchases(self, cap: int) -> History:
        """The history of purchases: item -> latest time of an order that was not taken back, the `cap` latest."""
        if not self.returns:
            return history.of(((item, max(orders.values())) for item, orders in self.lines.items()), cap)
        return history.of(
            (
                (item, time)
                for item, orders in self.lines.items()
                for order, time in orders.items()
                if not _returned(self.returns.get(order), item)
            ),
            cap,
        )


NO_ORDERS = Orders()


def bought(order: bytes, items: tuple[str, ...], time: int) -> Orders:
    """One completed order."""
    return Orders({item: {order: time} for item in items})


def returned(order: bytes, items: tuple[str, ...], time: int) -> Orders:
    """One refund or cancellation; without items it takes back the whole order."""
    return Orders(returns={order: dict.fromkeys(items or (WHOLE_ORDER,), time)})


def encode(orders: Orders) -> bytes:
    """MessagePack of [lines, returns]; nothing at all for no orders."""
    if not orders:
        return b""
    packed: bytes = msgpack.packb(orders)
    return packed


def decode(packed: bytes) -> Orders:
    """The inverse of `encode`."""
    return Orders(*msgpack.unpackb(packed, strict_map_key=False)) if packed else NO_ORDERS


def _returned(items: dict[str, int] | None, item: str) -> bool:
    return items is not None and (WHOLE_ORDER in items or item in items)


def _joined(a: dict[K, dict[L, int]], b: dict[K, dict[L, int]]) -> dict[K, dict[L, int]]:
    joined = dict(a)
    for outer, times in b.items():
        mine = joined[outer] = dict(joined.get(outer, {}))
        for inner, time in times.items():
            if time > mine.get(inner, -1):
                mine[inner] = time
    return joined


def _since(nested: dict[K, dict[L, int]], start: int) -> dict[K, dict[L, int]]:
    if all(time >= start for times in nested.values() for time in times.values()):
        return nested
    kept = {outer: {inner: time for inner, time in times.items() if time >= start} for outer, times in nested.items()}
    return {outer: times for outer, times in kept.items() if times}


def _latest_returns(returns: Returns, size: int) -> Returns:
    if sum(map(len, returns.values())) <= size:
        return returns
    ranked = sorted((-time, order, item) for order, items in returns.items() for item, time in items.items())
    kept: Returns = {}
    for time, order, item in ranked[:size]:
        kept.setdefault(order, {})[item] = -time
    return kept
