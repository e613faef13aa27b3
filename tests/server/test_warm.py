"""Rows are in memory before anybody asks: popular items' first, again when written, within the memory's bound."""

from __future__ import annotations

import pytest

from varde.config import read
from varde.server.hot import CHECK_S, HotRows
from varde.server.lists import Memory
from varde.server.popular import Popular, Trending
from varde.server.shelf import Shelf
from varde.server.trips import Circuit, Trips
from varde.server.warm import TOGETHER, Warmer
from varde.store.serving import RowKey

from .test_hot import Rows, Watch, row

ITEMS, FIRST = 50, 64
CONFIG = read(
    '[placements.cart]\nrelation = "also_bought"\nranking = "count"\n[placements.home]\nsource = "popular"',
    ("llr", "count"),
)


def warm_world(most=1000):
    store, shelf, watch = Rows(), Shelf(), Watch()
    shelf.learn((f"i-{at}", FIRST + at) for at in range(ITEMS))
    store.rows = {RowKey(0, FIRST + at): row({FIRST: 5, FIRST + 1: 4}) for at in range(ITEMS)}
    circuit = Circuit(store.rows_of)
    hot = HotRows(store, lambda send: Trips(send, circuit, 20.0, 1000), shelf, watch, most=most)
    popular = Popular(shelf)
    popular.put(0, 0, [(FIRST + at, float(at + 1)) for at in reversed(range(30, 40))])
    popular.arrange(0)
    memory = Memory(shelf, hot, popular, Trending(shelf), None, CONFIG, 7.0, lambda: 0)
    return Warmer(memory, store, 3, clock=lambda: 0.0), memory, store, watch


async def checked(memory, watch):
    """The notes were read, and a moment has gone by."""
    await memory.hot.check()
    watch.now += 0.01


async def to_the_end(warmer):
    while await warmer.step() != CHECK_S:
        pass


async def test_every_item_of_every_relation_in_use_is_read_once_the_popular_ones_first():
    warmer, memory, store, watch = warm_world()
    await checked(memory, watch)
    await to_the_end(warmer)
    read_ = [key for keys in store.reads for key in keys]
    assert len(read_) == len(set(read_)) == 2 * ITEMS
    assert {key.relation for key in read_} == {0, 1}  # also_viewed by default, also_bought in the cart
    assert [key.number for key in read_[:20:2]] == [FIRST + at for at in reversed(range(30, 40))]
    assert all(len(keys) <= TOGETHER for keys in store.reads)
    found = memory.hot.ask(RowKey(0, FIRST + 7), CONFIG.rankings["llr"], 3)
    assert list(found.orders) == [memory.hot.code(CONFIG.rankings["llr"], 3)]


async def test_a_row_that_was_written_is_read_again():
    warmer, memory, store, watch = warm_world()
    await checked(memory, watch)
    await to_the_end(warmer)
    store.reads.clear()
    key = RowKey(0, FIRST + 9)
    store.write(key, row({FIRST: 50}, revision=2))
    await checked(memory, watch)
    assert not memory.hot.prepared(key)
    await to_the_end(warmer)
    assert store.reads == [[key]]
    (order,) = memory.hot.order([memory.hot.ask(key, CONFIG.rankings["llr"], 3)], CONFIG.rankings["llr"], 3)
    assert [met for _, _, met, _ in order.offers(0)] == [50]


async def test_a_row_that_is_written_while_it_is_read_is_read_again():
    """Nothing says which of both was read; without a second reading nobody would ever have its head."""
    warmer, memory, store, watch = warm_world()
    read_once = store.rows_of

    async def meanwhile(wanted):
        found = await read_once(wanted)
        if len(store.reads) == 1:
            await checked(memory, watch)  # the first notes: any row may have been written
        return found

    store.rows_of = meanwhile
    watch.now += 0.01
    await to_the_end(warmer)
    assert [at for at in range(ITEMS) if not memory.hot.prepared(RowKey(0, FIRST + at))] == []


async def test_no_more_rows_than_the_memory_holds():
    warmer, memory, store, watch = warm_world(most=20)
    await checked(memory, watch)
    await to_the_end(warmer)
    assert len(memory.hot) <= 20 + TOGETHER
    assert len(memory.hot) == 20
    assert sum(len(keys) for keys in store.reads) < 20 + TOGETHER


@pytest.mark.parametrize("change", ["forget", "reorder"])
async def test_after_a_change_of_everything_it_begins_anew(change):
    warmer, memory, _, watch = warm_world()
    await checked(memory, watch)
    await to_the_end(warmer)
    getattr(memory.hot, change)()
    watch.now += 0.01
    key = RowKey(0, FIRST + 3)
    assert not memory.hot.prepared(key)
    await to_the_end(warmer)
    assert memory.hot.prepared(key)


async def test_what_is_no_row_is_left_to_whoever_asks_for_it():
    warmer, memory, store, watch = warm_world()
    store.rows[RowKey(0, FIRST + 2)] = b"nonsense"
    await checked(memory, watch)
    await to_the_end(warmer)
    assert memory.hot.old(RowKey(0, FIRST + 2)) is None
    assert memory.hot.prepared(RowKey(0, FIRST + 1))
