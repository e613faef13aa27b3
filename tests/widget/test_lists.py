"""What a page gets: lists by one request, as the server answers them, in the widget's cards or the shop's."""

import json
import re

import pytest
from playwright.async_api import expect

from varde.server import widget

from .shopfront import element, until

pytestmark = pytest.mark.asyncio(loop_scope="session")
TENT, STOVE = "tent-aurora-2p", "stove-primus-lite"
SHOWN = "varde-recs[state=shown]"


def cards(page, number=0):
    return page.locator("varde-recs").nth(number).locator("[part~=card]")


async def shown(page, count):
    await expect(page.locator(SHOWN)).to_have_count(count)


async def test_all_elements_of_a_page_are_asked_for_in_one_request(open_page, shop, front):
    ids = json.dumps(["a,b", STOVE])
    body = (
        element(placement="product-page", item=TENT, n=5, heading="Also viewed")
        + element(placement="cart", items=ids, cart="mug-enamel-red, tarp-ridgeline-3x3", n=3)
        + element(placement="product-page", items=f"{STOVE},{TENT}", cart="mug-enamel-red", n=2, carousel=True)
    )
    page = await open_page(shop.page(body))
    await shown(page, 3)
    assert front.asked == [
        {
            "cart": ["mug-enamel-red", "tarp-ridgeline-3x3"],
            "lang": "en",
            "placements": [
                {"id": "0", "placement": "product-page", "item": TENT, "n": 5},
                {"id": "1", "placement": "cart", "items": ["a,b", STOVE], "n": 3},
                {"id": "2", "placement": "product-page", "items": [STOVE, TENT], "n": 2},
            ],
        }
    ]
    assert front.preflights == 0, "a simple request: browsers send it without asking first"
    for number in range(3):
        items = front.answers[0]["placements"][str(number)]["items"]
        items = [one for one in items if one["url"].startswith("/")]
        assert items
        await expect(cards(page, number).locator("[part=title]")).to_have_text([one["title"] for one in items])
        for place, one in enumerate(items):
            await expect(cards(page, number).nth(place)).to_have_attribute("href", f"{shop.origin}{one['url']}")


async def test_a_price_is_written_as_the_page_is(open_page, shop, front):
    page = await open_page(shop.page(element(placement="product-page", item=TENT, n=1, currency="sek"), lang="sv-SE"))
    await shown(page, 1)
    assert (front.asked[0]["lang"], front.asked[0]["currency"]) == ("sv-SE", "SEK")
    text = await cards(page).locator("[part=price]").inner_text()
    assert re.fullmatch(r"Pris\s+[\d\s]+,00\s+kr", text.replace("\n", " ")), text


async def test_elements_of_other_currencies_are_asked_for_apart_and_more_than_a_request_takes_in_two(
    open_page, shop, front
):
    body = element(placement="product-page", currency="EUR") + element(placement="product-page", currency="SEK")
    page = await open_page(shop.page(body))
    await shown(page, 2)
    assert sorted(one["currency"] for one in front.asked) == ["EUR", "SEK"]
    front.clear()
    page = await open_page(shop.page(element(placement="product-page", n=1) * 23))
    await expect(page.locator("varde-recs[state=loading]")).to_have_count(0)
    assert sorted(len(one["placements"]) for one in front.asked) == [3, 20]


async def test_an_element_that_is_wrong_does_no_harm_to_the_others(open_page, shop, front):
    open_page.expected += ["status of 400", "not configured"]
    body = element(placement="no-such") + element(placement="product-page", item=TENT) + element(placement="worse")
    page = await open_page(shop.page(body))
    await shown(page, 1)
    await expect(page.locator("varde-recs[state=empty]")).to_have_count(2)
    assert [len(one["placements"]) for one in front.asked] == [3, 2, 1]


async def test_an_attribute_that_changes_asks_again_and_elements_that_come_later_are_asked_for(open_page, shop, front):
    page = await open_page(shop.page(element(placement="product-page", item=TENT, heading="A")))
    await shown(page, 1)
    await page.evaluate("document.querySelector('varde-recs').setAttribute('item', 'rope-spire-9.5mm-70m')")
    await until(lambda: len(front.answers) == 2, "no second question")
    wanted = [one["title"] for one in front.answers[1]["placements"]["0"]["items"]]
    await expect(cards(page).locator("[part=title]")).to_have_text(wanted)
    await page.evaluate("document.querySelector('varde-recs').setAttribute('heading', 'Another')")
    await expect(page.get_by_role("region", name="Another")).to_be_visible()
    await expect(cards(page).locator("[part=title]")).to_have_text(wanted)
    assert len(front.asked) == 2, "another heading is no other list"
    await page.evaluate(
        """for (const item of ["tent-aurora-2p", "stove-primus-lite"]) {
          const element = document.createElement("varde-recs");
          element.setAttribute("item", item);
          document.body.append(element);
        }"""
    )
    await shown(page, 3)
    assert [one.get("item") for one in front.asked[2]["placements"]] == [TENT, STOVE]


