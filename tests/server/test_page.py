"""The page at /explore in a real Chromium, on a real Redis that changes while it is open."""

import asyncio
import base64
import contextlib
import hashlib
import os
import re
import shutil
import signal

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import async_playwright, expect

from varde.catalogue import Entry
from varde.config import read
from varde.freshness import quantile
from varde.pairs import Histories
from varde.server.page import FILES
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

from .outdoor import TRIPS, shoppers
from .world import COUNTERS, NOW, fill

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SEEN_MS = 20_000
SCRIPTS = [(path, kind) for path, (_, kind) in FILES.items() if kind == "text/javascript"]
NOTHING = "\N{EN DASH}"
TENT, PEGS, FRESH = "tent-aurora-2p", "tent-pegs-titanium", "lantern-brand-new"
RANKINGS = ("llr", "cosine", "count^0.5")
KEYS = {"manager": "key-of-the-manager", "loader": "key-of-the-loader", "slow": "key-of-somebody-slow"}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
REFUSED = ["status of 401", "status of 403"]
AWAY = ["status of 503"]

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the page cannot be tried"),
]
in_one_loop = pytest_asyncio.fixture(loop_scope="module")
"""All that is asynchronous here lives in the event loop of the one Chromium."""


@pytest.fixture
def store(frail):
    store = Store.from_settings(Settings(redis_url=frail.url), clock=lambda: NOW)
    fill(store, shoppers(600), "shop", stats=COUNTERS)
    yield store
    store.close()


@in_one_loop
async def aiohttp_client():
    """As pytest-aiohttp's, which would begin a loop of its own for each test."""
    async with contextlib.AsyncExitStack() as stack:
        yield lambda app: stack.enter_async_context(TestClient(TestServer(app)))


@in_one_loop
async def server(serve, frail, store):
    return await serve(Settings(redis_url=frail.url, deadline_ms=5000))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium():
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()


@in_one_loop
async def browser(chromium):
    """A context of its own in the Chromium, and a failure of the test for anything the browser complains about.

    What a test expects it to complain about it adds to `context.expected`.
    """
    context = await chromium.new_context()
    complaints, context.expected = [], ["ERR_ABORTED"]
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    context.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    yield context
    for opened in chromium.contexts:
        await opened.close()
    assert [text for text in complaints if not any(part in text for part in context.expected)] == []


@in_one_loop
async def page(server, browser):
    page = await browser.new_page()
    await page.goto(str(server.make_url("/explore")))
    return page


def row(page, item):
    return page.locator(f'#neighbours > li[data-item="{item}"]')


async def choose(page, item):
    await page.get_by_label("Item", exact=True).fill(item)
    await page.get_by_role("button", name="Show", exact=True).click()


async def test_a_chosen_item_shows_its_neighbours_in_the_order_of_the_answer(page, server):
    await choose(page, TENT)
    await expect(page.get_by_role("heading", name=f"Customers who viewed {TENT} also viewed")).to_be_visible()
    answer = await (await server.get(f"/v1/similar/{TENT}?n=20")).json()
    await expect(page.locator("#neighbours .name")).to_have_text([entry["id"] for entry in answer["items"]])
    await expect(page.locator("#neighbours .count")).to_have_text(
        [str(entry["customers"]) for entry in answer["items"]]
    )
    await expect(page.locator("#rung")).to_have_text("from pairs")


async def test_it_opens_on_the_most_popular_item(page, server):
    best = (await (await server.get("/v1/popular?n=1")).json())["items"][0]["id"]
    await expect(page.locator("#heading")).to_have_text(f"Customers who viewed {best} also viewed")
    await expect(page.locator("#neighbours .count").first).to_have_text(re.compile(r"\d+"))
    await expect(page.locator('#popular [aria-current="true"] .id')).to_have_text(best)
    assert f"item={best}" in page.url
    assert await page.evaluate("history.length") == 2  # the blank page and this one: nobody has to step back twice


