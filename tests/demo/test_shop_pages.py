"""The shop's pages and forms over HTTP, without a browser and without Varde's server."""

from __future__ import annotations

import html
import json
import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from aiohttp.test_utils import TestClient

from varde.demo import shop_goods, shop_people
from varde.demo.catalogue import arrivals
from varde.demo.shop_front import create_app
from varde.demo.shop_render import Shop

SERVER = "http://127.0.0.1:9999"
ITEM, SIZED = "stove-021", "boot-021"


@pytest.fixture
async def shop(aiohttp_client: Any) -> TestClient:
    return await aiohttp_client(create_app(Shop(SERVER, "demo-shop", 1)))


async def text(shop: TestClient, path: str, status: int = 200, **more: Any) -> str:
    async with shop.get(path, **more) as answer:
        assert answer.status == status, path
        return await answer.text()


async def send(shop: TestClient, path: str, form: dict[str, str], status: int = 303) -> str:
    """Where a form leads to."""
    async with shop.post(path, data=form, allow_redirects=False) as answer:
        assert answer.status == status, await answer.text()
        return answer.headers.get("Location", "")


def data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="shop-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def events(page: str) -> list[str]:
    return [call[1] for call in data(page)["calls"] if call[0] == "track"]


async def test_every_link_picture_and_file_of_the_shop_is_there(shop: TestClient) -> None:
    """From the front page on, as far as links lead; of pictures one of each product."""
    waiting, seen, pictures = ["/", "/nowhere", "/checkout"], set(), set()
    await send(shop, "/cart/add", {"item": ITEM, "quantity": "1"})
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        page = await text(shop, path, 404 if path == "/nowhere" else 200)
        for found in re.findall(r'(?:href|src|srcset)="([^"]+)"', page):
            for one in re.split(r" \d+w,?\s*", html.unescape(found)):
                target = urlsplit(urljoin(path, one.strip()))
                if not one.strip() or target.netloc:
                    continue
                if target.path.startswith("/pictures/"):
                    pictures.add(f"{target.path}?{target.query}")
                elif target.path.startswith("/assets/"):
                    assert (await shop.get(target.path)).status == 200, target
                else:
                    waiting.append(target.path)
    assert {f"/p/{item}" for item in shop_goods.goods()} <= seen, "every product can be reached by links"
    for picture in sorted(pictures)[::97]:
        assert (await shop.get(picture)).headers["Content-Type"] == "image/png"


async def test_all_answers_have_the_policy_and_no_page_is_kept(shop: TestClient) -> None:
    for path, status in (
        ("/", 200),
        ("/p/tent-001", 200),
        ("/nowhere", 404),
        ("/assets/shop.js", 200),
        ("/assets/x", 404),
    ):
        async with shop.get(path) as answer:
            assert answer.status == status
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert f"script-src 'self' {SERVER};" in policy
            assert "unsafe" not in policy
            page = await answer.text()
            if path.startswith("/assets"):
                continue
            assert answer.headers["Cache-Control"] == "no-store"
            inline = [tag for tag in re.findall(r"<script[^>]*>", page) if "src=" not in tag]
            assert inline == ['<script type="application/json" id="shop-data">'], "data, which nothing runs"
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)


async def test_nothing_is_told_without_consent(shop: TestClient) -> None:
    page = await text(shop, "/p/tent-001")
    assert data(page)["calls"] == []
    assert "May we remember" in page
    assert await send(shop, "/consent", {"answer": "no", "back": "/p/tent-001"}) == "/p/tent-001"
    page = await text(shop, "/p/tent-001")
    assert (data(page)["calls"], data(page)["consent"]) == ([], "no")
    assert "May we remember" not in page
    await send(shop, "/consent", {"answer": "yes", "back": "//evil.example"})
    assert events(await text(shop, "/p/tent-001")) == ["Product Viewed"]


