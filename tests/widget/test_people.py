"""For everybody: by keyboard, by screen reader, from right to left, on a small screen, without motion."""

import asyncio

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from .shopfront import element

pytestmark = pytest.mark.asyncio(loop_scope="session")
TENT, STOVE = "tent-aurora-2p", "stove-primus-lite"
BODY = (
    "<main><h1>A tent</h1>"
    + element(placement="product-page", item=TENT, heading="Also viewed", carousel=True)
    + element(placement="cart", items=STOVE, class_="grid", n=4)
    + "</main>"
)
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
FOCUS = "document.activeElement.querySelector('[part=title]')?.textContent ?? document.activeElement.ariaLabel"
LEFT = "document.querySelector('[part~=list]').scrollLeft"


async def scrolled(page, sign):
    """The page's policy forbids what Playwright would wait with."""
    async with asyncio.timeout(30):
        while await page.evaluate(LEFT) * sign <= 0:
            await asyncio.sleep(0.02)


async def shown(page):
    await expect(page.locator("varde-recs[state=shown]")).to_have_count(2)
    await page.wait_for_load_state("networkidle")


def described(found):
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]]


@pytest.mark.parametrize(("state", "width"), [("loading", 1180), ("shown", 320), ("shown", 1180), ("empty", 1180)])
async def test_axe_finds_nothing(open_page, shop, front, width, state):
    body = BODY.replace("product-page", "nothing").replace("cart", "nothing") if state == "empty" else BODY
    if state == "loading":
        front.gate.clear()
    page = await open_page(shop.page(body), viewport={"width": width, "height": 900}, reduced_motion="reduce")
    await expect(page.locator(f"varde-recs[state={state}]")).to_have_count(2)
    found = await Axe().run(page, options=AXE)
    assert described(found) == []
    assert len(found.response["passes"]) > 15, "it has looked"


async def test_axe_would_find_something(open_page, shop):
    template = '<template><img data-varde-src="image"><a data-varde-href="url"></a></template>'
    page = await open_page(shop.page(f"<main><h1>A</h1>{element(template, item=TENT)}</main>"))
    await expect(page.locator("varde-recs[state=shown]")).to_have_count(1)
    assert {one[0] for one in described(await Axe().run(page, options=AXE))} >= {"image-alt", "link-name"}


async def test_a_screen_reader_hears_a_named_region_with_a_list_of_links(open_page, shop, front):
    page = await open_page(shop.page(BODY))
    await shown(page)
    region = page.get_by_role("region", name="Also viewed")
    items = [one for one in front.answers[0]["placements"]["0"]["items"] if one["url"].startswith("/")]
    await expect(region.get_by_role("listitem")).to_have_count(len(items))
    first = items[0]
    name = f"{first['brand']} {first['title']} Price €{first['price']:.2f}"
    await expect(region.get_by_role("link", name=name)).to_have_count(1)
    await expect(page.get_by_role("region", name="Recommended")).to_be_visible()
    await expect(region.locator("img[alt='']")).not_to_have_count(0)  # the name is beside it, in the same link
    for one in await region.get_by_role("button").all():
        box = await one.bounding_box()
        assert min(box["width"], box["height"]) >= 44


async def test_the_keyboard_is_enough(open_page, shop):
    page = await open_page(shop.page(BODY))
    await shown(page)
    titles = await page.locator("varde-recs").first.locator("[part=title]").all_inner_texts()
    await page.keyboard.press("Tab")
    assert await page.evaluate(FOCUS) == "Previous"
    await page.keyboard.press("Tab")
    assert await page.evaluate(FOCUS) == "Next"
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    buttons = page.get_by_role("button")
    await expect(buttons.first).to_have_attribute("aria-disabled", "true")
    await page.keyboard.press("Enter")
    await expect(buttons.first).to_have_attribute("aria-disabled", "false")
    assert await page.evaluate(FOCUS) == "Next"
    for _ in range(3):
        await page.keyboard.press("Enter")
    await expect(buttons.nth(1)).to_have_attribute("aria-disabled", "true")  # the end, and the focus is still here
    assert await page.evaluate(FOCUS) == "Next"
    await page.keyboard.press("Tab")
    assert await page.evaluate(FOCUS) == titles[0]
    for _ in titles[1:]:
        await page.keyboard.press("ArrowRight")
    assert await page.evaluate(FOCUS) == titles[-1]
    await expect(page.locator("[part~=card]").nth(len(titles) - 1)).to_be_in_viewport(ratio=0.9)
    await page.keyboard.press("ArrowRight")  # the last one
    await page.keyboard.press("ArrowLeft")
    assert await page.evaluate(FOCUS) == titles[-2]
    href = await page.evaluate("document.activeElement.href")
    await page.keyboard.press("Enter")
    await page.wait_for_url(href)


