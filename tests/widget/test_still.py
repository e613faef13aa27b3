"""Nothing moves: whatever the server does, the page under the widget stays where it is."""

import pytest
from playwright.async_api import expect

from .shopfront import SHIFTS, element, until

pytestmark = pytest.mark.asyncio(loop_scope="session")
TENT = "tent-aurora-2p"
BELOW = '<p id="below">What stands below.</p>'


async def shifts(page):
    """Their sum, once the browser has reported what it has painted."""
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return sum(await page.evaluate("window.shifts"))


@pytest.mark.parametrize("looks", [{"carousel": True}, {"class_": "grid", "n": 8}])
@pytest.mark.parametrize("width", [320, 1180])
async def test_an_answer_moves_nothing(open_page, shop, front, looks, width):
    front.script_delay_s = 0.3  # after the first paint
    front.gate.clear()
    body = element(placement="product-page", item=TENT, heading="Also viewed", **looks) + BELOW
    page = await open_page(shop.page(body), script=SHIFTS, viewport={"width": width, "height": 1400})
    await expect(page.locator("varde-recs[state=loading]")).to_have_count(1)
    before = await page.locator("varde-recs").bounding_box()
    assert await shifts(page) == 0
    front.gate.set()
    await expect(page.locator("varde-recs[state=shown]")).to_have_count(1)
    await page.wait_for_load_state("networkidle")
    assert await page.locator("varde-recs").bounding_box() == before
    assert await shifts(page) == 0


async def test_the_measure_sees_a_page_that_reserves_no_height(open_page, shop, front):
    front.script_delay_s = 0.5
    body = f'<div id="none">{element(placement="product-page", item=TENT)}</div>{BELOW}'
    page = await open_page(shop.page(body.replace("<varde-recs", '<varde-recs class="bare"')), script=SHIFTS)
    await expect(page.locator("varde-recs[state=shown]")).to_have_count(1)
    assert await shifts(page) > 0


@pytest.mark.parametrize("how", ["slow", "dead", "empty"])
async def test_without_an_answer_the_place_stays_empty_and_nothing_moves(open_page, shop, front, how):
    open_page.expected += ["ERR_CONNECTION_REFUSED"] if how == "dead" else []
    front.script_delay_s = 0.2
    if how == "slow":
        front.gate.clear()
    placement = "nothing" if how == "empty" else "product-page"
    said = {"server": shop.dead} if how == "dead" else {"timeout": 400} if how == "slow" else {}
    body = element(placement=placement, item=TENT, heading="Also viewed", carousel=True) + BELOW
    page = await open_page(shop.page(body, **said), script=SHIFTS)
    before = await page.locator("#below").bounding_box()
    await expect(page.locator("varde-recs[state=empty]")).to_have_count(1)
    await expect(page.get_by_text("Also viewed")).to_be_hidden()
    await expect(page.locator("varde-recs")).not_to_have_attribute("hidden", "")
    assert await page.locator("#below").bounding_box() == before
    await expect(page.locator("[part=card]:visible")).to_have_count(0)
    assert await shifts(page) == 0


async def test_a_dead_server_costs_a_page_no_more_than_its_timeout(open_page, shop, front):
    front.gate.clear()
    url = shop.page(element(placement="product-page", item=TENT), timeout=400)
    page = await open_page(url, frozen=True)
    await until(lambda: front.asked, "asked")
    await page.clock.run_for(399)
    await expect(page.locator("varde-recs[state=loading]")).to_have_count(1)
    await page.clock.run_for(2)
    await expect(page.locator("varde-recs[state=empty]")).to_have_count(1)


async def test_an_empty_place_below_the_screen_is_taken_away(open_page, shop):
    body = f'<div class="tall"></div>{element(placement="nothing", heading="Also")}{BELOW}'
    page = await open_page(shop.page(body), script=SHIFTS)
    await expect(page.locator("varde-recs")).to_have_attribute("hidden", "")
    await expect(page.locator("varde-recs")).to_be_hidden()
    assert await shifts(page) == 0


async def test_an_empty_place_that_is_seen_is_taken_away_once_it_is_not(open_page, shop):
    body = element(placement="nothing", heading="Also") + '<div class="tall"></div>'
    page = await open_page(shop.page(f'<div class="near"></div>{body}'), viewport={"width": 600, "height": 400})
    await expect(page.locator("varde-recs[state=empty]")).to_have_count(1)
    await expect(page.locator("varde-recs")).not_to_have_attribute("hidden", "")
    await page.evaluate("document.querySelector('.near').style.height = '200vh'")  # it is below the screen now
    await expect(page.locator("varde-recs")).to_have_attribute("hidden", "")


async def test_what_the_shop_has_for_an_empty_list_takes_its_place(open_page, shop, front):
    front.script_delay_s = 0.2
    body = element(
        '<p slot="empty" hidden>Look at <a href="/all">all tents</a></p>',
        placement="nothing",
        heading="Also",
        carousel=True,
    )
    page = await open_page(shop.page(body + BELOW), script=SHIFTS)
    await expect(page.get_by_role("link", name="all tents")).to_be_visible()
    await expect(page.get_by_text("Also", exact=True)).to_be_hidden()
    assert await shifts(page) == 0


async def test_a_refresh_without_an_answer_leaves_the_list(open_page, shop, front):
    page = await open_page(shop.page(element(placement="product-page", item=TENT)), script=SHIFTS)
    await expect(page.locator("varde-recs[state=shown]")).to_have_count(1)
    front.gate.clear()
    await page.evaluate("window.varde.push({ timeout: 300, refresh: true })")
    await until(lambda: len(front.asked) == 2, "asked")
    await expect(page.locator("[part=section][aria-busy=false]")).to_have_count(1)
    await expect(page.locator("varde-recs[state=shown]")).to_have_count(1)
    await page.evaluate("document.querySelector('varde-recs').setAttribute('item', 'mug')")  # a list of another product
    await expect(page.locator("varde-recs[state=empty]")).to_have_count(1)
    assert await shifts(page) == 0