async def test_a_visit_from_shelf_to_order(shop: TestClient) -> None:
    assert await send(shop, "/consent", {"answer": "yes", "back": "https://evil.example"}) == "/"
    assert events(await text(shop, "/c/boot")) == ["Product List Viewed"]
    assert events(await text(shop, "/c/boot?brand=Myrvik&sort=price")) == ["Product List Filtered"]
    assert events(await text(shop, "/search?q=boots")) == ["Products Searched", "Product List Viewed"]
    assert await send(shop, "/cart/add", {"item": SIZED, "size": "44", "quantity": "2"}) == "/cart"
    page = await text(shop, "/cart")
    assert events(page) == ["Product Added", "Cart Viewed"]
    assert "size 44" in page
    assert "is in your cart" in page
    assert events(await text(shop, "/cart")) == ["Cart Viewed"], "what was done is told once"
    await send(shop, "/cart/change", {"line": f"{SIZED}~44", "quantity": "1"})
    assert events(await text(shop, "/cart")) == ["Product Removed", "Cart Viewed"]
    await send(shop, "/cart/add", {"item": ITEM})
    page = await text(shop, "/checkout")
    assert events(page) == ["Product Added", "Checkout Started"]
    order = data(page)["calls"][-1][2]["order_id"]
    filled = {"name": "Kari", "email": "kari@example.com", "street": "Fjellveien 1", "city": "6789 Loen"}
    where = await send(shop, "/checkout", {"order": order, **filled})
    assert where == f"/thanks/{order}"
    page = await text(shop, where)
    assert events(page) == ["Order Completed"]
    done = data(page)["calls"][-1][2]
    total = sum(shop_goods.goods()[item].product.price for item in (SIZED, ITEM))
    assert done["revenue"] == pytest.approx(total)
    assert {line["product_id"]: line["quantity"] for line in done["products"]} == {SIZED: 1, ITEM: 1}
    assert events(await text(shop, where)) == [], "loading the page again is no other order"
    assert "There is nothing in it yet" in await text(shop, "/cart")
    assert (await shop.get("/checkout", allow_redirects=False)).headers["Location"] == "/cart"


async def test_a_form_that_is_not_filled_in_says_so_beside_its_fields(shop: TestClient) -> None:
    await send(shop, "/cart/add", {"item": ITEM})
    async with shop.post("/checkout", data={"name": '"><script>', "email": "kari", "street": " "}) as answer:
        page = await answer.text()
        assert answer.status == 422
    assert page.count('aria-invalid="true"') == 3
    assert "This is no e-mail address" in page
    assert "<script>" not in page.replace("&#34;&gt;&lt;script&gt;", "")
    assert 'value="&#34;&gt;&lt;script&gt;"' in page, "what was typed is still there"


@pytest.mark.parametrize(
    ("path", "form", "where"),
    [
        ("/cart/add", {"item": ITEM, "quantity": "0"}, f"/p/{ITEM}"),
        ("/cart/add", {"item": ITEM, "quantity": "10"}, f"/p/{ITEM}"),
        ("/cart/add", {"item": ITEM, "quantity": "²"}, f"/p/{ITEM}"),
        ("/cart/change", {"line": "nothing", "quantity": "1"}, "/cart"),
        ("/cart/change", {}, "/cart"),
        ("/checkout", {}, "/cart"),
    ],
)
async def test_forms_that_make_no_sense_change_nothing(
    shop: TestClient, path: str, form: dict[str, str], where: str
) -> None:
    assert await send(shop, path, form) == where
    assert "<b>0</b>" in await text(shop, "/")


async def test_what_is_sold_out_or_unknown_cannot_be_put_into_the_cart(shop: TestClient) -> None:
    gone = next(good for good in shop_goods.goods().values() if good.entry.sold_out)
    assert await send(shop, "/cart/add", {"item": gone.id, "quantity": "1"}) == gone.url
    assert "Put into cart" not in await text(shop, gone.url)
    await send(shop, "/cart/add", {"item": "nothing"}, 404)
    assert "<b>0</b>" in await text(shop, "/")


