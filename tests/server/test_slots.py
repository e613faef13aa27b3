"""Pictures and links of mails that are opened: the same item for both, whatever changes and whatever fails."""

import asyncio
import dataclasses
import io
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from tests.conftest import running_redis

from varde import keys
from varde.catalogue import Change, Entry
from varde.config import read
from varde.server import tokens
from varde.server.parts import PARTS
from varde.server.slots import SLOTS
from varde.server.tokens import Link
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.frozen import send_key
from varde.store.sync import Store

from .conftest import VERSION
from .test_experiments import counted
from .world import ITEMS, NOW, fill

SECRET = "a-secret-of-links-for-the-tests-0123456789"
RANKINGS = ("llr", "cosine", "count")
BASE = """
[placements.mail]
source = "recommendations"
n = 3
[email]
public_url = "https://r.shop.example"
shop_url = "https://shop.example"
utm = { utm_source = "varde", utm_campaign = "{campaign}", utm_content = "{position}" }
[cards]
width = 120
height = 160
"""
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
PNG = b"\x89PNG\r\n\x1a\n"


def pinned(*items):
    shown = ", ".join(f'"{item}"' for item in items)
    return BASE.replace("n = 3", f"n = 3\nmust_include = [{shown}]", 1)


@pytest.fixture(scope="module")
def redis(everyone):
    with running_redis(VERSION) as server:
        store = Store.from_settings(Settings(redis_url=server.url), clock=lambda: NOW)
        recents = {keys.customer_key("jane", None): {"stove": NOW - 5, "tent": NOW - 1}}
        fill(store, everyone, "slots", recents)
        store.close()
        yield server


@pytest.fixture
def catalogue(redis):
    """The catalogue, as new for each test; nothing is frozen and nothing opened."""
    with redis.client() as client:
        for family in ("frozen", "opened"):
            for key in client.scan_iter(f"varde:1:*:{family}"):
                client.delete(key)
        for shard in range(keys.SHARDS):
            client.delete(keys.catalogue(shard))
    store = CatalogueStore.from_settings(Settings(redis_url=redis.url))
    store.put_entries([entry(item) for item in ITEMS], NOW - 1000, complete=True)
    yield store
    store.close()


def entry(item, **changes):
    return Entry(item, title=f"The {item.strip()}", url=f"/p/{ITEMS.index(item)}", price=9.5, currency="EUR", **changes)


@pytest.fixture
def mail(serve, settings, redis, catalogue):
    """Starts a server; what opens a mail there."""

    async def start(text=BASE, **changes):
        given = {"redis_url": redis.url, "link_secret": (SECRET,)} | changes
        client = await serve(settings, config=read(text, RANKINGS), **given)
        return Mail(client)

    return start


def token(link=None, secret=SECRET, **changes):
    link = link or Link("jane", None, "send-1", "mail", "spring", "", "", tokens.expiry(NOW))
    return tokens.make([secret], link._replace(**changes))


class Mail:
    def __init__(self, client):
        self.client = client
        self.parts = client.server.app[PARTS]

    async def picture(self, n=1, t=None, method="GET", headers=BROWSER, more=""):
        path = f"/v1/email/slot/{n}.png?t={t or token()}{more}"
        response = await self.client.request(method, path, headers=headers)
        assert response.status == 200, await response.text()
        assert response.content_type == "image/png"
        body = await response.read()
        assert method == "HEAD" or body.startswith(PNG)
        return body

    async def click(self, n=1, t=None, method="GET", headers=BROWSER, more=""):
        path = f"/v1/email/slot/{n}/click?t={t or token()}{more}"
        response = await self.client.request(method, path, headers=headers, allow_redirects=False)
        assert response.status == 302, await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        return response.headers["Location"]

    async def item(self, n=1, **options):
        """The item that a click leads to; None for the shop itself."""
        parts = urlsplit(await self.click(n, **options))
        assert (parts.scheme, parts.netloc) == ("https", "shop.example")
        return ITEMS[int(parts.path.removeprefix("/p/"))] if parts.path.startswith("/p/") else None

    async def frozen(self, send="send-1", customer="jane", **kind):
        key = keys.customer_key(customer, None, self.parts.settings.id_secret.encode())
        return (await self.parts.store.frozen(key, send_key(send, "mail"), NOW)).by_slot

    async def fallback(self):
        return await self.client.server.app[SLOTS].gallery.fallback()

    def counted(self, name):
        return counted(self.client, f"varde_email_{name}")

    async def until(self, check):
        deadline = time.monotonic() + 30
        while not await check():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_a_picture_and_its_link_show_the_same_item(mail):
    ours = await mail()
    first = await ours.picture()
    image = Image.open(io.BytesIO(first))
    assert image.size == (240, 320)
    frozen = await ours.frozen()
    assert sorted(frozen) == [1, 2, 3] and len(set(frozen.values())) == 3
    assert [await ours.item(n) for n in (1, 2, 3)] == [frozen[1], frozen[2], frozen[3]]
    assert await ours.picture() == first != await ours.picture(2)
    assert await ours.fallback() not in (first, await ours.picture(3))
    assert await ours.frozen() == frozen


