"""The page at /status in a real Chromium: an hour that is well, one that is not, Redis gone and back, and a key."""

import contextlib
import dataclasses
import hashlib
import itertools
import re

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from varde.config import read
from varde.server import status
from varde.server.page import FILES
from varde.store.vitals import Memory

from . import test_page
from .status_world import EVERY, GIB, hour
from .test_page import CHROMIUM, REFUSED, SEEN_MS
from .world import NOW

aiohttp_client, chromium, browser = test_page.aiohttp_client, test_page.chromium, test_page.browser
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the page cannot be tried"),
]
KEY = "key-of-the-manager"
PAGE = [path for path in FILES if path.startswith("/status")]
RANKINGS = ("llr", "cosine")
TEXT = """
[placements.product-page]
[experiments.cosine-1]
placements = ["product-page"]
start = 2024-09-20
end = 2024-10-18
[[experiments.cosine-1.variations]]
key = "control"
[[experiments.cosine-1.variations]]
key = "cosine"
ranking = "cosine"
[access]
"""
OPEN = TEXT + 'public = ["read", "explain"]\n'
CLOSED = f"""{TEXT}public = ["read"]
[[clients]]
name = "manager"
keys = ["sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"]
scopes = ["explain"]
"""


def bad():
    """Redis went 220 seconds ago, nearly full; the last night was refused."""
    seen = hour()
    for _ in range(44):
        seen.at += EVERY
        seen.stream.add(seen.at, None)
        seen.server.add(seen.at, {name: n * 1.0001 for name, n in seen.server.last.items()})
    seen.away_since, seen.stale = NOW - 220_000, True
    memory = {"0": Memory(int(3.8 * GIB), 4 * GIB)}
    drift = {"also_viewed": 0.021, "also_bought": 0.003}
    seen.vitals = dataclasses.replace(seen.vitals, memory=memory, drift=drift, refusals=1)
    return seen


@pytest_asyncio.fixture(loop_scope="module")
async def start(serve, settings):
    """configuration, what was seen (None: what there is to see) -> a server."""

    async def started(text=OPEN, seen=None):
        client = await serve(settings, config=read(text, RANKINGS), rankings=RANKINGS)
        if seen is not None:
            show(client, seen)
        return client

    return started


def show(client, seen):
    """From now on this is what was seen."""
    watch = client.app[status.TOLD]._watch
    watch.look = lambda vitals: None
    seen.looks = watch.seen.looks + 1
    watch.seen = seen


@contextlib.asynccontextmanager
async def opened(browser, server):
    page = await browser.new_page()
    await page.set_viewport_size({"width": 1280, "height": 900})
    await page.goto(str(server.make_url("/status")))
    yield page
    await page.close()


async def accessible(page):
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def asked_again(page):
    """At once, as when somebody comes back to the page."""
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def figure(page, title):
    return page.locator(".figure", has=page.get_by_role("heading", name=title, exact=True))


async def test_it_fits_every_screen_and_axe_finds_nothing(start, browser, tmp_path):
    server = await start(seen=bad())
    async with opened(browser, server) as page:
        await expect(page.locator("#state")).to_have_text("Needs somebody: 2 now, 2 today")
        await page.get_by_text("The plots as a table").click()
        for width, scheme in itertools.product([1280, 700, 320], ["light", "dark"]):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.emulate_media(color_scheme=scheme)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, "scrolls sideways"
            await accessible(page)
            assert len(await page.screenshot(path=tmp_path / f"status-{width}-{scheme}.png")) > 20_000


async def test_an_hour_that_is_well(start, browser):
    server = await start(seen=hour())
    async with opened(browser, server) as page:
        await expect(page.locator("#state")).to_have_text("All is well")
        await expect(page.locator("#findings > li")).to_have_count(0)
        answer = await (await server.get("/v1/status")).json()
        await expect(figure(page, "Freshness").locator(".value")).to_have_text(re.compile(r"^1\.\ds$"))
        await expect(figure(page, "Freshness").locator(".more")).to_contain_text("last counted just now")
        rate = f"{answer['now']['events_per_s']:.0f}/s"
        await expect(figure(page, "Events counted").locator(".value")).to_have_text(rate)
        await expect(figure(page, "Fallbacks").locator(".value")).to_have_text(re.compile(r"^[34]\.\d\d%$"))
        await expect(page.locator("#of-night")).to_contain_text(
            "Ended 4 Oct, 02:24 UTC, 10 h ago. Nothing was refused."
        )
        await expect(page.locator("#of-night tbody tr")).to_have_count(4)
        await expect(page.locator("#of-memory")).to_contain_text("2.28 GiB of 4 GiB: 57.0 % used.")
        letters = page.locator("#of-letters tbody tr").first
        await expect(letters).to_have_text(re.compile(r"^not json.*\d+\d+$"))
        await expect(page.locator("#of-experiments caption")).to_contain_text("cosine-1")
        await expect(page.locator("#whose")).to_have_text("The 4 processes of this server together")
        await expect(page.locator("#live-text")).to_have_text("live")


