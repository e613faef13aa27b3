"""The latest items that the steps send to Redis: those of brute force, in whatever order they are written there."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest
from apache_beam import pvalue
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.property import oracle, strategies
from tests.property.strategies import NOW

from varde import keys
from varde.delivery import Recent
from varde.events import Event, IdentityLink, Impersonal, Interaction, Rejected, parse
from varde.history import Signal
from varde.latest import Customer
from varde.settings import Settings
from varde.store.sync import Store
from varde.streaming.parse import ANONYMOUS, ParseMessage
from varde.streaming.profiles import AnonymousProfiles, KnownProfiles

from . import world
from .play import in_bundles, play_batch, play_stream
from .world import Cell, identify, message, order, shop, take_back, view

SOME = examples(max_examples=examples().max_examples * 3 // 5, deadline=None, suppress_health_check=list(HealthCheck))


class Steps:
    """The stream's own steps over cells in two dictionaries; each write to Redis as it leaves a bundle of one event."""

    def __init__(self, settings: Settings) -> None:
        self._parse = ParseMessage(settings, 1)
        self._anonymous = AnonymousProfiles(settings, 1, True, lambda: NOW)
        self._known = KnownProfiles(settings, 1, True, lambda: NOW)
        self._cells: dict[tuple[bool, str], Cell] = {}
        self.writes: list[Recent] = []

    def take(self, event: Event) -> None:
        """One event."""
        assert not isinstance(event, Impersonal)
        for tag, key, work in self._parse._works(event, NOW):
            self._do(tag != ANONYMOUS, key, work)

    def _do(self, known: bool, key: str, work: Any) -> None:
        step = self._known if known else self._anonymous
        step.start_bundle()
        cell = self._cells.setdefault((known, key), Cell())
        handed = [out.value for out in step.process((key, work), cell, Cell()) if isinstance(out, pvalue.TaggedOutput)]
        for pane in step.finish_bundle():
            self.writes += pane.value[1].recents.values()
        for customer, more in handed:
            self._do(True, customer, more)


def expected(events: list[Event], settings: Settings, now: int = NOW) -> dict[str, Customer]:
    """Customer key -> customer, of everybody who did something in the window."""
    found = {}
    for (kind, name), done in oracle.told(events).items():
        fresh = [fact for fact in done if fact.time >= settings.limits.window_start(now)]
        customer = Customer(*oracle.latest(fresh, settings.latest_kept))
        found[keys.customer_key(*((name, None) if kind == "u" else (None, name)))] = customer
    return found


def apart(events: list[Event]) -> list[Event]:
    """The same with one item in a view and a cart, and no two items in the same ms: a history keeps the smaller item
    of a tie, a sorted set the greater one."""
    some = []
    for event in events:
        if isinstance(event, Interaction) and event.signal != Signal.PURCHASE:
            time = event.time // 8 * 8 - 8 + ord(event.items[0]) % 8
            event = dataclasses.replace(event, items=event.items[:1], time=time)
        some.append(event)
    return some


def of_few(events: list[Event]) -> list[Event]:
    """The same by one user with one device."""
    one = {"user_id": "U", "anonymous_id": "a"}
    return [
        dataclasses.replace(cast(Any, event), **{name: who for name, who in one.items() if getattr(event, name, None)})
        for event in events
    ]


def worlds(data: st.DataObject, *kinds: st.SearchStrategy[Event]) -> list[Event]:
    """Many customers with little, or few with much; some of it again."""
    few = data.draw(st.booleans())
    events = apart(data.draw(st.lists(st.one_of(kinds), min_size=15 * few, max_size=30)))
    events += data.draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    return of_few(events) if few else events


@st.composite
def settings_of(draw: st.DrawFn, redis_url: str) -> Settings:
    limits = draw(strategies.limits)
    recent_items = draw(st.sampled_from([1, 3, 20]))
    return Settings(redis_url=redis_url, cap=limits.cap, window_days=limits.window_days, recent_items=recent_items)


@SOME
@given(data=st.data())
def test_any_world_in_any_order_of_writes(redis_server, data: st.DataObject) -> None:
    with redis_server.client() as client:
        client.flushall()
    settings = data.draw(settings_of(redis_server.url))
    days = settings.window_days
    some = [strategies.interactions(days)] * 6
    events = worlds(data, *some, strategies.links(days), strategies.returns(days), strategies.erasures(days))
    steps = Steps(settings)
    for event in events:
        steps.take(event)
    wanted = expected(events, settings)
    store = Store.from_settings(settings)
    store.remember(data.draw(st.permutations(steps.writes + steps.writes[::3])))
    assert dict(zip(wanted, store.customer(list(wanted)), strict=True)) == wanted
    store.close()