async def test_the_pick_stays_when_the_ranking_changes(mail):
    before = await mail(pinned("rope", "map", "mug"))
    pictures = [await before.picture(n) for n in (1, 2, 3)]
    after = await mail(pinned("lamp", "boots", "rope"))
    assert [await after.picture(n) for n in (1, 2, 3)] == pictures
    assert [await after.item(n) for n in (1, 2, 3)] == ["rope", "map", "mug"]
    assert await after.item(4) == "lamp"  # a slot that nobody asked for until now: the best that no slot has
    other = token(send_id="send-2")
    assert [await after.item(n, t=other) for n in (1, 2, 3)] == ["lamp", "boots", "rope"]


async def test_a_click_before_any_picture_freezes_what_the_picture_then_shows(mail):
    ours = await mail(pinned("rope", "map", "mug"))
    assert await ours.item(2) == "map"
    other = await mail(pinned("lamp", "boots", "rope"))
    assert (await other.frozen()) == {1: "rope", 2: "map", 3: "mug"}
    assert await other.picture(2) == await ours.picture(2)


async def test_slots_fetched_at_once_show_different_items(mail):
    ours = await mail()
    await asyncio.gather(*(ours.picture(n) for n in (3, 1, 2, 3, 2, 1)))
    assert len(set((await ours.frozen()).values())) == 3