async def test_it_opens_on_the_first_item_there_is_but_never_over_what_is_being_typed(serve, frail, browser):
    server = await serve(Settings(redis_url=frail.url, deadline_ms=5000))
    pages = [await browser.new_page(), await browser.new_page()]
    for page in pages:
        await page.goto(str(server.make_url("/explore")))
        await expect(page.locator("#heading")).to_have_text("Pick an item")
        await expect(page.locator("#figures dd")).to_have_text([NOTHING, "0", "0", "0", "0", NOTHING])
    await pages[1].get_by_label("Item", exact=True).fill("ro")
    store = Store.from_settings(Settings(redis_url=frail.url), clock=lambda: NOW)
    await asyncio.to_thread(fill, store, shoppers(50), "later")
    store.close()
    for page in pages:
        await page.bring_to_front()  # a hidden page does not ask
        await expect(page.locator("#popular button")).not_to_have_count(0, timeout=SEEN_MS)
    await expect(pages[1].locator("#heading")).to_have_text("Pick an item")
    await expect(pages[1].get_by_label("Item", exact=True)).to_have_value("ro")
    await pages[0].bring_to_front()
    await expect(pages[0].locator("#heading")).to_contain_text("Customers who viewed")


async def test_figures_are_for_people(page):
    await expect(page.locator("#figures dt")).to_have_text(
        ["events/s", "events", "customers", "customer pairs", "dead letters", "freshness p50 / p99"]
    )
    values = page.locator("#figures dd")
    await expect(values.nth(1)).to_have_text("1,234")
    await expect(values.nth(3)).to_have_text("4,880")
    await expect(values.nth(4)).to_have_text("5")
    await expect(values.nth(5)).to_have_text(NOTHING)  # what was counted before the page was opened is not new


async def test_freshness_is_that_of_the_last_seconds(page, store):
    await expect(page.locator("#figures dd").nth(5)).to_have_text(NOTHING)
    lately = {"messages": 100, "accepted": 100, "freshness_ms:700": 97, "freshness_ms:2000": 2, "freshness_ms:7500": 1}
    await asyncio.to_thread(fill, store, [], "lately", stats=lately)
    p50, p99 = quantile(lately, 0.5), quantile(lately, 0.99)
    await expect(page.locator("#figures dd").nth(5)).to_have_text(f"{p50:g} / {p99:g} s")
    await expect(page.locator("#figures dd").first).not_to_have_text(NOTHING)
    await asyncio.to_thread(fill, store, [], "slow", stats={"messages": 100, "freshness_ms:inf": 100})
    await expect(page.locator("#figures dd").nth(5)).to_have_text("7.5 s / > 1 h")


async def test_a_pair_that_is_completed_while_the_page_is_open_appears(page, store):
    await choose(page, TENT)
    await expect(row(page, PEGS)).to_be_visible()
    await expect(row(page, FRESH)).to_have_count(0)
    before = int(await row(page, PEGS).locator(".count").inner_text())
    await page.evaluate("window.stayed = true")

    lately = [Histories(view={TENT: NOW, FRESH: NOW, PEGS: NOW}) for _ in range(40)]
    await asyncio.to_thread(fill, store, lately, "later")

    await expect(row(page, FRESH).locator(".count")).to_have_text("40", timeout=SEEN_MS)
    await expect(row(page, PEGS).locator(".count")).to_have_text(str(before + 40))
    await expect(row(page, PEGS)).to_have_class(re.compile("changed"))
    assert await page.evaluate("window.stayed")  # no reload


async def test_why_opens_the_evidence_and_keeps_it_open(page, server):
    await choose(page, TENT)
    why = page.get_by_role("button", name=f"Why {PEGS}?")
    await why.click()
    answer = await (await server.get(f"/v1/explain/{TENT}/{PEGS}")).json()
    await expect(row(page, PEGS).locator(".because")).to_contain_text(answer["text"])
    async with page.expect_response("**/v1/explain/**"):  # the next round asks again
        pass
    await expect(row(page, PEGS).locator(".because")).to_be_visible()
    await expect(why).to_have_attribute("aria-expanded", "true")
    await why.click()
    await expect(row(page, PEGS).locator(".because")).to_be_hidden()
    assert await page.locator("#list").get_attribute("data-scores") == " ".join(answer["scores"])