async def test_from_right_to_left_everything_is_the_other_way_round(open_page, shop):
    page = await open_page(shop.page(BODY, lang="ar", dir_="rtl"))
    await shown(page)
    await expect(page.locator("[part=title]").first).to_contain_text("منتج")
    region = page.get_by_role("region", name="Also viewed")
    lefts = [(await card.bounding_box())["x"] for card in await region.locator("[part~=card]").all()]
    assert lefts == sorted(lefts, reverse=True)
    await page.get_by_role("button", name="التالي").click()
    await scrolled(page, -1)
    await expect(page.get_by_role("button", name="السابق")).to_have_attribute("aria-disabled", "false")
    flipped = await page.evaluate("getComputedStyle(document.querySelector('[part=icon]')).transform")
    assert flipped == "matrix(-1, 0, 0, 1, 0, 0)"
    await region.locator("[part~=card]").nth(2).focus()
    await page.keyboard.press("ArrowLeft")
    fourth = await region.locator("[part=title]").nth(3).inner_text()
    assert await page.evaluate(FOCUS) == fourth


@pytest.mark.parametrize("width", [320, 390])
async def test_a_phone_scrolls_in_one_direction_only(open_page, shop, width):
    page = await open_page(shop.page(BODY), viewport={"width": width, "height": 640}, has_touch=True, is_mobile=True)
    await shown(page)
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    boxes = [await card.bounding_box() for card in await page.locator("varde-recs.grid [part~=card]").all()]
    assert len({box["x"] for box in boxes}) == 2, "two columns"
    seen = page.locator("varde-recs[carousel] [part~=card]")
    await expect(seen.nth(1)).to_be_in_viewport(ratio=1)
    await expect(seen.nth(2)).to_be_in_viewport()  # a part of it, which says that there is more


async def test_text_of_twice_the_size_is_not_cut_off_at_the_side(open_page, shop):
    page = await open_page(shop.page(BODY), viewport={"width": 640, "height": 900})
    await shown(page)
    await page.evaluate("document.styleSheets[0].insertRule('html { font-size: 200% }')")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 640
    wide = (
        "[...document.querySelectorAll('[part=price]')].filter((one) => one.scrollWidth > one.clientWidth + 1).length"
    )
    assert await page.evaluate(wide) == 0


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
async def test_motion_only_for_who_wants_it(open_page, shop, front, motion):
    front.gate.clear()
    page = await open_page(shop.page(BODY), reduced_motion=motion)
    await expect(page.locator("varde-recs[state=loading]")).to_have_count(2)
    wanted = "none" if motion == "reduce" else "varde-wait"
    name = "getComputedStyle(document.querySelector('[part~=skeleton]')).animationName"
    assert await page.evaluate(name) == wanted
    front.gate.set()
    await shown(page)
    jumps = f"""() => {{
      document.querySelector("[part~=next]").click();
      return {LEFT};
    }}"""
    moved = await page.evaluate(jumps)
    assert (moved > 0) == (motion == "reduce"), "at once, or by and by"
    await scrolled(page, 1)


async def test_forced_colours_keep_the_buttons(open_page, shop):
    page = await open_page(shop.page(BODY), forced_colors="active")
    await shown(page)
    border = await page.evaluate("getComputedStyle(document.querySelector('[part~=next]')).borderTopStyle")
    assert border == "solid"
