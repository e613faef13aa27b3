"""What the steps of the stream do with each kind of message, through the whole graph into a real Redis."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import random

import orjson
import pytest
from tests.property import oracle

from varde import keys, seed
from varde.history import Signal

from .play import in_bundles, play_batch, play_stream, profiles
from .world import (
    NOW,
    identify,
    live,
    message,
    order,
    refused,
    shop,
    take_back,
    truth,
    view,
    with_consent,
    withdrawn,
)

NOTHING: oracle.Totals = ({}, {})
HOUR_MS = 3_600_000


def user(name):
    return keys.customer_key(name, None)


def device(name):
    return keys.customer_key(None, name)


def with_settings(parameters, **changes):
    return dataclasses.replace(parameters, settings=dataclasses.replace(parameters.settings, **changes))


@pytest.fixture
def asking(parameters):
    """The stream of a shop that needs consent to ads."""
    return with_settings(parameters, consent_categories=("ads",))


def left_of(store, customer):
    """Whether Redis keeps anything under a customer's key, a mark of an erasure included."""
    sets = [keys.recents(customer, signal) for signal in Signal]
    return store._client.exists(*sets) or customer in store.tombstones()


def test_without_consent_only_popularity_counts(asking, store):
    messages = [refused(view("a", user="u1")), refused(view("a", device="d1")), refused(order(["b"], "u1"))]
    messages += [refused(identify("u1", "d1")), refused(take_back([], "u1"))]
    states = play_stream([messages], asking)
    assert live(store) == NOTHING
    assert profiles(states, "Known") == profiles(states, "Anonymous") == {}
    assert not left_of(store, user("u1")) and not left_of(store, device("d1"))
    assert [name for name, _ in store.popular(0, 9)] == ["a"]
    assert [name for name, _ in store.popular(2, 9)] == ["b"]
    stats = store.stats()
    assert (stats["impersonal"], stats["accepted"], stats["ignored:no_consent"]) == (3, 3, 2)


@pytest.mark.parametrize("default, customers", [("granted", 1), ("denied", 0)])
def test_the_default_holds_where_a_message_says_nothing(default, customers, asking, store):
    chosen = with_settings(asking, consent_default=default)
    play_stream([[view("a", user="u1"), with_consent(view("b", user="u2"), ads=True)]], chosen)
    assert store.supports(0, ["a", "b"]) == [customers, 1]


WITHDRAWALS = {
    "a known customer": ([view("a", user="u1"), view("b", user="u1")], withdrawn(user="u1")),
    "a visitor": ([view("a", device="d1"), view("b", device="d1")], withdrawn(device="d1")),
    "a linked visitor, by both ids": ([view("a", device="d1"), identify("u1", "d1")], withdrawn("u1", "d1")),
    "a linked visitor, by the device": ([view("a", device="d1"), identify("u1", "d1")], withdrawn(device="d1")),
    "somebody with orders": ([order(["a", "b"], "u1"), view("c", user="u1")], withdrawn(user="u1")),
    "nobody": ([], withdrawn("u1", "d1")),
}


@pytest.mark.parametrize("before, wish", WITHDRAWALS.values(), ids=WITHDRAWALS)
def test_a_withdrawn_consent_leaves_nothing(before, wish, asking, store):
    others = [view("a", user="u2"), view("b", user="u2")]
    states = play_stream([[*before, *others], [wish]], asking)
    assert live(store) == truth(others, asking.settings.limits)
    for customer in (user("u1"), device("d1")):
        assert customer not in profiles(states, "Known") | profiles(states, "Anonymous")
        assert store.recents(customer) == []
        # A link leaves a mark, so that an older write does not bring back what it has moved; a withdrawal leaves none.
        assert not left_of(store, customer) or (customer == device("d1") and any(b"identify" in m for m in before))
    assert store.stats()["withdrawn"] >= 1


def test_who_agrees_again_counts_again(asking, store):
    first, again = view("a", user="u1", at=NOW - 9), with_consent(view("b", user="u1", at=NOW), ads=True)
    play_stream([[first], [withdrawn(user="u1", at=NOW - 5)], [again]], asking)
    assert live(store) == truth([again], asking.settings.limits)
    assert store.recents(user("u1")) == [("b", NOW)]


