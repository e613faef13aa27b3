"""Changes of single items, from a topic of their own, into the catalogue in Redis."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.io.gcp.pubsub import PubsubMessage

from varde.catalogue import Change
from varde.delivery import Pane
from varde.feed import Refused, changes
from varde.settings import Settings
from varde.store import schema
from varde.store.catalogue_sync import CatalogueStore

from .dead_letters import DEAD, dead_letter
from .messages import lane
from .panes import in_global_window
from .parse import TALLY, published_ms

MESSAGES, CHANGES, REJECTED = "catalogue_messages", "catalogue_changes", "catalogue_rejected:"
_FLUSH = 1_000
"""Changes after which a bundle's are applied before it ends: bounds memory."""


@functools.cache
def _store(settings: Settings) -> CatalogueStore:
    """One store a process."""
    store = CatalogueStore.from_settings(settings)
    schema.check(store)
    return store


class ApplyChanges(beam.DoFn):
    """PubsubMessage or (data, published ms) -> tagged outputs, once its changes are in Redis and announced.

    DEAD: PubsubMessage with stage, reason and the bytes of each change that cannot be taken; TALLY: (lane, Pane) with
    one count for every message and change. Errors of Redis are raised: the runner tries the bundle again, and changes
    that were applied before change nothing.
    """

    def __init__(self, settings: Settings, lanes: int) -> None:
        self._settings = settings
        self._lanes = lanes
        self.start_bundle()

    def start_bundle(self) -> None:
        """A bundle that is tried again begins anew."""
        self._changes: list[tuple[Change, bytes, int]] = []
        self._stats: dict[str, int] = {}

    def process(self, element: PubsubMessage | tuple[bytes, int]) -> Iterator[Any]:
        """One message: a change, or a list of them."""
        if isinstance(element, PubsubMessage):
            data, published = element.data, published_ms(element)
        else:
            data, published = element
        self._count(MESSAGES)
        for found, said in changes(data, published):
            self._count(CHANGES)
            if isinstance(found, Change):
                self._changes.append((found, said, published))
            else:
                yield pvalue.TaggedOutput(DEAD, self._rejected(found, said, published))
        if len(self._changes) >= _FLUSH:
            for letter in self._apply():
                yield pvalue.TaggedOutput(DEAD, letter)

    def finish_bundle(self) -> Iterator[Any]:
        """Apply what is left, and emit the tally."""
        for letter in self._apply():
            yield pvalue.TaggedOutput(DEAD, in_global_window(letter))
        if self._stats:
            yield pvalue.TaggedOutput(TALLY, in_global_window((lane("", self._lanes), Pane(stats=self._stats))))
        self.start_bundle()

    def _apply(self) -> list[PubsubMessage]:
        """The dead letters of changes for whose items there was no room."""
        if not self._changes:
            return []
        applied = _store(self._settings).change(change for change, _, _ in self._changes)
        refused = set(applied.refused)
        letters = [
            self._rejected(Refused("no_room", "VARDE_MAX_ITEMS", change.id), said, published)
            for change, said, published in self._changes
            if change.id in refused
        ]
        self._changes = []
        return letters

    def _rejected(self, why: Refused, said: bytes, published: int) -> PubsubMessage:
        self._count(REJECTED + why.reason)
        return dead_letter(why, said, published)

    def _count(self, name: str) -> None:
        self._stats[name] = self._stats.get(name, 0) + 1
