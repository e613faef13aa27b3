"""Any request target gives checked values or an ApiError with status 400 that names a field."""

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.history import Signal
from varde.server.errors import ApiError
from varde.server.params import CUSTOMER_BYTES, ITEM_BYTES, MOST_SEEDS, Query, item_in_path

ALLOWED = ("n", "relation", "ranking", "items", "item", "uid", "aid", "signal", "in_stock", "category")

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64).filter(
    lambda t: len(t.encode()) <= 256
)


def refused(read):
    with pytest.raises(ApiError) as caught:
        read()
    assert caught.value.status == 400
    return caught.value.field


@given(st.text() | st.binary().map(quote) | st.text("n=&%+,1relation;items\ud800", max_size=60))
def test_any_query_is_read_or_refused(raw):
    try:
        query = Query(raw, ALLOWED)
        query.number("n", 10, 100)
        query.relation()
        query.items("items", "item")
        query.signal()
        query.yes("in_stock", True)
        query.text("category", 256)
        query.customer("uid")
    except ApiError as error:
        assert error.status == 400
        assert error.body()["error"]["field"] is not None


@given(ids, ids.map(lambda text: text.replace("/", "-")))
def test_an_item_in_a_path_is_what_was_encoded(item, other):
    path = f"/v1/explain/{quote(item, safe='')}/{quote(other, safe='')}"
    assert item_in_path(path, 3, "item") == item
    assert item_in_path(path, 4, "other") == other


@pytest.mark.parametrize("segment", ["%FF", "%ED%A0%80", "\udcff", "%C3", "a" * (ITEM_BYTES + 1), quote("é" * 129), ""])
def test_what_is_no_item_id_is_refused(segment):
    assert refused(lambda: item_in_path(f"/v1/similar/{segment}", 3, "item")) == "item"


def test_the_longest_item_id_is_taken():
    assert item_in_path(f"/v1/similar/{quote('é' * 128)}", 3, "item") == "é" * 128


def test_percent_signs_are_decoded_once():
    assert item_in_path("/v1/similar/a%252Fb", 3, "item") == "a%2Fb"
    assert item_in_path("/v1/similar/a%2Fb", 3, "item") == "a/b"
    assert item_in_path("/v1/similar/a+b", 3, "item") == "a+b"


@pytest.mark.parametrize("n", ["0", "101", "-1", "1.0", "1e1", "", " 5", "1_0", "٣", "9" * 30, "+5", "nan"])
def test_n_is_a_whole_number_in_its_bounds(n):
    assert refused(lambda: Query(urlencode({"n": n}), ALLOWED).number("n", 10, 100)) == "n"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ("n=5&limit=5", "limit"),
        ("n=%FF", "query"),
        ("%FF=1", "query"),
        ("&".join(f"item={i}" for i in range(201)), "query"),
    ],
)
def test_a_query_with_a_field_at_fault_names_it(raw, field):
    assert refused(lambda: Query(raw, ALLOWED)) == field


def test_a_parameter_may_be_given_once():
    assert refused(lambda: Query("n=1&n=2", ALLOWED).number("n", 10, 100)) == "n"


def test_there_are_defaults():
    query = Query("", ALLOWED)
    assert query.number("n", 10, 100) == 10
    assert query.signal() is Signal.VIEW
    assert query.yes("in_stock", True) is True
    assert query.text("category", 5) is None
    assert query.items("items", "item") == ()


@pytest.mark.parametrize(("text", "value"), [("true", True), ("yes", True), ("1", True), ("no", False), ("0", False)])
def test_yes_and_no(text, value):
    assert Query(f"in_stock={text}", ALLOWED).yes("in_stock", not value) is value


@pytest.mark.parametrize("text", ["", "True", "on", "2"])
def test_what_is_neither_yes_nor_no(text):
    assert refused(lambda: Query(f"in_stock={text}", ALLOWED).yes("in_stock", True)) == "in_stock"


def test_a_text_is_bounded_in_bytes():
    assert Query("category=%C3%A9%C3%A9", ALLOWED).text("category", 4) == "éé"
    assert refused(lambda: Query("category=%C3%A9%C3%A9", ALLOWED).text("category", 3)) == "category"
    assert refused(lambda: Query("category=", ALLOWED).text("category", 3)) == "category"


def test_seeds_keep_their_order_and_come_once():
    assert Query("items=a,b&items=c,,a&item=x%2Cy", ALLOWED).items("items", "item") == ("a", "b", "c", "x,y")


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ("items=" + ",".join(map(str, range(MOST_SEEDS + 1))), "items"),
        (f"items=a,{'b' * 257}", "items"),
        ("item=", "item"),
    ],
)
def test_seeds_are_bounded(raw, field):
    assert refused(lambda: Query(raw, ALLOWED).items("items", "item")) == field


@pytest.mark.parametrize("name", ["uid", "aid"])
def test_a_customer_is_bounded_and_never_repeated_in_the_message(name):
    assert Query(f"{name}=jane%40example.org", ALLOWED).customer(name) == "jane@example.org"
    assert refused(lambda: Query(f"{name}=", ALLOWED).customer(name)) == name
    with pytest.raises(ApiError) as caught:
        Query(f"{name}={'j' * (CUSTOMER_BYTES + 1)}", ALLOWED).customer(name)
    assert "jjj" not in caught.value.message