@SOME
@given(data=st.data())
def test_a_withdrawn_consent_takes_all_sets(redis_server, data: st.DataObject) -> None:
    """Written in the order of arrival: it leaves no mark, so what is written later is there again."""
    with redis_server.client() as client:
        client.flushall()
    settings = data.draw(settings_of(redis_server.url))
    days = settings.window_days
    some = [strategies.interactions(days)] * 2
    events = worlds(data, *some, strategies.returns(days), strategies.withdrawals(days))
    steps = Steps(settings)
    for event in events:
        steps.take(event)
    wanted = expected(events, settings)
    store = Store.from_settings(settings)
    for write in steps.writes:
        store.remember([write])
    assert dict(zip(wanted, store.customer(list(wanted)), strict=True)) == wanted
    store.close()


@pytest.mark.parametrize("signal", [Signal.VIEW, Signal.CART])
def test_no_more_is_kept_than_a_link_hands_over(redis_url, signal) -> None:
    """A state of two items and sets of twenty: the same whether the link comes first or last."""
    settings = Settings(redis_url=redis_url, cap=2)
    link = IdentityLink("a", "U", NOW - 9)
    seen = [Interaction(None, "a", signal, (item,), NOW - 8 + n) for n, item in enumerate("pqrst")]
    orders: list[list[Event]] = [[link, *seen], [*seen[:3], link, *seen[3:]], [*seen, link], [*reversed(seen), link]]
    for events in orders:
        steps = Steps(settings)
        for event in events:
            steps.take(event)
        store = Store.from_settings(settings)
        store._client.execute_command("FLUSHALL")
        store.remember(steps.writes)
        wanted = expected(events, settings)
        assert dict(zip(wanted, store.customer(list(wanted)), strict=True)) == wanted
        assert len(wanted[keys.customer_key("U", None)][signal]) == 2
        store.close()


def meanings(messages: list[bytes]) -> list[Event]:
    found: list[Event] = []
    for data in messages:
        read = parse(data, world.NOW, Settings().mapping)
        if not isinstance(read, Rejected):
            found += read
        elif read.link:
            found.append(read.link)
    return found


def test_the_graph_gives_the_same(parameters, store) -> None:
    """On both runners; a refused consent is not looked at here."""
    messages = shop(17, 500)
    wanted = expected(meanings(messages), parameters.settings, world.NOW)
    assert sum(len(one.carts) for one in wanted.values()) > 5
    assert sum(len(one.bought) for one in wanted.values()) > 20
    play_stream(in_bundles(messages, 60), parameters)
    assert dict(zip(wanted, store.customer(list(wanted)), strict=True)) == wanted
    store._client.flushall()
    play_batch(messages, dataclasses.replace(parameters, run_id="batch"))
    once = store.customer(list(wanted))
    # Another order of arrival: counts of conflicting links aside, this world has none.
    assert dict(zip(wanted, once, strict=True)) == wanted


def test_a_visitor_becomes_a_customer_with_cart_and_orders(parameters, store) -> None:
    at = world.NOW
    carted = [message(event="Product Added", item=item, anonymousId="d1", at=at - 9) for item in "ab"]
    bought = message(
        event="Order Completed",
        anonymousId="d1",
        at=at - 8,
        properties={"order_id": "o1", "products": [{"product_id": "b"}, {"product_id": "c"}]},
    )
    visitor, known = keys.customer_key(None, "d1"), keys.customer_key("u1", None)
    play_stream([[view("v", device="d1", at=at - 10), *carted, bought]], parameters)
    assert store.customer([visitor]) == [Customer([("v", at - 10)], [("a", at - 9)], [("c", at - 8), ("b", at - 8)])]
    later = dataclasses.replace(parameters, run_id="later")
    play_stream([[*carted, bought], [identify("u1", "d1", at - 7)], [take_back(["c"], "u1", at - 6, "o1")]], later)
    assert store.customer([visitor, known]) == [
        Customer([], [], []),
        Customer([], [("a", at - 9)], [("b", at - 8)]),
    ]
    again = dataclasses.replace(parameters, run_id="again")
    play_stream([[order(["z"], "u1", at - 5, "o2")], [message("delete", None, at - 4, userId="u1")]], again)
    assert store.customer([known]) == [Customer([], [], [])]
