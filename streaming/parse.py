"""Messages in; work for anonymous and known profiles, dead letters, and a tally of what was neither, out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.metrics import Metrics

from varde import keys, orders
from varde.delivery import Pane, popularity
from varde.events import (
    Erasure,
    IdentityLink,
    Impersonal,
    Interaction,
    Rejected,
    Return,
    Withdrawal,
    parse,
)
from varde.progress import ANONYMOUS_WORK, KNOWN_WORK, MESSAGES
from varde.settings import Settings

from .clock import wall_clock
from .dead_letters import DEAD, dead_letter
from .messages import ERASURE, INTERACTION, LINK, RETURN, WITHDRAWAL, Work, lane
from .panes import in_global_window

_log = logging.getLogger(__name__)

ANONYMOUS, KNOWN, TALLY = "anonymous", "known", "tally"


class ParseMessage(beam.DoFn):
    """PubsubMessage or (data, published ms) -> tagged outputs.

    ANONYMOUS, KNOWN: (customer key, work); DEAD: PubsubMessage with stage, reason and the original
    bytes; TALLY: (lane, Pane) with one count for every message, by what became of it.
    """

    def __init__(self, settings: Settings, lanes: int) -> None:
        self._mapping = settings.mapping
        self._secret = settings.id_secret.encode()
        self._half_life_days = settings.half_life_days
        self._lanes = lanes
        self._stats: dict[str, int] = {}
        self._met = Pane()

    def start_bundle(self) -> None:
        """A bundle that is tried again counts again from nothing."""
        self._stats, self._met = {}, Pane()

    def process(self, element: PubsubMessage | tuple[bytes, int]) -> Iterator[Any]:
        """One message."""
        if isinstance(element, PubsubMessage):
            data, published = element.data, published_ms(element)
        else:
            data, published = element
        events = parse(data, published, self._mapping)
        stats = self._stats
        stats[MESSAGES] = stats.get(MESSAGES, 0) + 1
        if isinstance(events, Rejected):
            kind = "rejected" if events.dead_letter else "ignored"
            stats[f"{kind}:{events.reason}"] = stats.get(f"{kind}:{events.reason}", 0) + 1
            if events.dead_letter:
                yield pvalue.TaggedOutput(DEAD, dead_letter(events, data, published))
            if events.link is None:
                return
            events = (events.link,)  # a faulty event may still say who somebody is
        else:
            stats["accepted"] = stats.get("accepted", 0) + 1
        for event in events:
            if isinstance(event, Impersonal):
                self._count_impersonal(event)
                continue
            for tag, key, work in self._works(event, published):
                name = ANONYMOUS_WORK if tag == ANONYMOUS else KNOWN_WORK
                stats[name] = stats.get(name, 0) + 1
                yield pvalue.TaggedOutput(tag, (key, work))

    def finish_bundle(self) -> Iterator[Any]:
        """Emit the tally of the bundle."""
        if self._stats:
            for name, n in self._stats.items():
                Metrics.counter("varde", name.replace(":", "_")).inc(n)
            pane = Pane(popular=self._met.popular, stats=self._stats)
            self.start_bundle()
            yield pvalue.TaggedOutput(TALLY, in_global_window((lane("", self._lanes), pane)))

    def _count_impersonal(self, event: Impersonal) -> None:
        self._stats["impersonal"] = self._stats.get("impersonal", 0) + 1
        self._met.meet(int(event.signal), event.items, popularity(event.time, self._half_life_days))

    def _works(
        self, event: Interaction | Return | IdentityLink | Erasure | Withdrawal, published: int
    ) -> list[tuple[str, str, Work]]:
        """What an event asks of the profiles of those whom it names: (ANONYMOUS or KNOWN, customer key, work)."""
        if isinstance(event, IdentityLink):
            return [self._anonymous(event.anonymous_id, (LINK, self._key(event.user_id, None), event.time))]
        if isinstance(event, Erasure):
            return [self._known(event.user_id, (ERASURE, event.time))]
        work: Work
        if isinstance(event, Interaction):
            order = orders.order_key(event.order_id)
            work = (INTERACTION, int(event.signal), event.items, event.time, published, order)
        elif isinstance(event, Return):
            work = (RETURN, orders.order_key(event.order_id), event.items, event.time)
        else:
            work = (WITHDRAWAL, event.time)
        works = [] if event.user_id is None else [self._known(event.user_id, work)]
        if event.anonymous_id is not None and (event.user_id is None or work[0] == WITHDRAWAL):
            works.append(self._anonymous(event.anonymous_id, work))
        return works

    def _known(self, user_id: str, work: Work) -> tuple[str, str, Work]:
        return KNOWN, self._key(user_id, None), work

    def _anonymous(self, anonymous_id: str, work: Work) -> tuple[str, str, Work]:
        return ANONYMOUS, self._key(None, anonymous_id), work

    def _key(self, user_id: str | None, anonymous_id: str | None) -> str:
        return keys.customer_key(user_id, anonymous_id, self._secret)


def published_ms(message: PubsubMessage) -> int:
    """When the queue took a message, ms."""
    at: Any = message.publish_time
    if at is None:  # no queue leaves it out; a test's source may
        return wall_clock()
    seconds: float = at.timestamp() if hasattr(at, "timestamp") else float(at)
    return int(seconds * 1000)
