"""What a run of the nightly job says: the table for people, the JSON line for programs, and progress on the way."""

from __future__ import annotations

from typing import TextIO

import orjson

from varde.pairs import ANY_ITEM

from . import drift
from .reconcile import Outcome


def table(outcome: Outcome) -> str:
    """The comparison for people: one line per relation and universe, then the largest differences."""
    lines = [] if outcome.freshness is None else [outcome.freshness.told()]
    lines += [f"{'':16}{'compared':>12}{'equal':>12}{'different':>12}{'apart by':>12}"]
    both = [*outcome.drift.pairs.items(), *((f"support {n}", d) for n, d in outcome.drift.supports.items())]
    lines += [f"{name:16}{d.compared:>12,}{d.equal:>12,}{d.different:>12,}{d.relative:>12.2%}" for name, d in both]
    for name, found in both:
        lines += [
            f"  {name}: {_shown(worst)}: live {worst.live:,}, nightly {worst.nightly:,}" for worst in found.worst[:3]
        ]
    lines += [f"  {signal} messages, {reason}: {n:,}" for (signal, reason), n in outcome.night.faults.items()]
    lines += [f"  known cause, {name}: {n:,} since Redis was empty" for name, n in outcome.causes.items()]
    lines += [f"refused: {why}" for why in outcome.refusals]
    if outcome.applied is not None:
        done = outcome.applied
        lines.append(f"written: {done.rows:,} rows, {done.rows_changed:,} of them changed")
    if outcome.after is not None:
        lines.append(f"afterwards: {outcome.after.pairs_different:,} pairs different")
    return "\n".join(lines)


def _shown(difference: drift.Difference) -> str:
    """Ids as JSON text, so that a hostile one does not reach the terminal as it is."""
    other = "customers" if difference.other == ANY_ITEM else orjson.dumps(difference.other).decode()
    return f"{orjson.dumps(difference.item).decode()} {other}" if difference.item else other


WIDTH = 24
"""Characters of a bar."""


class Progress:
    """Says what is being done: a changing line on a terminal, a bar where the end is known; a line a step elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._step = ""
        self._times = 0
        self._totals: dict[str, int] = {}

    def expect(self, totals: dict[str, int]) -> None:
        """Step -> how often it will come."""
        self._totals = totals

    def __call__(self, step: str) -> None:
        """Note one more unit of a step."""
        self._times = self._times + 1 if step == self._step else 1
        fresh, self._step = step != self._step, step
        if self._out.isatty() and (fresh or self._times % 100 == 0):
            self._out.write(f"\r\x1b[K{step} {self._bar()}{self._times:,}")
        elif fresh and not self._out.isatty():
            self._out.write(f"{step}\n")
        self._out.flush()

    def _bar(self) -> str:
        total = self._totals.get(self._step, 0)
        if not total:
            return ""
        part = min(1.0, self._times / total)
        return f"[{'#' * round(part * WIDTH):{WIDTH}}] {part:4.0%} "

    def done(self) -> None:
        """Clear the line."""
        if self._out.isatty():
            self._out.write("\r\x1b[K")
            self._out.flush()
