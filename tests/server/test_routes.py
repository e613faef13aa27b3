"""The /v1 routes on a filled Redis, against brute force over the customers."""

import dataclasses
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from varde.delivery import Pane, popularity, split
from varde.history import Signal
from varde.pairs import Histories, Relation
from varde.ranking import RANKINGS, scores
from varde.store.sync import Store

from .world import ITEMS, NOW, UNKNOWN, neighbours, pair

LIST_FIELDS = {
    "request_id", "placement", "relation", "ranking", "rung", "stale", "experiment", "variation", "items",
}  # fmt: skip
DIGITS = 5e-9
"""Scores have nine significant digits."""
relations = pytest.mark.parametrize("relation", Relation, ids=lambda relation: relation.label)


async def get(client, path, status=200, **parameters):
    response = await client.get(f"{path}?{urlencode(parameters, doseq=True)}")
    body = await response.json()
    assert response.status == status, body
    return body


def by_hand(everyone, relation, item, ranking, floor=3):
    """[(id, score, customers)] in the order of the contract, from the customers alone."""
    found = []
    for other, customers in neighbours(everyone, relation, item, floor).items():
        k, a, b, n = pair(everyone, relation, item, other)
        found.append((-float(scores(ranking, [k], a, [b], n)[0]), -customers, other))
    return [(other, -score, -customers) for score, customers, other in sorted(found)]


@relations
@pytest.mark.parametrize("ranking", ["llr", "cosine", "count"])
async def test_similar_is_brute_force(serve, settings, everyone, relation, ranking):
    client = await serve(settings)
    for item in ITEMS:
        body = await get(client, f"/v1/similar/{quote(item, safe='')}", n=100, relation=relation.label, ranking=ranking)
        expected = by_hand(everyone, relation, item, ranking)
        assert expected, "the world is too small to test anything"
        assert [(entry["id"], entry["customers"]) for entry in body["items"]] == [(i, c) for i, _, c in expected]
        assert [entry["score"] for entry in body["items"]] == pytest.approx(
            [score for _, score, _ in expected], rel=DIGITS
        )


async def test_the_shape_is_the_contract(serve, settings):
    client = await serve(settings)
    body = await get(client, "/v1/similar/tent", n=2)
    assert set(body) == {*LIST_FIELDS, "item"}
    assert body["request_id"] == "request-1"
    assert (body["item"], body["relation"], body["ranking"]) == ("tent", "also_viewed", "llr")
    assert body["placement"] == "default"
    assert (body["rung"], body["stale"], body["experiment"], body["variation"]) == ("pairs", False, None, None)
    assert len(body["items"]) == 2
    assert all(set(entry) == {"id", "score", "customers"} for entry in body["items"])

    body = await get(client, "/v1/recommendations", items="tent,stove", n=2)
    assert set(body) == LIST_FIELDS
    assert body["request_id"] == "request-2"
    assert all(set(entry) == {"id", "score", "customers", "because"} for entry in body["items"])


HEADERS = [
    ("/v1/similar/tent", "public, no-cache", True),
    ("/v1/similar/tent?uid=jane", "private, no-cache", True),
    ("/v1/similar/tent?n=0", "no-store", True),
    ("/v1/recommendations?items=tent", "public, no-cache", True),
    ("/v1/recommendations?uid=jane", "private, no-cache", True),
    ("/v1/recommendations?items=tent&cart=mat", "private, no-cache", True),
    ("/v1/explain/tent/mat", "no-store", False),
    ("/v1/stats", "no-store", False),
]


@pytest.mark.parametrize(("path", "cache", "anybody"), HEADERS, ids=lambda value: str(value))
async def test_every_answer_has_headers_that_fit_it(serve, settings, path, cache, anybody):
    client = await serve(settings)
    response = await client.get(path)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == cache
    assert response.headers["X-Request-Id"].startswith("request-")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers.get("Access-Control-Allow-Origin") == ("*" if anybody else None)
    assert "aiohttp" not in response.headers["Server"]
    assert ("ETag" in response.headers) == (cache != "no-store")


