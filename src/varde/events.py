"""Segment messages -> what they mean to Varde, or a reason why not. Pure: no clock, no I/O, never an exception."""

from __future__ import annotations

from dataclasses import dataclass

from varde.history import Signal


@dataclass(frozen=True, slots=True)
class Interaction:
    """A customer did `signal` with `items` at `time` (ms since the epoch, UTC).

    At least one of `user_id` and `anonymous_id` is set; the customer is `user_id` when known. `items` are distinct,
    in the order of the message, never empty.
    """

    user_id: str | None
    anonymous_id: str | None
    signal: Signal
    items: tuple[str, ...]
    time: int
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class IdentityLink:
    """`anonymous_id` belongs to `user_id`, said at `time` (ms)."""

    anonymous_id: str
    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """Forget `user_id`: everything up to `time` (ms)."""

    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that changes nothing, and why: a key of REASONS. `detail` names the field, never a personal value."""

    reason: str
    detail: str = ""

    @property
    def dead_letter(self) -> bool:
        """Whether the bytes go to the dead-letter topic (a fault) or the message is only counted (not for us)."""
        return REASONS[self.reason].dead_letter


Event = Interaction | IdentityLink | Erasure


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a message is not counted: `dead_letter` for faults, else a message that is fine but not ours."""

    meaning: str
    dead_letter: bool = True


REASONS: dict[str, Reason] = {}  # filled below by the parser's author


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a shop names its things; see docs/events.md."""

    item_keys: tuple[str, ...] = ("product_id", "sku", "id", "variant")
    """Product fields tried in this order for the item id."""
    custom_events: tuple[tuple[str, Signal], ...] = ()
    """Further event names (exact) and the signal they give."""


def parse(data: bytes, received_at: int, mapping: Mapping) -> tuple[Event, ...] | Rejected:
    """The meaning of one message.

    Args:
        data: the Pub/Sub message's data, a Segment message as JSON.
        received_at: when the queue took the message (ms); used when the message has no `receivedAt` of its own.
        mapping: the shop's names.

    Returns:
        The events it stands for (never empty), or a Rejected.
    """
    raise NotImplementedError