PREFETCHES = [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Purpose": "preview"}]


async def test_a_head_and_a_prefetch_freeze_nothing(mail):
    ours = await mail(pinned("rope", "map", "mug"))
    assert await ours.picture(method="HEAD") == b""
    assert await ours.click(method="HEAD") == "https://shop.example"
    early = [await ours.picture(headers=BROWSER | header) for header in PREFETCHES]
    for header in PREFETCHES:
        assert await ours.item(headers=BROWSER | header) == "rope"
    assert await ours.frozen() == {}
    assert set(early) == {await ours.picture()}
    assert await ours.click(method="HEAD") == await ours.click()


async def test_what_is_sold_out_is_replaced_when_the_mail_is_opened_again(mail, catalogue, redis):
    ours = await mail(pinned("rope", "map", "mug"))
    before = await ours.picture(2)
    shelf = ours.parts.running.memory.shelf
    catalogue.change([Change("map", NOW + 1, {"stock": 0})])
    await ours.until(lambda: asyncio.sleep(0, not shelf.buyable[shelf.slots["map"]]))
    assert await ours.item(2) == "map"  # a click on the picture that was shown leads to what it showed
    assert await ours.picture(2) != before
    replaced = await ours.frozen()
    assert replaced[1] == "rope" and replaced[3] == "mug" and replaced[2] not in ("map", "rope", "mug")
    assert await ours.item(2) == replaced[2]


async def test_what_is_hidden_is_never_linked_to(mail, catalogue):
    ours = await mail(pinned("rope", "map", "mug"))
    await ours.picture()
    shelf = ours.parts.running.memory.shelf
    catalogue.change([Change("rope", NOW + 1, {"hidden": True})])
    await ours.until(lambda: asyncio.sleep(0, not shelf.shown[shelf.slots["rope"]]))
    assert await ours.item(1) is None
    assert await ours.picture() != await ours.fallback()
    assert await ours.item(1) not in (None, "rope")


async def test_when_candidates_run_out_the_fallback_card_stands_in(mail, catalogue):
    ours = await mail(pinned("rope", "map", "mug"))
    assert await ours.picture(90) == await ours.fallback()
    assert ours.counted("slots")["short,fallback"] == 1


BAD = {
    "none": "",
    "forged": token(secret="another-secret-of-links-0123456789abc"),
    "tampered": token()[:-2] + ("aa" if not token().endswith("aa") else "bb"),
    "expired": token(expires=NOW // 1000),
    "not base64": "!!!!",
    "bytes": "%ff%fe",
    "another placement": token(placement="gone"),
}


async def test_any_other_token_gets_the_fallback_card_and_the_shop(mail):
    ours = await mail()
    for kind, bad in BAD.items():
        given = bad or "&"
        assert await ours.picture(t=given) == await ours.fallback(), kind
        assert await ours.click(t=given) == "https://shop.example", kind
    assert await ours.frozen() == {}


async def test_any_other_slot_does_too(mail):
    ours = await mail()
    for n in ("0", "101", "-1", "x", "1.5", "٣", "99999999999", "1%00"):
        assert await ours.picture(n) == await ours.fallback(), n
        assert await ours.click(n) == "https://shop.example", n


async def test_secrets_are_rotated(mail):
    new = "a-new-secret-of-links-0123456789abcdef"
    ours = await mail(link_secret=(new, SECRET))
    assert await ours.item() == await ours.item(t=token(secret=new))
    without = await mail(link_secret=())
    assert await without.picture() == await without.fallback()
    assert await without.click() == "https://shop.example"


async def test_parameters_that_mail_tools_add_change_nothing(mail):
    ours = await mail()
    more = "&utm_source=tool&t=second&x=%ff&x=1"
    assert await ours.picture(more=more) == await ours.picture()
    assert await ours.click(more=more) == await ours.click()


async def test_links_have_the_configured_parameters(mail):
    ours = await mail()
    said = parse_qs(urlsplit(await ours.click(2)).query)
    assert said == {"utm_source": ["varde"], "utm_campaign": ["spring"], "utm_content": ["2"]}


URLS = ["javascript:alert(1)", "ftp://shop.example/x", "http://[", "https:///x", "https://shop.example/a\nb: c"]


async def test_only_addresses_of_the_web_are_linked_to(mail, catalogue):
    """Whatever stands in a catalogue."""
    bad = dict(zip(ITEMS, URLS, strict=False))
    entries = [dataclasses.replace(entry(item), url=bad.get(item, "/p/0")) for item in ITEMS]
    catalogue.put_entries(entries, NOW, complete=True)
    ours = await mail(pinned(*bad).replace("n = 3", "n = 5"))
    joe = token(uid="joe")  # who has viewed nothing, which would not be shown
    for n, (item, url) in enumerate(bad.items(), 1):
        await ours.picture(n, t=joe)
        assert (await ours.frozen(customer="joe"))[n] == item
        target = await ours.click(n, t=joe)
        assert target.startswith("https://shop.example") and "\n" not in target, url


async def test_a_link_without_any_shop_still_answers(mail):
    ours = await mail(BASE.replace('shop_url = "https://shop.example"', ""))
    response = await ours.client.get(f"/v1/email/slot/1/click?t={token()}", allow_redirects=False)
    assert (response.status, response.content_type) == (200, "text/html")
    assert await ours.picture() != await ours.fallback()


async def test_redis_gone_is_the_fallback_card_and_the_shop(serve, frail, everyone):
    store = Store.from_settings(Settings(redis_url=frail.url), clock=lambda: NOW)
    fill(store, everyone[:50], "gone")
    store.close()
    catalogue = CatalogueStore.from_settings(Settings(redis_url=frail.url))
    catalogue.put_entries([entry(item) for item in ITEMS], NOW - 1000, complete=True)
    catalogue.close()
    settings = Settings(redis_url=frail.url, link_secret=(SECRET,), deadline_ms=2000)
    ours = Mail(await serve(settings, config=read(BASE, RANKINGS)))
    assert await ours.picture() != await ours.fallback()
    with frail.client() as client:
        client.shutdown(nosave=True)
    for _ in range(12):  # more than open the circuit
        assert await ours.picture() == await ours.fallback()
        assert await ours.click() == "https://shop.example"
    assert await ours.picture(method="HEAD") == b""


async def test_a_card_that_cannot_be_drawn_is_the_fallback_card(mail, monkeypatch, caplog):
    ours = await mail()

    def broken(*_):
        raise MemoryError

    monkeypatch.setattr("varde.server.cards.draw", broken)
    assert await ours.picture() == await ours.fallback()
    assert "cards cannot be drawn: MemoryError" in caplog.text
    monkeypatch.undo()
    assert await ours.picture() != await ours.fallback()


async def test_without_any_drawing_it_is_still_a_picture(mail):
    ours = await mail(BASE + 'font = "/no/such/font.ttf"\n')
    image = Image.open(io.BytesIO(await ours.picture()))
    assert image.size == (1, 1)


async def test_a_fault_of_ours_is_the_fallback_card(mail, monkeypatch, caplog):
    ours = await mail()

    async def broken(*_):
        raise RuntimeError("jane")

    monkeypatch.setattr("varde.server.slot_items.shown", broken)
    assert await ours.picture() == await ours.fallback()
    assert await ours.click() == "https://shop.example"
    assert ours.counted("slots")["fault,fallback"] == 1
