"""docs/events.md against the code: every reason is documented, and its example gives it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.property.fold import NO_BOUNDS, Fold

from varde import consent, ecommerce
from varde.events import REASONS, Mapping, Rejected, parse
from varde.flood import Bounds
from varde.history import Limits
from varde.settings import Settings

DOCS = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
NOW = 1_772_359_200_000
MAPPING = Mapping(consent=("Analytics",))
ROWS = re.findall(
    r"^\| `(\w+)` \| (\w+) \| (.*) \| (dead letter|counted only) \| `(.*)` \|$", DOCS.split("## Reasons")[1], re.M
)


def messages(example: str) -> list[bytes]:
    """The messages of an example; where it takes several, they are in their order."""
    return [re.sub(r"<(\d+) x>", lambda found: "x" * int(found[1]), one).encode() for one in example.split("` then `")]


def test_documented_reasons_are_the_reasons_there_are() -> None:
    assert [row[0] for row in ROWS] == list(REASONS)
    for reason, stage, meaning, fate, _ in ROWS:
        documented = (stage, meaning, fate == "dead letter")
        assert documented == (REASONS[reason].stage, REASONS[reason].meaning, REASONS[reason].dead_letter)


@pytest.mark.parametrize(("reason", "example"), [(row[0], row[4]) for row in ROWS if row[1] == "parse"])
def test_example_of_what_a_message_says(reason: str, example: str) -> None:
    (data,) = messages(example)
    rejected = parse(data, NOW, MAPPING)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


@pytest.mark.parametrize("example", [row[4] for row in ROWS if row[0] == "flood"])
def test_example_of_a_flood(example: str) -> None:
    """With bounds of one, as the page says; the stream calls the outcome `flooded`."""
    for bounds, floods in ((Bounds(1, 1), 1), (NO_BOUNDS, 0)):
        stream = Fold(Limits(), NOW, bounds)
        for data in messages(example):
            events = parse(data, NOW, MAPPING)
            assert not isinstance(events, Rejected)
            stream.play(events)
        assert stream.outcomes["flooded"] == floods
    assert len(messages(example)) == 2


def test_every_stage_has_its_examples() -> None:
    assert {row[1] for row in ROWS if row[0] != "flood"} == {"parse"}


def test_names_with_a_meaning_of_their_own_are_documented() -> None:
    text = " ".join(DOCS.split())
    assert consent.CHANGED in text
    for name in ecommerce.RETURNED:
        assert f"| {name} |" in text


def test_event_names_are_documented() -> None:
    table = DOCS.split("## Event names")[1].split("## Customers")[0]
    rows = re.findall(r"^\| (\w+ \w+) \| (\w+ \w+) \| (view|cart|purchase) \|", table, re.M)
    documented = {name: signal for v2, v1, signal in rows for name in (v2, v1)}
    assert documented == {name: signal.name.lower() for name, signal in ecommerce.COUNTED.items()}
    for name in ecommerce.NOT_COUNTED:
        mentioned = name in " ".join(table.split())
        v1_or_email = name.startswith(
            ("Viewed ", "Clicked ", "Removed ", "Started ", "Completed ", "Updated ", "Email ")
        )
        assert mentioned or v1_or_email or name == "Unsubscribed", name


def test_defaults_are_documented() -> None:
    assert f"| `VARDE_ITEM_KEYS` | `{','.join(Settings().item_keys)}` |" in DOCS
    assert Settings().events == ()
