"""Rows in memory: read once, used while Redis has no other, never older than the notes allow; and what is let go."""

import asyncio

import numpy as np
import pytest

from varde import keys
from varde.config import read
from varde.pairs import Relation
from varde.rows import Row, encode
from varde.server.errors import StoreError
from varde.server.hot import FRESH_S, HotRows
from varde.server.hot_row import HotRow
from varde.server.shelf import Shelf
from varde.server.trips import Circuit, Trips
from varde.settings import Settings
from varde.store.serving import RowKey, ServingStore, Touched
from varde.store.sync import Store

from .world import ITEMS, NOW, customers, fill

RANKINGS = read("", ("count", "llr")).rankings
COUNT, LLR = RANKINGS["count"], RANKINGS["llr"]
KEY, OTHER = RowKey(0, 64), RowKey(0, 65)


def row(counts, revision=1):
    """A packed row of {number: customers}."""
    items, k = (np.array(column, np.uint32) for column in (sorted(counts), [counts[n] for n in sorted(counts)]))
    return encode(Row(items, k, k + 20, 50, 1000, revision=revision))


class Rows:
    """Rows and notes of what was written."""

    def __init__(self):
        self.rows = {KEY: row({65: 5, 66: 4}), OTHER: row({64: 3})}
        self.reads, self.turn, self.notes, self.lost, self.error = [], 0, [], False, None
        self.may = asyncio.Event()
        self.may.set()

    def write(self, key, data):
        self.rows[key] = data
        self.turn += 1
        self.notes.append((self.turn, key))

    async def rows_of(self, wanted):
        self.reads.append(list(wanted))
        found = [self.rows.get(key) for key in wanted]
        await self.may.wait()
        if self.error is not None:
            raise self.error
        return found

    async def touched(self, since):
        if self.error is not None:
            raise self.error
        named = tuple(key for turn, key in self.notes if turn > since[0])
        first = Touched(self.turn, None if self.lost else named)
        return [first, *(Touched(0, ()) for _ in range(1, keys.SHARDS))]


class Watch:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
async def parts():
    """(rows in memory, store, shelf, clock): the notes were read once, and names of 64 to 66 are known."""
    store, shelf, watch = Rows(), Shelf(), Watch()
    shelf.learn([("a", 64), ("b", 65), ("c", 66)])
    circuit = Circuit(store.rows_of)
    hot = HotRows(store, lambda send: Trips(send, circuit, 20.0, 1000), shelf, watch, most=3)
    await hot.check()
    watch.now += 0.01
    yield hot, store, shelf, watch
    await circuit.stop()


async def got(hot, key=KEY, ranking=COUNT, floor=1):
    asked = hot.ask(key, ranking, floor)
    return asked if isinstance(asked, HotRow) else await asked


def names(hot, shelf, found, ranking=COUNT, floor=1):
    (order,) = hot.order([found], ranking, floor)
    return [(shelf.ids[slot], customers) for slot, _, customers, _ in order.offers(0)]


async def test_a_row_is_read_once_and_then_at_hand(parts):
    hot, store, shelf, _ = parts
    found = await got(hot)
    assert names(hot, shelf, found) == [("b", 5), ("c", 4)]
    assert hot.ask(KEY, COUNT, 1) is found
    assert hot.ask(KEY, LLR, 5) is found
    assert names(hot, shelf, found, LLR, 5) == [("b", 5)]
    assert store.reads == [[KEY]]
    assert (hot.hits, hot.misses) == (2, 1)


async def test_many_who_want_one_row_at_once_read_it_once(parts):
    hot, store, _, _ = parts
    found = await asyncio.gather(*(got(hot) for _ in range(20)), got(hot, OTHER))
    assert store.reads == [[KEY, OTHER]]
    assert len({id(one) for one in found}) == 2


async def test_one_who_is_gone_does_not_end_the_others_wait(parts):
    hot, store, _, _ = parts
    store.may.clear()
    gone, stays = asyncio.create_task(got(hot)), asyncio.create_task(got(hot))
    for _ in range(5):
        await asyncio.sleep(0)
    gone.cancel()
    store.may.set()
    assert (await stays).current
    await asyncio.gather(gone, return_exceptions=True)
    assert gone.cancelled()


async def test_a_row_that_was_written_is_read_again(parts):
    hot, store, shelf, _ = parts
    found = await got(hot)
    other = await got(hot, OTHER)
    store.write(KEY, row({66: 9}, revision=2))
    assert hot.ask(KEY, COUNT, 1) is found  # nobody has told yet
    await hot.check()
    assert (found.current, other.current) == (False, True)
    assert names(hot, shelf, await got(hot)) == [("c", 9)]
    assert hot.ask(OTHER, COUNT, 1) is other


async def test_a_row_that_was_written_while_it_was_read_is_not_kept(parts):
    """The reading began before the write, came back after the notes said so."""
    hot, store, shelf, watch = parts
    store.may.clear()
    reading = asyncio.create_task(got(hot))
    for _ in range(5):
        await asyncio.sleep(0)
    store.write(KEY, row({66: 9}, revision=2))
    watch.now += 0.1
    await hot.check()
    watch.now += 0.1
    store.may.set()
    found = await reading
    assert not found.current
    assert names(hot, shelf, await got(hot)) == [("c", 9)]


async def test_when_notes_are_lost_every_row_of_the_shard_is_read_again(parts):
    hot, store, _, _ = parts
    found, other = await got(hot), await got(hot, OTHER)
    store.lost = True
    await hot.check()
    assert (found.current, other.current) == (False, True)  # 64 is of the shard 0, 65 is not


