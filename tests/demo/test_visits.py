"""Shoppers who look at the lists of a server: what they ask, when they click, and a server that does not answer."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import orjson
import pytest

from varde.demo.shoppers import Offered, Visit, shopper
from varde.demo.simulate import as_they_happen, shoppers, steps_of
from varde.demo.storefront import Storefront

NOW = 1_785_672_000_000


class Shop:
    """A shop whose lists have everything that is clicked, or nothing."""

    def __init__(self, *, good: bool) -> None:
        self.good, self.asked = good, list[tuple[str, str, str | None]]()

    def ask(self, item: str, aid: str, uid: str | None) -> Offered:
        self.asked.append((item, aid, uid))
        items = tuple(f"{slug}-{n:03d}" for slug in ("tent", "bag", "mat") for n in range(1, 21)) if self.good else ()
        return Offered(f"request-{len(self.asked)}", items)


def tracked(steps: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [body["properties"] for body in steps if body.get("event") == event]


def story(shop: Shop | None, seed: int = 1) -> list[dict[str, Any]]:
    steps = steps_of(seed, NOW, 20.0, 100, 0.0, None if shop is None else shop.ask)
    return [step.body for step in itertools.islice(steps, 3000)]


def test_each_product_page_asks_for_a_list_of_its_own_before_its_view_is_told() -> None:
    shop = Shop(good=True)
    views = [body for body in story(shop) if body.get("event") in ("Product Viewed", "Viewed Product")]
    assert len(shop.asked) - len(views) in (0, 1), "the last one may have been asked for only"
    for body, (item, aid, uid) in zip(views, shop.asked, strict=False):
        properties = body["properties"]
        assert (properties.get("product_id") or properties["sku"], body["anonymousId"], body["userId"]) == (
            item,
            aid,
            uid,
        )


def test_a_click_names_the_request_and_the_place_of_its_item() -> None:
    shop = Shop(good=True)
    clicks = [one for one in tracked(story(shop), "Product Clicked") if "request_id" in one]
    assert len(clicks) > 50
    items = shop.ask("", "", None).items
    for click in clicks:
        assert items[click["position"] - 1] == (click.get("product_id") or click["sku"])
        assert 1 <= int(click["request_id"].removeprefix("request-")) <= len(shop.asked)


def test_nobody_clicks_in_a_list_that_has_not_what_they_want() -> None:
    assert not [one for one in tracked(story(Shop(good=False)), "Product Clicked") if "request_id" in one]


def test_a_shop_without_lists_is_as_it_was() -> None:
    """A list that has nothing changes nothing either."""
    assert story(None) == story(Shop(good=False))
    who, chance = shopper(1, 5), random.Random(1)
    assert list(Visit(who, chance, "1").steps())


def test_the_same_answers_give_the_same_messages() -> None:
    first, second = (
        list(itertools.islice(shoppers(3, NOW, 20.0, 100, None, Shop(good=True).ask), 2000)) for _ in range(2)
    )
    assert first == second


def test_visits_happen_when_they_are_made() -> None:
    clock = itertools.count(NOW, 7).__next__
    messages = list(itertools.islice(as_they_happen(1, NOW, 20.0, 100, Shop(good=True).ask, clock), 500))
    assert [message.time for message in messages] == [NOW + 7 * n for n in range(500)]
    bodies = [orjson.loads(message.data) for message in messages]
    assert len({body["messageId"] for body in bodies}) == 500
    assert bodies[1]["timestamp"] == "2026-08-02T12:00:00.007Z"


class Server(BaseHTTPRequestHandler):
    """Answers as told; each connection is closed after one answer, though it was asked to stay."""

    status: ClassVar[int] = 200
    body: ClassVar[bytes] = b""
    seen: ClassVar[list[tuple[str, str]]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["User-Agent"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Server.status, Server.body = 200, b""
    Server.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/shop"
        http.shutdown()
        thread.join()


ANSWER = {"request_id": "r", "items": [{"id": "a"}, {"id": "b"}], "experiment": "e", "variation": "v"}


def test_what_is_asked_and_what_is_offered(server: str) -> None:
    Server.body = orjson.dumps(ANSWER)
    shop = Storefront(server, "beside", "Agent/1")
    assert shop.ask("a/b å", "device", None) == Offered("r", ("a", "b"), "e", "v")
    assert shop.ask("c", "device", "user") is not None, "the connection had been closed"
    Server.body = orjson.dumps(ANSWER | {"experiment": None, "variation": None})
    assert shop.ask("c", "device", "user") == Offered("r", ("a", "b"))
    shop.close()
    (first, agent), (second, _), _ = Server.seen
    assert first.startswith("/shop/v1/similar/a%2Fb%20%C3%A5?")
    assert urllib.parse.parse_qs(first.partition("?")[2]) == {"placement": ["beside"], "aid": ["device"]}
    assert urllib.parse.parse_qs(second.partition("?")[2])["uid"] == ["user"]
    assert agent == "Agent/1"
    assert (shop.asked, shop.tried, shop.failed) == (3, 2, 0)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, orjson.dumps(ANSWER)),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"items": []}'),
        (200, orjson.dumps(ANSWER | {"items": 3})),
    ],
)
def test_a_server_that_gives_no_list_costs_a_list_and_is_told_of_once(
    server: str, status: int, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    Server.status, Server.body = status, body
    with closing(Storefront(server)) as shop, caplog.at_level(logging.WARNING):
        assert [shop.ask("a", "d", None) for _ in range(3)] == [None] * 3
    assert (shop.asked, shop.tried, shop.failed) == (3, 0, 3)
    assert len(caplog.records) == 1


def test_no_server_costs_a_list_only(server: str) -> None:
    shop = Storefront(server.replace("http://127.0.0.1", "http://127.0.0.2"))
    assert shop.ask("a", "d", None) is None
    shop.close()
    assert shop.failed == 1
