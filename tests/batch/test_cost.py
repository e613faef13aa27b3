"""What a run will read: every query that it asks is in the estimate, and the page names those that read all days."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from varde.batch import cost, nightly, seeds
from varde.batch.arguments import check
from varde.batch.counting import there
from varde.batch.loader import Loader
from varde.batch.reconcile import Request, reconcile
from varde.batch.warehouse import MissingError, Parameters, UnavailableError, queries
from varde.batch.warehouse.bigquery_options import Places
from varde.events import Mapping
from varde.history import DAY_MS, Limits
from varde.settings import Settings
from varde.store.night import NightStore

from .bigquery_standin import LOCATION, PROJECT, StandIn, opened
from .nights import NOW, TODAY, shop

DOC = (Path(__file__).parents[2] / "docs" / "warehouse.md").read_text(encoding="utf-8")
PLACES = Places(f"{PROJECT}.segment_prod", f"{PROJECT}.varde_out")
YESTERDAY = TODAY * DAY_MS - 1
NO_QUERIES = {"define", "load", "replace"}


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn({"segment_prod": LOCATION, "varde_out": LOCATION}) as running:
        yield running


def fill(standin: StandIn, settings: Settings) -> None:
    with opened(standin, "fill", PLACES, check(settings)) as warehouse:
        loader = Loader(warehouse, settings.mapping, secret=settings.id_secret.encode())
        for data in shop(7, 60):
            loader.add(data, NOW + 1000)
        loader.flush()


def asked(standin: StandIn) -> Counter[str]:
    """The queries that were run, by their label."""
    labels = (job["configuration"]["labels"]["query"] for job in standin.sent("query"))
    return Counter(label for label in labels if label not in NO_QUERIES)


@pytest.mark.parametrize("apply", [False, True])
def test_every_query_of_a_run_is_estimated(redis_url: str, standin: StandIn, apply: bool) -> None:
    settings = Settings(redis_url=redis_url, cap=6, window_days=30)
    fill(standin, settings)
    store = NightStore.from_settings(settings, lambda: NOW)
    request = Request(None if not apply else YESTERDAY, apply=apply, force=True, counter=there)
    with opened(standin, "r1", PLACES, check(settings)) as warehouse:
        reconcile(warehouse, store, settings, request, now=lambda: NOW)
    store.close()
    expected = Counter(cost.of_reconcile(there=True, apply=apply, newest=request.as_of is None))
    found = asked(standin)
    assert found.keys() <= expected.keys()
    assert {query for query in expected if query not in found} <= {"deletes", "users", "pair_sizes"}
    often = {query for query, times in found.items() if times > expected[query]}
    assert often <= {"pair_rows", "pair_sizes"}, "once a relation (and range), each of its own rows"


def test_every_query_of_seeds_is_estimated(standin: StandIn, tmp_path: Path) -> None:
    settings = Settings(cap=6, window_days=30)
    fill(standin, settings)
    with opened(standin, "r1", PLACES, check(settings)) as warehouse:
        seeds.write(warehouse, settings, tmp_path / "seeds")
    assert asked(standin) <= Counter(cost.of_seeds(newest=True))


class Sized:
    """A BigQuery that knows how much its queries read."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.given: list[Parameters] = []

    def dry_run(self, name: str, parameters: Parameters) -> int:
        self.given.append(parameters)
        assert queries.parameters(queries.parse(queries.text(name))) <= parameters.keys()
        if name not in self.sizes:
            raise MissingError(name)
        return self.sizes[name]


def test_what_is_not_there_yet_is_named() -> None:
    plan = nightly.plan(NOW, Limits(), Mapping())
    found = cost.estimate(Sized({"newest": 10**9, "pair_rows": 10**9}), plan, {"newest": 1, "pair_rows": 3, "deeds": 1})
    assert found == cost.Estimate(4 * 10**9, ("deeds",))
    assert str(found) == "about 4.00 GB, and what is not known before their tables are there: deeds"
    assert str(cost.Estimate(0)) == "about 0.00 GB"


def test_every_parameter_is_known_and_the_window_is_that_of_the_night() -> None:
    limits = Limits(window_days=30)
    everything = Sized(dict.fromkeys(queries.names(), 1))
    for apply in (False, True):
        cost.estimate(everything, nightly.plan(NOW, limits, Mapping()), cost.of_reconcile(True, apply, True))
    cost.estimate(everything, nightly.plan(NOW, limits, Mapping()), cost.of_seeds(True))
    assert {given["window_start"] for given in everything.given} == {nightly.window_start(NOW, limits)}
    assert nightly.window_start(NOW, limits) != nightly.window_start(NOW - DAY_MS, limits)


def test_another_failure_than_a_missing_table_is_no_estimate() -> None:
    class Down:
        def dry_run(self, name: str, parameters: Parameters) -> int:
            raise UnavailableError(name)

    with pytest.raises(UnavailableError):
        cost.estimate(Down(), nightly.plan(NOW, Limits(), Mapping()), {"newest": 1})


def test_the_page_names_the_queries_that_read_all_days() -> None:
    (sentence,) = re.findall(r"These read all days of their columns: (.*?)[:.]", DOC, re.DOTALL)
    reading = {
        name for name in queries.names() if "links_since" in queries.parameters(queries.parse(queries.text(name)))
    }
    assert set(re.findall(r"`(\w+)`", sentence)) == reading
