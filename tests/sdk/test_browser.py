"""What only the browser's SDK does: it keeps what it could not send, and sends what waits when the page is left."""

from __future__ import annotations

from collections import Counter

import pytest
from playwright.sync_api import Browser

from .clients import UNREACHED, BrowserSdk, Shop
from .parts import Collector, Queue, until

pytestmark = pytest.mark.e2e


def viewed(queue: Queue) -> Counter[str]:
    """How often each product of a "Product Viewed" has arrived."""
    return Counter(message["properties"]["product_id"] for message in queue.messages)


def test_what_a_page_could_not_send_the_next_page_sends(
    chromium: Browser, shop: Shop, collector: Collector, queue: Queue
) -> None:
    """The collector is away while a customer looks at a page; the SDK keeps the events in localStorage."""
    sdk = BrowserSdk(chromium, shop.url, collector.url)
    collector.stop()
    sdk.send("track", range(5))
    until(lambda: sdk.accepted() or sdk.answers[UNREACHED] >= 5)
    sdk.page.evaluate("location.assign('about:blank')")
    sdk.page.wait_for_url("about:blank")
    collector.start()
    sdk.open()
    until(lambda: sdk.accepted() == 5, lambda: (sdk.answers, collector.log()))
    queue.all()
    assert viewed(queue) == {f"P{n}": 1 for n in range(5)}
    sdk.close()


def test_a_batch_that_waits_is_sent_when_the_page_is_left(
    chromium: Browser, shop: Shop, collector: Collector, queue: Queue
) -> None:
    sdk = BrowserSdk(chromium, shop.url, collector.url, batching=True, wait_ms=3_600_000)
    sdk.send("track", range(5))
    until(lambda: len(sdk.made()) == 5)  # and waits to be sent
    assert sdk.accepted() == 0
    sdk.page.goto("about:blank")
    until(lambda: sum(viewed_now(queue).values()) >= 5, collector.log)
    queue.all()
    assert viewed(queue) == {f"P{n}": 1 for n in range(5)}
    sdk.close()


def viewed_now(queue: Queue) -> Counter[str]:
    queue.look()
    return viewed(queue)


def test_calls_made_before_the_sdk_has_loaded_arrive_once(
    chromium: Browser, shop: Shop, collector: Collector, queue: Queue
) -> None:
    """The snippet's own queue, with the settings asked of the collector meanwhile."""
    sdk = BrowserSdk(chromium, shop.url, collector.url)
    page = sdk.context.new_page()
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => analytics.track('Product Viewed', {product_id: 'P1'}))"
    )
    page.goto(shop.url)
    until(lambda: sdk.accepted() == 1, lambda: (sdk.answers, collector.log()))
    queue.all()
    assert viewed(queue) == {"P1": 1}
    sdk.close()
