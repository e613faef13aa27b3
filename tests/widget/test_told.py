"""What is told of shoppers: nothing before they consent; then what they saw for a second, and what they chose."""

import json

import pytest
from playwright.async_api import expect

from .shopfront import WRITE_KEY, element, until

pytestmark = pytest.mark.asyncio(loop_scope="session")
TENT = "tent-aurora-2p"
ANONYMOUS, KNOWN = "8d4f6a1e-0c1f-4f43-9d3a-5a2f7f1f4c11", "jane-17"
CONSENT = "window.varde = window.varde || []; window.varde.push({ consent: true });"
READS = """
window.reads = [];
const own = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
function get() { window.reads.push("cookie"); return own.get.call(this); }
Object.defineProperty(Document.prototype, "cookie", { ...own, get });
const getItem = Storage.prototype.getItem;
Storage.prototype.getItem = function (name) { window.reads.push(name); return getItem.call(this, name); };
"""
ANALYTICS = """
window.tracked = [];
window.analytics = {
  initialized: true,
  track: (event, properties) => window.tracked.push({ event, properties }),
  user: () => ({ id: () => "lib-user", anonymousId: () => "lib-device" }),
};
"""
LATE = (
    ANALYTICS
    + """
window.waiting = [];
window.analytics.track = (event, properties) => {
  window.tracked.push({ event, properties });
  return new Promise((resolve, reject) => window.waiting.push({ resolve, reject }));
};
window.went = [];  // every page that is gone to, known at once
navigation.addEventListener("navigate", ({ destination }) => window.went.push(destination.url));
addEventListener("click", (event) => { window.last = event; }, true);
"""
)
LIST = element(placement="product-page", item=TENT, n=4, heading="Also viewed")
COOKIES = (("ajs_anonymous_id", ANONYMOUS), ("ajs_user_id", KNOWN))


async def shown(page, count=1):
    await expect(page.locator("varde-recs[state=shown]")).to_have_count(count)


async def seen(page):
    """Let the browser say what is visible, and a second pass."""
    await page.evaluate("new Promise((done) => new IntersectionObserver(done).observe(document.body))")
    await page.clock.run_for(1000)
    await page.clock.run_for(1000)


async def test_without_consent_no_id_is_read_and_nothing_is_told(open_page, shop, front):
    url = shop.page(LIST, write_key=WRITE_KEY)
    page = await open_page(url, script=READS + ANALYTICS, cookies=COOKIES, frozen=True)
    await shown(page)
    await seen(page)
    await page.locator("[part~=card]").first.click()
    await page.wait_for_url("**/p/**")
    assert [set(one) for one in front.asked] == [{"lang", "placements"}]
    page = await open_page(url, script=READS + ANALYTICS, cookies=COOKIES, frozen=True)
    await shown(page)
    await seen(page)
    assert await page.evaluate("window.reads") == []
    assert await page.evaluate("window.tracked") == []
    assert front.told == []


@pytest.mark.parametrize("form", [ANONYMOUS, f"%22{ANONYMOUS}%22"], ids=["as it is", "quoted"])
async def test_with_consent_segments_ids_are_asked_with(open_page, shop, front, form):
    cookies = (("ajs_anonymous_id", form), ("ajs_user_id", "00123"))
    page = await open_page(shop.page(LIST, before=CONSENT), cookies=cookies)
    await shown(page)
    assert (front.asked[0]["aid"], front.asked[0]["uid"]) == (ANONYMOUS, "00123")


async def test_ids_that_are_only_in_the_storage_are_found_and_ones_that_are_no_ids_are_left_out(open_page, shop, front):
    stored = f"""if (location.protocol === "http:") {{ localStorage.setItem("ajs_anonymous_id", '"{ANONYMOUS}"');
      localStorage.setItem("ajs_user_id", JSON.stringify("x".repeat(300))); }}"""
    page = await open_page(shop.page(LIST, before=CONSENT), script=stored)
    await shown(page)
    assert front.asked[0]["aid"] == ANONYMOUS
    assert "uid" not in front.asked[0]


async def test_consent_that_comes_later_asks_again_and_withdrawn_it_does_too(open_page, shop, front):
    page = await open_page(shop.page(LIST, write_key=WRITE_KEY), cookies=COOKIES)
    await shown(page)
    await page.evaluate("window.varde.consent(true)")
    await until(lambda: len(front.answers) == 2, "with ids")
    await page.evaluate("window.varde.consent(true)")  # nothing new
    await until(lambda: front.told, "seen for a second")
    await page.evaluate("window.varde.consent(false)")
    await until(lambda: len(front.answers) == 3, "without ids")
    assert [one.get("aid") for one in front.asked] == [None, ANONYMOUS, None]
    assert [one["properties"]["request_id"] for one in front.told] == [front.answers[1]["request_id"]]


