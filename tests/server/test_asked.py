"""What a request asks for: parameters over the placement's settings; what makes no sense names its field."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.config import read
from varde.pairs import Relation
from varde.placements import Price
from varde.server.asked import COMMON, MOST_EXCLUDED, asked, at
from varde.server.errors import ApiError
from varde.server.params import Query

CONFIG = read(
    """
[rankings.rare]
formula = "llr"
floor = 7
[placements.cart]
source = "recommendations"
relation = "also_bought"
ranking = "rare"
n = 4
in_stock = false
group_variants = false
fill = true
category = "same"
min_price = "50%"
max_price = 900
""",
    ("llr", "count"),
)
FLOOR = 3


def of(raw="", seeds=("tent",), **parameters):
    return asked(Query(raw or urlencode(parameters, doseq=True), COMMON), CONFIG, FLOOR, seeds)


def refused(**parameters):
    with pytest.raises(ApiError) as caught:
        of(**parameters)
    assert caught.value.status == 400
    return caught.value.field


def test_defaults():
    request = of()
    assert (request.placement.name, request.relation, request.ranking.name) == ("default", Relation.ALSO_VIEWED, "llr")
    assert (request.n, request.floor, request.seeds) == (10, FLOOR, ("tent",))
    assert (request.in_stock, request.group_variants, request.fill) == (True, True, False)
    assert (request.category, request.low, request.high, request.exclude, request.cart) == (None, None, None, (), ())
    assert (request.lang, request.currency, request.uid, request.aid, request.personal) == ("", "", None, None, False)


def test_a_placement_gives_what_the_request_does_not_say():
    request = of(placement="cart")
    assert (request.relation, request.ranking.name, request.n, request.floor) == (Relation.ALSO_BOUGHT, "rare", 4, 7)
    assert (request.in_stock, request.group_variants, request.fill, request.category) == (False, False, True, "same")
    assert (request.low, request.high) == (Price(0.5, relative=True), Price(900.0))


def test_the_request_stands_over_its_placement():
    request = of(
        placement="cart", relation="viewed_bought", ranking="count", n=100, in_stock="yes", group_variants="1",
        fill="no", category="Camping", min_price="10.50", max_price="150%", lang="pt-BR", currency="SEK",
    )  # fmt: skip
    assert (request.relation, request.ranking.name, request.floor) == (Relation.VIEWED_BOUGHT, "count", FLOOR)
    assert (request.n, request.in_stock, request.group_variants, request.fill) == (100, True, True, False)
    assert (request.category, request.low, request.high) == ("Camping", Price(10.5), Price(1.5, relative=True))
    assert (request.lang, request.currency) == ("pt-BR", "SEK")


def test_items_come_listed_repeated_or_verbatim():
    request = of(exclude=["a,b", "c"], exclude_item="d,e", cart="x,,y", cart_item=["y", "z"])
    assert request.exclude == ("a", "b", "c", "d,e")
    assert request.cart == ("x", "y", "z")


@pytest.mark.parametrize(("name", "value"), [("uid", "jane"), ("aid", "device-1"), ("cart", "a"), ("cart_item", "a,b")])
def test_what_is_about_one_customer_is_personal(name, value):
    assert of(**{name: value}).personal
    assert not of(exclude="a").personal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("placement", "other"), ("placement", ""), ("relation", "also"), ("ranking", "cosine"), ("ranking", ""),
        ("n", "0"), ("n", "101"), ("in_stock", "maybe"), ("group_variants", ""), ("fill", "TRUE"),
        ("category", ""), ("category", "x" * 257), ("min_price", "-1"), ("min_price", ""), ("min_price", "1e3"),
        ("max_price", "50 %"), ("max_price", "%"), ("max_price", "1.1234567"), ("max_price", "٣"),
        ("lang", ""), ("lang", "s"), ("lang", "sv_SE"), ("lang", "sv\n"), ("currency", "sek"), ("currency", "SEKK"),
        ("currency", "SEK\n"), ("uid", ""), ("aid", "x" * 257), ("cart", "x" * 257), ("cart_item", ""),
        ("exclude_item", ""), ("campaign", ""), ("send_id", "x" * 129), ("n", ["1", "1"]), ("uid", ["a", "a"]),
    ],
)  # fmt: skip
def test_the_field_at_fault_is_named(name, value):
    assert refused(**{name: value}) == name


@pytest.mark.parametrize("name", ["exclude", "cart"])
def test_lists_are_bounded(name):
    most = ",".join(map(str, range(MOST_EXCLUDED)))
    assert len(getattr(of(**{name: most}), name)) == MOST_EXCLUDED
    assert refused(**{name: f"{most},more"}) == name


def test_no_parameter_is_forgotten():
    """Each has a value here that changes the request."""
    changes = {
        "n": "7", "relation": "also_bought", "ranking": "count", "placement": "cart", "exclude": "a",
        "exclude_item": "a", "cart": "a", "cart_item": "a", "category": "c", "min_price": "1", "max_price": "1",
        "in_stock": "no", "group_variants": "no", "fill": "yes", "lang": "sv",
        "currency": "SEK", "uid": "u", "aid": "a", "campaign": "c", "send_id": "s",
    }  # fmt: skip
    assert set(changes) == set(COMMON)
    for name, value in changes.items():
        assert of(**{name: value}) != of(), name


values = st.text(max_size=12) | st.sampled_from(["1", "50%", "sv", "SEK", "true", "also_bought", "llr", "cart", "a,b"])


@given(st.dictionaries(st.sampled_from(COMMON), values, max_size=6))
def test_anything_is_understood_or_refused_by_name(parameters):
    try:
        request = of(**parameters)
    except ApiError as error:
        assert error.status == 400
        assert error.field in (*parameters, "query")
    else:
        assert 1 <= request.n <= 100
        assert request.placement.name in CONFIG.placements


def test_another_placement_gives_what_the_request_leaves_open():
    cart, rare = CONFIG.placements["cart"], CONFIG.rankings["rare"]
    assert at(of(), cart, None, None, FLOOR) == of(placement="cart")
    assert at(of(), cart, None, None, FLOOR).floor == rare.floor == 7
    own = {"n": "9", "relation": "also_viewed", "ranking": "count", "min_price": "1", "fill": "no", "in_stock": "yes"}
    assert at(of(**own), cart, rare, Relation.VIEWED_BOUGHT, FLOOR) == of(placement="cart", **own)
    plain = CONFIG.placements["default"]
    assert at(of(), plain, rare, Relation.ALSO_BOUGHT, FLOOR) == of(ranking="rare", relation="also_bought")
