"""One subscription of the Pub/Sub stand-in: a backlog, leases and what is kept for seeking. Pure: time is an argument.

Times are seconds since the epoch. Every stored message has a number that counts up in publish order.
"""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(slots=True, eq=False)
class Stored:
    """A published message. `body` is the protobuf message as it will be delivered."""

    number: int
    published: float
    body: Any
    size: int


@dataclass(slots=True, eq=False)
class Entry:
    """A message as one subscription sees it."""

    message: Stored
    attempts: int = 0
    acknowledged: bool = False
    lease: str | None = None


@dataclass(slots=True, eq=False)
class Holder:
    """One stream of messages, and what it holds: flow control counts it."""

    messages: int = 0
    size: int = 0


class Lease(NamedTuple):
    """Who holds a message, and until when. `holder` is the stream that it was sent to; None for a plain Pull."""

    entry: Entry
    until: float
    holder: Holder | None


@dataclass(slots=True)
class Queue:
    """What one subscription holds. An acknowledged message is kept only if `retain` is set.

    Every method that takes `now` first returns expired leases to the backlog. Redelivery comes before what has not
    been delivered yet.
    """

    name: str
    ack_deadline: float
    retention: float
    retain: bool = False
    # Not a dict: that one finds its first key slowly once many before it have been deleted.
    entries: OrderedDict[int, Entry] = field(default_factory=OrderedDict)
    size: int = 0
    _ready: deque[Entry] = field(default_factory=deque)
    _leases: dict[str, Lease] = field(default_factory=dict)
    _ends: list[tuple[float, str]] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def put(self, message: Stored) -> None:
        """Take a newly published message."""
        entry = Entry(message)
        self.entries[message.number] = entry
        self.size += message.size
        self._ready.append(entry)

    def lease(
        self, now: float, count: int, size: int, holder: Holder | None = None, seconds: float | None = None
    ) -> list[tuple[str, Entry]]:
        """At most `count` messages of about `size` bytes (at least one), each with the id that acknowledges it.

        They come again after `seconds` (the subscription's deadline unless given).
        """
        self.expire(now)
        taken: list[tuple[str, Entry]] = []
        while self._ready and len(taken) < count and size > 0:
            entry = self._ready.popleft()
            if entry.acknowledged or entry.lease or entry.message.number not in self.entries:
                continue
            ack_id = f"{self.name}:{next(self._ids)}"
            entry.attempts += 1
            entry.lease = ack_id
            self._hold(ack_id, Lease(entry, now + (seconds or self.ack_deadline), holder))
            taken.append((ack_id, entry))
            size -= entry.message.size
        return taken

    def acknowledge(self, now: float, ack_ids: Iterable[str]) -> None:
        """These are done. An id whose lease has expired does nothing: the message comes again."""
        self.expire(now)
        for ack_id in ack_ids:
            if entry := self._release(ack_id):
                self._done(entry)

    def modify(self, now: float, ack_ids: Iterable[str], seconds: float) -> None:
        """Let the leases end in `seconds` from now; 0 returns the messages to the backlog at once."""
        self.expire(now)
        for ack_id in ack_ids:
            lease = self._leases.get(ack_id)
            if lease is None:
                continue
            if seconds > 0:
                self._end(ack_id, lease._replace(until=now + seconds))
            elif entry := self._release(ack_id):
                self._ready.appendleft(entry)

    def seek(self, time: float) -> None:
        """Acknowledge what was published before `time`, un-acknowledge what was published since, end all leases."""
        for ack_id in list(self._leases):
            self._release(ack_id)
        self._ends.clear()
        for entry in list(self.entries.values()):
            if entry.message.published < time:
                self._done(entry)
            else:
                entry.acknowledged = False
        self._ready = deque(entry for entry in self.entries.values() if not entry.acknowledged)

    def expire(self, now: float) -> None:
        """Return the messages of ended leases to the backlog, and forget messages older than the retention."""
        while self._ends and self._ends[0][0] <= now:
            until, ack_id = heapq.heappop(self._ends)
            lease = self._leases.get(ack_id)
            if lease is not None and lease.until == until:  # else it was acknowledged or extended meanwhile
                self._release(ack_id)
                self._ready.appendleft(lease.entry)
        while self.entries:
            oldest = next(iter(self.entries.values()))
            if oldest.message.published > now - self.retention:
                break
            self._forget(oldest)

    def take_exhausted(self, attempts: int) -> list[Stored]:
        """Remove and return the messages of the backlog that have been delivered `attempts` times (dead letters)."""
        exhausted = [entry for entry in self._ready if entry.attempts >= attempts and not entry.acknowledged]
        for entry in exhausted:
            self._forget(entry)
        return [entry.message for entry in exhausted]

    def shed(self, size: int) -> None:
        """Forget the oldest acknowledged messages until no more than `size` bytes are held, as far as that goes."""
        excess, shed = self.size - size, []
        for entry in self.entries.values():
            if excess <= 0:
                break
            if entry.acknowledged:
                shed.append(entry)
                excess -= entry.message.size
        for entry in shed:
            self._forget(entry)

    def next_end(self) -> float | None:
        """When the next lease ends, or ended; None without leases. It may have been extended since."""
        return self._ends[0][0] if self._ends else None

    def _hold(self, ack_id: str, lease: Lease) -> None:
        if lease.holder is not None:
            lease.holder.messages += 1
            lease.holder.size += lease.entry.message.size
        self._end(ack_id, lease)

    def _end(self, ack_id: str, lease: Lease) -> None:
        self._leases[ack_id] = lease
        heapq.heappush(self._ends, (lease.until, ack_id))

    def _release(self, ack_id: str) -> Entry | None:
        lease = self._leases.pop(ack_id, None)
        if lease is None:
            return None
        lease.entry.lease = None
        if lease.holder is not None:
            lease.holder.messages -= 1
            lease.holder.size -= lease.entry.message.size
        return lease.entry

    def _done(self, entry: Entry) -> None:
        entry.acknowledged = True
        if not self.retain:
            self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        if self.entries.pop(entry.message.number, None) is not None:
            self.size -= entry.message.size
        if entry.lease is not None:
            self._release(entry.lease)
