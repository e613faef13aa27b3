"""What the shop sells and draws, its cart in a cookie, and what its pages tell: pure parts, without a server."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from varde.demo import shop_cart, shop_events, shop_goods, shop_people
from varde.demo.catalogue import arrivals, catalogue, products
from varde.demo.shop_cart import Cart
from varde.demo.shop_child import browse
from varde.demo.shop_pictures import DRAWINGS, WIDTHS, kind_of, picture
from varde.demo.shop_visit import back
from varde.demo.shoppers import shopper
from varde.events import Interaction, Mapping, Rejected, parse
from varde.history import Signal

GOODS = list(shop_goods.goods().values())
KINDS = {kind_of(product): product for product in (products() | arrivals()).values()}
NOW = 1_785_672_000_000


def test_every_kind_of_product_has_a_drawing_and_every_drawing_a_product() -> None:
    assert {kind_of(product) for product in (products() | arrivals()).values()} == DRAWINGS.keys()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_picture_is_the_same_each_time_and_fills_its_square(kind: str) -> None:
    made = picture(KINDS[kind], 160)
    assert picture(KINDS[kind], 160) == made
    shown = Image.open(io.BytesIO(made))
    assert (shown.format, shown.size) == ("PNG", (160, 160))
    colours = shown.convert("RGB").getcolors(160 * 160)
    assert colours is not None
    assert len(colours) > 40
    assert len(made) < 20_000


def test_products_of_one_kind_look_different() -> None:
    tents = [product for product in catalogue()["tent"] if kind_of(product) == "Dome Tent"]
    assert len({picture(product, 160) for product in tents}) == len(tents) > 2


def test_a_large_picture_is_tens_of_kilobytes() -> None:
    made = picture(KINDS["Head Torch"], max(WIDTHS))
    assert Image.open(io.BytesIO(made)).size == (800, 800)
    assert len(made) < 120_000


def test_goods_have_texts_and_nothing_hidden_is_sold() -> None:
    for good in GOODS:
        assert not good.entry.hidden
        assert len(good.about) > 40
        assert all(name and value for name, value in good.facts)
        assert good.price.startswith("€")
    assert {good.stock for good in GOODS} >= {"Sold out", "In stock"}
    assert {slug for one in shop_goods.departments().values() for slug in (c.slug for c in one.categories)} == set(
        catalogue()
    )


def test_search_finds_by_name_and_category() -> None:
    assert {good.product.category for good in shop_goods.search("boots leather")} == {"boot"}
    assert shop_goods.search("HEAD torches")
    assert not shop_goods.search("")
    assert not shop_goods.search("boots of nobody")


def test_a_shelf_is_sorted_and_narrowed() -> None:
    shelf = shop_goods.shelf("boot")
    assert shelf[0].new, "what is new comes first"
    prices = [good.product.price for good in shop_goods.chosen(shelf, "", "price")]
    assert prices == sorted(prices)
    assert prices[::-1] == [good.product.price for good in shop_goods.chosen(shelf, "", "price-down")]
    brand = shelf[3].product.brand
    assert {good.product.brand for good in shop_goods.chosen(shelf, brand, "name")} == {brand}


@given(st.text() | st.text("abcdeont-0123456789~.~", max_size=60))
def test_a_cookie_may_hold_anything(text: str) -> None:
    cart = shop_cart.read(text)
    assert len(cart.lines) <= shop_cart.MOST_LINES
    assert all(1 <= line.quantity <= shop_cart.MOST_OF_ONE for line in cart.lines)
    assert shop_cart.read(cart.text()) == cart


DEEDS = st.lists(
    st.tuples(st.sampled_from(GOODS), st.sampled_from(["", "42", "M"]), st.integers(-1, 12)).filter(lambda d: d[2] > 0),
    max_size=30,
)


@given(DEEDS)
def test_a_cart_comes_back_from_its_cookie(deeds: list[tuple[shop_goods.Good, str, int]]) -> None:
    cart = Cart()
    for good, size, number in deeds:
        cart = cart.added(good, shop_cart.sized(good, size), number)
    assert shop_cart.read(cart.text()) == cart
    assert len(cart.text()) < 4000, "what a cookie holds"
    assert cart.goods_total == pytest.approx(sum(line.good.product.price * line.quantity for line in cart.lines))
    for line in cart.lines:
        assert cart.changed(line.name, 0).line(line.name) is None


def test_delivery_is_free_from_a_sum_on() -> None:
    dear = max(GOODS, key=lambda good: good.product.price)
    cheap = min(GOODS, key=lambda good: good.product.price)
    assert Cart().added(dear, "", 1).shipping == Cart().shipping == 0
    assert Cart().added(cheap, "", 1).total == round(cheap.product.price + shop_cart.SHIPPING, 2)


def call(told: shop_events.Call) -> bytes:
    """The message of a call, as a collector delivers it."""
    kind, event, properties = told
    stamp = "2026-08-02T12:00:00.000Z"
    ids = {"anonymousId": "device-1", "messageId": "m-1", "timestamp": stamp, "receivedAt": stamp}
    return json.dumps({"type": kind, "event": event, "properties": properties, **ids}).encode()


def test_the_stream_understands_what_the_pages_tell() -> None:
    tent, mug = shop_goods.goods()["tent-001"], shop_goods.goods()["pot-002"]
    cart = Cart().added(tent, "", 1).added(mug, "", 2)
    expected = {
        "view": ([shop_events.viewed(tent)], {(Signal.VIEW, "tent-001")}),
        "cart": ([shop_events.added("cart-1", line) for line in cart.lines], {
            (Signal.CART, "tent-001"), (Signal.CART, "pot-002"),
        }),
        "order": ([shop_events.ordered("order-1", cart)], {
            (Signal.PURCHASE, "tent-001"), (Signal.PURCHASE, "pot-002"),
        }),
    }  # fmt: skip
    for calls, meant in expected.values():
        events = [event for told in calls for event in read(told)]
        found = {(event.signal, item) for event in events if isinstance(event, Interaction) for item in event.items}
        assert found == meant
    for told in (
        shop_events.listed("boots", "Hiking boots", [tent, mug]),
        shop_events.filtered("boots", "Rimfell", "price", [tent]),
        shop_events.searched("tent"),
        shop_events.cart_viewed("cart-1", cart),
        shop_events.checkout_started("order-1", cart),
    ):
        parsed = parse(call(told), NOW, Mapping())
        assert not isinstance(parsed, Rejected) or parsed.reason == "not_counted", "known, and nothing to count"


def read(told: shop_events.Call) -> tuple:
    found = parse(call(told), NOW, Mapping())
    assert not isinstance(found, Rejected), found
    return found


def test_one_may_be_a_simulated_shopper_or_anybody() -> None:
    people = shop_people.people(1)
    accounts = {shopper(1, number).user_id for number in range(60)}
    assert len(people) == shop_people.SHOWN
    assert {person.user_id for person in people} <= accounts
    assert shop_people.known(1, people[0].user_id) == people[0]
    other = shop_people.known(2, people[0].user_id)
    assert other is not None
    assert other.user_id.startswith("guest-"), "nobody of that seed, so a name"
    named = shop_people.named("  Åse  Öberg ")
    assert named is not None
    assert (named.name, named.initials) == ("Åse Öberg", "ÅÖ")
    assert shop_people.known(1, named.name) == named
    for wrong in ("", " ", "1", "<b>", "x" * 41, "a\nb\x00", "me@example.com"):
        assert shop_people.named(wrong) is None, wrong


@given(st.text(max_size=50))
def test_a_name_makes_an_id_that_is_safe_anywhere(name: str) -> None:
    person = shop_people.named(name)
    assert person is None or (person.user_id.isascii() and len(person.user_id) < 64)


@pytest.mark.parametrize("path", ["/", "/p/tent-001?x=1", "/search?q=a%20b"])
def test_one_goes_back_within_the_shop(path: str) -> None:
    assert back(path) == path


@pytest.mark.parametrize("path", ["", "//evil.example", "/\\evil.example", "https://evil.example", "x", "/a\r\nb: c"])
def test_one_never_goes_to_another_site(path: str) -> None:
    assert back(path) == "/"


@pytest.mark.parametrize(
    ("environ", "terminal", "platform", "opened"),
    [
        ({"DISPLAY": ":0"}, True, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, "linux", True),
        ({}, True, "darwin", True),
        ({}, True, "linux", False),
        ({"DISPLAY": ":0"}, False, "linux", False),
        ({"DISPLAY": ":0", "BROWSER": "none"}, True, "linux", False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, True, "linux", False),
    ],
)
def test_a_browser_opens_only_where_somebody_sees_it(
    environ: dict[str, str], terminal: bool, platform: str, opened: bool
) -> None:
    pages: list[str] = []

    def opens(url: str) -> bool:
        pages.append(url)
        return True

    assert browse("http://shop", environ, terminal, platform, opens) is opened
    assert pages == (["http://shop"] if opened else [])
