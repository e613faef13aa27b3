"""Finding items by id or name, against looking at each by hand."""

import random

import pytest

from varde.catalogue import Entry
from varde.server import search as module
from varde.server.search import search
from varde.server.shelf import Shelf

TITLES = {"a-1": "Red Tent", "a-2": "Tent pegs", "a-3": "Blå TELT", "tent": None, "a-5": "Red mug"}


@pytest.fixture
def shelf():
    made = Shelf()
    for item, title in TITLES.items():
        made.put(item, Entry(item, title=title, brand="Nord" if item < "a-3" else "Syd", hidden=item == "a-5"))
    made.slot("uncounted tent")
    return made


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tent", ["tent", "a-2", "a-1", "uncounted tent"]),  # its own id, then what is popular, then the others
        ("TENT  red", ["a-1"]),
        ("nord peg", ["a-2"]),
        ("telt", ["a-3"]),
        ("a-1", ["a-1"]),
        ("mug", []),
        ("a-5", []),
        ("  ", []),
        ("no such", []),
    ],
)
async def test_every_word_is_in_id_name_or_brand_and_hidden_items_are_not_found(shelf, text, found):
    popular = [shelf.slots["a-2"]]
    assert [shelf.ids[slot] for slot in await search(shelf, text, 10, iter(popular))] == found
    assert [shelf.ids[slot] for slot in await search(shelf, text, 1, iter(popular))] == found[:1]


async def test_it_looks_at_everything_and_stops_when_its_time_is_over(shelf, monkeypatch):
    many = Shelf()
    chance = random.Random(1)
    for number in range(5_000):
        many.slot(f"item-{number}-{chance.choice(['red', 'blue'])}")
    wanted = [slot for slot, item in enumerate(many.ids) if "red" in item]
    some = wanted[7]
    expected = [some, *(slot for slot in wanted if slot != some)]
    assert await search(many, "red", 10_000, iter([some, some])) == expected
    monkeypatch.setattr(module, "BUDGET_S", -1.0)
    assert 0 < len(await search(many, "item", 10_000, iter(()))) <= 1_000


async def test_the_route_has_what_lists_say_of_an_item(serve, settings):
    client = await serve(settings)
    body = await (await client.get("/v1/items", params={"q": "SN"})).json()
    assert [entry["id"] for entry in body["items"]] == ["snö 🏔"]
    for query, field in (("", "q"), ("?q=", "q"), (f"?q={'x' * 257}", "q"), ("?q=a&n=0", "n"), ("?q=a&q=b", "q")):
        response = await client.get(f"/v1/items{query}")
        assert (response.status, (await response.json())["error"]["field"]) == (400, field)
