"""What a message may mean to Varde: the events that count, and the rejection that says why not."""

from __future__ import annotations

from dataclasses import dataclass, field

from varde.history import Signal
from varde.reasons import REASONS


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
class Return:
    """An order was refunded or cancelled at `time` (ms): these items of it, or all when `items` is empty."""

    user_id: str | None
    anonymous_id: str | None
    order_id: str
    items: tuple[str, ...]
    time: int


@dataclass(frozen=True, slots=True)
class Impersonal:
    """Somebody, who has not agreed to be known, did `signal` with `items` at `time` (ms): counts as popularity only."""

    signal: Signal
    items: tuple[str, ...]
    time: int


@dataclass(frozen=True, slots=True)
class IdentityLink:
    """`anonymous_id` belongs to `user_id`, said at `time` (ms)."""

    anonymous_id: str
    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """Forget `user_id`: everything up to `time` (ms), for good."""

    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A required consent was withdrawn at `time` (ms): forget whoever it is up to then. One of the ids is set."""

    user_id: str | None
    anonymous_id: str | None
    time: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that is not counted, and why: a key of REASONS. `detail` names the field, never a personal value.

    `link` is what a faulty interaction still says about identity: the ids and the time were good, and the warehouse
    links them too. It holds ids, so it is not shown and never part of a metric, a log line or a dead letter.
    """

    reason: str
    detail: str = ""
    link: IdentityLink | None = field(default=None, repr=False)

    @property
    def dead_letter(self) -> bool:
        """Whether the bytes go to the dead-letter topic (a fault) or the message is only counted (not for us)."""
        return REASONS[self.reason].dead_letter

    @property
    def stage(self) -> str:
        """The step that found out."""
        return REASONS[self.reason].stage


Event = Interaction | Return | Impersonal | IdentityLink | Erasure | Withdrawal
