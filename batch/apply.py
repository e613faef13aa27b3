"""Writing a night into Redis, item by item, while stream and server go on.

A hash becomes the night's counts plus the differences of the days since (varde.store.night), so every step may be
repeated, and a run that was interrupted is simply run again; with a mark of how far it came, from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from varde.pairs import Relation, Universe
from varde.store.night import Cells, Reconciled

from .drift import every_row

Tick = Callable[[str], None]
BLOCK = 256
"""Row items between two marks."""


class NightRows(Protocol):
    """What is asked of a night."""

    @property
    def supports(self) -> Mapping[int, Cells]:
        """Universe -> item -> customers."""
        ...

    def rows(self, relation: Relation) -> Iterable[tuple[str, Cells]]:
        """(row item, column item -> customers) of a relation; a row item comes once, in the same order every time."""
        ...


class LiveRows(Protocol):
    """What is asked of varde.store.night.NightStore."""

    def all_items(self) -> dict[str, int]:
        """Every item that was ever counted."""
        ...

    def rewrite_supports(self, where: int, supports: Cells, day: int) -> int:
        """Make a universe's supports these plus the differences since the day."""
        ...

    def rewrite_rows(self, relation: int, rows: Mapping[str, Cells], day: int) -> int:
        """Make pair counts these plus the differences since the day."""
        ...

    def mark(self, run: str, step: str) -> None:
        """Note how far a run came."""
        ...

    def marked(self, run: str) -> str:
        """How far a run came; empty when it has not begun."""
        ...

    def reconciled(self) -> Reconciled | None:
        """The last rewrite that ended well."""
        ...

    def finish(self, done: Reconciled, items: Iterable[str], before: int) -> None:
        """Note the end, let old differences go."""
        ...


@dataclass(slots=True)
class Applied:
    """What a write has done: rows written, rows whose counts changed, steps that an earlier try had done."""

    rows: int = 0
    rows_changed: int = 0
    skipped: int = 0


def apply(
    night: NightRows, store: LiveRows, day: int, run: str, resume: bool = False, tick: Tick = lambda _: None
) -> Applied:
    """Put a night in place.

    Args:
        night: the counts of all events before `day`.
        store: Redis.
        day: since the epoch; the stream's differences from then on stay on top.
        run: names the run: the same for every try with the same night.
        resume: go on after the last mark of this run.
        tick: called with the name of what is written, once a row.
    """
    done = Applied()
    mark = store.marked(run) if resume else ""
    steps = _steps(night, store, day, done, tick)
    for name, step in steps:
        if name <= mark:
            done.skipped += 1
            continue
        step()
        store.mark(run, name)
    tick("old days")
    last = store.reconciled()
    store.finish(Reconciled(day, run), store.all_items(), last.day if last else 0)
    return done


def _steps(
    night: NightRows, store: LiveRows, day: int, done: Applied, tick: Tick
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every step with its name; names rise in the order of the steps."""
    for universe in Universe:

        def supports(universe: Universe = universe) -> None:
            tick("supports")
            store.rewrite_supports(universe, night.supports.get(universe, {}), day)

        yield f"0:{int(universe)}", supports
    # Items are only ever added. One that has come since an earlier try moves others to later blocks, never to earlier.
    live = sorted(store.all_items())
    for relation in Relation:
        rows = every_row(night.rows(relation), live)
        for index, block in enumerate(iter(lambda rows=rows: list(itertools.islice(rows, BLOCK)), [])):  # type: ignore[misc]

            def pairs(relation: Relation = relation, block: list[tuple[str, Cells]] = block) -> None:
                for _ in block:
                    tick(relation.label)
                done.rows += len(block)
                done.rows_changed += store.rewrite_rows(relation, dict(block), day)

            yield f"1:{int(relation)}:{index:09}", pairs
