"""The shelf: numbers that move to other items, what may be shown, variants, prices, fragments."""

import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.catalogue import Entry, Text
from varde.server.shelf import Shelf, slots_of


def slots(shelf, *numbers):
    return shelf.of_numbers(np.array(numbers, np.uint32)).tolist()


def test_numbers_lead_to_slots_and_unknown_ones_nowhere():
    shelf = Shelf()
    shelf.learn([("a", 65), ("b", 5_000_000)])
    assert slots(shelf, 65, 64, 5_000_000, 4_999_999, 2**32 - 1) == [shelf.slots["a"], -1, shelf.slots["b"], -1, -1]
    assert slots(shelf) == []


def test_a_number_that_another_item_has_been_given_stays_that_items():
    """Redis was emptied and filled with other items: the same numbers are given out again."""
    shelf = Shelf()
    shelf.learn([("old", 65)])
    shelf.learn([("new", 65)])
    shelf.forget_others({"new"})
    assert slots(shelf, 65) == [shelf.slots["new"]]
    assert shelf.numbers[shelf.slots["old"]] == -1


def test_the_number_an_item_had_before_is_nobodys():
    shelf = Shelf()
    shelf.learn([("a", 65), ("b", 129)])
    shelf.learn([("a", 129), ("b", 193)])
    assert slots(shelf, 65, 129, 193) == [-1, shelf.slots["a"], shelf.slots["b"]]


pasts = st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 5), max_size=6), max_size=5)


@given(pasts=pasts)
def test_after_any_past_numbers_are_those_of_the_last_one(pasts):
    shelf = Shelf()
    for names in pasts:
        names = {item: n for n, item in {n: item for item, n in names.items()}.items()}  # a number is one item's
        shelf.learn(names.items())
        shelf.forget_others(names)
        assert slots(shelf, *range(6)) == [
            next((shelf.slots[item] for item, number in names.items() if number == n), -1) for n in range(6)
        ]
        assert {item: shelf.numbers[slot] for item, slot in shelf.slots.items() if shelf.numbers[slot] >= 0} == names


entries = st.builds(
    Entry,
    st.just("a"),
    hidden=st.booleans(),
    stock=st.sampled_from([None, -1, 0, 1]),
    parent=st.sampled_from([None, "p"]),
    brand=st.sampled_from([None, "Nord"]),
    categories=st.sampled_from([(), ("Shoes", "Red")]),
    listed=st.booleans(),
)


@given(story=st.lists(st.none() | entries, max_size=6))
def test_after_any_story_an_item_is_what_its_last_entry_says(story):
    shelf = Shelf()
    other = shelf.slot("b")
    for entry in story:
        before, old = shelf.epoch, shelf.entries[shelf.slot("a")]
        shelf.put("a", entry)
        slot = shelf.slots["a"]
        assert (shelf.epoch > before) == (entry != old)
        assert shelf.shown[slot] == (entry is None or not entry.hidden)
        sold_out = entry is not None and entry.stock is not None and entry.stock <= 0
        assert shelf.buyable[slot] == (shelf.shown[slot] and not sold_out)
        assert shelf.listed[slot] == (entry is not None and entry.listed) == shelf.entries_listed
        assert [shelf.category_names.texts[code] for code in shelf.categories[slot]] == list(
            entry.categories if entry else ()
        )
        assert shelf.brands.texts[shelf.brand[slot]] == ((entry and entry.brand) or "")
        assert shelf.group[slot] == shelf.group_of("a") == shelf.group_of("p" if entry and entry.parent else "a")
        assert (shelf.shown[other], shelf.buyable[other], shelf.listed[other]) == (1, 1, 0)


def test_a_parent_that_is_no_item_has_its_variants_group():
    shelf = Shelf()
    shelf.put("red", Entry("red", parent="shoe"))
    shelf.put("blue", Entry("blue", parent="shoe"))
    assert shelf.group_of("shoe") == shelf.group_of("red") == shelf.group_of("blue") is not None
    assert shelf.group_of("nothing") is None
    shelf.slot("shoe")  # an item by now
    assert shelf.group_of("shoe") == shelf.group_of("red")


@pytest.mark.parametrize(("currency", "price"), [("", 10.0), ("SEK", 10.0), ("EUR", 1.0), ("USD", 10.0)])
def test_a_price_is_in_the_currency_where_there_is_one(currency, price):
    shelf = Shelf()
    shelf.put("a", Entry("a", price=10.0, currency="SEK", prices={"EUR": 1.0}))
    assert shelf.price(shelf.slots["a"], currency) == price
    assert math.isnan(shelf.price(shelf.slot("b"), currency))


def fields(shelf, item, *how):
    return orjson.loads(b"{%b}" % shelf.fragment(shelf.slots[item], *how))


def test_fragments_say_what_the_entry_says_in_the_language_and_currency():
    shelf = Shelf()
    shelf.slot("a")
    assert fields(shelf, "a") == fields(shelf, "a", "sv", "EUR") == {"id": "a"}
    texts, prices = {"sv": Text("Tält", None)}, {"EUR": 1.0}
    shelf.put("a", Entry("a", title="Tent", url="/t", price=10.0, currency="SEK", texts=texts, prices=prices))
    plain = {"id": "a", "title": "Tent", "url": "/t", "price": 10.0, "currency": "SEK"}
    assert fields(shelf, "a") == plain
    assert fields(shelf, "a", "sv", "EUR") == {**plain, "title": "Tält", "price": 1.0, "currency": "EUR"}
    shelf.put("a", Entry("a", title="Stove"))
    assert fields(shelf, "a") == fields(shelf, "a", "sv", "EUR") == {"id": "a", "title": "Stove"}
    shelf.put("a", None)
    assert fields(shelf, "a", "sv", "EUR") == {"id": "a"}


def test_callers_cannot_fill_the_memory_with_languages():
    shelf = Shelf()
    shelf.put("a", Entry("a", title="Tent"))
    for n in range(1000):
        fields(shelf, "a", f"x{n}", "")
    assert len(shelf._translated) <= 64


def test_only_known_items_have_slots():
    shelf = Shelf()
    shelf.learn([("a", 1)])
    assert slots_of(shelf, ["b", "a", "a"]) == [0, 0]
    assert "b" not in shelf.slots
