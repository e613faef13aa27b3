"""POST /v1/placements: every list as if asked for alone after those before it, and errors that name the field."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from varde.catalogue import Entry
from varde.config import read
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

from .world import ITEMS, NOW, customers, fill

CONFIG = read(
    """
[placements.cart]
source = "recommendations"
fill = true
[placements.best]
source = "popular"
n = 3
""",
    ("llr", "count"),
)
ANSWER = ["placement", "relation", "ranking", "rung", "stale", "experiment", "variation", "items"]


@pytest.fixture
async def client(serve, settings):
    return await serve(settings, config=CONFIG)


async def post(client, body, status=200):
    response = await client.post("/v1/placements", data=body if isinstance(body, bytes) else json.dumps(body))
    answer = await response.json()
    assert response.status == status, answer
    return answer


async def refused(client, body):
    error = (await post(client, body, 400))["error"]
    assert error["code"] == "bad_parameter"
    return error["field"]


def ids(answer):
    return [item["id"] for item in answer["items"]]


async def test_each_list_is_the_one_asked_for_alone_without_what_those_before_it_show(client):
    wanted = [
        {"id": "first", "items": ["tent", "stove"], "n": 3, "relation": "also_viewed"},
        {"id": "second", "items": ["tent"], "n": 4, "ranking": "count"},
        {"id": "third", "placement": "best"},
    ]
    response = await client.post("/v1/placements", json={"placements": wanted, "exclude": ["rope"]})
    body = await response.json()
    assert list(body) == ["request_id", "placements"]
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert list(body["placements"]) == ["first", "second", "third"]
    shown = ["rope"]
    for one in wanted:
        answer = body["placements"][one["id"]]
        assert list(answer) == ANSWER
        asked = {name: value for name, value in one.items() if name not in ("id", "items")}
        parameters = [("item", item) for item in one.get("items", ())] + [("exclude_item", item) for item in shown]
        alone = await (await client.get("/v1/recommendations", params=[*asked.items(), *parameters])).json()
        assert answer == {name: alone[name] for name in ANSWER}
        assert answer["items"]
        shown += ids(answer)
    assert len(set(shown)) == len(shown)


async def test_no_item_and_no_variant_of_it_is_shown_twice(serve, frail):
    store = Store.from_settings(Settings(redis_url=frail.url), clock=lambda: NOW)
    await asyncio.to_thread(fill, store, customers(300, ITEMS), "variants")
    store.close()
    entries = CatalogueStore.from_settings(Settings(redis_url=frail.url))
    parents = {"stove": "kitchen", "mug": "kitchen", "lamp": "light", "map": "light"}
    found = [Entry(item, parent=parents.get(item), stock=0 if item == "boots" else None) for item in ITEMS]
    await asyncio.to_thread(entries.put_entries, found, NOW, True)
    entries.close()
    client = await serve(Settings(redis_url=frail.url, deadline_ms=5000), config=CONFIG)
    lists = [{"items": ["tent"], "n": 2, "fill": True} for _ in range(6)]
    body = await post(client, {"placements": lists})
    assert list(body["placements"]) == ["0", "1", "2", "3", "4", "5"]
    shown = [item for answer in body["placements"].values() for item in ids(answer)]
    groups = [parents.get(item, item) for item in shown]
    assert len(set(groups)) == len(groups)
    assert set(groups) == {parents.get(item, item) for item in ITEMS} - {"tent", "boots"}
    free = await post(client, {"placements": [{**one, "group_variants": False, "n": 3} for one in lists]})
    shown = [item for answer in free["placements"].values() for item in ids(answer)]
    assert sorted(shown) == sorted(set(ITEMS) - {"tent", "boots"})


async def test_a_page_is_about_one_customer(client):
    both = [{"id": "a"}, {"id": "b", "placement": "cart"}]
    body = await post(client, {"uid": "jane", "cart": ["mat"], "placements": both})
    first = await (await client.get("/v1/recommendations?uid=jane&cart=mat")).json()
    assert body["placements"]["a"]["items"] == first["items"]
    shown = [item for answer in body["placements"].values() for item in ids(answer)]
    assert "mat" not in shown
    assert shown


async def test_null_is_as_if_it_were_not_there_and_numbers_are_numbers(client):
    plain = await post(client, {"placements": [{}]})
    nothing = dict.fromkeys(("id", "items", "item", "n", "placement", "relation", "category", "min_price", "in_stock"))
    shared = dict.fromkeys(("uid", "aid", "cart", "exclude", "lang", "currency"))
    answer = await post(client, {**shared, "placements": [nothing]})
    assert answer["placements"] == plain["placements"]
    for one in ({"n": 2}, {"n": 2.0}, {"n": 2e0}):
        assert len(ids((await post(client, {"placements": [one]}))["placements"]["0"])) == 2
    for price in (0, 10, 10.5, 0.1234567891, 99999999999.9, "10.50", "50%", -0.0):
        await post(client, {"placements": [{"item": "tent", "min_price": price}]})
    for customer in (12345, "12345", 2**63):
        await post(client, {"uid": customer, "placements": [{}]})


async def test_a_list_is_named_by_its_id_its_placement_or_its_place(client):
    body = await post(
        client, {"placements": [{}, {"placement": "best"}, {"placement": "best", "id": "ö"}, {"id": "2"}]}
    )
    assert list(body["placements"]) == ["0", "best", "ö", "2"]


LIST = "placements[0]"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"), (b"{", "body"), (b"\xff", "body"), (b'{"uid":"\\ud800","placements":[{}]}', "body"),
        ([], "body"), (None, "body"), ({}, "placements"), ({"placements": []}, "placements"),
        ({"placements": [{}] * 21}, "placements"), ({"placements": {}}, "placements"), ({"placements": [1]}, LIST),
        ({"placements": [{}], "page": 1}, "page"), ({"placements": [{"uid": "x"}]}, f"{LIST}.uid"),
        ({"placements": [{}, {"n": 0}]}, "placements[1].n"), ({"placements": [{"n": "5"}]}, f"{LIST}.n"),
        ({"placements": [{"n": 1.5}]}, f"{LIST}.n"), ({"placements": [{"n": True}]}, f"{LIST}.n"),
        ({"placements": [{"items": "tent"}]}, f"{LIST}.items"), ({"placements": [{"items": [1]}]}, f"{LIST}.items"),
        ({"placements": [{"items": [""]}]}, f"{LIST}.items"), ({"placements": [{"item": ""}]}, f"{LIST}.item"),
        ({"placements": [{"item": ["tent"]}]}, f"{LIST}.item"), ({"placements": [{"item": 5}]}, f"{LIST}.item"),
        ({"placements": [{"in_stock": "yes"}]}, f"{LIST}.in_stock"), ({"placements": [{"fill": 1}]}, f"{LIST}.fill"),
        ({"placements": [{"min_price": -1}]}, f"{LIST}.min_price"),
        ({"placements": [{"max_price": 1e12}]}, f"{LIST}.max_price"),
        ({"placements": [{"max_price": True}]}, f"{LIST}.max_price"),
        ({"placements": [{"category": 5}]}, f"{LIST}.category"),
        ({"placements": [{"placement": "other"}]}, f"{LIST}.placement"),
        ({"placements": [{"ranking": "x"}]}, f"{LIST}.ranking"),
        ({"placements": [{"id": ""}]}, f"{LIST}.id"), ({"placements": [{"id": "x" * 65}]}, f"{LIST}.id"),
        ({"placements": [{"id": "a"}, {"id": "a"}]}, "placements[1].id"), ({"placements": [{"id": 1}]}, f"{LIST}.id"),
        ({"placements": [{"id": "1"}, {}]}, "placements[1].id"), ({"placements": [{"cart": ["a"]}]}, f"{LIST}.cart"),
        ({"placements": [{}], "cart": "tent"}, "cart"), ({"placements": [{}], "cart": [""]}, "cart"),
        ({"placements": [{}], "cart": ["x"] * 201}, "cart"),
        ({"placements": [{}], "exclude": ["x" * 257]}, "exclude"),
        ({"placements": [{}], "uid": ""}, "uid"), ({"placements": [{}], "uid": 1.5}, "uid"),
        ({"placements": [{}], "uid": {}}, "uid"), ({"placements": [{}], "lang": "x"}, "lang"),
        ({"placements": [{}], "currency": 5}, "currency"), ({"placements": [{}], "aid": 1e300}, "aid"),
    ],
)  # fmt: skip
async def test_the_field_at_fault_is_named(client, body, field):
    assert await refused(client, body) == field


async def test_the_message_never_repeats_a_customer(client):
    text = json.dumps(await post(client, {"placements": [{}], "uid": "j" * 257}, 400))
    assert "jjj" not in text


async def test_a_body_is_bounded(client):
    answer = await post(client, {"placements": [{}], "exclude": ["x" * 250] * 80}, 413)
    assert answer["error"]["code"] == "too_large"
    deep = await client.post("/v1/placements", data=b'{"placements":' + b"[" * 8000)
    assert deep.status == 400


async def test_a_page_of_another_origin_may_send_it_without_asking_first(client):
    response = await client.post("/v1/placements", data=b'{"placements":[{}]}', headers={"Content-Type": "text/plain"})
    assert response.status == 200


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner), max_leaves=6
)
NAMES = [
    "id",
    "items",
    "item",
    "n",
    "relation",
    "ranking",
    "placement",
    "category",
    "min_price",
    "max_price",
    "in_stock",
    "fill",
    "x",
]
sound = st.sampled_from(["tent", ["tent", "mat"], 5, 12.5, "50%", "also_bought", "count", "best", True, "Camping"])
lists = st.lists(st.dictionaries(st.sampled_from(NAMES), sound | anything, max_size=3), min_size=1, max_size=3)
bodies = (
    st.fixed_dictionaries({"placements": lists}, optional={"uid": sound | anything, "cart": sound | anything})
    | anything
)


@given(body=bodies)
@given_settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_body_gets_lists_or_an_error_that_names_a_field(client, body):
    response = await client.post("/v1/placements", data=json.dumps(body))
    answer = await response.json()
    assert response.status in (200, 400), answer
    if response.status == 400:
        assert answer["error"]["field"] is not None  # the name of a field may be empty
    else:
        shown = [item for one in answer["placements"].values() for item in ids(one)]
        assert len(set(shown)) == len(shown)
