"""docs/events.md against the code: every reason is documented, and its example gives it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from varde import ecommerce
from varde.events import REASONS, Mapping, Rejected, parse
from varde.settings import Settings

DOCS = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
NOW = 1_772_359_200_000
ROWS = re.findall(r"^\| `(\w+)` \| (.*) \| (dead letter|counted only) \| `(.*)` \|$", DOCS.split("## Reasons")[1], re.M)


def test_documented_reasons_are_the_reasons_there_are() -> None:
    assert [row[0] for row in ROWS] == list(REASONS)


@pytest.mark.parametrize(("reason", "meaning", "fate", "example"), ROWS)
def test_example(reason: str, meaning: str, fate: str, example: str) -> None:
    data = re.sub(r"<(\d+) x>", lambda match: "x" * int(match[1]), example).encode()
    rejected = parse(data, NOW, Mapping())
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert rejected.dead_letter == (fate == "dead letter")
    assert REASONS[reason].meaning == meaning


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
