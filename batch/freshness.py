"""Up to when the warehouse holds all that was received: by its newest rows, table against table.

A sync writes one table after the other, hours apart, and may leave one out for days. `tracks` repeats every event, so
it says what an event's own table should have by now (sql/newest.sql). Nothing says that of identifies, pages, screens,
groups and aliases, nor of what is in no table yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from varde import consent, events
from varde.ecommerce import table_name
from varde.history import DAY_MS

from .warehouse import Warehouse, segment

MARGIN_MS = 3_600_000
"""How long before its newest row a table is taken to be complete: rows do not come in the order of their receipt."""
ENDED_MS = 7 * DAY_MS
"""A table that is further behind is no longer written: it holds nothing back, and is told."""
ALL_TIME = 0
"""`links_since`: rows of any age."""
FOREVER = 253_402_300_799_999
"""`until`: the last moment that BigQuery knows, ms."""
WHOLE = ("tracks", "raw_messages")
"""Sources that hold every event."""


class NoMessagesError(LookupError):
    """The warehouse holds no message of Segment's, so it does not say up to when it is complete."""


class Reach(NamedTuple):
    """How far one source reaches, ms: its newest row; the first row of its event in `tracks` that is newer."""

    newest: int | None
    missing: int | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """Up to when the warehouse holds all that was received.

    newest: the newest time of receipt in any table, ms. until: up to when no table lacks anything, ms; decided by
    `table`. behind: table -> since when it lacks rows that tracks has, ms. ended: the same of tables that are no longer
    written; of `tracks` itself, its newest row.
    """

    newest: int
    until: int
    table: str
    behind: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)

    @property
    def as_of(self) -> int:
        """The last moment of the newest day that the warehouse has whole, ms."""
        return complete(self.until)

    def told(self) -> str:
        """In a sentence: which table decides, and how."""
        why = f"{self.table} reaches no further"
        if self.table in self.behind:
            why = f"tracks has rows since then that {self.table} lacks"
        others = [f"{name} since {_iso(at)}" for name, at in self.behind.items() if name != self.table]
        more = f"; also behind: {', '.join(others)}" if others else ""
        gone = [f"{name} since {_iso(at)}" for name, at in self.ended.items()]
        more += f"; no longer written, so not waited for: {', '.join(gone)}" if gone else ""
        return f"the warehouse is complete up to {_iso(self.until)}: {why}{more}"


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def complete(until: int) -> int:
    """The last moment of the newest day that is whole, ms, of tables that reach to a time of receipt."""
    return (until - MARGIN_MS) // DAY_MS * DAY_MS - 1


def reaches(warehouse: Warehouse, until: int = FOREVER) -> dict[str, Reach]:
    """Source -> how far it reaches, of what was received up to `until` (ms)."""
    rows = warehouse.query("newest", {"links_since": ALL_TIME, "until": until}).to_pylist()
    return {row["source"]: Reach(row["newest"], row["missing"]) for row in rows}


def newest(warehouse: Warehouse) -> int:
    """The newest time of receipt in the warehouse, ms: the latest `as_of` that makes sense.

    Raises:
        NoMessagesError: there is none.
    """
    return _newest(reaches(warehouse))


def counted_tables(mapping: events.Mapping) -> frozenset[str]:
    """The tables of the events that the counts come from."""
    tables = segment.event_tables(mapping.custom_events).names
    found = {name for table, names in tables.items() if table != segment.RAW for name in names}
    return frozenset(found | ({table_name(consent.CHANGED)} if mapping.consent else set()))


def judge(found: Mapping[str, Reach], counted: Iterable[str]) -> Freshness:
    """What the reaches come to.

    Args:
        found: of every source.
        counted: the tables that matter beside `tracks`.

    Raises:
        NoMessagesError: no source has a row.
    """
    newest = _newest(found)
    alive = newest - ENDED_MS
    whole = {name: reach.newest for name in WHOLE if (reach := found.get(name)) and reach.newest is not None}
    missing = {
        name: reach.missing for name in sorted(counted) if (reach := found.get(name)) and reach.missing is not None
    }
    ended = {name: at for name, at in (whole | missing).items() if at <= alive}
    behind = {name: at for name, at in missing.items() if at > alive}
    # The moment of the first missing row is not complete.
    ends = {name: at for name, at in whole.items() if at > alive} | {name: at - 1 for name, at in behind.items()}
    if not ends:  # `tracks` is not synced: nothing tells what another table lacks
        ends = {name: reach.newest for name, reach in found.items() if reach.newest == newest}
    table = min(ends, key=lambda name: (ends[name], name))
    return Freshness(newest, ends[table], table, behind, ended)


def look(warehouse: Warehouse, mapping: events.Mapping, now: int) -> Freshness:
    """Up to when the warehouse is complete; `now` (ms) bounds what a wrong date of receipt can claim.

    Raises:
        NoMessagesError: an empty warehouse.
    """
    return judge(reaches(warehouse, now), counted_tables(mapping))


def _newest(found: Mapping[str, Reach]) -> int:
    times = [reach.newest for reach in found.values() if reach.newest is not None]
    if not times:
        msg = "the warehouse holds no messages"
        raise NoMessagesError(msg)
    return max(times)