async def test_the_keyboard_is_enough_and_focus_survives_the_rounds(page):
    await expect(page.locator("#neighbours > li")).not_to_have_count(0)
    await page.keyboard.press("Tab")  # into the field, with all of it selected
    await page.keyboard.type(TENT)
    await page.keyboard.press("Enter")
    await expect(row(page, PEGS)).to_be_visible()
    await page.get_by_role("button", name=f"Why {PEGS}?").focus()
    await page.keyboard.press("Enter")
    await expect(row(page, PEGS).locator(".because")).to_be_visible()
    for _ in range(2):
        async with page.expect_response("**/v1/similar/**"):
            pass
    assert await page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Why {PEGS}?"
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")  # the name beside it walks on
    await expect(page.locator("#heading")).to_contain_text(PEGS)


async def test_the_view_is_in_the_address(page, server):
    await choose(page, TENT)
    await page.get_by_label("Relation").select_option("also_bought")
    await page.get_by_label("Ranking").select_option("count")
    await expect(page.locator("#heading")).to_have_text(f"Customers who bought {TENT} also bought")
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator("#heading")).to_have_text(f"Customers who bought {TENT} also bought")
    assert await other.get_by_label("Ranking").input_value() == "count"
    await page.go_back()
    await expect(page.get_by_label("Ranking")).to_have_value("llr")


async def test_what_was_chosen_last_holds_though_it_is_looked_up_after_the_first(page, browser):
    """A choice waits for the item's name to be looked up; the next one, made meanwhile, must not be lost to it."""
    await expect(page.locator("#neighbours > li")).not_to_have_count(0)
    asked, answered = asyncio.Semaphore(0), asyncio.Event()

    async def wait(route):
        asked.release()
        await answered.wait()
        await route.continue_()

    await browser.route("**/v1/items?**", wait)
    await choose(page, "no-such-thing")
    await page.get_by_label("Relation").select_option("also_bought")
    await page.get_by_label("Ranking").select_option("count")
    for _ in range(3):
        await asyncio.wait_for(asked.acquire(), SEEN_MS / 1000)
    answered.set()
    await expect(page.locator("#heading")).to_have_text("Customers who bought no-such-thing also bought")
    await expect(page.get_by_label("Ranking")).to_have_value("count")


async def test_popular_items_are_offered(page):
    await page.locator("#popular button", has_text="boots-fjell-gtx-43").click()
    await expect(page.locator("#heading")).to_contain_text("boots-fjell-gtx-43")
    assert await page.locator("#known option").count() >= 30


async def test_an_item_id_that_looks_like_markup_is_only_text(page, store):
    hostile = '"><img src=x onerror=window.broken=1>/%2F'
    await asyncio.to_thread(fill, store, [Histories(view={TENT: NOW, hostile: NOW}) for _ in range(90)], "hostile")
    await choose(page, TENT)
    name = page.locator("#neighbours .name", has_text="onerror")
    await expect(name).to_have_text(hostile)
    await name.click()
    await expect(page.locator("#heading")).to_contain_text(hostile)
    await expect(page.locator("#neighbours .name").first).to_have_text(TENT)
    assert await page.evaluate("window.broken") is None


async def test_an_unknown_item_says_so(page):
    await choose(page, "no-such-thing")
    await expect(page.locator("#rung")).to_have_text("popular items")
    await expect(page.locator("#note")).to_contain_text("most popular")


async def test_the_policy_lets_nothing_in_but_its_own_files(server):
    for path, kind in (("/explore", "text/html"), *SCRIPTS, ("/explore.css", "text/css")):
        response = await server.get(path)
        assert response.status == 200
        assert response.content_type == kind
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    html = await (await server.get("/explore")).text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?! src)", html)
    assert re.findall(r'<option value="(\w+)" data-formula', html) == ["llr", "cosine", "count"]


# What the catalogue knows


