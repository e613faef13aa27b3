"""Three ways to erase a person come to the same, with every part of the system as its own process."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from tests.property import oracle
from tests.streaming.world import live

from varde import keys
from varde.demo import system as demo
from varde.demo.messages import Message, delivered, encode
from varde.demo.replay import publish
from varde.demo.settle import wait_until_settled
from varde.events import Event, Mapping, Rejected, parse
from varde.settings import Settings
from varde.store.sync import Store, now_ms

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ERASED = ("by-segment", "by-command", "by-http")
MINUTE = 60_000
_numbers = itertools.count()


def message(type_: str, at: int, **body: Any) -> Message:
    return encode(delivered({"type": type_, **body}, f"m-{next(_numbers)}", at), at)


def viewed(item: str, at: int, **who: str) -> Message:
    return message("track", at, event="Product Viewed", properties={"product_id": item}, **who)


def bought(order: str, items: str, at: int, **who: str) -> Message:
    products = [{"product_id": item} for item in items]
    return message("track", at, event="Order Completed", properties={"order_id": order, "products": products}, **who)


def history(user: str, items: str, at: int) -> list[Message]:
    """Views of a visitor on two devices, who logs in on both; then views and an order of the customer."""
    first, second = {"anonymousId": f"{user}-phone"}, {"anonymousId": f"{user}-desk"}
    return [
        viewed(items[0], at, **first),
        viewed(items[1], at + 1, **second),
        message("identify", at + 2, userId=user, traits={}, **first),
        message("alias", at + 3, userId=user, previousId=f"{user}-desk"),
        viewed(items[2], at + 4, userId=user),
        viewed(items[3], at + 5, **first),
        bought(f"order-{user}", items[1:3], at + 6, userId=user),
    ]


def truth(messages: list[Message], settings: Settings) -> oracle.Totals:
    """The counts by the definition."""
    events: list[Event] = []
    for one in messages:
        parsed = parse(one.data, now_ms(), Mapping())
        assert not isinstance(parsed, Rejected)
        events += parsed
    return oracle.arrival(events, settings.limits, now_ms())


class Watched:
    """A running system, and how many messages its stream has been sent."""

    def __init__(self, system: demo.System, store: Store) -> None:
        self.system, self.store, self._sent = system, store, 0

    def send(self, messages: list[Message]) -> None:
        publish(messages, self.system.publisher, self.system.names.topic)
        self.expect(len(messages))

    def expect(self, messages: int) -> None:
        """Wait until so many more have had all their effect."""
        self._sent += messages
        wait_until_settled(self.system, self.store, self._sent)

    def recents(self, *who: tuple[str | None, str | None]) -> list[list[tuple[str, int]]]:
        return [self.store.recents(keys.customer_key(user, device)) for user, device in who]

    def erase_by_command(self, user: str) -> dict[str, Any]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VARDE_")}
        done = subprocess.run(
            [sys.executable, "-m", "varde.cli", "erase", "--user", "-", "--wait"],
            env=kept | dict(self.system.env),
            input=f"{user}\n",
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def erase_by_http(self, user: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.system.url}/v1/erase",
            json.dumps({"user_id": user}).encode(),
            {"Authorization": f"Bearer {self.system.settings.admin_key}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 202
            return json.load(answer)


@pytest.fixture
def watched(broker, monkeypatch):
    for name, value in broker.env.items():
        monkeypatch.setenv(name, value)
    with (
        demo.running(Settings(min_customers=1)) as system,
        contextlib.closing(Store.from_settings(system.settings)) as store,
    ):
        yield Watched(system, store)


def test_a_person_who_is_erased_was_never_here(watched):
    settings, store, begun = watched.system.settings, watched.store, now_ms() - 60 * MINUTE
    others = [one for n in range(12) for one in history(f"other-{n}", "abcdefgh"[n % 4 :], begun + n * MINUTE)]
    theirs = {user: history(user, "bacd", begun + n) for n, user in enumerate(ERASED)}
    gone = [one for messages in theirs.values() for one in messages]

    watched.send(others + gone)
    assert live(store) == truth(others + gone, settings)
    assert live(store) != truth(others, settings), "or there was nothing to erase"
    assert all(watched.recents(*((user, None) for user in ERASED)))

    # Three ways
    watched.send([message("delete", now_ms(), userId="by-segment")])
    line = watched.erase_by_command("by-command")
    assert line["done"] is True
    assert watched.erase_by_http("by-http")["erased_up_to"]
    watched.expect(2)

    asks = [(user, None) for user in ERASED]
    asks += [(None, f"{user}-{device}") for user in ERASED for device in ("phone", "desk")]

    def nobody_is_there() -> None:
        assert live(store) == truth(others, settings)
        assert watched.recents(*asks) == [[]] * len(asks)
        assert store.tombstones().keys() == {keys.customer_key(user, None) for user in ERASED}

    nobody_is_there()
    assert all(begun < at <= now_ms() for at in store.tombstones().values())

    # What comes late, under each of their ids, and everything once more
    late = []
    for user in ERASED:
        late += [viewed("e", begun + MINUTE, userId=user), viewed("f", begun + MINUTE, anonymousId=f"{user}-desk")]
        late += [bought(f"late-{user}", "ef", begun + MINUTE, userId=user)]
        late += [viewed("g", begun, anonymousId=f"{user}-new"), viewed("h", begun, anonymousId=f"{user}-new")]
        late += [message("identify", begun + MINUTE, userId=user, anonymousId=f"{user}-new", traits={})]
    watched.send(late + gone)
    nobody_is_there()

    # An erasure is of the past: who comes back is a customer like any other
    back = [viewed(item, now_ms(), userId=user) for user in ERASED for item in "ab"]
    watched.send(back)
    assert live(store) == truth(others + back, settings)
    with urllib.request.urlopen(f"{watched.system.url}/metrics", timeout=30) as answer:
        assert b'varde_erasure_requests_total{result="accepted"} 1.0' in answer.read()
