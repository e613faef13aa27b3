"""Several writers at once: every count and every row ends exact, nothing is applied twice."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from varde import keys
from varde.delivery import Delivery, Token
from varde.history import DAY_MS
from varde.settings import Settings
from varde.store import patch
from varde.store.scripts import PUT_ROWS
from varde.store.sync import Store

from .conftest import SETTINGS, sync_store
from .world import NOW, clock, live_totals, row_counts

TODAY = NOW // DAY_MS
WRITERS = 4
SMALL = Settings(candidates=10)
# Items of two shards only: many writers meet in few rows.
ROWS = [item for item in (f"row {n}" for n in range(500)) if keys.shard_of(item) < 2][:6]


def delivery_of(item, cells, lane, index):
    return Delivery(Token("run", lane, index, 0), keys.shard_of(item), rows=[(2, TODAY, item, cells)])


def random_deliveries(chance, lane, columns, n):
    """Ups and downs that never take a pair below zero in the end."""
    out = []
    for index in range(0, n, 2):
        item = chance.choice(ROWS)
        cells = {f"column {chance.randrange(columns)}": chance.randint(1, 3) for _ in range(chance.randint(1, 4))}
        out.append(delivery_of(item, cells, lane, index))
        back = {column: -n for column, n in cells.items() if chance.random() < 0.5}
        out.append(delivery_of(item, back or {"other": 1}, lane, index + 1))
    chance.shuffle(out)
    return out


@pytest.mark.parametrize(("settings", "columns"), [(SETTINGS, 12), (SMALL, 40)], ids=["whole rows", "cut rows"])
def test_concurrent_writers_end_exact(every_redis, settings, columns):
    everything = [random_deliveries(random.Random(lane), lane, columns, 60) for lane in range(WRITERS)]
    # Every delivery is tried by two writers, as after a lost acknowledgement.
    tried = [[*mine, *everything[(lane + 1) % WRITERS]] for lane, mine in enumerate(everything)]
    start = threading.Barrier(WRITERS)

    def write(deliveries):
        with sync_store(every_redis, settings) as store:
            start.wait()
            applied = 0
            for delivery in deliveries:
                applied += store.apply(delivery)
                store.refresh(delivery)
            return applied

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sum(pool.map(write, tried)) == WRITERS * 60
    expected = Counter()
    for delivery in (delivery for some in everything for delivery in some):
        for _, _, item, cells in delivery.rows:
            for column, n in cells.items():
                expected[2, item, column] += n
    expected = {pair: n for pair, n in expected.items() if n}
    assert min(expected.values()) > 0
    with sync_store(every_redis, settings) as store:
        assert live_totals(store)[0] == expected
        rows = row_counts(store)
        assert all(expected[pair] == n for pair, n in rows.items())
        if settings is SETTINGS:
            assert rows == expected
        else:
            neighbours, shown = (Counter(item for _, item, _ in some) for some in (expected, rows))
            assert max(neighbours.values()) > settings.candidates, "some rows were cut"
            fewest = settings.candidates - settings.candidates // 4  # with fewer a cut row is built anew
            for item, n in neighbours.items():
                assert min(n, fewest) <= shown[item] <= settings.candidates, item


def test_one_store_may_be_shared_by_threads(redis_server):
    deliveries = random_deliveries(random.Random(1), 0, 12, 100)
    with sync_store(redis_server) as store:

        def write(delivery):
            applied = store.apply(delivery)
            store.refresh(delivery)
            return applied

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(write, deliveries))
        assert row_counts(store) == {pair: n for pair, n in live_totals(store)[0].items() if n > 0}


class Interrupted:
    """A real client that lets something else happen right before its first write of serving rows."""

    def __init__(self, client, meanwhile, times=1):
        self._client, self._meanwhile, self._times = client, meanwhile, times

    def execute_command(self, *args, **options):
        if self._times and args[:2] == ("EVALSHA", PUT_ROWS.sha):
            self._times -= 1
            self._meanwhile()
        return self._client.execute_command(*args, **options)

    def pipeline(self, transaction=True):
        return self._client.pipeline(transaction=transaction)

    def close(self):
        self._client.close()


def test_a_patch_that_was_overtaken_starts_again(redis_server, store):
    mine, others = delivery_of("a", {"b": 1, "c": 1}, 0, 0), delivery_of("a", {"b": 2, "d": 5}, 1, 0)

    def meanwhile():
        assert store.apply(others)
        store.refresh(others)

    late = Store(Interrupted(redis_server.client(), meanwhile), SETTINGS, clock)
    assert late.apply(mine)
    late.refresh(mine)
    late.close()
    assert row_counts(store) == {(2, "a", "b"): 3, (2, "a", "c"): 1, (2, "a", "d"): 5}


@pytest.mark.parametrize("before", [{}, {"z": 1}], ids=["no row", "a row"])
def test_a_row_that_came_and_went_in_between_is_noticed(redis_server, store, before):
    """Without a trace of the row that was emptied, a writer that had read before would put an old count back."""
    if before:
        first = delivery_of("a", before, 7, 0)
        store.apply(first)
        store.refresh(first)
    up, down = delivery_of("a", {"b": 1}, 0, 0), delivery_of("a", {"b": -1} | {c: -n for c, n in before.items()}, 1, 0)

    def meanwhile():
        store.refresh(up)  # the retry of the same delivery
        assert store.apply(down)
        store.refresh(down)

    late = Store(Interrupted(redis_server.client(), meanwhile), SETTINGS, clock)
    assert late.apply(up)
    late.refresh(up)
    late.close()
    assert live_totals(store)[0] == {}
    assert row_counts(store) == {}


@pytest.mark.parametrize("times", [patch.PATCHES + 2, 10**9], ids=["then a rebuild wins", "for ever"])
def test_losing_every_race_ends_in_an_error_not_in_a_wrong_row(redis_server, store, times):
    mine = delivery_of("a", {"b": 1}, 0, 0)
    others = iter(range(10**9))

    def meanwhile():
        other = delivery_of("a", {"c": 1}, 1, next(others))
        store.apply(other)
        store.refresh(other)

    late = Store(Interrupted(redis_server.client(), meanwhile, times), SETTINGS, clock)
    late.apply(mine)
    if times > patch.ATTEMPTS:
        with pytest.raises(patch.RowContentionError):
            late.refresh(mine)
    else:
        late.refresh(mine)
        assert row_counts(store) == live_totals(store)[0]
    late.close()


def test_two_writers_number_a_new_item_alike(every_redis):
    ids = [f"item {n}" for n in range(3000)]
    start = threading.Barrier(WRITERS)

    def number(seed):
        with sync_store(every_redis) as store:
            mine = random.Random(seed).sample(ids, len(ids))
            start.wait()
            out = {}
            for at in range(0, len(mine), 50):
                some = mine[at : at + 50]
                out.update(zip(some, store.intern(some), strict=True))
            return out

    with ThreadPoolExecutor(WRITERS) as pool:
        first, *others = pool.map(number, range(WRITERS))
    assert all(other == first for other in others)
    assert len(set(first.values())) == len(ids)
    with sync_store(every_redis) as store:
        assert store.all_items() == first
        assert store.names(list(first.values())) == list(first)
        per_shard = Counter(map(keys.shard_of, ids))
        assert max(number // keys.SHARDS for number in first.values()) == max(per_shard.values())