def entries():
    """Everything but the trip to the mountains has a name; two have a picture."""
    for trip, items in TRIPS.items():
        for place, item in enumerate(items):
            if trip != "climbing":
                title = item.replace("-", " ").title()
                picture = f"https://pictures.example/{item}.png" if item in (TENT, PEGS) else None
                yield Entry(
                    item,
                    title=title,
                    image="http://pictures.example/open.png" if place == 4 else picture,
                    price=place + 0.5,
                    currency="EUR",
                    brand="Nord" if place % 2 else "Syd",
                    categories=(trip,),
                    stock=0 if place == 3 else 7,
                )


@pytest.fixture
def catalogue(frail, store):
    entered = CatalogueStore.from_settings(Settings(redis_url=frail.url))
    entered.put_entries(entries(), NOW, complete=True)
    yield entered
    entered.close()


def config(more="", public='["read", "explain"]'):
    clients = "".join(
        f'[[clients]]\nname = "{name}"\nkeys = ["sha256:{hashlib.sha256(key.encode()).hexdigest()}"]\n'
        f"scopes = {scopes}\n{rate}\n"
        for (name, key), scopes, rate in zip(
            KEYS.items(), ['["read", "explain"]', '["catalogue"]', '["explain"]'], ["", "", "rate = 1"], strict=True
        )
    )
    return read(f"{more}\n[access]\npublic = {public}\n{clients}", RANKINGS)


@pytest.fixture
def start(serve, frail, store):
    """config -> a server with it on the same Redis."""
    return lambda found: serve(Settings(redis_url=frail.url, deadline_ms=5000, rankings=RANKINGS), config=found)


async def open_page(server, browser, address="", **options):
    page = await browser.new_page(**options)
    await page.goto(str(server.make_url("/explore")) + address)
    return page


async def pictures(browser):
    """Serves the pictures of the shop; the addresses that were asked for."""
    asked = []

    async def picture(route):
        asked.append(route.request.url)
        await route.fulfill(body=PIXEL, content_type="image/png")

    await browser.route("**/*.example/**", picture)
    return asked


async def test_names_pictures_prices_and_every_score_are_side_by_side(start, catalogue, browser):
    asked = await pictures(browser)
    server = await start(config())
    page = await open_page(server, browser, f"#item={TENT}")
    await expect(page.locator("#heading")).to_have_text("Customers who viewed Tent Aurora 2P also viewed")
    await expect(page.locator("#seed")).to_have_text(re.compile("tent-aurora-2p.*Syd.*€0.50"))
    await expect(row(page, PEGS).locator(".name")).to_have_text("Tent Pegs Titanium")
    await expect(row(page, PEGS).locator(".about")).to_have_text(f"{PEGS}Nord€1.50")
    await expect(row(page, PEGS).locator(".picture img")).to_have_js_property("naturalWidth", 1)
    await expect(row(page, "gas-cartridge-230g").locator(".picture")).to_have_text("G")
    names = (await page.locator("#list").get_attribute("data-scores")).split()
    assert names == ["llr", "cosine", "count", "jaccard", "count^0.5", "lift"]
    answer = await (await server.get(f"/v1/explain/{TENT}/{PEGS}")).json()
    assert set(names) == set(answer["scores"])
    for name in set(names) - {"count"}:  # that is the column of customers
        cell = row(page, PEGS).locator(f'[data-score="{name}"] .value')
        await expect(cell).to_have_text(re.compile(r"\d"))
        shown = float((await cell.inner_text()).replace(",", ""))
        assert shown == pytest.approx(answer["scores"][name], rel=0.005), name
    await row(page, PEGS).get_by_role("button", name=f"Why {PEGS}?").click()
    await expect(row(page, PEGS).locator(".because")).to_contain_text("who viewed Tent Aurora 2P and")
    # An open picture would be no secret of this page's, and the policy would not have it.
    assert set(asked) == {f"https://pictures.example/{item}.png" for item in (TENT, PEGS)}


