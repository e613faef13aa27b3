"""The catalogue on real servers: loads and changes in any order, by several writers, followed without a gap."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from varde import keys
from varde.catalogue import Change, Entry, Text, changed, effective, loaded
from varde.settings import Settings
from varde.store import catalogue, catalogue_sync
from varde.store.catalogue import Follower, LateLoadError, reached
from varde.store.catalogue_aio import FORGOTTEN_MS, AsyncCatalogue
from varde.store.catalogue_sync import CHANGES_DAYS, CatalogueStore, Loaded, TooManyRemovedError
from varde.store.scripts import PUT_CATALOGUE

from .world import HOSTILE

DAY = 86_400_000


def of(server, **more):
    return Settings(redis_url=server.url, redis_cluster="yes" if server.cluster else "no", **more)


@contextmanager
def sync(server, **more):
    store = CatalogueStore.from_settings(of(server, **more))
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def aio(server):
    store = AsyncCatalogue.from_settings(of(server))
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def shop(every_redis_and_cluster):
    with sync(every_redis_and_cluster) as store:
        yield store


def rows(*ids, **more):
    return [Entry(item, title=f"title of {item}", **more) for item in ids]


def held(store):
    found = {item: effective(item, record) for item, record in store.scan()}
    return {item: entry for item, entry in found.items() if entry is not None}


async def read(store):
    return {item: entry async for some in store.scan() for item, entry in some}


async def test_both_sides_read_what_was_loaded(every_redis_and_cluster, shop):
    given_ = [Entry(item, title=item, texts={"sv": Text(item, None)}, stock=n) for n, item in enumerate(HOSTILE)]
    assert shop.put_entries(given_, 1, True) == Loaded(len(HOSTILE), 0, 0, 0)
    assert held(shop) == {entry.id: entry for entry in given_}
    async with aio(every_redis_and_cluster) as reader:
        assert await read(reader) == held(shop)
        assert await reader.entries([*HOSTILE, "other"]) == [*given_, None]
        assert await reader.entries([]) == []
    assert shop.put_entries(given_, 2, True) == Loaded(0, len(HOSTILE), 0, 0)
    assert shop.record(HOSTILE[0]).as_of == 2


def test_a_complete_load_removes_what_it_does_not_have_but_for_what_it_refused(shop):
    shop.put_entries(rows("a", "b", "c", "d"), 1, True)
    shop.change([Change("d", 1, {"hidden": True})])
    assert shop.put_entries(rows("a"), 2, True, keep={"b"}) == Loaded(0, 1, 2, 0)
    assert {item: entry.listed for item, entry in held(shop).items()} == {"a": True, "b": True, "d": False}
    shop.put_entries(rows("d"), 3, False)
    assert held(shop)["d"].hidden, "an item that comes back is hidden still"
    shop.put_entries(rows("a"), 4, True)
    shop.put_entries(rows("a"), 4 + CHANGES_DAYS * DAY, True)
    assert set(held(shop)) == {"a"}


def test_an_older_load_says_nothing_any_more(shop):
    shop.put_entries(rows("a", stock=1), 5, True)
    with pytest.raises(LateLoadError):
        shop.put_entries(rows("a", "b", stock=2), 4, False)
    with pytest.raises(LateLoadError):
        shop.put_entries([], 4, True)
    assert {item: entry.stock for item, entry in held(shop).items()} == {"a": 1}


def test_a_load_that_would_remove_too_much_removes_nothing(shop):
    shop.put_entries(rows("a", "b", "c"), 1, True)
    with pytest.raises(TooManyRemovedError, match="2 of 4"):
        shop.put_entries(rows("a", "x"), 2, True, max_removed=0.4)
    assert set(held(shop)) == {"a", "b", "c", "x"}
    assert shop.put_entries(rows("a", "x"), 3, True, max_removed=0.5).removed == 2


def test_items_have_a_bound_and_those_there_may_still_change(redis_server):
    with sync(redis_server, max_items=1000) as store:
        part = -(-1000 // keys.SHARDS)
        beside = [item for item in map(str, range(9000)) if keys.shard_of(item) == 3][: part + 2]
        done = store.put_entries(rows(*beside), 1, False)
        assert done == Loaded(part, 0, 0, 2)
        applied = store.change([Change("one more", 1, {"stock": 1})])
        assert applied.changed == ("one more",), "another shard"
        (late,) = set(beside) - set(held(store)) - {beside[-1]} or {beside[-1]}
        assert store.change([Change(late, 1, {"stock": 1})]).refused == (late,)
        assert store.change([Change(next(iter(set(beside) & set(held(store)))), 1, {"stock": 1})]).refused == ()


IDS = ("a", "b", "c")
moments = st.integers(1, 6)
loads = st.tuples(st.dictionaries(st.sampled_from(IDS), st.none() | st.integers(0, 2)), moments, st.booleans())
notes = st.builds(
    Change,
    st.sampled_from(IDS),
    moments,
    st.dictionaries(st.sampled_from(("hidden", "stock")), st.none() | st.booleans(), min_size=1).map(
        lambda said: {name: value if name == "hidden" or value is None else int(value) for name, value in said.items()}
    ),
)


def truth(done):
    """What is shown, by the definition: of each item the newest load not older than the newest complete one."""
    mark = max((as_of for as_of, complete, _ in (d for d in done if isinstance(d, tuple)) if complete), default=0)
    out = {}
    for item in IDS:
        record = catalogue.EMPTY
        for each in done:
            if isinstance(each, Change):
                if each.id == item:
                    record = catalogue.merge(record, changed(each))
            elif item in each[2] and each[0] >= mark:
                record = catalogue.merge(record, loaded(Entry(item, stock=each[2][item]), each[0]))
        if (entry := effective(item, record)) is not None:
            out[item] = entry
    return out


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(st.lists(loads | notes, max_size=6), st.randoms(use_true_random=False))
def test_any_order_and_any_repeats_of_loads_and_changes(_redis_7, done, chance):
    done = [each if isinstance(each, Change) else (each[1], each[2], each[0]) for each in done]
    # Of one moment there is one load: what two of them say would be added up.
    loads_ = {each[0]: each for each in done if not isinstance(each, Change)}
    done = [*loads_.values(), *(each for each in done if isinstance(each, Change))]
    played = done + chance.choices(done, k=2) if done else []
    chance.shuffle(played)
    with _redis_7.client() as client:
        client.flushall()
    with sync(_redis_7) as store:
        for each in played:
            if isinstance(each, Change):
                store.change([each])
                continue
            with suppress(LateLoadError):
                store.put_entries([Entry(i, stock=n) for i, n in each[2].items()], each[0], each[1])
        assert held(store) == truth(done)


def test_two_loads_and_many_changes_at_once(every_redis_and_cluster):
    items = [f"item {n}" for n in range(300)]
    told = [Change(random.Random(n).choice(items), n, {"stock": n, "hidden": n % 3 == 0}) for n in range(400)]

    def load(as_of):
        with sync(every_redis_and_cluster) as store:
            part = items if as_of == 1000 else items[:150]
            try:
                store.put_entries([Entry(item, price=float(as_of)) for item in part], as_of, True)
            except LateLoadError:
                assert as_of == 1000

    def change(some):
        with sync(every_redis_and_cluster) as store:
            for one in some:
                store.change([one])

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(load, 1000), pool.submit(load, 2000)]
        done += [pool.submit(change, told[half::2]) for half in range(2)]
        for each in done:
            each.result()
    with sync(every_redis_and_cluster) as store:
        found = held(store)
        for item in items:
            record = catalogue.EMPTY
            for one in (one for one in told if one.id == item):
                record = catalogue.merge(record, changed(one))
            if item in items[:150]:
                record = catalogue.merge(record, loaded(Entry(item, price=2000.0), 2000))
            assert found.get(item) == effective(item, record), item


class Interrupted:
    """A real client that lets something else happen right before its first writes of the catalogue."""

    def __init__(self, client, meanwhile, times=1):
        self._client, self._meanwhile, self._times = client, meanwhile, times

    def execute_command(self, *args, **options):
        if self._times and args[:2] == ("EVALSHA", PUT_CATALOGUE.sha):
            self._times -= 1
            self._meanwhile()
        return self._client.execute_command(*args, **options)

    def pipeline(self, transaction=True):
        return self._client.pipeline(transaction=transaction)


def test_a_writer_that_was_overtaken_starts_again(redis_server):
    with sync(redis_server) as other, redis_server.client() as client:
        late = CatalogueStore(Interrupted(client, lambda: other.change([Change("a", 5, {"stock": 0})])), 1000)
        assert late.put_entries(rows("a"), 1, False).written == 1
        assert (held(other)["a"].stock, held(other)["a"].title) == (0, "title of a")


def test_an_older_load_that_was_overtaken_by_a_complete_one_brings_nothing_back(redis_server):
    with sync(redis_server) as other, redis_server.client() as client:
        late = CatalogueStore(Interrupted(client, lambda: other.put_entries(rows("b"), 2, True)), 1000)
        with pytest.raises(LateLoadError):
            late.put_entries(rows("a"), 1, False)
        assert set(held(other)) == {"b"}


def test_endless_contention_is_an_error_to_be_tried_again(redis_server, monkeypatch):
    monkeypatch.setattr(catalogue, "ATTEMPTS", 3)
    times = iter(range(99))
    with sync(redis_server) as other, redis_server.client() as client:
        meddler = Interrupted(client, lambda: other.change([Change("a", next(times), {"stock": 1})]), times=9)
        with pytest.raises(redis.RedisError, match="'a', were changed"):
            CatalogueStore(meddler, 1000).change([Change("a", 50, {"price": 1.0})])


def test_bytes_that_are_none_of_ours_are_no_item_and_are_written_over(redis_server):
    with sync(redis_server) as store, redis_server.client() as client:
        client.hset(keys.catalogue(keys.shard_of("a")), "a", b"nonsense")
        assert held(store) == {}
        assert store.entry("a") is None
        store.put_entries(rows("a"), 1, True)
        assert set(held(store)) == {"a"}


# Following


async def test_a_follower_is_told_of_every_change(every_redis_and_cluster, shop):
    async with aio(every_redis_and_cluster) as reader:
        assert await reader.follow("") == (None, catalogue.START)
        assert await reader.follow(catalogue.START, 1) == ([], catalogue.START)
        waiting = asyncio.create_task(reader.follow(catalogue.START, 4000))
        applied = await reader.change(Change("a", 1, {"hidden": True}))
        ids, last = await waiting
        assert (ids, reached(last, applied.position)) == (["a"], True)
        assert await reader.follow(last, 0) == ([], last)
        shop.put_entries(rows("b", "c"), 1, False)
        again = await reader.change(Change("a", 1, {"hidden": True}))
        assert again.changed == ()
        ids, last = await reader.follow(last, 4000)
        while not reached(last, again.position):
            more, last = await reader.follow(last, 4000)
            ids += more
        assert sorted(ids) == ["a", "b", "c"], "what was changed before is told again: the first try may have died"
        assert await reader.follow("") == (None, last)


async def test_a_large_load_tells_to_read_everything(redis_server, monkeypatch):
    monkeypatch.setattr(catalogue_sync, "MANY", 3)
    with sync(redis_server) as store:
        async with aio(redis_server) as reader:
            store.put_entries(rows("a", "b", "c"), 1, False)
            ids, last = await reader.follow(catalogue.START, 0)
            assert sorted(ids) == ["a", "b", "c"]
            store.put_entries([], 2, True)
            store.put_entries(rows("a", "b", "c", "d"), 3, False)
            everything, after = await reader.follow(last, 0)
            assert everything is None
            assert await reader.follow(after, 0) == ([], after)


async def test_after_a_load_that_died_the_next_one_tells_everything(redis_server, monkeypatch):
    def dies():
        yield from rows("a")
        raise redis.ConnectionError

    monkeypatch.setattr(catalogue_sync, "CHUNK", 1)
    with sync(redis_server) as store:
        async with aio(redis_server) as reader:
            with pytest.raises(redis.ConnectionError):
                store.put_entries(dies(), 1, False)
            assert set(held(store)) == {"a"}
            assert await reader.follow(catalogue.START, 0) == ([], catalogue.START)
            assert store.put_entries(rows("a"), 2, False) == Loaded(0, 1, 0, 0)
            everything, last = await reader.follow(catalogue.START, 0)
            assert everything is None
            store.put_entries(rows("a"), 3, False)
            assert await reader.follow(last, 0) == ([], last), "only once"


async def test_a_feed_that_breaks_off_is_announced_as_far_as_it_came(redis_server):
    def breaks():
        yield from rows("a")
        msg = "cut"
        raise OSError(msg)

    with sync(redis_server) as store:
        async with aio(redis_server) as reader:
            store.put_entries(rows("b"), 1, True)
            _, last = await reader.follow("")
            with pytest.raises(OSError, match="cut"):
                store.put_entries(breaks(), 2, True)
            ids, _ = await reader.follow(last, 0)
            assert set(held(store)) >= {"b"}, "nothing is removed"
            assert set(ids) == set(held(store)) - {"b"}


async def test_whoever_missed_entries_reads_everything(redis_server, monkeypatch):
    monkeypatch.setattr(catalogue, "LOG", 100)
    with redis_server.client() as client, sync(redis_server) as store:
        async with aio(redis_server) as reader:
            store.change([Change("a", 1, {"stock": 1})])
            _, early = await reader.follow("")
            for n in range(99):
                store.change([Change("a", n, {"stock": n})])
            ids, _ = await reader.follow(early, 0)
            assert ids == ["a"]
            client.xtrim(keys.changes(), maxlen=101, approximate=False)
            for n in range(300):
                store.change([Change("a", n, {"stock": n})])
            assert (await reader.follow(early, 0))[0] is None
            assert (await reader.follow(catalogue.START, 0))[0] is None
            client.flushall()
            assert await reader.follow(early, 0) == (None, catalogue.START)


async def test_a_redis_that_lost_its_newest_writes_is_read_anew(redis_server):
    with redis_server.client() as client, sync(redis_server) as store:
        async with aio(redis_server) as reader:
            store.change([Change("a", 1, {"stock": 1})])
            _, before = await reader.follow("")
            store.change([Change("a", 2, {"stock": 2})])
            _, last = await reader.follow(before, 0)
            client.xdel(keys.changes(), last)
            assert await reader.follow(last, 0) == (None, before)


async def test_followers_say_how_far_they_are_and_are_forgotten(every_redis_and_cluster):
    async with aio(every_redis_and_cluster) as reader:
        await reader.heartbeat("one", "5-0", 1000)
        await reader.heartbeat("two", "7-1", 1000 + catalogue.ALIVE_MS)
        assert await reader.followers(1000) == {
            "one": Follower("5-0", 1000),
            "two": Follower("7-1", 1000 + catalogue.ALIVE_MS),
        }
        assert set(await reader.followers(1001 + catalogue.ALIVE_MS)) == {"two"}
        await reader.heartbeat("two", "9-0", 1001 + FORGOTTEN_MS)
        with every_redis_and_cluster.client() as client:
            assert client.hkeys(keys.followers()) == [b"two"]
        await reader.leave("two")
        assert await reader.followers(1001 + FORGOTTEN_MS) == {}


@pytest.mark.parametrize(
    ("applied", "position", "expected"),
    [
        ("10-0", "9-5", True),
        ("9-5", "9-5", True),
        ("9-4", "9-5", False),
        ("0-0", "9-5", False),
        ("100-0", "99-9", True),
    ],
)
def test_positions_are_numbers(applied, position, expected):
    assert reached(applied, position) == expected
