"""The past from files (varde.seed) into the profiles, so that a stream without state goes on where another ended."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.io import ReadAllFromText
from apache_beam.io.filesystem import CompressionTypes

from varde import profile, seed
from varde.delivery import Pane
from varde.progress import ANONYMOUS_WORK, KNOWN_WORK

from .messages import SEED, lane
from .panes import in_global_window
from .parse import ANONYMOUS, KNOWN, TALLY

_log = logging.getLogger(__name__)

SEEDS, BAD_SEEDS = "seeds", "bad_seeds"
LOGGED = 3
"""Bad lines of a bundle that are logged; all are counted."""
_RANGE_BYTES = 8 * 2**20
"""Of a plain file, read in one bundle: what a bundle puts out must fit into one commit of a worker."""


class ParseSeeds(beam.DoFn):
    """A line -> tagged ANONYMOUS or KNOWN, (customer key, work); TALLY, (lane, Pane)."""

    def __init__(self, cap: int, lanes: int) -> None:
        self._cap = cap
        self._lanes = lanes
        self._stats: dict[str, int] = {}

    def start_bundle(self) -> None:
        """A bundle that is tried again counts again from nothing."""
        self._stats = {}

    def process(self, line: str) -> Iterator[Any]:
        """One customer."""
        try:
            found = seed.decode(line, self._cap)
        except ValueError as error:
            self._count(BAD_SEEDS)
            if self._stats[BAD_SEEDS] <= LOGGED:
                _log.warning("a line of the seeds is left out: %s", error)
            return
        known = found.kind == seed.KNOWN
        self._count(SEEDS)
        self._count(KNOWN_WORK if known else ANONYMOUS_WORK)
        work = (SEED, profile.encode(found.profile))
        yield pvalue.TaggedOutput(KNOWN if known else ANONYMOUS, (found.customer, work))

    def finish_bundle(self) -> Iterator[Any]:
        """Emit the tally of the bundle."""
        if self._stats:
            pane = Pane(stats=self._stats)
            self._stats = {}
            yield pvalue.TaggedOutput(TALLY, in_global_window((lane("", self._lanes), pane)))

    def _count(self, name: str) -> None:
        self._stats[name] = self._stats.get(name, 0) + 1


def read(pipeline: beam.Pipeline, pattern: str) -> Any:
    """The lines of all files that match: local paths or gs://, plain or gzipped by their names.

    In ranges of files, because the local streaming runner has no splittable source in its streaming mode.
    """
    return (
        pipeline
        | "SeedFiles" >> beam.Create([pattern])
        | "ReadSeeds" >> ReadAllFromText(compression_type=CompressionTypes.AUTO, desired_bundle_size=_RANGE_BYTES)
    )