async def test_an_item_is_found_by_its_name(start, catalogue, browser):
    await pictures(browser)
    page = await open_page(await start(config()), browser)
    await expect(page.locator("#neighbours > li")).not_to_have_count(0)
    await page.get_by_label("Item", exact=True).fill("primus")
    await expect(page.locator("#known option")).to_have_count(1)
    assert await page.locator("#known option").get_attribute("label") == "Stove Primus Lite"
    await page.keyboard.press("Enter")
    await expect(page.locator("#heading")).to_contain_text("Stove Primus Lite")
    await expect(page.get_by_label("Item", exact=True)).to_have_value("stove-primus-lite")


async def test_a_name_that_looks_like_markup_is_only_text(start, catalogue, browser):
    hostile = '<img src=x onerror="window.broken=1">'
    entry = Entry(PEGS, title=hostile, brand=hostile, image="javascript:alert(1)", url="javascript:alert(1)")
    await asyncio.to_thread(catalogue.put_entries, [entry], NOW + 1, False)
    await pictures(browser)
    page = await open_page(await start(config()), browser, f"#item={TENT}")
    await expect(row(page, PEGS).locator(".name")).to_have_text(hostile)
    await row(page, PEGS).get_by_role("button", name=f"Why {PEGS}?").click()
    await expect(row(page, PEGS).locator(".because")).to_contain_text("who viewed")
    assert await row(page, PEGS).locator("a, img").count() == 0
    assert await page.evaluate("window.broken") is None


async def test_scores_are_asked_for_a_few_at_a_time_and_only_of_rows_on_the_screen(start, browser):
    under_way, most, asked = set(), [0], []

    def begun(request):
        if "/v1/explain/" in request.url:
            under_way.add(request)
            asked.append(request.url)
            most[0] = max(most[0], len(under_way))

    browser.on("request", begun)
    browser.on("requestfinished", lambda request: under_way.discard(request))
    server = await start(config())
    page = await browser.new_page()
    await page.set_viewport_size({"width": 390, "height": 900})
    await page.goto(str(server.make_url("/explore")) + f"#item={TENT}")
    first, last = page.locator("#neighbours > li").first, page.locator("#neighbours > li").last
    await expect(first.locator('[data-score="lift"] .value')).to_have_text(re.compile(r"\d"))
    for _ in range(3):
        async with page.expect_response("**/v1/similar/**"):
            pass
    assert 1 <= most[0] <= 4
    assert len(asked) == len(set(asked)) < 20, "each once while nothing changes"
    await expect(last.locator('[data-score="lift"] .value')).not_to_have_text(re.compile(r"\d"))
    await last.scroll_into_view_if_needed()
    await expect(last.locator('[data-score="lift"] .value')).to_have_text(re.compile(r"\d"), timeout=SEEN_MS)


# Placements

PLACEMENTS = f"""
[placements.product-page]
n = 3
ranking = "count^0.5"
must_include = ["{PEGS}"]
boost = [{{ item = "stove-primus-lite", factor = 2.0 }}]
fill = true

[placements.front]
source = "popular"

[placements.rising]
source = "trending"
fill = true
"""