async def test_without_news_rows_are_not_fresh_and_only_a_fallback(parts):
    hot, store, _, watch = parts
    found = await got(hot)
    store.error = ConnectionError()
    with pytest.raises(StoreError, match="connection"):
        await hot.check()
    watch.now += FRESH_S - 0.1
    assert hot.ask(KEY, COUNT, 1) is found
    watch.now += 0.2
    with pytest.raises(StoreError, match="connection"):
        await got(hot)
    assert hot.old(KEY) is found
    store.error = None
    await hot.check()
    assert hot.ask(KEY, COUNT, 1) is found


async def test_a_row_that_is_the_same_when_read_again_keeps_its_orders(parts):
    hot, store, _, watch = parts
    found = await got(hot)
    watch.now += FRESH_S + 1
    assert await got(hot) is found
    assert len(store.reads) == 2


async def test_candidates_without_a_name_come_when_they_have_one(parts):
    hot, store, shelf, _ = parts
    store.write(KEY, row({65: 5, 700: 9}, revision=2))
    await hot.check()
    assert names(hot, shelf, await got(hot)) == [("b", 5)]
    shelf.learn([("new", 700)])
    await hot.check()
    assert names(hot, shelf, await got(hot)) == [("new", 9), ("b", 5)]


async def test_the_least_recently_read_row_is_let_go_and_its_answers_with_it(parts):
    hot, _, _, _ = parts
    first = await got(hot)
    for number in (65, 66, 67):
        await got(hot, RowKey(0, number))
    assert len(hot) == 3
    assert not first.current
    assert hot.old(KEY) is None
    assert isinstance(hot.ask(OTHER, COUNT, 1), HotRow)


async def test_a_value_that_is_no_row_fails_those_who_want_it(parts):
    hot, store, _, _ = parts
    store.rows[KEY] = b"not a row"
    found = await asyncio.gather(got(hot), got(hot), got(hot, OTHER), return_exceptions=True)
    assert [getattr(one, "reason", None) for one in found] == ["answer", "answer", None]
    assert found[2].current
    store.rows[KEY] = row({65: 1})
    assert (await got(hot)).current


async def test_no_row_and_an_empty_one_have_no_candidates(parts):
    hot, store, shelf, _ = parts
    store.rows[OTHER] = row({})
    for key in (RowKey(0, 99), OTHER):
        found = await got(hot, key)
        assert found.packed is None
        assert names(hot, shelf, found) == []
        assert hot.ask(key, COUNT, 1) is found


async def test_reorder_and_forget(parts):
    hot, _, shelf, _ = parts
    found = await got(hot)
    hot.reorder()
    assert not found.orders
    assert names(hot, shelf, hot.ask(KEY, COUNT, 1)) == [("b", 5), ("c", 4)]
    hot.forget()
    assert not found.current
    assert len(hot) == 0


@pytest.fixture
async def real(frail):
    """Rows of a real Redis that the stream's own writer fills."""
    settings = Settings(redis_url=frail.url)
    writer = Store.from_settings(settings, clock=lambda: NOW)
    fill(writer, customers(60, ITEMS), "one")
    store, shelf = ServingStore.from_settings(settings), Shelf()
    shelf.learn(zip(ITEMS, writer.numbers(ITEMS), strict=True))
    circuit = Circuit(store.ping)
    loop = asyncio.get_running_loop()
    hot = HotRows(store, lambda send: Trips(send, circuit, 20.0, 1000), shelf, loop.time)
    await hot.check()
    yield hot, store, shelf, writer
    writer.close()
    await store.close()


async def test_every_row_that_the_stream_writes_is_told(real):
    """After each check what is in memory is what Redis holds; and not everything was dropped for it."""
    hot, store, shelf, writer = real
    wanted = [RowKey(int(relation), shelf.numbers[shelf.slots[item]]) for relation in Relation for item in ITEMS]
    for part in range(8):
        await asyncio.gather(*(got(hot, key) for key in wanted))
        fill(writer, customers(1 + part % 3, ITEMS[part % 5 : part % 5 + 3], seed=part), f"run-{part}")
        await hot.check()
        there = await store.rows_of(wanted)
        for key, data in zip(wanted, there, strict=True):
            held = hot.old(key)
            assert held is None or held.revision == (None if data is None else data[4:8]), (part, key)


async def test_notes_that_were_let_go_between_two_trips_are_missed(real, frail):
    """touched keeps so many rows; when some are let go of while the others are read, any row may have been written."""
    _, store, _, _ = real
    key, redis = keys.touched(5), frail.client()
    redis.delete(key)
    redis.zadd(key, {"0:5": 6, "0:69": 7})
    since = [0] * keys.SHARDS
    since[5] = 5
    assert {*(await store.touched(since))[5].rows} == {RowKey(0, 5), RowKey(0, 69)}
    send, trips = store._send, []

    async def between(commands):
        trips.append(len(commands))
        if len(trips) == 2:
            redis.zadd(key, {f"0:{64 * n + 5}": 8 for n in range(9, 8 + keys.MOST_TOUCHED)})
            redis.zremrangebyrank(key, 0, -keys.MOST_TOUCHED - 1)
        return await send(commands)

    store._send = between
    assert (await store.touched(since))[5] == Touched(7, None)
    assert redis.zscore(key, "0:5") is None
