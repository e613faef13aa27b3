"""`varde capacity`: its arithmetic, its bounds, and that docs/capacity.md states the figures it reckons with."""

import re
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import capacity, footprint, keys
from varde.capacity import PRICES, Load, plan
from varde.cli import main
from varde.footprint import Shop
from varde.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "capacity.md").read_text(encoding="utf-8")
WORDS = ["capacity", "--customers", "1000000", "--items", "50000", "--events-per-second", "100"]


def figures(capsys, *words):
    assert main([*WORDS, "--json", *words]) == 0
    return orjson.loads(capsys.readouterr().out)


def test_prices_are_replaced(capsys):
    ours, dearer = figures(capsys), figures(capsys, "--price", "redis_gb_hour=0.098", "--price", "pubsub_tib=0")
    assert dearer["cost_month"]["redis"] == pytest.approx(2 * ours["cost_month"]["redis"], abs=0.02)
    assert dearer["cost_month"]["pubsub"] == 0
    assert ours["cost_month_total"] == pytest.approx(sum(ours["cost_month"].values()), abs=0.05)


def test_a_month_by_hand():
    load = Load(1000, peak=2, answers_per_s=500, message_bytes=1000, kept_days=100)
    found = plan(Shop(0, 0, batches_per_s=0), load, Settings(), dict.fromkeys(PRICES, 1.0))
    assert found.workers == 1  # 2,000 × 265 µs = .53 vCPU, .88 at 60 %
    assert plan(Shop(0, 0), Load(3000), Settings(), PRICES).workers == 4  # 9,000 × 265 µs / .6 = 3.98
    assert found.stored == pytest.approx(3 * 86.4e9 * 100)
    assert found.published == pytest.approx(2 * 86.4e9 * 730 / 24)
    assert found.month["bigquery storage"] == pytest.approx(found.stored / 1e9)
    assert found.month["pubsub"] == pytest.approx(found.published / 2**40)
    assert found.month["servers"] == pytest.approx(730 * (1 + 1))


@given(st.integers(0, 10**8), st.integers(0, 10**6), st.floats(0, 1e5))
def test_more_never_needs_less(customers, items, rate):
    def needed(more):
        shop = Shop(customers + more, items + more)
        return plan(shop, Load(rate + more, answers_per_s=rate), Settings(), PRICES)

    less, more = needed(0), needed(1000)
    assert more.maxmemory >= less.maxmemory > 0
    assert sum(more.month.values()) >= sum(less.month.values()) > 0


def test_settings_bound_what_they_bound(monkeypatch, capsys):
    before = figures(capsys)["redis_bytes"]
    monkeypatch.setenv("VARDE_CANDIDATES", "10")
    monkeypatch.setenv("VARDE_RECENT_ITEMS", "5")
    after = figures(capsys)["redis_bytes"]
    assert after["pairs and rows"] < before["pairs and rows"]
    assert after["customers"] < before["customers"]


@pytest.mark.parametrize(
    "words",
    [["--items", "0"], ["--items", "1.5"], ["--price", "beer=1"], ["--price", "pubsub_tib=-1"], ["--neighbours", "1,2"],
     ["--events-per-second", "nan"], ["--peak", "inf"]],
)  # fmt: skip
def test_wrong_use(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*WORDS, *words])
    assert ended.value.code == 2


def test_it_is_told_to_people(capsys):
    assert main(WORDS) == 0
    out = capsys.readouterr().out
    assert re.search(r"^Redis: maxmemory +[\d.]+ GB", out, re.MULTILINE)
    assert "examples" in out.splitlines()[-1]


def test_the_page_states_prices_and_figures():
    prices = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE, re.MULTILINE)
    assert {name: float(value) for name, value in prices} == PRICES
    for text in (
        f"{capacity.EVENT_US:g} µs",
        f"{capacity.ANSWER_US:g} µs",
        f"`maxmemory` is {capacity.ROOM:g} times",
        f"{footprint.NAMES} for number and name, {footprint.SUPPORT} for its support",
        f"{footprint.POPULAR} an item and signal, of at most {footprint.POPULAR_KEPT * keys.SHARDS:,}",
        f"{footprint.TOUCHED} a row, of at most {keys.MOST_TOUCHED * keys.SHARDS:,}",
        f"{footprint.TOKENS:,} for {keys.TOKEN_BLOCK:,} batches",
        f"| {footprint.CATALOGUE} |",
        f"above {footprint.PACKED} neighbours 400 + {footprint.LOOSE:g} n",
    ):
        assert text in PAGE, text


def test_the_pages_formulas_are_the_programs():
    assert footprint.row(200, 128) == 104 + 5.75 * 128
    assert (footprint.pairs(100), footprint.pairs(600)) == (676, 400 + 54 * 600)
    assert (footprint.pairs_day(100, 5), footprint.pairs_day(3, 5)) == (475 + 590, 3 * 95 + 5.9 * 3)
    assert footprint.pairs_day(1200, 2) == 800 + 54 * 1200
    assert footprint.customer(20, 5, 3) == (130 + 420) + (120 + 110) + (130 + 198)
    assert footprint.row(0, 128) == footprint.pairs(0) == footprint.customer(0, 0, 0) == 0