async def test_the_same_answer_is_not_sent_twice(serve, settings):
    client = await serve(settings)
    first = await client.get("/v1/similar/tent?n=3")
    tag = first.headers["ETag"]
    for said in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = await client.get("/v1/similar/tent?n=3", headers={"If-None-Match": said})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag), said
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    other = await client.get("/v1/similar/tent?n=2", headers={"If-None-Match": tag})
    assert (other.status, len((await other.json())["items"])) == (200, 2)


async def test_each_answer_has_its_own_request_id_and_the_head_is_that_of_get(serve, settings):
    client = await serve(settings)
    answers = [await client.get("/v1/similar/tent") for _ in range(3)]
    bodies = [await answer.json() for answer in answers]
    assert [body.pop("request_id") for body in bodies] == [answer.headers["X-Request-Id"] for answer in answers]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3
    assert bodies[0] == bodies[1] == bodies[2]
    head = await client.head("/v1/similar/tent")
    assert (head.status, await head.read(), head.headers["ETag"]) == (200, b"", answers[0].headers["ETag"])


@pytest.mark.parametrize("item", ITEMS)
async def test_any_item_id_makes_the_round_trip_through_the_path(serve, settings, item):
    client = await serve(settings)
    body = await get(client, f"/v1/similar/{quote(item, safe='')}")
    assert (body["item"], body["rung"]) == (item, "pairs")
    assert item not in [entry["id"] for entry in body["items"]]


