"""What the stream remembers of one customer: the state, its compact codec, and when it may be forgotten.

Two kinds of profile, so that every event meets one state cell and a linked anonymous event two:

- an **anonymous** profile (key: anonymousId) counts its own history until a link names the customer it belongs to;
  then it hands its history over, counts nothing any more and forwards what still arrives;
- a **known** profile (key: userId) counts events that carry the userId and what anonymous profiles hand over.

Keys and links are keyed hashes (`keys.customer_key`): the state holds no id of a person. How a profile changes is in
`varde.transitions`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgpack

from varde import orders
from varde.flood import NO_RATE, Rate
from varde.history import DAY_MS, Limits
from varde.pairs import NOBODY, Histories

NEVER = -1


class Profile(NamedTuple):
    """The state of one customer.

    histories: what is counted for this key now.
    orders: the orders behind the history of purchases, encoded (most events do not need them).
    linked: the customer key that an anonymous profile belongs to, or None.
    linked_at: event time of that link, ms.
    erased_at: event time of the last erasure of a known profile, ms; NEVER when there was none.
    rate: what happened in the newest hour (varde.flood).
    met_on: day (UTC, since the epoch) on which a linked profile last forwarded something.
    seeded: whether the past, from before the stream began, is in.
    """

    histories: Histories = NOBODY
    orders: bytes = b""
    linked: str | None = None
    linked_at: int = NEVER
    erased_at: int = NEVER
    rate: Rate = NO_RATE
    met_on: int = NEVER
    seeded: bool = False

    def expires_on(self, window_days: int) -> int:
        """The day (since the epoch) from which on nothing in here can change a count any more."""
        newest = max(
            self.erased_at,
            self.linked_at,
            self.met_on * DAY_MS,
            *(max(held.values()) for held in self.histories if held),
            orders.decode(self.orders).newest,
        )
        return newest // DAY_MS + window_days + 1


EMPTY = Profile()


def window_start(held: Profile, limits: Limits, now: int) -> int:
    """The first moment that counts for this customer at `now`: after the window's start and the last erasure."""
    return max(limits.window_start(now), held.erased_at + 1)


_VERSION = 2


def encode(held: Profile) -> bytes:
    """The state cell: MessagePack of the version, then the fields in their order; trailing defaults are left out."""
    size = len(held)
    while size and held[size - 1] == _DEFAULTS[size - 1]:
        size -= 1
    packed: bytes = msgpack.packb((_VERSION, *held[:size]))
    return packed


_DEFAULTS = tuple(EMPTY)


def decode(cell: bytes) -> Profile:
    """The inverse of `encode`.

    Raises:
        ValueError: the cell was written by an unknown version.
    """
    version, *fields = msgpack.unpackb(cell, strict_map_key=False)
    if version != _VERSION:
        msg = f"unknown version of a state cell: {version}"
        raise ValueError(msg)
    if fields:
        fields[0] = Histories(*fields[0])
    if len(fields) > _RATE:
        fields[_RATE] = Rate(*fields[_RATE])
    return Profile(*fields)


_RATE = Profile._fields.index("rate")
