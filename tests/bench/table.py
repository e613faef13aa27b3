"""How the benches print: aligned columns, figures with ratios, nothing clever."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Sequence


def say(line: str = "") -> None:
    """One line, at once: a bench may take minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def machine() -> str:
    """Where the figures come from, with the load before the run: other work on the cores makes them smaller."""
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {load}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        first = row[0].ljust(widths[0])
        say("  " + "  ".join([first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]))


def median(values: Sequence[float]) -> float:
    """The middle figure of repeats."""
    return statistics.median(values)


def quantile(values: Sequence[float], q: float) -> float:
    """The value that at least a part `q` of all values does not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-q * len(ranked) // 1) - 1))]