async def test_a_placement_can_be_chosen_and_its_rules_are_seen(start, store, browser):
    page = await open_page(await start(config(PLACEMENTS)), browser, f"#item={TENT}")
    await expect(page.locator("#neighbours > li")).not_to_have_count(0)
    offered = await page.get_by_label("Placement").locator("option").all_inner_texts()
    assert set(offered) == {"default", "product-page", "front", "rising"}
    await page.get_by_label("Placement").select_option("product-page")
    await expect(page.locator("#neighbours > li").first).to_have_attribute("data-item", PEGS)
    await expect(row(page, PEGS).locator(".label")).to_have_text("pinned")
    await expect(row(page, PEGS).locator(".number")).to_have_text(NOTHING)
    await expect(row(page, "stove-primus-lite").locator(".label")).to_have_text("boosted")
    await expect(page.get_by_label("Ranking")).to_have_value("count^0.5")
    await expect(page.locator("#columns .used")).to_have_text("count^0.5")
    await expect(page.locator("#neighbours > li.edge")).to_have_attribute("data-edge", re.compile("shows 3;"))
    assert "placement=product-page" in page.url
    few = [Histories(view={FRESH: NOW, TENT: NOW}) for _ in range(5)]
    await asyncio.to_thread(fill, store, few, "few")
    await choose(page, FRESH)
    await expect(row(page, TENT).locator(".count")).to_have_text("5", timeout=SEEN_MS)
    await expect(row(page, TENT).locator(".from")).to_be_empty()
    await expect(page.locator(".from", has_text="popular").first).to_be_visible()  # completed from another rung
    await page.get_by_label("Placement").select_option("front")
    await expect(page.locator("#heading")).to_have_text("Asked for most of late")
    await expect(page.locator("#rung")).to_have_text("popular items")
    await expect(page.get_by_role("button", name="Why", exact=False)).to_have_count(0)
    await page.locator("#neighbours .name").first.click()  # walks on where there is something to walk on
    await expect(page.locator("#heading")).to_contain_text("Customers who viewed")
    await page.get_by_label("Placement").select_option("rising")
    await expect(page.locator("#heading")).to_have_text("Asked for more of late than before")
    await expect(page.locator("#neighbours > li")).not_to_have_count(0)


# Keys


async def test_without_a_key_there_are_lists_and_with_one_there_are_reasons(start, browser):
    browser.expected += REFUSED
    server = await start(config(public='["read"]'))
    page = await open_page(server, browser, f"#item={TENT}")
    await expect(row(page, PEGS)).to_be_visible()
    await expect(page.locator("#key-form")).to_be_visible()
    await expect(page.locator("#figures div")).to_have_count(0)
    await expect(page.locator(".scores").first).to_be_hidden()
    await expect(page.get_by_role("button", name=f"Why {PEGS}?")).to_be_hidden()
    await expect(page.locator("#live-text")).to_have_text("live")
    for key, said in [("no-such-key", "Nobody has this key."), (KEYS["loader"], "not for this page")]:
        await page.get_by_label("Key").fill(key)
        await page.get_by_role("button", name="Use key").click()
        await expect(page.locator("#key-note")).to_contain_text(said)
        assert await page.evaluate("sessionStorage.length") == 0
    async with page.expect_request(lambda one: "/v1/explain/" in one.url) as explained:
        await page.get_by_label("Key").fill(KEYS["manager"])
        await page.keyboard.press("Enter")
    assert (await (await explained.value).all_headers())["x-api-key"] == KEYS["manager"]
    await expect(page.locator("#key-form")).to_be_hidden()
    await expect(page.locator("#figures dd").nth(1)).to_have_text("1,234")
    await expect(row(page, PEGS).locator('[data-score="lift"] .value')).to_have_text(re.compile(r"\d"))
    await page.reload()
    await expect(page.locator("#figures dd").nth(1)).to_have_text("1,234")
    assert await page.evaluate("[localStorage.length, document.cookie, sessionStorage.length]") == [0, "", 1]
    assert KEYS["manager"] not in page.url
    await page.get_by_role("button", name="Forget the key").click()
    await expect(page.locator("#key-form")).to_be_visible()
    assert await page.evaluate("sessionStorage.length") == 0
    await page.get_by_role("button", name="Not now").click()
    await expect(page.locator("#key-form")).to_be_hidden()
    await page.reload()
    await expect(row(page, PEGS)).to_be_visible()
    await expect(page.locator("#key-form")).to_be_hidden()


async def test_the_browser_is_never_made_to_ask_for_a_password(start, browser):
    """The server challenges with Basic; a page that answered by itself would send what the browser has kept."""
    browser.expected += REFUSED
    server = await start(config(public='["read"]'))
    context = await browser.browser.new_context(http_credentials={"username": "me", "password": KEYS["manager"]})
    page = await open_page(server, context, f"#item={TENT}")
    await expect(row(page, PEGS)).to_be_visible()
    await expect(page.locator("#key-form")).to_be_visible()
    await expect(page.locator("#figures div")).to_have_count(0)
    await context.close()


