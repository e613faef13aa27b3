"""The page at /explore in a real Chromium, on a real Redis that changes while it is open."""

import asyncio
import re
import shutil

import pytest
from playwright.async_api import async_playwright, expect

from varde.freshness import quantile
from varde.pairs import Histories
from varde.settings import Settings
from varde.store.sync import Store

from .outdoor import shoppers
from .world import COUNTERS, NOW, fill

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SEEN_MS = 20_000
SCRIPTS = [("/explore.js", "text/javascript"), ("/explore-figures.js", "text/javascript")]
NOTHING = "\N{EN DASH}"
TENT, PEGS, FRESH = "tent-aurora-2p", "tent-pegs-titanium", "lantern-brand-new"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the page cannot be tried")


@pytest.fixture
def store(frail):
    store = Store.from_settings(Settings(redis_url=frail.url), clock=lambda: NOW)
    fill(store, shoppers(600), "shop", stats=COUNTERS)
    yield store
    store.close()


@pytest.fixture
async def server(serve, frail, store):
    return await serve(Settings(redis_url=frail.url, deadline_ms=5000))


@pytest.fixture
async def browser():
    """A context of its own in a Chromium, and a failure of the test for anything the browser complains about."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await chromium.new_context()
        complaints = []
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        context.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
        yield context
        await chromium.close()
        assert [text for text in complaints if "ERR_ABORTED" not in text] == []


@pytest.fixture
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
    assert re.findall(r'<option value="(\w+)">', html)[-3:] == ["llr", "cosine", "count"]
