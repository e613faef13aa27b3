"""The nightly rewrite: whatever stood in Redis, afterwards it is the counts of a midnight plus what came since."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.property import oracle
from tests.property.fold import Fold

from varde import keys
from varde.delivery import Pane, split
from varde.events import Interaction
from varde.history import DAY_MS, Limits, Signal
from varde.pairs import Relation, Universe
from varde.settings import Settings
from varde.store.night import NightStore, Reconciled
from varde.store.scripts import PUT_ROWS

from .conftest import SETTINGS
from .world import NOW, clock, live_totals, row_counts

TODAY = NOW // DAY_MS
DAYS = 4
LIMITS = Limits(3, 10)

happening = st.tuples(
    st.sampled_from("ABC"),
    st.sampled_from(Signal),
    st.lists(st.sampled_from("pqrst"), min_size=1, max_size=3, unique=True).map(tuple),
    st.integers(0, DAY_MS // 2),
)
"""Who, what, with which items, at which time of a day."""
worlds = st.lists(st.lists(happening, max_size=6), min_size=DAYS, max_size=DAYS)
"""What happens on each of the last days; in any order within a day, as late messages come."""


@pytest.fixture
def night(redis_server):
    with redis_server.client() as client:
        store = NightStore(client, SETTINGS, clock)
        yield store
        store.close()


def events_of(world):
    """The days' events as the stream meets them."""
    start = TODAY - DAYS + 1
    return [
        [Interaction(who, None, signal, items, (start + n) * DAY_MS + at) for who, signal, items, at in day]
        for n, day in enumerate(world)
    ]


def apply(store, counts, run="stream"):
    deliveries = list(split(Pane(counts), run, 0, 0, 1000))
    for delivery in deliveries:
        assert store.apply(delivery)
    store.refresh(*deliveries)


def rewrite(store, base, day):
    pairs, supports = base
    items = set(store.all_items())
    for universe in Universe:
        store.rewrite_supports(universe, {i: n for (u, i), n in supports.items() if u == universe}, day)
    for relation in Relation:
        rows = {item: {} for item in items}
        for (r, i, j), n in pairs.items():
            if r == relation:
                rows.setdefault(i, {})[j] = n
        store.rewrite_rows(relation, rows, day)


@pytest.mark.parametrize("cells", [1_000, 1], ids=["small", "large"])
@given(world=worlds, kept=st.integers(0, DAYS), wrong=st.lists(st.tuples(*[st.sampled_from("pqrstx")] * 2), max_size=4))
@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_rewrite_is_the_base_and_the_differences_since(redis_server, night, monkeypatch, cells, world, kept, wrong):
    monkeypatch.setattr("varde.store.rewrite.CELLS_PER_CALL", cells)
    monkeypatch.setattr("varde.store.rewrite.CELLS_PER_FILL", cells)
    with redis_server.client() as client:
        client.flushall()
    night._names.clear()
    night._table.forget()
    days = events_of(world)
    stream = Fold(LIMITS, NOW).play(event for day in days for event in day)
    apply(night, stream.total)
    first = TODAY - DAYS + 1 + kept  # the first day that the warehouse does not know
    base = oracle.arrival([event for day in days[:kept] for event in day], LIMITS, NOW)
    truth = oracle.arrival([event for day in days for event in day], LIMITS, NOW)
    at = {
        (int(relation), item, other): n
        for relation in Relation
        for item, cells in zip("pqrstx", night.rows_at(relation, "pqrstx", first), strict=True)
        for other, n in cells.items()
    }
    assert (at, {(int(u), i): n for u in Universe for i, n in night.supports_at(u, first).items()}) == base
    with redis_server.client() as client:  # whatever stands there instead
        for item, other in wrong:
            i, j = night.intern([item, other])
            client.hincrby(keys.pairs(0, i), j, 7)
            client.hset(keys.supports(0, keys.shard_of(item)), i, 9)
    for _ in range(2):
        rewrite(night, base, first)
        assert live_totals(night) == truth
        assert row_counts(night) == truth[0]


def test_a_row_that_is_too_large_for_one_call_is_replaced_at_once(redis_server, night, monkeypatch):
    monkeypatch.setattr("varde.store.rewrite.CELLS_PER_CALL", 50)
    monkeypatch.setattr("varde.store.rewrite.CELLS_PER_FILL", 20)
    cells = {f"item-{n}": n + 1 for n in range(200)}
    assert night.rewrite_rows(Relation.ALSO_VIEWED, {"a": cells, "b": {"a": 4}}, TODAY) == 2
    assert night.counts(Relation.ALSO_VIEWED, "a") == cells
    (number,) = night.intern(["a"])
    with redis_server.client() as client:
        place = keys.pairs(Relation.ALSO_VIEWED, number)
        assert client.ttl(place) == -1
        assert not client.exists(keys.successor(keys.shard_of("a")))
    assert night.rewrite_rows(Relation.ALSO_VIEWED, {"a": cells}, TODAY) == 0, "nothing to change"
    apply(night, Fold(LIMITS, NOW).play([Interaction("u", None, Signal.VIEW, ("a", "item-0", "new"), NOW)]).total)
    now = cells | {"item-0": 2, "new": 1}
    assert night.counts(Relation.ALSO_VIEWED, "a") == now
    assert night.rewrite_rows(Relation.ALSO_VIEWED, {"a": cells}, TODAY) == 0, "the difference is of today"
    assert night.rewrite_rows(Relation.ALSO_VIEWED, {"a": cells | {"item-7": 1, "item-9": 0}}, TODAY) == 1
    assert night.counts(Relation.ALSO_VIEWED, "a") == {i: n for i, n in now.items() if i != "item-9"} | {"item-7": 1}
    assert night.rewrite_rows(Relation.ALSO_VIEWED, {"a": {}}, TODAY) == 1
    assert night.counts(Relation.ALSO_VIEWED, "a") == {"item-0": 1, "new": 1}
    assert night.row(Relation.ALSO_VIEWED, "a").neighbours == 2


