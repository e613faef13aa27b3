"""Changes of items through the graph: applied, counted, or dead with their reason; and from a real queue."""

from __future__ import annotations

import dataclasses
import json
import threading
import time

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_pipeline, test_stream
from apache_beam.testing.util import assert_that
from google.cloud import pubsub_v1

from varde import keys
from varde.catalogue import Entry
from varde.reasons import CATALOGUE
from varde.store.catalogue_sync import CatalogueStore
from varde.streaming import catalogue, local_runner, local_source, pipeline
from varde.streaming.pipeline import build

from .world import NOW, clock, view

DEADLINE_S = 60.0


@pytest.fixture
def items(parameters):
    catalogue._store.cache_clear()
    store = CatalogueStore.from_settings(parameters.settings)
    yield store
    store.close()


def play(parameters, bundles, check_dead=None):
    local_runner.repair()
    source = test_stream.TestStream()
    for bundle in bundles:
        source = source.add_elements([(data, NOW) for data in bundle]).advance_processing_time(2)
    source = source.advance_processing_time(5).advance_watermark_to_infinity()
    options = PipelineOptions(["--streaming"])
    with test_pipeline.TestPipeline(runner="BundleBasedDirectRunner", options=options) as p:
        messages = p | "Messages" >> beam.Create([(view("a", user="u1"), NOW)])
        outputs = build(messages, parameters, bounded=False, clock=clock, items=p | source)
        if check_dead is not None:
            assert_that(outputs.dead, check_dead)


def said(item, at=NOW, **fields):
    return json.dumps({"id": item, "at": at, **fields}).encode()


def test_changes_in_any_order_and_twice_end_as_the_newest(parameters, items, store):
    items.put_entries([Entry("a", title="A", stock=9)], NOW - 100, True)
    both = json.dumps([{"id": "a", "hidden": True}, {"id": "b", "price": 2}]).encode()
    bundle = [said("a", NOW - 5, stock=1), said("a", NOW - 9, stock=7), both]
    play(parameters, [bundle, bundle[::-1], [said("a", NOW - 99, hidden=False)]])
    assert items.entry("a") == Entry("a", title="A", stock=1, hidden=True)
    assert items.entry("b") == Entry("b", price=2.0, listed=False)
    stats = store.stats()
    assert (stats["catalogue_messages"], stats["catalogue_changes"]) == (7, 9)
    assert stats["messages"] == 1, "what customers do goes on beside it"


def test_what_cannot_be_taken_is_dead_with_its_reason_and_the_rest_counts(parameters, items, store):
    bad = [b"{", said("a", stok=1), said("", stock=1), said("c"), b'[{"id":"d","stock":1},{"id":"e","stock":"many"}]']

    def check(found):
        reasons = {letter.data: letter.attributes["reason"] for letter in found}
        assert reasons == {
            bad[0]: "not_json", bad[1]: "unknown_field", bad[2]: "no_item", bad[3]: "nothing_changed",
            b'{"id":"e","stock":"many"}': "bad_stock",
        }  # fmt: skip
        assert {letter.attributes["stage"] for letter in found} == {"catalogue"}
        assert set(reasons.values()) <= set(CATALOGUE)

    play(parameters, [bad], check)
    assert items.entry("d") == Entry("d", stock=1, listed=False)
    stats = store.stats()
    assert (stats["catalogue_messages"], stats["catalogue_changes"]) == (5, 6)
    assert sum(n for name, n in stats.items() if name.startswith(catalogue.REJECTED)) == 5


def test_items_without_room_are_dead(parameters, items):
    few = dataclasses.replace(parameters, settings=dataclasses.replace(parameters.settings, max_items=1000))
    beside = [item for item in map(str, range(9000)) if keys.shard_of(item) == 3][: -(-1000 // keys.SHARDS) + 1]

    def check(found):
        assert [letter.attributes["reason"] for letter in found] == ["no_room"]

    play(few, [[said(item, stock=1) for item in beside]], check)


def test_a_bundle_that_fails_is_tried_again(parameters, items, store, monkeypatch):
    real, calls = CatalogueStore.change, iter(range(99))

    def change_or_die(self, changes):
        done = real(self, changes)
        if next(calls) == 0:
            msg = "the worker died after the change"
            raise OSError(msg)
        return done

    monkeypatch.setattr(CatalogueStore, "change", change_or_die)
    play(parameters, [[said("a", stock=1)]])
    assert next(calls) == 2
    assert items.entry("a") == Entry("a", stock=1, listed=False)
    assert store.stats()["catalogue_changes"] == 1


def test_many_changes_of_a_bundle_are_applied_before_it_ends(parameters, items, monkeypatch):
    monkeypatch.setattr(catalogue, "_FLUSH", 3)
    step = catalogue.ApplyChanges(parameters.settings, 1)
    step.start_bundle()
    for n in range(4):
        assert list(step.process((said(f"i{n}", stock=n), NOW))) == []
    assert len(dict(items.scan())) == 3
    list(step.finish_bundle())
    assert items.entry("i3") == Entry("i3", stock=3, listed=False)


def test_from_two_subscriptions_of_a_real_queue(parameters, items, broker, monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", broker.host)
    publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
    names = {}
    for name in ("segment", "catalogue"):
        topic, subscription = f"projects/varde-test/topics/{name}", f"projects/varde-test/subscriptions/{name}"
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)
        names[name] = topic, subscription
    wired = dataclasses.replace(
        parameters, input_subscription=names["segment"][1], catalogue_subscription=names["catalogue"][1]
    )
    local_runner.repair()
    p = beam.Pipeline(options=PipelineOptions(["--runner=BundleBasedDirectRunner", "--streaming"]))
    pipeline.from_pubsub(p, wired)
    result = p.run()
    publisher.publish(names["catalogue"][0], said("a", stock=0)).result(DEADLINE_S)
    deadline = time.monotonic() + DEADLINE_S
    while items.entry("a") is None:
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    assert items.entry("a") == Entry("a", stock=0, listed=False)
    local_source.stop()
    result.cancel()
    subscriber.close()