async def test_every_plot_has_its_words_and_its_keys(start, browser):
    server = await start(seen=hour())
    async with opened(browser, server) as page:
        plots = page.get_by_role("slider")
        await expect(plots).to_have_count(9)
        plot = page.get_by_role("slider", name="Events counted per second")
        await expect(plot).to_have_accessible_description(
            re.compile(r"over the last 60 minutes: lowest \d+/s, median \d+/s, highest \d+/s; now \d+/s\.")
        )
        await plot.focus()
        await page.keyboard.press("Home")
        await expect(plot).to_have_attribute("aria-valuenow", "0")
        await expect(plot).to_have_attribute("aria-valuetext", re.compile(r"^11:00:30  \d+/s UTC$"))
        await page.keyboard.press("PageUp")
        await page.keyboard.press("ArrowRight")
        await expect(plot).to_have_attribute("aria-valuenow", "11")
        await expect(plot.locator(".read")).not_to_be_empty()
        await page.keyboard.press("Escape")
        await expect(plot.locator(".read")).to_be_empty()
        await plot.hover()
        await expect(plot.locator(".read")).to_have_text(re.compile(r"^11:\d\d:\d\d  \d+/s$"))
        assert await plot.locator("rect.hole").count() == 1, "the time without an answer"
        for each in await plots.all():
            assert re.search(r"\d", await each.get_attribute("aria-valuetext"))


async def test_the_last_quarter_of_an_hour(start, browser):
    server = await start(seen=hour())
    async with opened(browser, server) as page:
        plot = figure(page, "Requests")
        await expect(plot.locator(".axis")).to_have_text("60 min ago30now")
        await page.get_by_role("radio", name="60 min").focus()
        await page.keyboard.press("ArrowLeft")
        await expect(plot.locator(".axis")).to_have_text("15 min ago7.5now", timeout=SEEN_MS)
        await expect(page.get_by_role("slider", name="Requests per second")).to_have_attribute("aria-valuemax", "89")


async def test_what_is_not_well_is_said_with_what_to_do_and_passes(start, browser):
    server = await start(seen=bad())
    async with opened(browser, server) as page:
        first = page.locator("#findings > li").first
        await expect(first).to_have_attribute("data-alert", "RedisDown")
        await expect(first).to_contain_text("now")
        await expect(first).to_contain_text(
            "Redis away since 11:56:20 UTC. Lists come from memory; nothing is counted."
        )
        await expect(first.locator("code")).to_have_text("docs/runbook.md#redisdown")
        await expect(page.locator("#live-text")).to_have_text("live; Redis is away")
        await expect(figure(page, "Events counted").locator(".value")).to_have_text("\N{EN DASH}")
        await expect(page.locator("#of-letters")).to_contain_text("not json")
        await expect(page.locator("td.high")).to_have_text("2.10 %")
        show(server, hour())
        await asked_again(page)
        await expect(page.locator("#state")).to_have_text("All is well", timeout=SEEN_MS)
        await expect(page.locator("#findings > li")).to_have_count(0)


async def test_a_server_that_does_not_answer(start, browser):
    server = await start(seen=hour())
    async with opened(browser, server) as page:
        await expect(page.locator("#state")).to_have_text("All is well")
        browser.expected += ["ERR_FAILED"]
        await page.route("**/v1/status*", lambda route: route.abort())
        await asked_again(page)
        await expect(page.locator("#state")).to_have_text("The server does not answer this page", timeout=SEEN_MS)
        await expect(page.locator("#live-text")).to_contain_text("no answer; what you see is from")
        await page.unroute("**/v1/status*")
        await asked_again(page)
        await expect(page.locator("#state")).to_have_text("All is well", timeout=SEEN_MS)


async def test_what_there_really_is_to_see(start, browser):
    """Nothing was put in its place: a Redis that has counted, and no bound."""
    async with opened(browser, await start()) as page:
        await expect(page.locator("#state")).to_have_text("Needs somebody: 1 today")
        await expect(page.locator("#findings")).to_contain_text("no maxmemory")
        await expect(page.locator("#of-letters tbody tr")).to_have_count(2)
        await expect(page.locator("#of-night")).to_contain_text("No night was compared yet.")
        await expect(page.locator("#of-memory")).to_contain_text("without a bound")


async def test_figures_need_a_key_which_the_page_asks_for(start, browser):
    browser.expected += REFUSED
    server = await start(CLOSED, hour())
    async with opened(browser, server) as page:
        await expect(page.get_by_text("These figures need a key")).to_be_visible()
        await expect(page.locator("#all")).to_be_hidden()
        await accessible(page)
        await page.get_by_label("Key", exact=True).fill("nobody's")
        await page.get_by_role("button", name="Use key").click()
        await expect(page.locator("#key-note")).to_have_text("Nobody has this key.")
        await page.get_by_label("Key", exact=True).fill(KEY)
        await page.get_by_role("button", name="Use key").click()
        await expect(page.locator("#state")).to_have_text("All is well", timeout=SEEN_MS)
        await expect(page.locator("#key-form")).to_be_hidden()
        await page.get_by_role("button", name="Forget the key").click()
        await expect(page.locator("#all")).to_be_hidden(timeout=SEEN_MS)


async def test_names_are_never_markup(start, browser):
    server = await start(seen=None)
    seen = hour()
    seen.vitals = dataclasses.replace(seen.vitals, drift={"<img src=x onerror=alert(1)>": 0.5})
    show(server, seen)
    async with opened(browser, server) as page:
        await expect(page.locator("#findings")).to_contain_text("<img src=x onerror=alert(1)>: live and nightly")
        assert await page.locator("img").count() == 0


async def test_the_policy_lets_nothing_in_but_its_own_files(start):
    server = await start()
    for path in PAGE:
        response = await server.get(path)
        assert (response.status, response.content_type) == (200, FILES[path][1])
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        text = await response.text()
        assert not re.search(r"https?://(?!www\.w3\.org)", text), "another host"
    html = await (await server.get("/status")).text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?! src)", html)