async def test_what_was_half_visible_for_a_second_is_told_once(open_page, shop, front):
    body = LIST + f'<div class="tall"></div>{element(placement="cart", items=TENT, n=2)}'
    url = shop.page(body, before=CONSENT, write_key=WRITE_KEY)
    page = await open_page(url, cookies=COOKIES, frozen=True)
    await shown(page, 2)
    await page.evaluate("new Promise((done) => new IntersectionObserver(done).observe(document.body))")
    await page.clock.run_for(999)
    await page.clock.run_for(0)
    assert front.told == []
    await page.clock.run_for(1)
    await page.clock.run_for(500)
    await until(lambda: front.told, "the first list")
    answer = front.answers[0]
    one = answer["placements"]["0"]
    message = front.told[0]
    assert message["properties"] == {
        "list_id": "product-page",
        "request_id": answer["request_id"],
        "experiment": None,
        "variation": None,
        "relation": one["relation"],
        "ranking": one["ranking"],
        "rung": one["rung"],
        "products": [{"product_id": item["id"], "position": place} for place, item in enumerate(one["items"], 1)],
    }
    assert (message["type"], message["event"]) == ("track", "Product List Viewed")
    assert (message["anonymousId"], message["userId"]) == (ANONYMOUS, KNOWN)
    assert message["context"]["page"]["url"] == url
    assert len(message["messageId"]) <= 100
    assert front.batches[0]["writeKey"] == WRITE_KEY
    assert front.batches[0]["content_type"] == "text/plain"
    await page.evaluate("document.querySelectorAll('varde-recs')[1].scrollIntoView()")
    await page.locator("varde-recs").nth(1).wait_for()
    await seen(page)
    await until(lambda: len(front.told) == 2, "the second list")
    await page.evaluate("scrollTo(0, 0)")
    await seen(page)
    assert [one["properties"]["list_id"] for one in front.told] == ["product-page", "cart"]
    await page.evaluate("window.varde.refresh()")  # another answer is another list
    await until(lambda: len(front.answers) == 2, "asked again")
    await expect(page.locator("[part=section][aria-busy=false]")).to_have_count(2)
    await seen(page)
    await until(lambda: len(front.told) == 3, "the first list again")
    assert front.told[2]["properties"]["request_id"] == front.answers[1]["request_id"]
    assert len({one["messageId"] for one in front.told}) == 3


async def test_a_list_that_is_moved_is_the_same_list(open_page, shop, front):
    page = await open_page(shop.page(LIST, before=CONSENT, write_key=WRITE_KEY), cookies=COOKIES, frozen=True)
    await shown(page)
    for _ in range(2):
        await page.evaluate("document.body.append(document.querySelector('varde-recs'))")
        await page.evaluate("document.querySelector('varde-recs').setAttribute('heading', 'Another')")
        await seen(page)
        await until(lambda: front.told, "told")
    assert len(front.told) == len(front.asked) == 1


async def test_what_was_looked_at_for_less_than_a_second_is_not_told(open_page, shop, front):
    body = f'{LIST}<div class="tall"></div>{element(placement="cart", items=TENT, n=2)}'
    page = await open_page(shop.page(body, before=CONSENT, write_key=WRITE_KEY), cookies=COOKIES, frozen=True)
    await shown(page, 2)
    await page.evaluate("new Promise((done) => new IntersectionObserver(done).observe(document.body))")
    await page.clock.run_for(900)
    await page.evaluate("document.querySelectorAll('varde-recs')[1].scrollIntoView()")
    await seen(page)
    await until(lambda: front.told, "the second list")
    assert [one["properties"]["list_id"] for one in front.told] == ["cart"]


@pytest.mark.parametrize("how", ["click", "middle", "keyboard"])
async def test_a_click_is_told_though_the_page_goes_away(open_page, shop, front, how):
    url = shop.page(LIST, before=CONSENT, write_key=WRITE_KEY)
    page = await open_page(url, cookies=COOKIES, frozen=True)
    await shown(page)
    card = page.locator("[part~=card]").nth(2)
    if how == "keyboard":
        await card.focus()
        await page.keyboard.press("Enter")
    else:
        await card.locator("[part=title]").click(button="middle" if how == "middle" else "left")
    await until(lambda: front.told, "the click")
    if how != "middle":  # which opens a tab
        await page.wait_for_url("**/p/**")
    one = front.answers[0]["placements"]["0"]
    item = one["items"][2]
    assert [message["event"] for message in front.told] == ["Product Clicked"]
    assert front.told[0]["properties"] == {
        "list_id": "product-page",
        "request_id": front.answers[0]["request_id"],
        "experiment": None,
        "variation": None,
        "relation": one["relation"],
        "ranking": one["ranking"],
        "rung": item.get("rung", one["rung"]),
        "product_id": item["id"],
        "position": 3,
        "name": item["title"],
        "brand": item["brand"],
        "price": item["price"],
        "currency": "EUR",
        "url": f"{shop.origin}{item['url']}",
    }


