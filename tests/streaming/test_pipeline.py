"""The whole graph on Beam's runners against a real Redis, compared with the definition of the counts."""

from __future__ import annotations

import dataclasses
import itertools

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from google.pubsub_v1 import types

from varde import keys
from varde.freshness import PREFIX
from varde.progress import settled
from varde.store.sync import Store
from varde.streaming import local_runner, write
from varde.streaming.parse import published_ms
from varde.streaming.pipeline import build

from .play import in_bundles, play_batch, play_stream
from .world import NOW, clock, identify, live, message, order, shop, truth, view


@pytest.mark.parametrize("seed", range(3))
def test_streaming_counts_equal_the_definition(seed, parameters, store):
    messages = shop(seed, 400)
    play_stream(in_bundles(messages, 37), parameters)
    assert live(store) == truth(messages, parameters.settings.limits)


def test_batch_runner_gives_the_same_counts(parameters, store):
    messages = shop(7, 400)
    play_batch(messages, parameters)
    assert live(store) == truth(messages, parameters.settings.limits)


def test_serving_rows_hold_the_exact_counts(parameters, store):
    messages = shop(3, 300)
    play_stream(in_bundles(messages, 60), parameters)
    pairs, _ = live(store)
    rows = {(relation, item): store.row(relation, item) for relation, item, _ in pairs}
    for (relation, item), row in rows.items():
        named = dict(zip(store.names(row.items.tolist()), row.counts.tolist(), strict=True))
        assert named == {other: n for (r, i, other), n in pairs.items() if (r, i) == (relation, item)}


def test_every_message_is_accounted_for(parameters, store):
    messages = shop(11, 300)
    play_stream(in_bundles(messages, 50), parameters)
    stats = store.stats()
    fates = [n for name, n in stats.items() if name == "accepted" or name.startswith(("rejected:", "ignored:"))]
    assert stats["messages"] == len(messages) == sum(fates)
    assert settled(stats, len(messages))
    assert not settled(stats, len(messages) + 1)
    assert sum(n for name, n in stats.items() if name.startswith(PREFIX)) > 0


def test_dead_letters_carry_stage_reason_and_the_bytes(parameters, store):
    bad = [b"{not json", b"\x00\xff" * 30_000, view("", user="u1"), message(userId="u" * 300, item="x")]

    def check(found):
        assert sorted(letter.data for letter in found) == sorted(bad)
        assert all(letter.attributes["stage"] == "parse" for letter in found)
        reasons = {letter.data: letter.attributes["reason"] for letter in found}
        assert reasons == dict(zip(bad, ["not_json", "too_large", "no_item_id", "id_too_long"], strict=True))
        assert {letter.attributes["bytes"] for letter in found} == {str(len(data)) for data in bad}

    play_stream([[*bad, view("a", user="u1")]], parameters, check_dead=check)
    assert store.stats()["rejected:too_large"] == 1
    assert store.supports(0, ["a"]) == [1]


def test_a_second_run_is_not_taken_for_a_repeat_of_the_first(parameters, store):
    play_stream([[view("a", user="u1"), view("b", user="u1")]], parameters)
    other = dataclasses.replace(parameters, run_id="another")
    play_stream([[view("a", user="u2"), view("b", user="u2")]], other)
    assert store.pair_count(0, "a", "b") == 2


def test_the_same_panes_under_the_same_tokens_count_once(parameters, store):
    bundle = [view("a", user="u1"), view("b", user="u1")]
    play_stream([bundle], parameters)
    play_stream([bundle], parameters)
    assert store.pair_count(0, "a", "b") == 1


def test_recents_and_popularity_for_serving(parameters, store):
    views = [view(item, user="u1", at=NOW - 1000 + n) for n, item in enumerate("abc")]
    play_stream([views, [order(["z"], "u1")], [view("a", device="d9"), identify("u9", "d9")]], parameters)
    assert [item for item, _ in store.recents(keys.customer_key("u1", None))] == ["c", "b", "a"]
    assert store.recents(keys.customer_key(None, "d9")) == []
    assert [item for item, _ in store.recents(keys.customer_key("u9", None))] == ["a"]
    assert {entry[0] for entry in store.popular(0, 5)} == {"a", "b", "c"}


def test_an_erasure_takes_back_counts_and_recents(parameters, store):
    bundle = [view("a", user="u1", at=NOW - 5), view("b", user="u1", at=NOW - 4)]
    play_stream([bundle, [message("delete", None, userId="u1")], bundle], parameters)
    assert live(store) == ({}, {})
    assert store.recents(keys.customer_key("u1", None)) == []


def test_a_bundle_that_fails_after_its_write_is_tried_again_and_counts_once(parameters, store, monkeypatch):
    """The retry finds its token; the rows that the first try left behind are patched by the second."""
    calls = itertools.count()
    real = Store.refresh

    def refresh_or_die(self, *deliveries):
        if next(calls) % 3 == 0:  # two calls a bundle: a bundle fails at most twice in a row
            msg = "the worker died after the counts and before the rows"
            raise OSError(msg)
        return real(self, *deliveries)

    monkeypatch.setattr(write.Store, "refresh", refresh_or_die)
    messages = shop(5, 200)
    play_stream(in_bundles(messages, 40), parameters)
    monkeypatch.undo()
    assert live(store) == truth(messages, parameters.settings.limits)
    assert next(calls) > 4, "bundles were tried again"
    row = store.row(0, "item-0")
    assert dict(zip(store.names(row.items.tolist()), row.counts.tolist(), strict=True)) == store.counts(0, "item-0")


def test_pubsub_messages_are_read_with_their_publish_time(parameters, store):
    """A message without a time of its own counts at the time when the queue took it."""
    local_runner.repair()
    data = b'{"type":"track","event":"Product Viewed","userId":"u1","properties":{"product_id":"%s"}}'
    with beam.Pipeline(runner="FnApiRunner") as p:
        sent = [PubsubMessage(data % item, {}, "id", publish_time=NOW / 1000) for item in (b"a", b"b")]
        build(p | beam.Create(sent), parameters, bounded=True, clock=clock)
    assert sorted(store.recents(keys.customer_key("u1", None))) == [("a", NOW), ("b", NOW)]


def test_a_message_as_dataflow_delivers_it_has_its_publish_time():
    """There a message arrives as the bytes of Google's own type, with another class for the time."""
    sent = types.PubsubMessage(data=b"x", message_id="1")
    sent._pb.publish_time.FromMilliseconds(NOW)
    assert published_ms(PubsubMessage._from_proto_str(types.PubsubMessage.serialize(sent))) == NOW


def test_worker_processes_run_the_same_graph(parameters, store):
    """Real worker subprocesses: everything that travels is really pickled, and the steps are really imported."""
    messages = shop(13, 150)
    play_batch(messages, parameters, "FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2")
    assert live(store) == truth(messages, parameters.settings.limits)