async def test_refresh_asks_for_all_again_and_moves_neither_focus_nor_scroll(open_page, shop, front):
    body = element(placement="product-page", item=TENT, carousel=True, heading="Also") + element(
        placement="cart", cart=STOVE
    )
    page = await open_page(shop.page(body))
    await shown(page, 2)
    await cards(page).nth(6).focus()
    href = await page.evaluate("document.activeElement.href")
    left = await page.evaluate("document.querySelector('[part~=list]').scrollLeft")
    assert left > 0
    await page.evaluate("document.querySelectorAll('varde-recs')[1].setAttribute('cart', 'stove-primus-lite,mug')")
    await until(lambda: len(front.answers) == 2, "the cart's change asks again")
    await page.evaluate("window.varde.push({ refresh: true })")
    await until(lambda: len(front.answers) == 3, "refresh asks again")
    await expect(page.locator("[part=section][aria-busy=false]")).to_have_count(2)
    assert len(front.asked[2]["placements"]) == 2
    assert await page.evaluate("document.activeElement.href") == href
    assert await page.evaluate("document.querySelector('[part~=list]').scrollLeft") == left


async def test_a_template_of_the_shop(open_page, shop, front):
    template = (
        '<template><article class="mine"><a data-varde-href="url" data-varde-aria-label="title">'
        '<img data-varde-src="image" data-varde-alt="title"></a><b data-varde-text="title"></b>'
        '<i data-varde-text="price"></i><u data-varde-if="because">for you</u><s data-varde-if="customers">known</s>'
        '<em data-varde-onclick="title"></em></article></template>'
    )
    page = await open_page(shop.page(element(template, placement="product-page", item=TENT, n=3)))
    await shown(page, 1)
    items = front.answers[0]["placements"]["0"]["items"]
    await expect(page.locator(".mine b")).to_have_text([one["title"] for one in items])
    await expect(page.locator(".mine img").first).to_have_attribute("alt", items[0]["title"])
    await expect(page.locator(".mine a").first).to_have_attribute("href", f"{shop.origin}{items[0]['url']}")
    await expect(page.locator(".mine i").first).to_contain_text("€")
    await expect(page.locator(".mine s")).to_have_count(sum(one["customers"] is not None for one in items))
    await expect(page.locator("[onclick]")).to_have_count(0)
    await expect(page.locator("template")).to_have_count(1)


async def test_slots_are_the_shops_own_markup(open_page, shop):
    slots = '<h3 slot="heading">Our <em>own</em></h3><a slot="footer" href="/all">Show all</a><p slot="empty">None</p>'
    page = await open_page(shop.page(element(slots, placement="product-page", item=TENT)))
    await shown(page, 1)
    await expect(page.get_by_role("region", name="Our own")).to_be_visible()
    await expect(page.get_by_role("link", name="Show all")).to_be_visible()
    await expect(page.get_by_text("None", exact=True)).to_be_hidden()
    last = await page.evaluate("document.querySelector('[part=section]').lastElementChild.textContent")
    assert last == "Show all"


async def test_no_address_but_http_gets_into_a_page_and_no_text_becomes_markup(open_page, shop, front):
    hostile = "<img src=x onerror=window.broken=1>"
    page = await open_page(shop.page(element(placement="product-page", items=TENT, n=20, heading=hostile)))
    await shown(page, 1)
    items = front.answers[0]["placements"]["0"]["items"]
    assert "mug-enamel-red" in [one["id"] for one in items], "the one with a hostile address is in the answer"
    await expect(cards(page)).to_have_count(len(items) - 1)
    assert await page.evaluate("[...document.links].filter(({ protocol }) => protocol !== 'http:').length") == 0
    await expect(page.get_by_role("heading", name=hostile)).to_be_visible()
    assert await page.evaluate("window.broken") is None


async def test_what_has_no_picture_has_a_letter(open_page, shop):
    page = await open_page(shop.page(element(placement="product-page", items=TENT, n=20)))
    await shown(page, 1)
    pillow = page.locator("[part~=card]", has_text="Pillow inflatable")
    await expect(pillow.locator("[part=letter]")).to_have_text("P")
    await expect(pillow.locator("img")).to_have_count(0)


async def test_the_fixed_version_is_taken_with_its_integrity_and_another_one_is_not(open_page, shop, front):
    src = f"{shop.front}/widget/{widget.SCRIPT.hash}/varde-recs.js"
    body = element(placement="product-page", item=TENT)
    page = await open_page(shop.page(body, src=src, integrity=widget.SCRIPT.integrity))
    await shown(page, 1)
    open_page.expected += ["integrity"]
    front.clear()
    page = await open_page(shop.page(body, src=src, integrity=widget.SCRIPT.integrity.replace("sha384-", "sha384-AA")))
    assert await page.evaluate("customElements.get('varde-recs')") is None
    assert front.asked == []


async def test_a_page_that_has_the_script_twice_has_one_widget(open_page, shop, front):
    again = f'<script async src="{shop.front}/widget/varde-recs.js?again" crossorigin></script>'
    page = await open_page(shop.page(element(placement="product-page", item=TENT), head=again))
    await shown(page, 1)
    assert len(front.asked) == 1


async def test_the_shops_style_is_stronger_and_sees_every_part(open_page, shop):
    page = await open_page(shop.page(element(placement="product-page", item=TENT, heading="A", carousel=True, n=8)))
    await shown(page, 1)
    parts = await page.evaluate(
        "[...new Set([...document.querySelectorAll('varde-recs [part]')].flatMap(node => [...node.part]))].sort()"
    )
    assert parts == [
        "brand", "button", "card", "controls", "header", "heading", "icon", "image", "item", "label", "list", "next",
        "picture", "previous", "price", "section", "title",
    ]  # fmt: skip
    colour = await page.evaluate(
        """() => {
          const sheet = [...document.styleSheets][0];
          sheet.insertRule("varde-recs [part~=title] { color: rgb(1, 2, 3); -webkit-line-clamp: 3 }");
          return getComputedStyle(document.querySelector("[part~=title]")).color;
        }"""
    )
    assert colour == "rgb(1, 2, 3)"
