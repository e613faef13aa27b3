"""What processes that share a port have counted, left in files for each other, so that any of them can say the sum.

A place has one file, replaced as a whole; a process that takes the place of a dead one begins with its counts. So
nothing that was counted is lost but what a killed process did since its last second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from .tally import Tally

logger = logging.getLogger("varde.server")

LEAVE_S = 1.0
"""How often a process leaves its numbers."""
SILENT_S = 5.0
"""Gauges of a process that has left nothing for so long are left out: it is dead."""


async def repeated(leave: Callable[[], None]) -> None:
    """Leave the numbers every second, for ever."""
    while True:
        leave()
        await asyncio.sleep(LEAVE_S)


class Sample(NamedTuple):
    """A number under a name and labels."""

    name: str
    labels: dict[str, str]
    value: float

    def of(self, process: str) -> Sample:
        """The same with the label `process`."""
        return Sample(self.name, {"process": process, **self.labels}, self.value)


class Snapshots:
    """The files of a directory, or nothing but the process's own numbers where it is alone."""

    def __init__(self, process: str, directory: Path | None) -> None:
        self._directory = directory
        self._file = None if directory is None else directory / f"{process}.json"
        self._failing = False
        self._before = None if self._file is None else _read(self._file)

    def leave(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Replace this process's file, if it is not alone; what all of this place have counted, and its gauges."""
        tally, counts = _sum([snapshot, *([self._before] if self._before else [])])
        whole = {"time": time.time(), "answers": tally.dumped(), "counts": counts, "gauges": snapshot["gauges"]}
        if self._file is None:
            return whole
        new = self._file.with_suffix(".new")
        try:
            new.write_bytes(orjson.dumps(whole, default=tuple))  # a Sample
            new.replace(self._file)
        except OSError as error:  # a full disk: no reason to answer no requests
            if not self._failing:
                logger.error("metrics cannot be left for the other processes: %s", error.strerror)
            self._failing = True
        else:
            self._failing = False
        return whole

    def summed(self, snapshot: dict[str, Any]) -> tuple[Tally, list[Sample], list[Sample]]:
        """Answers and counts of all processes, and the gauges of those that live.

        This one's are left first: whoever is asked next must not say less.
        """
        found = [self.leave(snapshot)]
        if self._directory is not None:
            others = (file for file in self._directory.glob("*.json") if file != self._file)
            found += [one for file in sorted(others) if (one := _read(file))]
        since = time.time() - SILENT_S
        gauges = [Sample(*sample) for one in found if one["time"] >= since for sample in one["gauges"]]
        return *_sum(found), sorted(gauges, key=lambda sample: (sample.name, *sample.labels.values()))


def _read(file: Path) -> dict[str, Any] | None:
    try:
        read: dict[str, Any] = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return read


def _sum(snapshots: Iterable[dict[str, Any]]) -> tuple[Tally, list[Sample]]:
    tally = Tally()
    counts: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for snapshot in snapshots:
        tally.take(snapshot["answers"])
        for name, labels, value in snapshot["counts"]:
            key = name, tuple(labels.items())
            counts[key] = counts.get(key, 0.0) + value
    return tally, [Sample(name, dict(labels), value) for (name, labels), value in counts.items()]
