"""Where rows lie is noted as long as they are kept, and not a moment longer: it is read without a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.pairs import Relation
from varde.server.hot import HotRows
from varde.server.hot_row import HotRow
from varde.server.places import Places
from varde.server.shelf import Shelf
from varde.store.serving import RowKey

from .memories import CONFIG, packed

FIRST, ITEMS, MOST = 64, 5, 3
LLR, COUNT = (CONFIG.rankings[name] for name in ("llr", "count"))
numbers_ = st.sampled_from([FIRST, FIRST, FIRST + 1, FIRST + 2, FIRST + ITEMS - 1])
relations_ = st.sampled_from([0, 0, 0, 1])
steps_ = st.lists(
    st.one_of(
        st.tuples(st.just("read"), relations_, numbers_, st.booleans(), st.sampled_from([None, LLR, COUNT])),
        st.tuples(st.just("order"), relations_, numbers_, st.sampled_from([LLR, COUNT])),
        st.tuples(st.just("written"), relations_, numbers_),
        st.tuples(st.just("renumbered"), st.integers(0, ITEMS - 1), numbers_),
        st.tuples(st.just("others")),
        st.tuples(st.just("reordered")),
        st.tuples(st.just("forgotten")),
    ),
    min_size=12,
    max_size=40,
)


class World:
    """Rows in memory, at most MOST, of items some of which have no number."""

    def __init__(self):
        self.now, self.turn = 0.0, 0
        self.shelf = Shelf()
        self.shelf.learn((f"i-{at}", FIRST + at) for at in range(ITEMS - 1))
        self.hot = HotRows(None, lambda _: None, self.shelf, lambda: self.now, most=MOST)

    def do(self, what, *with_):
        self.now += 1
        getattr(self, what)(*with_)

    def read(self, relation, number, another, ranking):
        others = {FIRST + at: (at + 4, 9) for at in range(ITEMS) if FIRST + at != number}
        self.turn += another
        self.hot.keep(HotRow(RowKey(relation, number), packed(others, self.turn)), self.now + 1)
        if ranking is not None:
            self.order(relation, number, ranking)

    def order(self, relation, number, ranking):
        row = self.hot.known(number << 2 | relation)
        if row is not None:
            self.hot.order((row,), ranking, 1)

    def written(self, relation, number):
        self.hot._drop([RowKey(relation, number)])

    def renumbered(self, item, number):
        self.shelf.learn([(f"i-{item}", number)])

    def others(self):
        self.shelf.forget_others({"i-0", "i-3"})

    def reordered(self):
        self.hot.reorder()

    def forgotten(self):
        self.hot.forget()

    def hold(self):
        """What is noted is the first order of the row that the item's number leads to."""
        for relation in range(len(Relation)):
            for slot in range(len(self.shelf)):
                noted = self.shelf.places.where(relation, slot)
                row = self.hot.known(self.shelf.numbers[slot] << 2 | relation)
                if noted is not None:
                    assert row is not None
                    assert noted == (row.code, row.where) == (row.code, row.orders[row.code].where)
                    assert row.current


@given(steps=steps_)
def test_what_is_noted_is_a_row_that_is_kept(steps):
    world = World()
    for step in steps:
        world.do(*step)
        world.hold()


def test_a_row_is_noted_when_it_is_put_in_order():
    world = World()
    world.read(0, FIRST, True, None)
    assert world.shelf.places.where(0, 0) is None
    world.order(0, FIRST, LLR)
    row = world.hot.known(FIRST << 2)
    assert world.shelf.places.where(0, 0) == (row.code, row.where)
    world.order(0, FIRST, COUNT)
    assert world.shelf.places.where(0, 0) == (row.code, row.where), "the first order stays"


@pytest.mark.parametrize("slot", [0, 1_023, 1_024, 70_000])
def test_there_is_room_for_any_slot(slot):
    places, where = Places(), bytes(range(16))
    places.put(1, 3, 7, where)
    places.put(1, slot, 5, where)
    assert places.where(1, slot) == (5, where)
    assert slot == 3 or places.where(1, 3) == (7, where)
    assert places.where(0, slot) is None
    places.take(1, slot, bytes(16))
    assert places.where(1, slot) == (5, where), "another row's by now"
    places.take(1, slot, where)
    assert places.where(1, slot) is None


def test_a_row_that_is_pushed_out_is_noted_no_longer():
    world = World()
    for number in range(FIRST, FIRST + MOST + 1):
        world.read(0, number, True, LLR)
    assert [world.shelf.places.where(0, slot) is None for slot in range(MOST + 1)] == [True] + [False] * MOST


def test_a_row_that_is_used_once_is_not_noted():
    world = World()
    world.do("written", 0, FIRST)
    row = HotRow(RowKey(0, FIRST), packed({FIRST + 1: (5, 5)}))
    assert not world.hot.keep(row, world.now - 1).current, "it was read before it was written"
    world.hot.order((row,), LLR, 1)
    assert world.shelf.places.where(0, 0) is None
