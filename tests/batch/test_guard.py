"""What keeps a night from being written, and what does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from varde.batch.guard import HOUR_MS, Figures, Thresholds, refusals
from varde.history import DAY_MS

DAY = 20_000
NOW = (DAY + 1) * DAY_MS
SOUND = Figures(
    until=NOW - 5 * HOUR_MS,
    table="tracks",
    now=NOW,
    live_day=DAY,
    oldest_live_day=DAY - 14,
    sums={"also_viewed": (1000, 990), "view": (100, 120)},
    messages={"view": 1000, "purchase": 100, "return": 200, "sale": 300, "message": 400},
    faults={("view", "no_item"): 50, ("purchase", "products_malformed"): 5},
)


def test_a_sound_night_is_written() -> None:
    assert refusals(SOUND, Thresholds()) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (
            {"until": NOW - 73 * HOUR_MS, "live_day": DAY - 3},
            "stale: what the warehouse has whole, by its table tracks",
        ),
        ({"live_day": DAY + 1, "table": "product_viewed"}, "incomplete: the table product_viewed"),
        ({"oldest_live_day": DAY + 1}, "too old"),
        ({"sums": {"also_viewed": (1000, 699)}}, "drop: also_viewed would fall from 1,000 to 699"),
        ({"sums": {"also_viewed": (1000, 0)}}, "drop"),
        ({"sums": {"view": (1000, 2001)}}, "growth: view would rise from 1,000 to 2,001"),
        ({"sums": {"view": (10, 1000)}}, "growth: view would rise from 10 to 1,000"),
        ({"faults": {("view", "no_item"): 30, ("view", "id_too_long"): 21}}, "faulty: 51 of 1,000 view messages"),
        ({"faults": {("view", "no_received_at"): 51, ("view", "future_time"): 9}}, "faulty: 51 of 1,000 view messages"),
        (
            {"faults": {("purchase", "products_malformed"): 4, ("purchase", "no_item"): 2}},
            "faulty: 6 of 100 purchase messages could not be read, more than 5% (products_malformed 4, no_item 2)",
        ),
        ({"faults": {("return", "no_order_id"): 11}}, "faulty: 11 of 200 return messages"),
        ({"faults": {("sale", "bad_time"): 16, ("sale", "after_as_of"): 99}}, "faulty: 16 of 300 rows of store.sales"),
        ({"faults": {("message", "not_json"): 21}}, "faulty: 21 of 400 raw messages could not be read"),
    ],
)
def test_each_refusal_says_why(change: dict[str, Any], word: str) -> None:
    (why,) = refusals(dataclasses.replace(SOUND, **change), Thresholds())
    assert why.startswith(word)


@pytest.mark.parametrize(
    "change",
    [
        {"sums": {"also_viewed": (0, 10**9)}},  # an empty Redis is filled
        {"sums": {"also_viewed": (1000, 700), "view": (1000, 2000)}},
        {"sums": {"also_viewed": (10, 1000)}, "first": True},  # an empty Redis that a killed run has half filled
        {"faults": {("view", "robot"): 600, ("view", "no_consent"): 300}},  # not to count, and read well
        {"faults": {("view", "future_time"): 999, ("view", "no_loaded_at"): 999}},  # count all the same
        {"sums": {"view": (999, 0), "any": (1, 999)}},  # too few to judge by
        {"faults": {("catalogue", "bad_price"): 10**6}},  # nothing is counted from it
        {"messages": {"view": 99}, "faults": {("view", "no_item"): 99}},  # too few to judge by
        {"until": NOW - 72 * HOUR_MS, "live_day": DAY - 2},
    ],
)
def test_bounds_are_inclusive_and_small_numbers_are_not_judged(change: dict[str, Any]) -> None:
    assert refusals(dataclasses.replace(SOUND, **change), Thresholds()) == []


def test_several_reasons_are_all_given() -> None:
    bad = dataclasses.replace(SOUND, until=0, sums={"also_viewed": (1000, 1)})
    assert [why.partition(":")[0] for why in refusals(bad, Thresholds())] == ["stale", "incomplete", "drop"]
