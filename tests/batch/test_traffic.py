"""`varde reconcile --apply`, whole, while a stream writes and readers read: nobody sees a hole, nothing is lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.property import oracle
from tests.property.fold import Fold

from varde import keys
from varde.batch.arguments import check
from varde.batch.reconcile import Request, reconcile
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.counts import Counts
from varde.delivery import Delivery, Pane, Token, split
from varde.events import Event
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.night import NightStore

from .nights import DAYS, NOW, TODAY, live, load, meanings, shop
from .test_write import YESTERDAY, rows_of

NIGHTS = 2
WRONG_DAY = TODAY - 30
"""Its differences are in the totals alone, as of a day that is no longer live: only a night can put them right."""


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, cap=6, window_days=30, id_secret="a secret")


class Stream:
    """The stream's transitions over one life, event by event into Redis."""

    def __init__(self, settings: Settings, store: NightStore) -> None:
        self._fold, self._store, self._panes = Fold(settings.limits, NOW), store, 0

    def take(self, *events: Event) -> None:
        self._fold.total = Counts()
        self._fold.play(events)
        deliveries = list(split(Pane(counts=self._fold.total), "stream", 0, self._panes, 1000))
        self._panes += 1
        for delivery in deliveries:
            assert self._store.apply(delivery)
        self._store.refresh(*deliveries)


def spoil(store: NightStore, wrong: list[tuple[str, str]]) -> None:
    """Counts that nobody has caused, far in the past."""
    for n, (item, other) in enumerate(wrong):
        cells = [(int(Relation.ALSO_VIEWED), WRONG_DAY, item, {other: 3})]
        delivery = Delivery(Token("wrong", 0, n, 0), keys.shard_of(item), rows=cells)
        assert store.apply(delivery)
        store.refresh(delivery)


class Reader:
    """Reads counts and serving rows of some rows, over and over; notes each that has no neighbours."""

    def __init__(self, settings: Settings, watched: list[tuple[Relation, str]]) -> None:
        self._settings, self._watched = settings, watched
        self.holes: list[tuple[str, Relation, str]] = []
        self.rounds = 0

    def __call__(self, stop: threading.Event) -> None:
        with closing(NightStore.from_settings(self._settings, lambda: NOW)) as store:
            while not stop.is_set():
                for relation, item in self._watched:
                    row = store.row(relation, item)
                    if row is None or row.neighbours == 0:
                        self.holes.append(("row", relation, item))
                    if not any(n > 0 for n in store.counts(relation, item).values()):
                        self.holes.append(("counts", relation, item))
                self.rounds += 1


def never_without(early: list[Event], late: list[Event], settings: Settings) -> list[tuple[Relation, str]]:
    """Rows that have a neighbour before the first and after each of the late events."""
    fold = Fold(settings.limits, NOW).play(early)
    always: set[tuple[int, str]] | None = None
    for event in [*early[-1:], *late]:  # once more what was there, which changes nothing
        fold.take(event)
        now = {(relation, item) for (relation, item, _), n in fold.total.totals()[0].items() if n > 0}
        always = now if always is None else always & now
    return sorted((Relation(relation), item) for relation, item in always or ())


def test_readers_see_no_hole_and_no_difference_is_lost(settings: Settings, tmp_path: Path) -> None:
    messages = shop(11, 100 * DAYS)
    events = meanings(messages, settings)
    early = [event for event in events if event.time <= YESTERDAY]
    late = [event for event in events if event.time > YESTERDAY]
    assert len(late) > NIGHTS * 20
    load(tmp_path / "w", messages, settings)
    truth = oracle.arrival(events, settings.limits, NOW)
    opened = [closing(NightStore.from_settings(settings, lambda: NOW)) for _ in range(2)]
    with opened[0] as store, opened[1] as night:
        stream = Stream(settings, store)
        stream.take(*early)
        items = sorted(store.all_items())
        wrong = [(item, other) for item in items[:4] for other in items[4:8]]
        spoil(store, wrong)
        watched = never_without(early, late, settings)
        assert len(watched) > 20
        readers = [Reader(settings, watched[n::2]) for n in range(2)]
        stop, first = threading.Event(), threading.Event()
        before_the_end: list[bool] = []

        def write() -> None:
            for event in late:
                stream.take(event)
                before_the_end.append(not first.is_set())
                stop.wait(0.01)  # the traffic of a shop, spread over the nights

        with ThreadPoolExecutor(3) as pool:
            beside = [*(pool.submit(reader, stop) for reader in readers), pool.submit(write)]
            try:
                for _ in range(NIGHTS):
                    with DuckDBWarehouse(tmp_path / "w", check(settings)) as warehouse:
                        request = Request(YESTERDAY, apply=True, force=True)
                        assert reconcile(warehouse, night, settings, request, now=lambda: NOW).applied is not None
                    first.set()
            finally:
                stop.set()
            for done in beside:
                done.result()
        assert [hole for reader in readers for hole in reader.holes] == []
        assert min(reader.rounds for reader in readers) > 2
        assert len(before_the_end) == len(late)
        assert sum(before_the_end) > 0, "the stream wrote while the first night did"
        assert live(store) == truth
        assert rows_of(store) == truth[0]
