"""The server's bulk reads: rows, which rows were written, names, popularity, the last days, evidence."""

from contextlib import asynccontextmanager

import pytest

from varde import keys
from varde.delivery import Delivery, Token
from varde.history import DAY_MS
from varde.pairs import ANY_ITEM, Relation, Universe
from varde.rows import decode
from varde.settings import Settings
from varde.store import scripts
from varde.store.serving import RowKey, ServingStore

from .conftest import sync_store
from .world import NOW

TODAY = NOW // DAY_MS


@asynccontextmanager
async def serving(server):
    store = ServingStore.from_settings(Settings(redis_url=server.url, redis_cluster="yes" if server.cluster else "no"))
    try:
        yield store
    finally:
        await store.close()


def put(store, index, item, cells, supports=0):
    delivery = Delivery(Token("run", 0, index, 0), keys.shard_of(item), rows=[(0, TODAY, item, cells)])
    delivery.supports = [(Universe.VIEW, TODAY, {item: supports})]
    assert store.apply(delivery)
    store.refresh(delivery)


async def test_tells_which_rows_were_written_and_reads_them(every_redis_and_cluster):
    with sync_store(every_redis_and_cluster) as writer:
        async with serving(every_redis_and_cluster) as store:
            nothing = await store.touched([0] * keys.SHARDS)
            put(writer, 0, "tent", {"mat": 3, "lamp": 5}, 7)
            put(writer, 1, "stove", {"mat": 4})
            first = await store.touched([one.newest for one in nothing])
            tent, stove = writer.numbers(["tent", "stove"])
            told = {key for one in first for key in one.rows}
            assert told == {RowKey(0, tent), RowKey(0, stove)}
            put(writer, 2, "tent", {"mat": 1})
            since = [one.newest for one in first]
            second = await store.touched(since)
            assert {key for one in second for key in one.rows} == {RowKey(0, tent)}
            assert [one.rows for one in await store.touched([one.newest for one in second])] == [()] * keys.SHARDS
            data = await store.rows_of([RowKey(0, stove), RowKey(0, 10**6), RowKey(0, tent)])
            assert data[1] is None
            assert decode(data[2]).counts.tolist() == writer.row(0, "tent").counts.tolist()
            assert decode(data[0]).counts.tolist() == [4]


async def test_what_was_forgotten_or_lost_may_be_any_row(every_redis_and_cluster, monkeypatch):
    monkeypatch.setattr(keys, "MOST_TOUCHED", 3)
    same = [f"item {n}" for n in range(2000) if keys.shard_of(f"item {n}") == 7][:5]
    with sync_store(every_redis_and_cluster) as writer:
        async with serving(every_redis_and_cluster) as store:
            put(writer, 0, same[0], {"mat": 1})
            before = [one.newest for one in await store.touched([0] * keys.SHARDS)]
            for index, item in enumerate(same):
                put(writer, index + 1, item, {"lamp": 1})
            told = await store.touched(before)
            assert told[7].rows is None  # five were written, three are remembered
            assert all(one.rows == () for shard, one in enumerate(told) if shard != 7)
            ahead = [one.newest + 1 for one in told]
            assert all(one.rows is None for one in await store.touched(ahead))  # Redis has lost what we know of


async def test_a_row_that_was_not_written_is_not_told(every_redis_and_cluster):
    """Another writer was faster: compare and set leaves the row and the notes alone."""
    with sync_store(every_redis_and_cluster) as writer:
        async with serving(every_redis_and_cluster) as store:
            put(writer, 0, "tent", {"mat": 3})
            (number,) = writer.numbers(["tent"])
            before = [one.newest for one in await store.touched([0] * keys.SHARDS)]
            row = keys.row(0, number)
            call = scripts.call(
                scripts.PUT_ROWS, [keys.touched(keys.shard_of_number(number)), row], [4, 7, 9, b"old!", b"x", 0, "0:1"]
            )
            assert writer._client.execute_command(*call.wire_in_full) == [1]
            assert [one.newest for one in await store.touched(before)] == before


async def test_names_come_whole_and_then_as_they_are_given(every_redis_and_cluster):
    with sync_store(every_redis_and_cluster) as writer:
        async with serving(every_redis_and_cluster) as store:
            old = [f"old {n}" for n in range(300)]
            writer.intern(old)
            before = await store.sequences()
            found = [pair for shard in range(keys.SHARDS) for pair in await store.all_names(shard)]
            assert dict(found) == dict(zip(old, writer.numbers(old), strict=True))
            new = [f"new {n}" for n in range(300)]
            writer.intern(new)
            now = await store.sequences()
            assert dict(await store.names_between(before, now)) == dict(zip(new, writer.numbers(new), strict=True))
            assert await store.names_between(now, now) == []


@pytest.mark.parametrize("relation", list(Relation))
async def test_evidence_is_exact_and_one_trip(every_redis_and_cluster, relation):
    with sync_store(every_redis_and_cluster) as writer:
        async with serving(every_redis_and_cluster) as store:
            rows, columns = Universe(relation.row_signal), Universe(relation.column_signal)
            for index, item in enumerate(("tent", "mat")):
                delivery = Delivery(Token("run", 0, index, 0), keys.shard_of(item))
                delivery.rows = [(int(relation), TODAY, item, {"mat" if index == 0 else "tent": 3})]
                delivery.supports = [(where, TODAY, {item: 5 + index}) for where in dict.fromkeys((rows, columns))]
                assert writer.apply(delivery)
            for where in Universe:
                delivery = Delivery(Token("any", 0, int(where), 0), 0)
                delivery.supports = [(where, TODAY, {ANY_ITEM: 40 + int(where)})]
                assert writer.apply(delivery)
            tent, mat = writer.numbers(["tent", "mat"])
            assert await store.evidence(relation, tent, mat) == (3, 5, 6, writer.total(relation))
            assert await store.evidence(relation, mat, 10**6 * keys.SHARDS) == (0, 6, 0, writer.total(relation))


async def test_popularity_and_the_last_days(every_redis_and_cluster):
    with sync_store(every_redis_and_cluster) as writer:
        async with serving(every_redis_and_cluster) as store:
            shard = keys.shard_of("tent")
            for index, (day, n) in enumerate([(TODAY - 5, 10), (TODAY - 1, 3), (TODAY, 2)]):
                delivery = Delivery(Token("run", 0, index, 0), shard)
                delivery.supports = [(Universe.VIEW, day, {"tent": n})]
                assert writer.apply(delivery)
            (tent,) = writer.numbers(["tent"])
            changed, now = await store.supports_of(Universe.VIEW, shard, [TODAY, TODAY - 1])
            assert (changed, now) == ([(tent, 5)], [15])
            assert await store.supports_of(Universe.PURCHASE, shard, [TODAY]) == ([], [])
            assert await store.popular_of(0, shard) == []
