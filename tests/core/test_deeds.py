"""What a track call says: refunds and cancellations, whole or of named products, and what they lack."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import deeds
from varde.deeds import Deed
from varde.events import IdentityLink, Mapping, Rejected, Return, parse
from varde.history import Signal

NOW = 1_772_359_200_000
KEYS = ("product_id", "sku", "id")
NAMES = ["Order Refunded", "Order Cancelled", "order refunded", "ORDER CANCELLED"]


def read(event: Any, properties: Any, custom: Any = ()) -> Deed | Rejected:
    return deeds.read({"type": "track", "event": event, "properties": properties}, KEYS, custom)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("products", [None, "", [], "[]", "null"])
def test_a_return_that_names_nothing_is_of_the_whole_order(name: str, products: Any) -> None:
    assert read(name, {"order_id": "o", "products": products}) == Deed(None, (), "o")
    assert read(name, {"order_id": "o"}) == Deed(None, (), "o")


@pytest.mark.parametrize("name", NAMES)
def test_a_return_of_named_products(name: str) -> None:
    products = [{"product_id": "P2"}, {"sku": 7}, {"name": "Tent"}, "P9", {"product_id": "P2"}]
    for form in (products, orjson.dumps(products).decode()):
        assert read(name, {"order_id": "o", "products": form}) == Deed(None, ("P2", "7"), "o")
    assert read(name, {"order_id": "o", "products": {"product_id": "P2"}}) == Deed(None, ("P2",), "o")


@pytest.mark.parametrize("products", [[{"name": "Tent"}], [{}], {}, ["P1"], [None], [{"product_id": "x" * 257}]])
def test_products_that_cannot_be_read_do_not_take_back_all(products: Any) -> None:
    """The sender meant some of the order."""
    assert read("Order Refunded", {"order_id": "o", "products": products}) == Rejected(
        "no_item_id", "properties.products"
    )


@pytest.mark.parametrize("products", ["P1", 5, True, "[", '"P1"'])
def test_products_that_are_no_products(products: Any) -> None:
    assert read("Order Cancelled", {"order_id": "o", "products": products}) == Rejected(
        "bad_products", "properties.products"
    )


@pytest.mark.parametrize("order_id", [None, "", [], {}, True, 1.5, "x" * 257])
def test_a_return_without_an_order_id(order_id: Any) -> None:
    missing = Rejected("no_order_id", "properties.order_id")
    assert read("Order Refunded", {"order_id": order_id, "products": [{"product_id": "P1"}]}) == missing
    assert read("Order Refunded", {}) == read("Order Refunded", None) == missing
    assert missing.dead_letter


@pytest.mark.parametrize(("name", "given"), [("order_id", 7), ("orderId", "7"), ("id", "7")])
def test_the_order_of_a_return_is_found_as_that_of_a_purchase(name: str, given: Any) -> None:
    products = [{"product_id": "P1"}]
    bought = read("Order Completed", {name: given, "products": products})
    back = read("Order Refunded", {name: given, "products": products})
    assert isinstance(bought, Deed)
    assert isinstance(back, Deed)
    assert bought.order_id == back.order_id == "7"
    assert bought.items == back.items


def test_an_order_needs_no_id_and_a_view_has_none() -> None:
    products = [{"product_id": "P1"}]
    assert read("Order Completed", {"products": products}) == Deed(Signal.PURCHASE, ("P1",), None)
    assert read("Product Viewed", {"product_id": "P1", "order_id": "o"}) == Deed(Signal.VIEW, ("P1",), None)


def test_properties_of_a_return_that_are_no_object() -> None:
    assert read("Order Refunded", ["o"]) == Rejected("bad_properties", "properties")


def test_a_shop_may_call_a_return_something_else() -> None:
    custom = (("Order Refunded", Signal.VIEW),)
    assert read("order refunded", {"product_id": "P1"}, custom) == Deed(Signal.VIEW, ("P1",), None)


@given(st.sampled_from([*NAMES, "Order Completed", "Product Viewed"]), st.sampled_from([None, "o"]))
def test_a_faulty_return_still_links(name: str, order_id: str | None) -> None:
    """The ids of a message are not at fault when its products are."""
    message = {"type": "track", "event": name, "userId": "u", "anonymousId": "a", "timestamp": NOW}
    message["properties"] = {"order_id": order_id}
    found = parse(orjson.dumps(message), NOW, Mapping())
    link = IdentityLink("a", "u", NOW)
    if name in NAMES and order_id is not None:
        assert found == (link, Return("u", "a", "o", (), NOW))
    else:
        assert isinstance(found, Rejected)
        assert found.link == link