async def test_an_unknown_item_gets_what_is_popular(serve, settings, everyone):
    client = await serve(settings)
    body = await get(client, f"/v1/similar/{UNKNOWN}", n=3)
    popular = await get(client, "/v1/popular", signal="view", n=3)
    assert body["rung"] == "popular"
    ids = [entry["id"] for entry in popular["items"]]
    assert [(entry["id"], entry["customers"]) for entry in body["items"]] == [(item, None) for item in ids]
    assert [entry["score"] for entry in body["items"]] == pytest.approx(
        [entry["score"] for entry in popular["items"]], rel=DIGITS
    )
    assert len(body["items"]) == 3
    scores = [entry["score"] for entry in popular["items"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("half_life_days", [1.0, 7.0])
async def test_popularity_is_a_number_of_interactions_that_halves(serve, settings, frail, half_life_days):
    """The stream weighs each interaction once (forward decay); read at any time, the sum counts those of that time."""
    half_life_ms = half_life_days * 86_400_000
    settings = dataclasses.replace(settings, redis_url=frail.url, half_life_days=half_life_days)
    ages = {"tent": [0, 0, 0, half_life_ms], "mat": [half_life_ms, 3 * half_life_ms], "mug": [10]}
    pane = Pane()
    pane.popular[Signal.VIEW] = {
        item: sum(popularity(NOW - int(age), half_life_days) for age in each) for item, each in ages.items()
    }
    store = Store.from_settings(settings)
    assert all(store.apply(delivery) for delivery in split(pane, "popular", 0, 0, 100))
    store.close()
    client = await serve(settings)
    expected = {"tent": 3.5, "mug": 1.0, "mat": 0.625}
    for path, query in (("/v1/popular", {}), (f"/v1/similar/{UNKNOWN}", {}), ("/v1/recommendations", {"uid": "new"})):
        items = (await get(client, path, **query))["items"]
        assert [entry["id"] for entry in items] == list(expected)
        assert [entry["score"] for entry in items] == pytest.approx(list(expected.values()), rel=1e-6)


async def test_popular_items_are_those_of_the_relations_column(serve, settings):
    client = await serve(settings)
    body = await get(client, f"/v1/similar/{UNKNOWN}", n=5, relation="viewed_bought")
    bought = await get(client, "/v1/popular", signal="purchase", n=5)
    assert [entry["id"] for entry in body["items"]] == [entry["id"] for entry in bought["items"]]


async def test_an_empty_redis_gives_the_rung_none_and_is_not_stale(serve, settings, frail):
    client = await serve(settings, redis_url=frail.url)
    body = await get(client, "/v1/similar/tent")
    assert (body["rung"], body["stale"], body["items"]) == ("none", False, [])
    assert (await get(client, "/v1/popular"))["items"] == []
    figures = await get(client, "/v1/stats")
    assert figures.pop("counters") == {}
    assert {name for name, value in figures.items() if value is None} == {"freshness_p50_s", "freshness_p99_s"}
    assert {value for value in figures.values() if value is not None} == {0}


async def test_the_floor_hides_pairs_of_few(serve, settings, everyone):
    high = sorted(neighbours(everyone, Relation.ALSO_VIEWED, "rope", 1).values())[-2]
    client = await serve(settings, min_customers=high)
    body = await get(client, "/v1/similar/rope", n=100)
    assert [entry["customers"] >= high for entry in body["items"]] == [True] * len(body["items"])
    assert {entry["id"] for entry in body["items"]} == set(neighbours(everyone, Relation.ALSO_VIEWED, "rope", high))


async def test_a_configured_ranking_is_allowed_and_another_is_not(serve, settings):
    client = await serve(settings, rankings=("jaccard", "llr"))
    assert (await get(client, "/v1/similar/tent"))["ranking"] == "jaccard"
    assert (await get(client, "/v1/similar/tent", 400, ranking="count"))["error"]["field"] == "ranking"


@relations
async def test_recommendations_blend_the_rows_of_the_seeds(serve, settings, everyone, relation):
    client = await serve(settings)
    seeds = ["tent", "stove", "mat", "lamp", "boots", "map"]  # the sixth is beyond the weights, but excluded
    expected: dict[str, list[tuple[float, int, str]]] = {}
    for place, seed in enumerate(seeds[:5]):
        for other, score, customers in by_hand(everyone, relation, seed, "llr"):
            if other not in seeds:
                expected.setdefault(other, []).append((score / (place + 1), customers, seed))
    body = await get(client, "/v1/recommendations", items=",".join(seeds), n=100, relation=relation.label)
    assert {entry["id"] for entry in body["items"]} == set(expected)
    for entry in body["items"]:
        parts = expected[entry["id"]]
        assert entry["score"] == pytest.approx(sum(score for score, _, _ in parts), rel=DIGITS)
        best = max(parts)
        assert (entry["customers"], entry["because"]) == (best[1], best[2])
    order = [(-entry["score"], -entry["customers"], entry["id"]) for entry in body["items"]]
    assert order == sorted(order)


async def test_one_seed_is_similar(serve, settings):
    client = await serve(settings)
    blended = await get(client, "/v1/recommendations", items="tent", n=5)
    similar = await get(client, "/v1/similar/tent", n=5)
    assert [{**entry, "because": "tent"} for entry in similar["items"]] == blended["items"]


async def test_seeds_come_separated_or_repeated_or_verbatim(serve, settings):
    client = await serve(settings)
    answers = [
        await get(client, "/v1/recommendations", **parameters)
        for parameters in ({"items": "tent,mat"}, {"items": ["tent", "mat"]}, {"item": ["tent", "mat"]})
    ]
    assert answers[0]["items"] == answers[1]["items"] == answers[2]["items"]


async def test_a_customers_latest_items_are_the_seeds(serve, settings):
    client = await serve(settings)
    known = await get(client, "/v1/recommendations", uid="jane", n=5)
    assert known["items"] == (await get(client, "/v1/recommendations", items="tent,stove", n=5))["items"]
    device = await get(client, "/v1/recommendations", aid="device-1", n=5)
    assert device["items"] == (await get(client, "/v1/recommendations", items="rope", n=5))["items"]
    both = await get(client, "/v1/recommendations", uid="john", aid="device-1", n=5)
    assert both["items"] == device["items"]


async def test_a_new_customer_gets_what_is_popular(serve, settings):
    client = await serve(settings)
    body = await get(client, "/v1/recommendations", uid="nobody", n=4)
    assert (body["rung"], len(body["items"])) == ("popular", 4)


async def test_recommendations_need_something_to_go_by(serve, settings):
    client = await serve(settings)
    assert (await get(client, "/v1/recommendations", 400))["error"]["field"] == "items"


@relations
async def test_explain_is_brute_force(serve, settings, everyone, relation):
    client = await serve(settings)
    for item in ITEMS[:6]:
        for other in ITEMS[5:]:
            if item == other:
                continue
            path = f"/v1/explain/{quote(item, safe='')}/{quote(other, safe='')}"
            body = await get(client, path, relation=relation.label)
            k, a, b, n = pair(everyone, relation, item, other)
            assert [body[f"{name}customers"] for name in ("", "item_", "other_", "total_")] == [k, a, b, n]
            assert set(body["scores"]) == {*RANKINGS, "lift"}
            assert body["scores"]["llr"] == pytest.approx(float(scores("llr", [k], a, [b], n)[0]))
            assert body["text"].startswith(f"{k} customer")
            assert body["window"] == {"days": 90, "start": "2024-07-06"}


async def test_explain_shows_a_pair_below_the_floor_and_the_unknown(serve, settings):
    client = await serve(settings, min_customers=1000)
    assert (await get(client, "/v1/explain/tent/stove"))["customers"] > 0
    body = await get(client, f"/v1/explain/tent/{UNKNOWN}")
    assert (body["customers"], body["other_customers"], body["scores"]["lift"]) == (0, 0, None)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/similar/" + "x" * 257, "item"),
        ("/v1/similar/%FF", "item"),
        ("/v1/explain/a/a", "other"),
        ("/v1/explain/a/" + "x" * 257, "other"),
        ("/v1/explain/a/b?n=3", "n"),
        ("/v1/similar/a?n=101", "n"),
        ("/v1/similar/a?relation=x", "relation"),
        ("/v1/popular?signal=click", "signal"),
        ("/v1/stats?x=1", "x"),
        ("/v1/recommendations?uid=", "uid"),
    ],
)
async def test_a_bad_request_names_the_field(serve, settings, path, field):
    client = await serve(settings)
    response = await client.get(path)
    assert response.status == 400
    assert (await response.json())["error"]["field"] == field


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = text | st.sampled_from(["1", "100", "0", "llr", "also_bought", "tent", "tent,stove", "view"])
names = text | st.sampled_from(["n", "relation", "ranking", "items", "item", "uid", "aid", "signal"])
LISTING = ["n", "relation", "ranking"]
TAKES = {
    "/v1/similar/tent": LISTING,
    "/v1/recommendations": [*LISTING, "items", "item", "uid", "aid"],
    "/v1/explain/tent/stove": ["relation"],
    "/v1/popular": ["signal", "n"],
    "/v1/stats": [],
}


@st.composite
def targets(draw):
    """A path and a query: mostly parameters that the route takes, each with any value; sometimes any name at all."""
    path = draw(st.sampled_from(sorted(TAKES)))
    own = TAKES[path]
    pairs = draw(
        st.lists(st.tuples(st.sampled_from(own), values), max_size=4, unique_by=lambda p: p[0]) if own else st.just([])
    )
    if draw(st.integers(0, 5)) == 0:
        pairs += draw(st.lists(st.tuples(names, values), max_size=2))
    if path.startswith("/v1/similar") and draw(st.booleans()):
        path = f"/v1/similar/{quote(draw(text), safe='')}"
    return f"{path}?{urlencode(pairs)}"


@given(target=targets())
@given_settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_query_gets_200_or_an_error_in_json(one_server, target):
    response = await one_server.get(target)
    body = await response.json()
    assert response.status in (200, 400, 404), body
    if response.status != 200:
        assert set(body["error"]) == {"code", "message", "field"}


@pytest.fixture
async def one_server(serve, settings):
    return await serve(settings)


def test_the_world_holds_what_the_tests_need(everyone):
    assert isinstance(everyone[0], Histories)
    assert NOW % 86_400_000