async def test_refused_routes_are_asked_once_and_a_key_that_is_taken_away_is_forgotten(start, browser):
    browser.expected += REFUSED
    server = await start(config(public='["read"]'))
    refused = []
    browser.on("response", lambda answer: refused.append(answer.url) if answer.status in (401, 403) else None)
    page = await open_page(server, browser, f"#item={TENT}")
    await expect(page.locator("#key-form")).to_be_visible()
    before = None
    for _ in range(3):
        async with page.expect_response("**/v1/similar/**"):
            pass
        before = before or len(refused)
    assert len(refused) == before
    await page.evaluate("sessionStorage.setItem('varde-key', 'of-last-year')")
    await page.reload()
    await expect(page.locator("#key-note")).to_contain_text("not valid any more")
    await expect(row(page, PEGS)).to_be_visible()
    assert await page.evaluate("sessionStorage.length") == 0


async def test_where_nothing_is_public_the_page_needs_a_key_for_everything(start, browser):
    browser.expected += REFUSED
    page = await open_page(await start(config(public="[]")), browser, f"#item={TENT}")
    await expect(page.locator("#key-title")).to_have_text("This shop's answers need a key")
    await expect(page.locator("#note")).to_contain_text("need a key")
    await expect(page.get_by_role("button", name="Not now")).to_be_hidden()
    await page.get_by_label("Key").fill(KEYS["manager"])
    await page.keyboard.press("Enter")
    await expect(row(page, PEGS)).to_be_visible()
    await expect(page.locator("#popular button")).not_to_have_count(0, timeout=SEEN_MS)


async def test_a_key_with_a_low_rate_is_not_overrun(start, browser):
    browser.expected += ["status of 429", *REFUSED]
    page = await open_page(await start(config(public='["read"]')), browser, f"#item={TENT}")
    await page.get_by_label("Key").fill(KEYS["slow"])
    async with page.expect_response(lambda answer: answer.status == 429):
        await page.keyboard.press("Enter")
    answers = []
    page.on("response", lambda answer: answers.append(answer.status))
    for _ in range(4):
        async with page.expect_response(lambda answer: answer.status == 200, timeout=SEEN_MS):
            pass
    # Some are under way together when the first is refused; then none is sent until the server has said.
    assert answers.count(429) <= 4 * 4
    await expect(page.locator("#neighbours > li")).not_to_have_count(0)


# Redis away, and looks


async def test_it_says_that_redis_is_away_and_keeps_what_it_knew(page, frail, browser):
    browser.expected += AWAY
    await choose(page, TENT)
    await expect(row(page, PEGS).locator('[data-score="lift"] .value')).to_have_text(re.compile(r"\d"))
    await expect(page.locator("#stale")).to_be_hidden()
    before = await page.locator("#neighbours .name").all_inner_texts()
    os.kill(frail.pid, signal.SIGKILL)
    await expect(page.locator("#stale")).to_contain_text("Redis does not answer", timeout=SEEN_MS)
    await expect(page.locator("#live-text")).to_have_text("Redis does not answer")
    assert await page.locator("#neighbours .name").all_inner_texts() == before
    await expect(row(page, PEGS).locator('[data-score="lift"] .value')).to_have_text(re.compile(r"\d"))
    await choose(page, "never-asked-for")
    await expect(page.locator("#rung")).to_have_text("popular items", timeout=SEEN_MS)
    await expect(page.locator("#neighbours > li")).not_to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 820, 375])
async def test_it_fits_the_screen(start, catalogue, browser, width, scheme, tmp_path):
    await pictures(browser)
    server = await start(config(PLACEMENTS))
    page = await browser.new_page()
    await page.set_viewport_size({"width": width, "height": 900})
    await page.emulate_media(color_scheme=scheme)
    await page.goto(str(server.make_url("/explore")) + f"#item={TENT}&placement=product-page")
    await expect(row(page, PEGS).locator('[data-score="lift"] .value')).to_have_text(re.compile(r"\d"))
    await page.get_by_role("button", name=f"Why {PEGS}?").click()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, "scrolls sideways"
    assert len(await page.screenshot(path=tmp_path / "explore.png")) > 10_000