async def test_segments_own_library_is_used_where_it_has_started(open_page, shop, front):
    url = shop.page(LIST, before=CONSENT, write_key=WRITE_KEY, product_key="sku")
    page = await open_page(url, script=ANALYTICS, cookies=COOKIES, frozen=True)
    await shown(page)
    assert (front.asked[0]["uid"], front.asked[0]["aid"]) == ("lib-user", "lib-device")
    await seen(page)
    await page.evaluate("document.addEventListener('click', (event) => event.preventDefault())")
    await page.locator("[part~=card]").first.click()
    tracked = await page.evaluate("window.tracked")
    assert [one["event"] for one in tracked] == ["Product List Viewed", "Product Clicked"]
    first = front.answers[0]["placements"]["0"]["items"][0]["id"]
    assert tracked[0]["properties"]["products"][0] == {"product_id": first, "sku": first, "position": 1}
    assert tracked[1]["properties"]["sku"] == first
    assert front.told == []


async def held(open_page, shop, *, script=LATE):
    """A page whose library sends when the test says so; time stands still."""
    url = shop.page(LIST, before=CONSENT, write_key=WRITE_KEY)
    page = await open_page(url, script=script, cookies=COOKIES, frozen=True)
    await shown(page)
    return page


async def clicks(page):
    return await page.evaluate("window.tracked.filter(({ event }) => event === 'Product Clicked').length")


@pytest.mark.parametrize("script", [LATE, LATE.replace("return new Promise", "new Promise")], ids=["late", "unknown"])
async def test_a_page_waits_for_the_library_a_little_and_no_longer(open_page, shop, front, script):
    page = await held(open_page, shop, script=script)
    card = page.locator("[part~=card]").nth(1)
    href = await card.evaluate("(link) => link.href")
    await card.click()
    assert await clicks(page) == 1
    assert await page.evaluate("window.last.defaultPrevented")
    await page.clock.run_for(299)
    assert await page.evaluate("window.went") == []
    await page.clock.run_for(1)
    await page.wait_for_url(href)
    await page.go_back()  # a page of its own in the history
    await shown(page)
    assert front.told == []


@pytest.mark.parametrize("how", ["resolve", "reject", "at once", "by keyboard"])
async def test_a_page_goes_as_soon_as_the_library_has_sent(open_page, shop, how):
    script = LATE.replace("return new Promise", "return Promise.resolve(); new Promise") if how == "at once" else LATE
    page = await held(open_page, shop, script=script)
    card = page.locator("[part~=card]").first
    href = await card.evaluate("(link) => link.href")
    if how == "by keyboard":
        await card.focus()
        await page.keyboard.press("Enter")
    else:
        await card.click()
    if how != "at once":
        assert await page.evaluate("window.went") == []
        end = "reject" if how == "reject" else "resolve"
        await page.evaluate(f"window.waiting[0].{end}(new Error('not sent'))")
    await page.wait_for_url(href)  # though no time has passed


async def test_clicks_that_leave_the_page_where_it_is_are_not_held(open_page, shop):
    page = await held(open_page, shop)
    allowed = await page.evaluate("""() => {
      const link = document.querySelector("[part~=card]");
      const told = (kind, init, names = {}) => {
        for (const [name, value] of Object.entries(names)) link.setAttribute(name, value);
        const options = { bubbles: true, cancelable: true, composed: true, ...init };
        const allowed = link.dispatchEvent(new MouseEvent(kind, options));
        for (const name of Object.keys(names)) link.removeAttribute(name);
        return allowed;
      };
      const base = document.createElement("base");
      const inBase = (names) => {
        base.target = "_blank";
        document.head.append(base);
        const allowed = told("click", {}, names);
        base.remove();
        return allowed;
      };
      return {
        ctrl: told("click", { ctrlKey: true }), meta: told("click", { metaKey: true }),
        shift: told("click", { shiftKey: true }), alt: told("click", { altKey: true }),
        middle: told("auxclick", { button: 1 }), blank: told("click", {}, { target: "_blank" }),
        download: told("click", {}, { download: "" }), base: inBase({}),
        self: told("click", {}, { target: "_SELF" }), own: inBase({ target: "_self" }),
        mail: told("click", {}, { href: "mailto:shop@example.com" }),
      };
    }""")
    assert {name for name, one in allowed.items() if not one} == {"self", "own"}


