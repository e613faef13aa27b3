"""The scripts themselves: one hash tag each, known or not to the server, described at their top."""

import contextlib
import io
import re
from importlib import resources

import pytest
import redis
from redis.crc import key_slot

from varde import keys
from varde.catalogue import Change, Entry
from varde.counts import count
from varde.delivery import Delivery, Pane, Recent, Token, split
from varde.history import DAY_MS, Signal
from varde.pairs import Histories, Relation
from varde.store import packing, scripts
from varde.store.catalogue_sync import CatalogueStore
from varde.store.exported import Exporter
from varde.store.frozen import freeze_call
from varde.store.night import NightStore
from varde.store.rewrite import CELLS_PER_CALL
from varde.store.sticky import Stuck, stick_call

from .conftest import SETTINGS, async_store, sync_store
from .world import HOSTILE, NOW, clock, live_totals, row_counts

WORLD = [
    Histories(view=dict.fromkeys(HOSTILE, NOW), purchase={"a": NOW, "b": NOW}),
    Histories(view={"a": NOW, "c": NOW}),
]


class Recording:
    """A real client that notes the keys of every script call it sends."""

    def __init__(self, client):
        self._client = client
        self.calls = []

    def note(self, words):
        if words[0] in ("EVALSHA", "EVAL"):
            script = next(s for s in scripts.ALL if words[1] in (s.sha, s.text))
            self.calls.append((script.name, list(words[3 : 3 + words[2]])))

    def execute_command(self, *args, **options):
        self.note(args)
        return self._client.execute_command(*args, **options)

    def pipeline(self, transaction=True):
        recording, pipeline = self, self._client.pipeline(transaction=transaction)

        class Pipe:
            def execute_command(self, *args, **options):
                recording.note(args)
                return pipeline.execute_command(*args, **options)

            def execute(self, raise_on_error=True):
                return pipeline.execute(raise_on_error)

        return Pipe()

    def close(self):
        self._client.close()


def do_everything(store):
    pane = Pane(count(WORLD), {Signal.VIEW: {"a": 1.0, "b": 2.0}}, {}, {"events": 1})
    deliveries = list(split(pane, "run {1}", 0, 0, 50))
    for delivery in deliveries:
        store.apply(delivery)
    store.refresh(*deliveries)
    for item, number in store.all_items().items():
        assert store.names([number]) == [item]
        store._patch({(int(Relation.ALSO_VIEWED), number): None})  # anew from all counts
    everything = Recent(keys.customer_key("{jane}", None), {"a": NOW}, carts={"b": NOW}, orders={b"an order+c": NOW})
    store.remember([everything, Recent("b", {"c": NOW}, 5)])


def test_every_script_touches_one_hash_tag(redis_server):
    client = Recording(redis_server.client())
    night = NightStore(client, SETTINGS, clock)
    do_everything(night)
    day = NOW // DAY_MS
    items = list(night.all_items())
    night.rewrite_rows(Relation.ALSO_VIEWED, {item: night.counts(Relation.ALSO_VIEWED, item) for item in items}, day)
    night.rewrite_rows(Relation.ALSO_BOUGHT, {"large": {f"{n}": 1 for n in range(CELLS_PER_CALL + 1)}}, day)
    night.rewrite_supports(0, night.supports_at(0, day), day)
    Exporter(client, SETTINGS, clock).write(io.BytesIO())
    assert night.take_lock("run", 1000) == ""
    catalogue = CatalogueStore(client, 1000)
    catalogue.put_entries(map(Entry, HOSTILE), 1, True)
    catalogue.change([Change(item, 2, {"hidden": True}) for item in HOSTILE])
    night._send([stick_call(Stuck("b", {"an experiment__0": "a variation"}, NOW))])
    night._send([freeze_call("b", "a send", HOSTILE, [1, 2], NOW, 60)])
    client.close()
    # personal.lua is not for a cluster: on one, the same is read without a script.
    assert {name for name, _ in client.calls} == {script.name for script in scripts.ALL} - {"personal"}
    for name, used in client.calls:
        assert len({key_slot(key.encode()) for key in used}) == 1, (name, used)
    assert len({key_slot(used[0].encode()) for _, used in client.calls}) > 15


def test_shards_lie_in_different_slots():
    assert len({key_slot(keys.sequence(shard).encode()) for shard in range(keys.SHARDS)}) == keys.SHARDS
    assert key_slot(keys.stats().encode()) == key_slot(keys.supports(0, 0).encode())


async def test_a_server_that_forgot_the_scripts_is_taught_again(every_redis_and_cluster):
    with sync_store(every_redis_and_cluster) as store, every_redis_and_cluster.client() as client:
        do_everything(store)
        for word in ("a", "b"):
            client.script_flush()
            pane = Pane(count(WORLD), {}, {}, {word: 1})
            deliveries = list(split(pane, word, 0, 0, 50))
            for delivery in deliveries:
                assert store.apply(delivery)
            client.script_flush()
            store.refresh(*deliveries)
            store.remember([Recent("x", {word: NOW}), Recent("y", {word: NOW})])
        totals = count(WORLD * 3).totals()
        assert live_totals(store) == totals
        assert row_counts(store) == totals[0]
        async with async_store(every_redis_and_cluster) as reader:
            assert await reader.recents("x") == [("a", NOW), ("b", NOW)]
            client.script_flush()
            _, rows = await reader.personal(["x"], Relation.ALSO_VIEWED, 2)
            assert [item for item, row in rows if row] == ["b", "a"]


def test_every_script_is_shipped_and_described():
    shipped = [path for path in resources.files("varde.store").iterdir() if path.name.endswith(".lua")]
    files = {path.name: path.read_text() for path in shipped}
    assert set(files) == {f"{script.name}.lua" for script in scripts.ALL}
    for name, text in files.items():
        header = "\n".join(line for line in text.splitlines() if line.startswith("--"))
        assert text.startswith(f"-- {name.removesuffix('.lua')}: ")
        for part in ("KEYS[", "ARGV[", "Returns", "Why atomic", "retry"):
            assert part in header, (name, part)
        assert not re.search(r"redis\.call\('KEYS'|math\.random", text)


def test_calls_pack_every_key_that_the_script_uses():
    """packing and apply.lua agree on the number of keys: the script refuses another one."""
    delivery = Delivery(
        Token("run", 3, 5000, 2),
        keys.shard_of("a"),
        rows=[(0, 20_400, "a", {"b": 1, "c": -1}), (0, 1, "a", {"b": 1})],
        supports=[(0, 20_400, {"a": 1})],
        popular=[(0, {"a": 1.0})],
    )
    numbers = {"a": 64 + keys.shard_of("a"), "b": 200, "c": 300}
    command = packing.apply_call(delivery, numbers, "life", NOW, SETTINGS)
    assert command.keys == (
        keys.applied(delivery.shard, "run", 3, 1, 2),
        keys.supports(0, delivery.shard),
        keys.supports_day(0, delivery.shard, 20_400),
        keys.pairs(0, numbers["a"]),
        keys.pairs_day(0, numbers["a"], 20_400),
        keys.pairs(0, numbers["a"]),
        keys.popular(0, delivery.shard),
    )
    assert command.args[:3] == (5000 - 4096, 7 * 86_400, 1)
    assert command.args[4] == "life"
    assert packing.support_changes(delivery, numbers) == [(0, numbers["a"])]


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_a_script_without_arguments_writes_nothing(redis_server, script):
    with redis_server.client() as client:
        with contextlib.suppress(redis.ResponseError):
            client.eval(script.text, 1, "key")
        assert client.dbsize() == 0
