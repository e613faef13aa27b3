"""Rows and changes: every field read, every reason met, and no input a crash."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.catalogue import Change, Entry, Text, decode, encode, loaded
from varde.feed import COLUMNS, MAX_MESSAGE, Refused, change, changes, entry
from varde.reasons import CATALOGUE

NOW = 1_772_359_200_000
PAGE = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text(encoding="utf-8")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
texts = st.sampled_from(
    ["", " ", "1", "-1", "nan", "1e9", "[", '["a"]', "{}", '{"sv": 1}', "yes", "\ud800", "x" * 3000]
)
rows = st.dictionaries(st.sampled_from(COLUMNS), json_values | texts, max_size=8)
FULL = {
    "id": "a", "parent": "p", "title": "Jacket", "url": "https://shop/a", "image": "/a.png", "price": 12.5,
    "currency": "SEK", "stock": 3, "categories": ["Clothes", "Jackets"], "brand": "Kaldra", "hidden": False,
    "texts": {"sv": {"title": "Jacka", "url": "/sv/a"}, "de": "Jacke"}, "prices": {"EUR": 1.2},
    "updated": "2026-01-05T10:00:00Z",
}  # fmt: skip
READ = Entry(
    "a", "p", "Jacket", "https://shop/a", "/a.png", 12.5, "SEK", 3, ("Clothes", "Jackets"), "Kaldra", False,
    {"sv": Text("Jacka", "/sv/a"), "de": Text("Jacke", None)}, {"EUR": 1.2}, 1_767_607_200_000,
)  # fmt: skip


def test_a_row_of_json() -> None:
    assert entry(FULL) == READ
    assert entry({"item": 7}) == Entry("7")


def test_a_row_of_texts() -> None:
    said = {name: value if isinstance(value, str) else json.dumps(value) for name, value in FULL.items()}
    assert entry(said | {"categories": " Clothes > Jackets ", "currency": " sek "}) == READ
    assert entry(dict.fromkeys(COLUMNS, "") | {"item": " a "}) == Entry("a")


@given(json_values | rows)
def test_any_row_is_an_entry_or_a_reason(row: Any) -> None:
    found = entry(row)
    if isinstance(found, Refused):
        assert found.reason in CATALOGUE
        found.detail.encode()
    else:
        assert decode(found.id, encode(loaded(found, 1))) == loaded(found, 1)
        assert 0 < len(found.id.encode()) <= 256
        for link in (found.url, found.image, *(text.url for text in found.texts.values())):
            assert link is None or re.match("https?://|/", link)


@given(json_values | st.dictionaries(st.sampled_from(["id", "hidden", "stock", "price", "at"]), json_values))
def test_any_change_is_one_or_a_reason(value: Any) -> None:
    found = change(value, NOW)
    assert found.reason in CATALOGUE if isinstance(found, Refused) else found.at <= NOW


@given(st.binary(max_size=200) | json_values.map(json.dumps).map(str.encode))
def test_any_message_is_accounted_for(data: bytes) -> None:
    for found, said in changes(data, NOW):
        assert isinstance(found, Change | Refused)
        assert isinstance(said, bytes)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"title": "A"}, "no_item"),
        ({"id": " "}, "no_item"),
        ({"id": 1.5}, "bad_item"),
        ({"id": True}, "bad_item"),
        ({"id": "å" * 129}, "bad_item"),
        ({"id": "a", "url": "javascript:alert(1)"}, "bad_url"),
        ({"id": "a", "url": "/a b"}, "bad_url"),
        ({"id": "a", "image": "data:image/png;base64,"}, "bad_image"),
        ({"id": "a", "price": "12,50"}, "bad_price"),
        ({"id": "a", "price": -1}, "bad_price"),
        ({"id": "a", "price": float("nan")}, "bad_price"),
        ({"id": "a", "price": 10**400}, "bad_price"),
        ({"id": "a", "stock": "many"}, "bad_stock"),
        ({"id": "a", "currency": "kronor"}, "bad_currency"),
        ({"id": "a", "hidden": "perhaps"}, "bad_hidden"),
        ({"id": "a", "hidden": 2}, "bad_hidden"),
        ({"id": "a", "categories": 5}, "bad_categories"),
        ({"id": "a", "categories": ["x"] * 21}, "bad_categories"),
        ({"id": "a", "texts": {"Svenska!": "x"}}, "bad_texts"),
        ({"id": "a", "texts": {"sv": {"url": "javascript:1"}}}, "bad_texts"),
        ({"id": "a", "prices": {"EURO": 1}}, "bad_prices"),
        ({"id": "a", "prices": {"EUR": -1}}, "bad_prices"),
        ({"id": "a", "updated": "yesterday"}, "bad_updated"),
        ({"id": "a", "brand": "x" * 257}, "bad_brand"),
        ({"id": "a", "title": "\ud800"}, "bad_title"),
        ({"id": "a", "parent": ["p"]}, "bad_parent"),
    ],
)  # fmt: skip
def test_bad_rows_say_which_field(row: dict[str, Any], reason: str) -> None:
    found = entry(row)
    assert isinstance(found, Refused)
    assert found.reason == reason
    assert found.detail.partition(":")[0] == ("id" if reason == "no_item" else reason.removeprefix("bad_"))


@pytest.mark.parametrize(("stock", "left"), [("0", 0), (0.5, 1), ("2.0", 2), (-1.5, -1), (None, None)])
def test_a_part_of_a_unit_is_still_something_left(stock: Any, left: int | None) -> None:
    found = entry({"id": "a", "stock": stock})
    assert isinstance(found, Entry)
    assert found.stock == left


@pytest.mark.parametrize(
    ("said", "at"),
    [(None, NOW), ("2026-01-05T10:00:00Z", 1_767_607_200_000), (NOW - 5, NOW - 5), (NOW + 10**9, NOW)],
)
def test_the_time_of_a_change(said: Any, at: int) -> None:
    found = change({"id": "a", "stock": 0, "at": said}, NOW)
    assert found == Change("a", at, {"stock": 0})


def test_a_list_of_changes_is_taken_apart() -> None:
    data = b'[{"id":"a","hidden":true},{"id":"b"},3]'
    found = list(changes(data, NOW))
    assert [said for _, said in found] == [b'{"id":"a","hidden":true}', b'{"id":"b"}', b"3"]
    assert found[0][0] == Change("a", NOW, {"hidden": True})
    assert [why.reason for why, _ in found[1:] if isinstance(why, Refused)] == ["nothing_changed", "not_an_object"]


def test_deep_nesting_is_a_bad_change() -> None:
    deep = b'[{"id":"a","stock":' + b"[" * 500 + b"]" * 500 + b"}]"
    ((found, said),) = changes(deep, NOW)
    assert isinstance(found, Refused)
    assert (found.reason, said) == ("bad_stock", deep)


ROWS = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", PAGE.split("## Reasons")[1], re.M)


def test_the_page_has_every_reason_with_its_meaning() -> None:
    assert [(name, meaning) for name, meaning, _ in ROWS] == list(CATALOGUE.items())


@pytest.mark.parametrize(("reason", "example"), [(row[0], row[2]) for row in ROWS if row[2].startswith("`")])
def test_the_pages_examples_give_their_reasons(reason: str, example: str) -> None:
    data = re.sub(r"<(\d+) x>", lambda found: "x" * int(found[1]), example.strip("`")).encode()
    if reason == "too_large":
        assert len(data) > MAX_MESSAGE
    found: list[Any] = [why for why, _ in changes(data, NOW)]
    if not isinstance(found[0], Refused) or found[0].reason == "unknown_field":
        found = [entry(json.loads(data))] if reason != "unknown_field" else found
    assert isinstance(found[0], Refused)
    assert found[0].reason == reason