def test_the_end_of_a_run_is_noted_and_lets_old_days_go(redis_server, night):
    stream = Fold(LIMITS, NOW).play(
        event for day in events_of([[("A", Signal.VIEW, ("p", "q"), 5)]] * DAYS) for event in day
    )
    apply(night, stream.total)
    assert night.reconciled() is None
    (p,) = night.intern(["p"])
    first = TODAY - DAYS + 1
    with redis_server.client() as client:
        assert client.exists(keys.pairs_day(0, p, first))
        night.finish(Reconciled(first + 1, "a run"), ["p", "q", "never seen"], first - 2)
        assert not client.exists(keys.pairs_day(0, p, first))
        assert not client.exists(*(keys.supports_day(0, shard, first) for shard in range(keys.SHARDS)))
    assert night.reconciled() == Reconciled(first + 1, "a run")
    assert night.counts(Relation.ALSO_VIEWED, "p") == {"q": 1}


def test_a_server_that_has_lost_its_numbers_gets_new_ones(redis_server, night):
    night.rewrite_rows(Relation.ALSO_BOUGHT, {"a": {"b": 2}}, TODAY)
    night._servers[keys.shard_of("a")] = "another life"
    with redis_server.client() as client:
        client.flushall()
    night.rewrite_rows(Relation.ALSO_BOUGHT, {"c": {"d": 1}, "a": {"b": 3}}, TODAY)
    assert night.counts(Relation.ALSO_BOUGHT, "a") == {"b": 3}


def test_no_reader_sees_an_item_without_neighbours_and_no_increment_is_lost(redis_server, night):
    base = {f"i{n}": {f"i{m}": 1 for m in range(8) if m != n} for n in range(8)}
    night.rewrite_rows(Relation.ALSO_VIEWED, base, TODAY)
    stop, empty, applied = threading.Event(), [], []

    def read():
        with redis_server.client() as client:
            reader = NightStore(client, SETTINGS, clock)
            while not stop.is_set():
                empty.extend(item for item in base if not reader.counts(0, item) or reader.row(0, item) is None)

    def write():
        with redis_server.client() as client:
            writer = NightStore(client, Settings(), clock)
            n = 0
            while not stop.is_set():
                one = Fold(Limits(), NOW).play([Interaction(f"u{n}", None, Signal.VIEW, ("i0", "i1"), NOW)])
                for delivery in split(Pane(one.total), "live", 0, n, 1000):
                    assert writer.apply(delivery)
                    writer.refresh(delivery)
                n += 1
                applied.append(n)

    threads = [threading.Thread(target=read), threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            night.rewrite_rows(Relation.ALSO_VIEWED, base, TODAY)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert applied
    assert empty == []
    assert night.counts(0, "i0") == base["i0"] | {"i1": 1 + len(applied)}


def test_a_row_that_others_have_written_since_its_counts_were_rewritten_has_both(redis_server, night, monkeypatch):
    send, pushed = night._send, []

    def meddled(commands):
        if not pushed and any(command.script == PUT_ROWS for command in commands):
            pushed.append(True)
            with redis_server.client() as client:
                other = NightStore(client, SETTINGS, clock)
                apply(other, Fold(LIMITS, NOW).play([Interaction("u", None, Signal.VIEW, ("a", "b"), NOW)]).total)
        return send(commands)

    monkeypatch.setattr(night, "_send", meddled)
    night.rewrite_rows(Relation.ALSO_VIEWED, {"a": {"b": 2, "c": 1}, "b": {"a": 2}}, TODAY)
    assert pushed
    for item, expected in (("a", {"b": 3, "c": 1}), ("b", {"a": 3})):
        assert night.counts(Relation.ALSO_VIEWED, item) == expected
        row = night.row(Relation.ALSO_VIEWED, item)
        assert dict(zip(night.names(row.items.tolist()), row.counts.tolist(), strict=True)) == expected


def test_rows_are_not_read_back_when_nothing_has_happened_since(redis_server, night, monkeypatch):
    send, sent = night._send, []

    def listening(commands):
        sent.extend(commands)
        return send(commands)

    base = {"a": {f"i{n}": n + 1 for n in range(30)}, "b": {"a": 2}, "nothing": {}}
    night.intern(["a", "b", "nothing"])
    monkeypatch.setattr(night, "_send", listening)
    assert night.rewrite_rows(Relation.ALSO_VIEWED, base, TODAY) == 2
    assert not [command for command in sent if command.name == "HGETALL" and "pairs:" in command.keys[0]]
    assert row_counts(night) == {(0, i, j): n for i, cells in base.items() for j, n in cells.items()}
    assert night.row(Relation.ALSO_VIEWED, "nothing") is None