def test_orders_refunds_and_cancellations_in_any_order(parameters, store):
    """Each of 120 customers sends the same five messages in another order, two of them twice."""
    messages = [
        lambda who: order(["a", "b"], who, NOW - 9, "o1"),
        lambda who: order(["b", "c", "d"], who, NOW - 7, "o2"),
        lambda who: take_back(["a"], who, NOW - 5, "o1"),
        lambda who: take_back([], who, NOW - 3, "o2", "Order Cancelled"),
        lambda who: view("e", user=who),
    ]
    bundles = [[] for _ in range(7)]
    for who, order_of in enumerate(itertools.permutations(messages)):
        for bundle, make in zip(bundles, [*order_of, order_of[0], order_of[2]], strict=True):
            bundle.append(make(f"u{who}"))
    play_stream(bundles, parameters)
    assert live(store) == truth([data for bundle in bundles for data in bundle], parameters.settings.limits)
    assert store.supports(2, ["a", "b", "c", "d"]) == [0, 120, 0, 0]
    assert store.counts(2, "e") == {"b": 120}


def test_an_erased_visitor_stays_erased(parameters, store):
    """Counts, recents and the tombstone of somebody who came anonymously, whatever comes late or again."""
    before = [view("a", device="d1", at=NOW - 9), view("b", device="d1", at=NOW - 8), identify("u1", "d1", NOW - 7)]
    late = [view("c", device="d1", at=NOW - 6), order(["d"], "u1", NOW - 5)]
    wish = message("delete", None, NOW - 1, userId="u1")
    play_stream([before, [wish], late, before, [wish]], parameters)
    assert live(store) == NOTHING
    assert store.recents(user("u1")) == store.recents(device("d1")) == []
    assert store.tombstones() == {user("u1"): NOW - 1}
    assert store.stats()["erased"] == 4
    after = dataclasses.replace(parameters, run_id="later")
    play_stream([[view("e", user="u1")]], after)
    assert store.recents(user("u1")) == [("e", NOW)]


def test_a_flood_stops_counting_and_leaves_a_sample(parameters, store):
    chosen = with_settings(parameters, flood_events=10)
    hour = NOW // HOUR_MS * HOUR_MS - HOUR_MS
    flood = [view(f"i{n:02}", device="d1", at=hour + n) for n in range(29)]
    flood.append(view("late", device="d1", at=hour - 1))
    calm = [view("i00", user="u1", at=hour), view("i99", device="d1", at=hour + HOUR_MS)]

    def check(found):
        assert len(found) == 2, "one a bundle"
        for letter in found:
            assert {name: letter.attributes[name] for name in ("stage", "reason")} == {
                "stage": "profile",
                "reason": "flood",
            }
            said = orjson.loads(letter.data)
            assert (said["customer"], said["signal"]) == (device("d1"), "view")
            assert letter.attributes["bytes"] == str(len(letter.data))
            assert said["items"] != ["i00"]

    play_stream([flood[:10], flood[10:20], flood[20:], calm], chosen, check_dead=check)
    assert store.stats()["flooded"] == 20
    # The history holds 8: the one of the next hour, and of the ten that counted the latest.
    assert live(store) == truth([*flood[:10], *calm], chosen.settings.limits)


def test_many_new_items_are_a_flood_and_known_ones_are_none(parameters, store):
    chosen = with_settings(parameters, flood_items=10, cap=64)
    hour = NOW // HOUR_MS * HOUR_MS
    flood = [view(f"i{n:02}", user="u1", at=hour + n) for n in range(15)]
    known = [view("i00", user="u1", at=hour + 20 + n) for n in range(15)]
    play_stream([flood, known], chosen)
    assert store.stats()["flooded"] == 5
    assert store.stats()["refreshed"] == 15
    assert live(store) == truth(flood[:10], chosen.settings.limits)


def test_robots_are_ignored_unless_they_shall_count(parameters, store):
    agent = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    robot = message(item="a", userId="u1", context=agent)

    def check(found):
        assert found == []

    play_stream([[robot, view("b", user="u1")]], parameters, check_dead=check)
    assert store.supports(0, ["a", "b"]) == [0, 1]
    assert store.stats()["ignored:robot"] == 1
    counting = with_settings(dataclasses.replace(parameters, run_id="second"), robots="count")
    play_stream([[robot]], counting)
    assert store.supports(0, ["a"]) == [1]


def alias(previous, name, at=NOW):
    return message("alias", None, at, userId=name, previousId=previous)


