"""A night put into Redis: all of it, in any number of tries."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from varde.batch import apply as writing
from varde.history import DAY_MS
from varde.pairs import ANY_ITEM, Relation, Universe
from varde.settings import Settings
from varde.store.night import NightStore, Reconciled

NOW = 20_400 * DAY_MS + 40_000_000
TODAY = NOW // DAY_MS


@dataclass
class Night:
    """Some rows of each relation, and supports."""

    pairs: dict[Relation, dict[str, dict[str, int]]]
    supports: dict[int, dict[str, int]] = field(default_factory=dict)

    def rows(self, relation):
        return iter(self.pairs.get(relation, {}).items())


class StoppedError(Exception):
    pass


class Stopping(NightStore):
    """Stops after some steps, before or after the step has been noted."""

    steps_left = 10**9
    early = False

    def mark(self, run, step):
        self.steps_left -= 1
        stop = self.steps_left <= 0
        if not (stop and self.early):
            super().mark(run, step)
        if stop:
            raise StoppedError


@pytest.fixture
def store(redis_server):
    with redis_server.client() as client:
        yield Stopping(client, Settings(), lambda: NOW)


@pytest.fixture
def night(monkeypatch):
    monkeypatch.setattr(writing, "BLOCK", 2)
    items = [f"i{n}" for n in range(7)]
    pairs = {r: {a: {b: 3 + r for b in items if b != a} for a in items} for r in Relation}
    supports = {int(u): {ANY_ITEM: 9, **dict.fromkeys(items, 4 + u)} for u in list(Universe)[:3]}
    return Night(pairs, supports | {int(Universe.ANY): {ANY_ITEM: 9}})


def stands(store, night):
    every = store.all_items()
    pairs = {r: {item: cells for item, cells in ((i, store.counts(r, i)) for i in every) if cells} for r in Relation}
    supports = {u: {i: n for i, n in store.supports_at(u, TODAY).items() if n} for u in night.supports}
    assert pairs == night.pairs
    assert supports == night.supports


def test_an_empty_redis_is_filled(store, night):
    done = writing.apply(night, store, TODAY, "run")
    stands(store, night)
    assert (done.rows, done.rows_changed, done.skipped) == (21, 21, 0)
    assert store.reconciled() == Reconciled(TODAY, "run")
    assert store.row(Relation.ALSO_VIEWED, "i0") is not None
    again = writing.apply(night, store, TODAY, "again")
    assert (again.rows, again.rows_changed) == (21, 0)


def test_items_that_only_redis_knows_lose_their_counts(store, night):
    store.rewrite_rows(Relation.ALSO_VIEWED, {"gone": {"i1": 5}, "i1": {"gone": 5}}, TODAY)
    writing.apply(night, store, TODAY, "run")
    stands(store, night)
    assert store.row(Relation.ALSO_VIEWED, "gone") is None


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("steps", range(1, 17))
def test_a_run_that_stops_anywhere_goes_on(store, night, steps, early):
    store.steps_left, store.early = steps, early
    with pytest.raises(StoppedError):
        writing.apply(night, store, TODAY, "run")
    store.steps_left, store.early = 10**9, False
    done = writing.apply(night, store, TODAY, "run", resume=True)
    stands(store, night)
    assert done.skipped == steps - early
    assert store.marked("run") == ""


def test_marks_of_another_run_are_not_gone_on_from(store, night):
    store.steps_left = 5
    with pytest.raises(StoppedError):
        writing.apply(night, store, TODAY, "run")
    store.steps_left = 10**9
    assert writing.apply(night, store, TODAY, "another", resume=True).skipped == 0
    stands(store, night)