async def test_a_click_with_a_modifier_opens_its_tab_and_is_told(open_page, shop):
    page = await held(open_page, shop)
    async with page.context.expect_page():
        await page.locator("[part~=card]").first.click(modifiers=["Control"])
    await page.clock.run_for(1000)
    assert await clicks(page) == 1
    assert await page.evaluate("[window.went, window.last.defaultPrevented]") == [[], False]


@pytest.mark.parametrize(
    "where",
    [
        "document.querySelector('varde-recs [part~=card]'), false",
        "document.querySelector('varde-recs'), false",
        "document, true",
        "document, false",
        "window, false",
    ],
)
async def test_a_page_whose_own_listener_keeps_it_is_kept(open_page, shop, where):
    """An app's router shows the page itself, and only for a click that nobody has prevented before it."""
    page = await held(open_page, shop)
    await page.evaluate(
        """(where) => {
          const [target, capture] = eval(`[${where}]`);
          target.addEventListener("click", (event) => {
            window.routed = !event.defaultPrevented;
            event.preventDefault();
          }, capture);
        }""",
        where,
    )
    await page.locator("[part~=card]").first.click()
    await page.evaluate("window.waiting.forEach(({ resolve }) => resolve())")
    await page.clock.run_for(1000)
    assert await clicks(page) == 1
    assert await page.evaluate("[window.went, window.routed]") == [[], True]


async def test_a_click_that_the_page_stops_is_the_browsers_and_not_followed_at_the_next(open_page, shop):
    page = await held(open_page, shop)
    await page.evaluate("""() => {
      document.addEventListener("click", (event) => event.stopPropagation(), { once: true });
      navigation.addEventListener("navigate", (event) => event.preventDefault());  // as a link that is a download
    }""")
    card = page.locator("[part~=card]").first
    await card.click()
    await page.wait_for_function("window.went.length")
    assert not await page.evaluate("window.last.defaultPrevented")
    await page.locator("body").click(position={"x": 2, "y": 2})
    await page.clock.run_for(1000)
    assert await page.evaluate("window.went") == [await card.evaluate("(link) => link.href")]
    assert await clicks(page) == 1


async def test_of_two_clicks_the_later_is_followed_and_none_after_the_page_was_left(open_page, shop):
    page = await held(open_page, shop)
    cards = page.locator("[part~=card]")
    href = await cards.nth(1).evaluate("(link) => link.href")
    await cards.first.click()
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    await page.clock.run_for(1000)
    assert await page.evaluate("window.went") == []
    await cards.first.click()
    await cards.nth(1).click()
    await page.evaluate("window.waiting[1].resolve()")
    assert await page.evaluate("window.went") == []
    await page.clock.run_for(300)
    await page.wait_for_url(href)


async def test_a_library_that_has_not_started_is_no_library(open_page, shop, front):
    stub = "window.analytics = Object.assign([], { track() { throw new Error('not yet'); } });"
    page = await open_page(
        shop.page(LIST, before=CONSENT, write_key=WRITE_KEY), script=stub, cookies=COOKIES, frozen=True
    )
    await shown(page)
    await seen(page)
    await until(lambda: front.told, "by a beacon")


async def test_who_has_no_id_or_a_shop_without_a_key_tells_nothing(open_page, shop, front):
    for cookies, said in (((), {"write_key": WRITE_KEY}), (COOKIES, {})):
        page = await open_page(shop.page(LIST, before=CONSENT, **said), cookies=cookies, frozen=True)
        await shown(page)
        await seen(page)
        await page.locator("[part~=card]").first.click()
        await page.wait_for_url("**/p/**")
    assert front.told == []


async def test_a_beacon_stays_far_below_what_a_browser_sends(open_page, shop, front):
    body = element(placement="product-page", n=20) * 20
    page = await open_page(shop.page(body, before=CONSENT, write_key=WRITE_KEY), cookies=COOKIES, frozen=True)
    await page.evaluate("document.styleSheets[0].insertRule('varde-recs { zoom: .05 }')")
    await expect(page.locator("varde-recs[state=loading]")).to_have_count(0)
    await seen(page)
    await until(lambda: front.told, "told")
    assert max(len(json.dumps(batch)) for batch in front.batches) < 32_000
