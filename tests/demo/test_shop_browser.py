"""The shop as visitors see it: a real Chromium in front of the whole running system."""

from __future__ import annotations

import itertools
import os
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import orjson
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from varde.demo import assortment, emulator, landing, pubsub, shop_child, shop_people
from varde.demo.replay import publish
from varde.demo.settle import wait_until_settled
from varde.demo.simulate import shoppers
from varde.demo.system import System, running
from varde.settings import from_env
from varde.store.sync import Store

from .shopping import CHROMIUM, SEEN_MS, Visitor, chromium, refused, visitor

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the shop cannot be tried"),
]
MESSAGES = 6000
SEED = 1
PAGES = ("/", "/d/camping", "/c/boot?sort=price", "/search?q=stove", "/p/boot-021", "/p/tent-003", "/cart", "/login",
         "/privacy", "/nowhere")  # fmt: skip
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],  # to describe everything that passes takes longer than to look for what does not
}


@dataclass(frozen=True)
class Open:
    """The running system, the address of its shop, and a browser."""

    system: System
    url: str
    browser: Browser


@pytest.fixture(scope="module")
def shop(broker: emulator.Emulator) -> Iterator[Open]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VARDE_")]:
            patch.delenv(name)
        for name, value in broker.env.items():
            patch.setenv(name, value)
        settings = replace(from_env(os.environ), config=str(assortment.CONFIG), min_customers=1)
        with running(settings) as system, chromium() as browser:
            landing.prepare(system)
            now = time.time_ns() // 1_000_000
            url = shop_child.start(system, 0, SEED)
            assortment.load(system.settings, now, url)
            before = itertools.islice(shoppers(SEED, now - MESSAGES * 50, 20.0), MESSAGES)
            sent = publish(before, system.publisher, system.names.topic).messages
            with closing(Store.from_settings(system.settings)) as store:
                wait_until_settled(system, store, sent)
            yield Open(system, url, browser)
            assert refused(system.log_of("shop")) == [], "what a browser reports against the policy"


def shown(page: Page, list_id: str) -> list[str]:
    """The pages that a list leads to, once it has come."""
    expect(page.locator(f"{list_id}[state=shown]")).to_be_visible(timeout=SEEN_MS)
    return [str(link.get_attribute("href")) for link in page.locator(f"{list_id} a").all()]


def titles(page: Page, heading: str) -> list[str]:
    section = page.locator("varde-recs", has=page.get_by_role("heading", name=heading))
    expect(section).to_have_attribute("state", "shown", timeout=SEEN_MS)
    return section.locator("[part~=title]").all_inner_texts()


def arrived(shop: Open, names: set[str], user: str) -> dict[str, list[dict]]:
    """Event -> messages of a user in the queue, once all these have come."""
    found: dict[str, list[dict]] = {}
    deadline = time.monotonic() + SEEN_MS / 1000
    while not names <= found.keys():
        assert time.monotonic() < deadline, names - found.keys()
        for data in pubsub.pull(shop.system.subscriber, shop.system.names.warehouse_subscription):
            try:
                message = orjson.loads(data)
            except orjson.JSONDecodeError:
                continue
            if isinstance(message, dict) and user in (message.get("userId"), message.get("anonymousId")):
                found.setdefault(message.get("event") or message["type"], []).append(message)
    return found


