"""Events through the real Python SDK over HTTP: what arrives is what the parser reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson
import pytest
from segment.analytics.client import Client

from varde.events import IdentityLink, Impersonal, Interaction, Mapping, Rejected, Return, Withdrawal, parse
from varde.history import Signal

THEN = datetime(2026, 3, 1, 11, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
MS = 1_772_359_200_123
SHOP = Mapping()


class Collector(ThreadingHTTPServer):
    """Takes batches on a free port and keeps their elements."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[Any] = []


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages += orjson.loads(body)["batch"]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"success":true}')

    def log_request(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(collector: Collector) -> Iterator[Client]:
    errors: list[Exception] = []
    client = Client(
        "key",
        host=f"http://127.0.0.1:{collector.server_port}",
        on_error=lambda error, _: errors.append(error),
        upload_interval=0.02,
    )
    yield client
    client.join()
    assert not errors


def meanings(collector: Collector, client: Client, mapping: Mapping = SHOP) -> list[Any]:
    client.flush()
    received_at = int((datetime.now(UTC) + timedelta(minutes=1)).timestamp() * 1000)
    return [parse(orjson.dumps(message), received_at, mapping) for message in collector.messages]


def test_a_visit(collector: Collector, client: Client) -> None:
    at: dict[str, Any] = {"timestamp": THEN}
    client.track(None, "Product Viewed", {"product_id": "P1", "name": "Zelt für zwei 🏕"}, anonymous_id="a", **at)
    client.track(None, "Product Added", {"product_id": 4711}, anonymous_id="a", **at)
    client.identify("u", {"email": "u@example.com"}, anonymous_id="a", **at)
    basket = [{"product_id": "P1"}, {"sku": "S2"}, {"product_id": "P1"}]
    client.track("u", "Order Completed", {"order_id": 7, "products": basket}, **at)
    client.alias("old", "u", **at)
    client.page("u", "Docs", "Home", **at)
    client.track("u", "Order Refunded", {"order_id": 7, "products": [{"sku": "S2"}]}, **at)
    client.track("u", "Order Cancelled", {"order_id": 7}, **at)
    assert meanings(collector, client) == [
        (Interaction(None, "a", Signal.VIEW, ("P1",), MS),),
        (Interaction(None, "a", Signal.CART, ("4711",), MS),),
        (IdentityLink("a", "u", MS),),
        (Interaction("u", None, Signal.PURCHASE, ("P1", "S2"), MS, "7"),),
        (IdentityLink("old", "u", MS),),
        Rejected("not_counted", "page"),
        (Return("u", None, "7", ("S2",), MS),),
        (Return("u", None, "7", (), MS),),
    ]


def test_ids_survive_the_way(collector: Collector, client: Client) -> None:
    hostile = ["\0", "a\nb", "{a}:b", "🏕", " u ", "é" * 128]
    for name in hostile:
        client.track(name, "Product Viewed", {"product_id": name}, timestamp=THEN)
    client.track(12345, "Product Viewed", {"product_id": 12345}, timestamp=THEN)
    assert meanings(collector, client) == [
        (Interaction(name, None, Signal.VIEW, (name,), MS),) for name in [*hostile, "12345"]
    ]


def test_the_sdks_own_clock(collector: Collector, client: Client) -> None:
    before = int(datetime.now(UTC).timestamp() * 1000)
    client.track("u", "Product Viewed", {"product_id": "P1"})
    ((view,),) = meanings(collector, client)
    assert before <= view.time <= int(datetime.now(UTC).timestamp() * 1000)


def test_consent_and_user_agents_in_the_context(collector: Collector, client: Client) -> None:
    """The SDK sends the context as it is given, with its own library beside it."""
    at: dict[str, Any] = {"timestamp": THEN, "anonymous_id": "a"}
    said = lambda **choices: {"consent": {"categoryPreferences": choices}}  # noqa: E731 - the three lines below
    client.track("u", "Product Viewed", {"product_id": "P1"}, context=said(Analytics=True), **at)
    client.track("u", "Product Viewed", {"product_id": "P1"}, context=said(Analytics=False), **at)
    client.track("u", "Segment Consent Preference Updated", {}, context=said(Analytics=False), **at)
    client.track("u", "Product Viewed", {"product_id": "P1"}, context={"userAgent": "Googlebot/2.1"}, **at)
    assert meanings(collector, client, Mapping(consent=("Analytics",))) == [
        (IdentityLink("a", "u", MS), Interaction("u", "a", Signal.VIEW, ("P1",), MS)),
        (Impersonal(Signal.VIEW, ("P1",), MS),),
        (Withdrawal("u", "a", MS),),
        Rejected("robot", "context.userAgent"),
    ]
