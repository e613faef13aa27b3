"""Where BigQuery is and how jobs run there: what a `BigQueryWarehouse` is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from . import WarehouseError, source
from .bigquery_jobs import kind, line
from .ddl import OWN


@dataclass(frozen=True, slots=True)
class Places:
    """Where the datasets are, each as `project.dataset`: Segment's, ours, and the shop's own tables if it has some."""

    segment: str
    varde: str
    store: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """All of them that there are."""
        return tuple(place for place in (self.segment, self.varde, self.store) if place is not None)

    def __post_init__(self) -> None:
        for place in self.all:
            if not all(place.partition(".")) or place.count(".") != 1:
                msg = f"{place!r} is not a project and a dataset: write `project.dataset`"
                raise WarehouseError(msg)

    def of(self, dataset: str) -> tuple[str, str]:
        """(project, dataset) in BigQuery of a logical dataset.

        Raises:
            LookupError: there is none of this name.
        """
        there = {source.DATASET: self.segment, OWN: self.varde, source.STORE: self.store}
        found = there.get(dataset)
        if found is None:
            msg = f"no dataset {dataset!r}; there are {', '.join(name for name, place in there.items() if place)}"
            raise LookupError(msg)
        project, _, name = found.partition(".")
        return project, name


@dataclass(frozen=True, slots=True)
class Options:
    """How jobs run.

    maximum_bytes_billed: a query that would read more is refused by BigQuery, unbilled; None has no limit.
    labels: on every job, beside `app` and `query`; lower case, as Google prescribes. They name the cost in the bill.
    storage: read through the BigQuery Storage API; by default if its package is there.
    retry: how a single request is repeated; Google's own policy by default (ten minutes).
    pause: waits for seconds before a job that failed by BigQuery's own fault is started again.
    now: seconds since the epoch, for the end of tables that belong to one run.
    """

    maximum_bytes_billed: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    storage: bool = field(default_factory=lambda: find_spec("google.cloud.bigquery_storage") is not None)
    retry: Retry = bigquery.DEFAULT_RETRY
    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time


def connect(project: str) -> bigquery.Client:
    """A client with the credentials of the environment, whose jobs are billed to `project`.

    Raises:
        WarehouseError: there are no credentials.
    """
    try:
        return bigquery.Client(project=project)
    except GoogleAuthError as error:
        raise kind(error)(line(error)) from error
