"""What the stream remembers of one customer, and how a message changes it: pure transitions with a compact codec.

Two kinds of profile, so that every event meets one state cell and a linked anonymous event two:

- an **anonymous** profile (key: anonymousId) counts its own history until a link names the customer it belongs to;
  then it hands its history over, counts nothing any more and forwards what still arrives;
- a **known** profile (key: userId) counts events that carry the userId and what anonymous profiles hand over.
"""

from __future__ import annotations

from typing import NamedTuple

import msgpack

from varde.history import DAY_MS, History, Limits, Signal
from varde.pairs import NOBODY, Changes, Histories, difference

NO_CHANGES = Changes([], [])


class Profile(NamedTuple):
    """The state of one customer.

    histories: what is counted for this key now.
    linked: the userId an anonymous profile belongs to, or None.
    linked_at: event time of that link, ms.
    erased_at: event time of the last erasure of a known profile, ms; -1 when never erased.
    """

    histories: Histories = NOBODY
    linked: str | None = None
    linked_at: int = -1
    erased_at: int = -1


EMPTY = Profile()


class Step(NamedTuple):
    """The result of a transition: the new profile, f(new) - f(old), what to hand on, and a word for the metrics."""

    profile: Profile
    changes: Changes = NO_CHANGES
    handed_over: Histories = NOBODY
    outcome: str = "unchanged"


def seen(profile: Profile, seen_now: Histories, limits: Limits, now: int) -> Step:
    """Merge interactions (as one-event histories, or an anonymous profile's) into a profile.

    What lies before the window at `now`, or at or before an erasure, does not count. Items whose window has passed
    leave the state here without a difference: expiry is the nightly job's (docs/counting.md).
    """
    start = max(limits.window_start(now), profile.erased_at + 1)
    fresh = seen_now.since(start)
    old = profile.histories.since(start)
    if not fresh:
        return Step(profile, outcome="erased" if profile.erased_at >= limits.window_start(now) else "too_old")
    new = old.merged(fresh, limits)
    if new == old:
        return Step(profile)
    newest = max(max(history.values()) for history in fresh if history)
    changes = difference(old, new, newest // DAY_MS)
    after = Profile(new, profile.linked, profile.linked_at, profile.erased_at)
    return Step(after, changes, outcome="counted" if changes else "refreshed")


def link(profile: Profile, user_id: str, time: int, now: int, limits: Limits) -> Step:
    """Bind an anonymous profile to a customer: it gives up its counts and hands its history over.

    The first link stays. A second customer on the same anonymousId (a shared device, or an id injected through a
    link's query string) is left alone and counted; when the late one is the older by event time, the nightly job,
    which sees all links at once, puts it right.
    """
    if profile.linked is not None:
        if profile.linked == user_id:
            earlier = profile._replace(linked_at=min(time, profile.linked_at))
            return Step(earlier)
        return Step(profile, outcome="link_conflict_older" if time < profile.linked_at else "link_conflict")
    held = profile.histories.since(limits.window_start(now))
    changes = difference(held, NOBODY, now // DAY_MS)
    return Step(Profile(NOBODY, user_id, time), changes, handed_over=held, outcome="linked")


def erase(profile: Profile, time: int, now: int, limits: Limits) -> Step:
    """Forget a known customer up to `time`: counts go down at once, and older events never count again.

    Only the bound of the window moves, so an erasure commutes with events and with other erasures.
    """
    held = profile.histories.since(limits.window_start(now))
    erased_at = max(time, profile.erased_at)
    kept = held.since(erased_at + 1)
    return Step(Profile(kept, erased_at=erased_at), difference(held, kept, now // DAY_MS), outcome="forgotten")


def interaction(signal: Signal, items: tuple[str, ...], time: int) -> Histories:
    """One event as histories: merging them is the event."""
    history: History = dict.fromkeys(items, time)
    return NOBODY.having(signal, history)


def encode(profile: Profile) -> bytes:
    """The state cell: MessagePack of [version, [view, cart, purchase], linked, linked_at, erased_at]."""
    packed: bytes = msgpack.packb((1, profile.histories, profile.linked, profile.linked_at, profile.erased_at))
    return packed


def decode(cell: bytes) -> Profile:
    """The inverse of `encode`.

    Raises:
        ValueError: the cell was written by an unknown version.
    """
    version, histories, linked, linked_at, erased_at = msgpack.unpackb(cell, strict_map_key=False)
    if version != 1:
        msg = f"unknown version of a state cell: {version}"
        raise ValueError(msg)
    return Profile(Histories(*histories), linked, linked_at, erased_at)