def test_a_whole_visit(shop: Open) -> None:
    """From the front page over a list of Varde's to an order, as somebody: everything arrives in the queue."""
    with visitor(shop.browser, shop.url) as who:
        page = who.window()
        page.goto(shop.url)
        assert titles(page, "Looked at most")
        assert who.told == [], "not before consent"
        assert page.evaluate("() => document.cookie") == ""
        who.follow(page.get_by_role("button", name="Yes, remember"))
        who.follow(page.get_by_role("link", name="Log in"))
        page.get_by_role("textbox", name="Name").fill("Åse Öberg")
        who.follow(page.get_by_role("button", name="Log in", exact=True))
        who.follow(page.get_by_role("navigation", name="Departments").get_by_role("link", name="Footwear"))
        who.follow(page.get_by_role("link", name="Hiking boots", exact=True))
        who.follow(page.locator("main a[data-item=boot-021]"))
        page.locator("#viewed").scroll_into_view_if_needed()
        assert shown(page, "#viewed")
        with page.expect_request(lambda request: "Product List Viewed" in (request.post_data or "")):
            pass
        who.follow(page.locator("#viewed a").first)
        expect(page).to_have_url(re.compile(r"/p/(?!boot-021)"))  # the list may have changed under the click
        if page.get_by_role("button", name="Put into cart").count() == 0:
            who.go(page, "/p/boot-021")
        who.follow(page.get_by_role("button", name="Put into cart"))
        assert titles(page, "Often bought with these")
        who.follow(page.get_by_role("link", name="Go to checkout"))
        for label in ("Name", "Street and number", "Post code and city"):
            page.get_by_label(label, exact=True).fill("Fjellveien 1")
        page.get_by_label("E-mail").fill("kari@example.com")
        who.follow(page.get_by_role("button", name="Order for nothing"))
        expect(page.get_by_role("heading", name="Thank you, Åse")).to_be_visible()
        person = shop_people.named("Åse Öberg")
        assert person is not None
        names = {"Product List Viewed", "Product Clicked", "Product Viewed", "Product Added", "Cart Viewed"}
        names |= {"Checkout Started", "Order Completed", "page", "identify"}
        found = arrived(shop, names, person.user_id)
    clicks = [one["properties"] for one in found["Product Clicked"]]
    assert any(one.get("list_id") == "also-viewed" and one["request_id"] for one in clicks), "of a list of Varde's"
    assert any("request_id" not in one for one in clicks), "and of a shelf of the shop's own"
    assert not any("kari@example.com" in orjson.dumps(one).decode() for many in found.values() for one in many)


def test_what_is_looked_at_in_one_window_appears_in_the_other(shop: Open) -> None:
    """A product that nobody knows yet: its list is a fallback, until somebody looks at it and at something else."""
    with visitor(shop.browser, shop.url) as who:
        one, other = who.window(), who.window()
        who.agree(one, "/p/bottle-021")
        before = shown(one, "#viewed")
        seen = "/p/knife-003"
        assert not any(seen in link for link in before)
        one.evaluate("() => { window.stayed = true; }")
        who.go(other, seen)
        expect(one.locator("#viewed a").first).to_have_attribute("href", shop.url + seen, timeout=SEEN_MS)
        assert one.evaluate("() => window.stayed"), "without loading the page again"


def _for(shop: Open, user: str) -> list[str]:
    """The titles of what the server picks for somebody; none where it knows nothing of them."""
    query = urllib.parse.urlencode({"placement": "for-you", "n": 6, "uid": user, "lang": "en"})
    with urllib.request.urlopen(f"{shop.system.url}/v1/recommendations?{query}", timeout=30) as answer:
        found = orjson.loads(answer.read())
    return [item["title"] for item in found["items"]] if found["rung"] == "pairs" else []


def test_lists_are_for_whoever_is_logged_in(shop: Open) -> None:
    with visitor(shop.browser, shop.url) as who:
        page = who.window()
        who.agree(page, "/login")
        answers = {person: _for(shop, person.user_id) for person in shop_people.people(SEED)}
        person, known = next((one, names) for one, names in answers.items() if names)
        who.follow(page.get_by_role("button", name=person.name))
        picked = page.locator("varde-recs[placement=for-you] [part~=title]")
        expect(picked).to_have_text(known, timeout=SEEN_MS)
        with who.telling(page, "page"):
            who.follow(page.get_by_role("button", name="Log out"))
        assert page.evaluate("() => window.analytics.user().id()") is None
        devices = {message["anonymousId"] for message in who.told}
        assert len(devices) == 2, "after logging out it is somebody else"
        expect(page.get_by_role("link", name="Log in")).to_be_visible()
        expect(picked).to_have_count(len(known))
        assert picked.all_inner_texts() != known