def test_alias_links_like_a_message_with_both_ids(parameters, store):
    messages = [view("a", device="d1"), view("b", user="u1"), alias("d1", "u1"), view("c", device="d1")]
    for number, order_of in enumerate(itertools.permutations(messages)):
        renamed = [data.replace(b"d1", b"d1%d" % number).replace(b"u1", b"u1%d" % number) for data in order_of]
        messages = renamed if number == 0 else messages + renamed
    play_stream(in_bundles(messages, 5), parameters)
    assert live(store) == truth(messages, parameters.settings.limits)
    assert store.pair_count(0, "a", "b") == store.pair_count(0, "a", "c") == 24


def test_alias_to_itself_and_to_a_second_customer(parameters, store):
    messages = [view("a", device="d1"), alias("u1", "u1"), alias("d1", "u1", NOW - 5), alias("d1", "u2", NOW)]
    messages += [alias("d1", "u3", NOW - 9), view("b", device="d1"), view("c", user="u2")]
    play_stream([[data] for data in messages], parameters)
    stats = store.stats()
    assert (stats["ignored:alias_to_itself"], stats["link_conflict"], stats["link_conflict_older"]) == (1, 1, 1)
    assert live(store) == truth(messages, parameters.settings.limits)
    assert store.pair_count(0, "a", "b") == 1


def seeds_of(states):
    """What an export of these profiles would hold."""
    kinds = {"Anonymous": seed.ANONYMOUS, "Known": seed.KNOWN}
    return [
        seed.encode(seed.Seed(kind, key, held)).decode()
        for step, kind in kinds.items()
        for key, held in profiles(states, step).items()
    ]


@pytest.mark.parametrize("number", range(2))
def test_a_restart_with_seeds_goes_on_where_the_first_run_ended(number, parameters, store):
    messages = shop(20 + number, 400)
    bundles = in_bundles(messages, 40)
    states = play_stream(bundles[:6], parameters)
    lines = seeds_of(states)
    again = dataclasses.replace(parameters, run_id="restarted")
    play_stream(bundles[6:], again, past=[*lines, '{"kind":"known"}', *random.Random(number).sample(lines, 5)])
    assert live(store) == truth(messages, parameters.settings.limits)
    stats = store.stats()
    assert (stats["bad_seeds"], stats["seeds"], stats["seeded_before"]) == (1, len(lines) + 5, 5)


def test_seeds_from_files_on_both_runners(parameters, store, tmp_path):
    messages = shop(31, 200)
    lines = seeds_of(play_stream(in_bundles(messages[:120], 40), parameters))
    with gzip.open(tmp_path / "seeds-0.ndjson.gz", "wt") as file:
        file.write("\n".join(lines[::2]) + "\n")
    (tmp_path / "seeds-1.ndjson").write_text("\n".join(lines[1::2]) + "\n")
    pattern = str(tmp_path / "seeds-*")
    play_stream(in_bundles(messages[120:], 40), dataclasses.replace(parameters, run_id="second"), past=pattern)
    assert live(store) == truth(messages, parameters.settings.limits)
    assert store.stats()["seeds"] == len(lines)
    play_batch(messages[120:], dataclasses.replace(parameters, run_id="third"), past=pattern)
    assert store.stats()["seeds"] == 2 * len(lines)


def test_a_seeded_erasure_holds(parameters, store):
    """Tombstones of the first run come as seeds; what is older stays away."""
    states = play_stream([[message("delete", None, NOW - 5, userId="u1")]], parameters)
    again = dataclasses.replace(parameters, run_id="second")
    play_stream([[view("b", user="u9")], [view("a", user="u1", at=NOW - 9)]], again, past=seeds_of(states))
    assert store.supports(0, ["a", "b"]) == [0, 1]


def test_worker_processes_know_every_kind_of_message(asking, store):
    """Real worker subprocesses: all kinds of work, seeds among them, are really pickled."""
    messages = [*shop(17, 120), withdrawn("u300", "d300"), refused(view("a", user="u301"))]
    past = seed.encode(seed.Seed(seed.KNOWN, user("u302"), seed.decode(b'{"kind":"known","customer":"x"}', 8).profile))
    play_batch(
        messages,
        asking,
        "FnApiRunner",
        "--direct_running_mode=multi_processing",
        "--direct_num_workers=2",
        past=[past.decode()],
    )
    assert live(store) == truth(messages, asking.settings.limits, asking.settings.mapping)
    assert store.stats()["seeds"] == 1