async def test_one_logs_in_as_somebody_and_out(shop: TestClient) -> None:
    person = shop_people.people(1)[0]
    assert data(await text(shop, "/"))["person"] is None
    assert await send(shop, "/login", {"person": person.user_id}) == "/"
    assert data(await text(shop, "/"))["person"] == {"id": person.user_id, "name": person.name}
    await send(shop, "/login", {"name": "Åse </script><!--"}, 422)
    assert await send(shop, "/login", {"name": "Åse Öberg"}) == "/"
    page = await text(shop, "/")
    assert data(page)["person"]["name"] == "Åse Öberg"
    assert await send(shop, "/logout", {}) == "/"
    assert data(await text(shop, "/"))["person"] is None


async def test_another_sites_form_is_refused(shop: TestClient) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        async with shop.post("/cart/add", data={"item": ITEM}, headers={"Origin": origin}) as answer:
            assert answer.status == 403
    assert "<b>0</b>" in await text(shop, "/")
    own = str(shop.make_url("/")).rstrip("/")
    async with shop.post("/cart/add", data={"item": ITEM}, headers={"Origin": own}, allow_redirects=False) as answer:
        assert answer.status == 303


async def test_the_machines_other_name_leads_to_the_one_of_links_and_pictures(shop: TestClient) -> None:
    async with shop.get("/p/tent-001?x=1", headers={"Host": "localhost:8090"}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, "http://127.0.0.1:8090/p/tent-001?x=1")


async def test_cookies_may_hold_anything(shop: TestClient) -> None:
    for wrong in ("%00%ff", "~~.~~", "x" * 1500, "%3C/script%3E", "added x", "ordered order-1"):
        names = ("shop_cart", "shop_cart_id", "shop_person", "shop_consent", "shop_told")
        cookie = "; ".join(f"{name}={wrong}" for name in names)
        page = await text(shop, "/cart", headers={"Cookie": cookie})
        assert data(page)["calls"] == []
        assert page.count("</script>") == 3


async def test_search_shows_what_was_typed_as_text(shop: TestClient) -> None:
    page = await text(shop, "/search?q=%3C/script%3E%3Cimg%20src=x%3E")
    assert "<img src=x>" not in page
    assert page.count("</script>") == 3


async def test_cookies_are_not_for_scripts(shop: TestClient) -> None:
    async with shop.post("/cart/add", data={"item": ITEM}, allow_redirects=False) as answer:
        made = SimpleCookie()
        for line in answer.headers.getall("Set-Cookie"):
            made.load(line)
    assert made.keys() == {"shop_cart", "shop_cart_id", "shop_told"}
    assert all(one["httponly"] and one["samesite"] == "Lax" for one in made.values())


@pytest.mark.parametrize("path", ["tent-001.png?w=481", "tent-001.png?w=x", "tent-001.png?w=99999", "nothing.png"])
async def test_only_known_pictures_in_known_widths_are_drawn(shop: TestClient, path: str) -> None:
    assert (await shop.get(f"/pictures/{path}")).status == 404


async def test_pictures_and_files_are_not_sent_twice(shop: TestClient) -> None:
    for path in (f"/pictures/{next(iter(arrivals()))}.png?w=160", "/assets/base.css", "/assets/analytics.js"):
        async with shop.get(path) as first:
            tag = first.headers["ETag"]
        async with shop.get(path, headers={"If-None-Match": tag}) as second:
            assert (second.status, await second.read()) == (304, b"")


async def test_a_browsers_report_is_kept_and_others_are_refused(shop: TestClient) -> None:
    told = {"csp-report": {"effective-directive": "img-src", "blocked-uri": "http://evil.example/" + "x" * 500}}
    assert (await shop.post("/csp", json=told)).status == 204
    for wrong in (b"", b"[]", b'{"csp-report": 1}', b"\xff"):
        assert (await shop.post("/csp", data=wrong)).status == 400