def test_who_says_no_is_not_followed(shop: Open) -> None:
    with visitor(shop.browser, shop.url) as who:
        page = who.window()
        with who.telling(page, "Product Viewed"):
            who.agree(page, "/p/tent-003")
        with who.telling(page, "page"):
            page.goto(shop.url + "/privacy")
        page.get_by_role("button", name="No, thanks").click()
        expect(page.get_by_text("You have not agreed.")).to_be_visible()
        assert page.evaluate(
            "() => [document.cookie, Object.keys(localStorage).filter((k) => /ajs/.test(k)).length]"
        ) == ["", 0]
        told = len(who.told)
        page.goto(shop.url + "/p/tent-003")
        assert shown(page, "#viewed"), "lists are there all the same"
        page.locator("#viewed a").first.click()
        expect(page.locator("#viewed[state=shown]")).to_be_visible(timeout=SEEN_MS)
        assert len(who.told) == told
        assert page.evaluate("() => typeof window.analytics") == "undefined"


@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing_and_no_page_is_wider_than_the_screen(shop: Open, width: int) -> None:
    with visitor(shop.browser, shop.url, viewport={"width": width, "height": 800}) as who:
        page = who.window()
        page.goto(shop.url)
        _accessible(page, "the question")
        who.agree(page)
        for path in itertools.chain(PAGES, _ordering(who, page)):
            if path:
                who.go(page, path)
            for waiting in page.locator("varde-recs").all():
                expect(waiting).to_have_attribute("state", "shown", timeout=SEEN_MS)
            _accessible(page, path or page.url)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width, page.url


def _ordering(who: Visitor, page: Page) -> Iterator[str]:
    """The pages of an order; the empty one stands for the page that is open already."""
    who.go(page, "/p/boot-021")
    page.get_by_role("button", name="Put into cart").click()
    yield "/cart"
    yield "/checkout"
    page.locator("form#order").evaluate("(form) => { form.noValidate = true; }")
    page.get_by_role("button", name="Order for nothing").click()
    expect(page.get_by_text("Please give your name.")).to_be_visible()
    yield ""
    for name in ("name", "street", "city"):
        page.locator(f"#f-{name}").fill("x")
    page.locator("#f-email").fill("x@example.com")
    page.get_by_role("button", name="Order for nothing").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    yield ""


def _accessible(page: Page, what: str) -> None:
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, f"{what}: {found.generate_report()}"


def test_nothing_moves_while_a_page_comes(shop: Open) -> None:
    with visitor(shop.browser, shop.url) as who:
        page = who.window()
        who.agree(page)
        for path in ("/", "/p/boot-021", "/cart"):
            page.add_init_script(
                "window.moved = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) "
                "if (!entry.hadRecentInput) window.moved += entry.value; })"
                ".observe({ type: 'layout-shift', buffered: true });"
            )
            who.go(page, path)
            for waiting in page.locator("varde-recs").all():
                expect(waiting).to_have_attribute("state", "shown", timeout=SEEN_MS)
            assert page.evaluate("() => window.moved") < 0.01, path


def test_a_page_whose_segment_library_cannot_start_has_its_lists(shop: Open) -> None:
    """Left too early, say, or blocked: it complains at Segment's own address, which no page of the shop may ask."""
    with visitor(shop.browser, shop.url) as who:
        page = who.window()
        who.agree(page)
        who.context.route("**/v1/projects/**", lambda route: route.abort())
        with page.expect_console_message(lambda line: "Failed to load Analytics.js" in line.text):
            page.goto(shop.url + "/p/tent-003")
        assert shown(page, "#viewed")
        look = "const look = () => window.policy.length ? said(window.policy) : setTimeout(look, 20); look();"
        assert page.evaluate(f"() => new Promise((said) => {{ {look} }})") == [
            "connect-src https://api.segment.io/v1/m"
        ]
        page.goto("about:blank")  # its reports are looked at; what else it complained about is expected, too
        who.complaints.clear()
