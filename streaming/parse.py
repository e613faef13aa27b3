"""Messages in; work for anonymous and known profiles, dead letters, and a tally of what was neither, out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.metrics import Metrics

from varde.delivery import Pane
from varde.events import Erasure, Event, IdentityLink, Interaction, Mapping, Rejected, parse
from varde.progress import ANONYMOUS_WORK, KNOWN_WORK, MESSAGES

from .clock import wall_clock
from .messages import ERASURE, INTERACTION, LINK, Work, lane
from .panes import in_global_window

_log = logging.getLogger(__name__)

ANONYMOUS, KNOWN, DEAD, TALLY = "anonymous", "known", "dead", "tally"
DEAD_LETTER_BYTES = 256 * 1024
"""Most of a bad message that goes to the dead-letter topic; its attribute `bytes` tells the true size."""


class ParseMessage(beam.DoFn):
    """PubsubMessage or (data, published ms) -> tagged outputs.

    ANONYMOUS: (anonymousId, work); KNOWN: (userId, work); DEAD: PubsubMessage with stage, reason and the original
    bytes; TALLY: (lane, Pane) with one count for every message, by what became of it.
    """

    def __init__(self, mapping: Mapping, lanes: int) -> None:
        self._mapping = mapping
        self._lanes = lanes
        self._stats: dict[str, int] = {}

    def start_bundle(self) -> None:
        """A bundle that is tried again counts again from nothing."""
        self._stats = {}

    def process(self, element: PubsubMessage | tuple[bytes, int]) -> Iterator[Any]:
        """One message."""
        if isinstance(element, PubsubMessage):
            data, published = element.data, _published_ms(element)
        else:
            data, published = element
        events = parse(data, published, self._mapping)
        stats = self._stats
        stats[MESSAGES] = stats.get(MESSAGES, 0) + 1
        if isinstance(events, Rejected):
            kind = "rejected" if events.dead_letter else "ignored"
            stats[f"{kind}:{events.reason}"] = stats.get(f"{kind}:{events.reason}", 0) + 1
            if events.dead_letter:
                yield pvalue.TaggedOutput(DEAD, dead_letter("parse", events, data, published))
            if events.link is None:
                return
            events = (events.link,)  # a faulty event may still say who somebody is
        else:
            stats["accepted"] = stats.get("accepted", 0) + 1
        for event in events:
            output = _work(event, published)
            name = ANONYMOUS_WORK if output.tag == ANONYMOUS else KNOWN_WORK
            stats[name] = stats.get(name, 0) + 1
            yield output

    def finish_bundle(self) -> Iterator[Any]:
        """Emit the tally of the bundle."""
        if self._stats:
            for name, n in self._stats.items():
                Metrics.counter("varde", name.replace(":", "_")).inc(n)
            pane = Pane(stats=self._stats)
            self._stats = {}
            yield pvalue.TaggedOutput(TALLY, in_global_window((lane("", self._lanes), pane)))


def _published_ms(message: PubsubMessage) -> int:
    at: Any = message.publish_time
    if at is None:  # no queue leaves it out; a test's source may
        return wall_clock()
    seconds: float = at.timestamp() if hasattr(at, "timestamp") else float(at)
    return int(seconds * 1000)


def _work(event: Event, published: int) -> pvalue.TaggedOutput:
    work: Work
    if isinstance(event, Interaction):
        work = (INTERACTION, int(event.signal), event.items, event.time, published)
        if event.user_id is not None:
            return pvalue.TaggedOutput(KNOWN, (event.user_id, work))
        return pvalue.TaggedOutput(ANONYMOUS, (event.anonymous_id, work))
    if isinstance(event, IdentityLink):
        return pvalue.TaggedOutput(ANONYMOUS, (event.anonymous_id, (LINK, event.user_id, event.time)))
    assert isinstance(event, Erasure)
    return pvalue.TaggedOutput(KNOWN, (event.user_id, (ERASURE, event.time)))


def dead_letter(stage: str, why: Rejected, data: bytes, published: int) -> PubsubMessage:
    """A message for the dead-letter topic: the original bytes, and as attributes where and why it stopped."""
    return PubsubMessage(
        data[:DEAD_LETTER_BYTES],
        {
            "stage": stage,
            "reason": why.reason,
            "detail": why.detail[:256],
            "bytes": str(len(data)),
            "published_ms": str(published),
        },
    )
