"""An experiment end to end: shoppers ask the real server and click, the stream counts, exposures and messages land in
the warehouse, and `varde report` names the better ranking, with figures that brute force finds in the raw data."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from varde.batch.arguments import check
from varde.batch.exposures_loader import ExposureLoader
from varde.batch.loader import Loader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.bucketing import choose, hash_v2, ranges
from varde.demo import emulator, landing, pubsub, visits
from varde.demo.messages import Message
from varde.demo.replay import publish
from varde.demo.settle import wait_until_settled
from varde.demo.shoppers import Offered, shopper
from varde.demo.simulate import Noise, as_they_happen, shoppers
from varde.demo.storefront import Storefront
from varde.demo.system import System, running
from varde.settings import Settings, from_env
from varde.store.sync import Store

from . import brute

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

KEY, WORSE, BETTER = "order-of-products", "rare-first", "popular-first"
SEED, PEOPLE = 7, 600
WARM_UP, MESSAGES = 8_000, 15_000
"""Messages before the experiment, and of its visits: these shoppers click three times as often in the better lists."""
TESTERS = tuple(shopper(SEED, number).devices[0] for number in range(3))
ROBOT, ROBOT_AGENT = "robot-1", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
WINDOW_MS = 30 * 60_000
CONFIG = f"""
[access]
public = ["read", "explain"]
[rankings.popular]
formula = "count"
floor = 1
[rankings.rare]
formula = "count^1"
floor = 1
[placements.product-page]
n = 4
ranking = "rare"
[experiments.{KEY}]
placements = ["product-page"]
metric = "clicks_per_unit"
planned_units = 600
winsorize = 1.0
[[experiments.{KEY}.variations]]
key = "{WORSE}"
[[experiments.{KEY}.variations]]
key = "{BETTER}"
ranking = "popular"
forced = {json.dumps(TESTERS)}
"""


@dataclass
class World:
    """What happened. answers: (aid, list) of every question; messages and records: raw, as they came from the topics;
    result: the JSON line of the report."""

    file: Path
    answers: list[tuple[str, Offered | None]] = field(default_factory=list)
    messages: list[tuple[bytes, int]] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    page: str = ""

    def metric(self, name: str) -> dict[str, float]:
        (found,) = [metric for metric in self.result["metrics"] if metric["outcome"] == name]
        (compared,) = found["compared"]
        return {WORSE: found["baseline"], compared["variation"]: compared["value"]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, broker: emulator.Emulator) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "varde.toml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VARDE_")]:
            patch.delenv(name)
        for name, value in broker.env.items():
            patch.setenv(name, value)
        patch.setenv("VARDE_RANKINGS", "count,count^1")
        patch.setenv("VARDE_CONFIG", str(folder / "varde.toml"))
        settings = from_env(os.environ)
        made = World(folder / "warehouse.duckdb")
        with running(settings) as system:
            landing.prepare(system)
            _play(system, made)
        _store(made, settings)
        _report(made, folder / "report.html")
        yield made


def _play(system: System, world: World) -> None:
    now = time.time_ns() // 1_000_000
    before = shoppers(SEED, now - WARM_UP * 50, 20.0, PEOPLE, Noise(erasures=0))
    sent = publish(itertools.islice(before, WARM_UP), system.publisher, system.names.topic).messages
    with closing(Store.from_settings(system.settings)) as store:
        wait_until_settled(system, store, sent)
    with closing(Storefront(system.url)) as shop, closing(Storefront(system.url, agent=ROBOT_AGENT)) as crawler:

        def ask(item: str, aid: str, uid: str | None) -> Offered | None:
            offered = shop.ask(item, aid, uid)
            world.answers.append((aid, offered))
            return offered

        story = as_they_happen(SEED, now, visits.AT_ONCE_PER_S, PEOPLE, ask, lambda: time.time_ns() // 1_000_000)
        twice = _some_twice(itertools.islice(story, MESSAGES))
        sent += publish(twice, system.publisher, system.names.topic).messages
        for number in range(1, 10):
            assert crawler.ask(f"tent-00{number}", ROBOT, None) is not None
        fates = landing.exposures(system.url, shop.tried + crawler.tried)
    assert not shop.failed
    assert fates.keys() <= {"sent", "repeated"}, "nothing is lost"

    def keep(data: bytes, came: int) -> None:
        world.messages.append((data, came))

    assert landing.land(system, system.names.warehouse_subscription, keep, sent) >= sent
    exposed = system.names.exposures_subscription
    assert landing.land(system, exposed, lambda data, _: world.records.append(data), fates["sent"]) >= fates["sent"]
    world.records += pubsub.drain(system.subscriber, exposed)  # a batch that was tried again may have come twice
    world.records += world.records[::10]


def _some_twice(messages: Iterable[Message]) -> Iterator[Message]:
    """As a queue delivers them."""
    for number, message in enumerate(messages):
        yield from (message,) * (1 if number % 25 else 2)


def _store(world: World, settings: Settings) -> None:
    with DuckDBWarehouse(world.file, check(settings)) as warehouse:
        loader, shown = Loader(warehouse, settings.mapping), ExposureLoader(warehouse)
        for data, came in world.messages:
            loader.add(data, came)
        for data in world.records:
            shown.add(data)
        loader.flush()
        shown.flush()
        assert shown.loaded.rows == len(world.records)


def _report(world: World, page: Path) -> None:
    words = ["report", KEY, "--warehouse", str(world.file), "--html", str(page), f"--as-of={time.time_ns() // 10**6}"]
    done = subprocess.run([sys.executable, "-m", "varde.cli", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    world.result, world.page = json.loads(done.stdout.splitlines()[-1]), page.read_text()


def test_the_report_finds_the_better_ranking(world: World) -> None:
    verdict = world.result["verdict"]
    assert (verdict["kind"], verdict["variation"]) == ("wins", BETTER), verdict
    assert world.result["quality"]["srm_p"] > 0.001
    assert world.result["quality"]["counts"]["units_several"] == 0
    assert verdict["sentence"] in world.page
    assert "<script" not in world.page


def test_its_figures_equal_brute_force_over_the_raw_data(world: World) -> None:
    found = brute.count([data for data, _ in world.messages], world.records)
    counts = found.counts
    assert counts.keys() == {WORSE, BETTER}
    assert all(of[name] > 0 for of in counts.values() for name in ("clicks", "adding", "orders", "fallback_lists"))
    assert min(found.ways["request"], found.ways["item"]) > 20, "clicks that name their request, and others"
    assert world.result["units"] == {key: of["units"] for key, of in counts.items()}
    for metric, above, below in (
        ("clicks_per_unit", "clicks", "units"),
        ("click_through", "clicks", "impressions"),
        ("add_rate", "adding", "units"),
        ("conversion", "ordering", "units"),
        ("orders_per_unit", "orders", "units"),
        ("revenue_per_unit", "revenue", "units"),
        ("items_per_order", "pieces", "orders"),
        ("fallback_share", "fallback_lists", "lists"),
    ):
        expected = {key: of[above] / of[below] for key, of in counts.items()}
        assert world.metric(metric) == pytest.approx(expected, rel=1e-9), metric
    quality = world.result["quality"]
    for name in ("units", "lists", "impressions"):
        assert quality["counts"][name] == sum(of[name] for of in counts.values()), name
    assert min(found.left_out[reason] for reason in ("forced", "robot", "erased")) > 0
    assert Counter(quality["faults"]) == found.left_out


def test_everybody_gets_the_variation_that_bucketing_says(world: World) -> None:
    dealt = Counter[str | None]()
    for aid, offered in world.answers:
        assert offered is not None
        index = 1 if aid in TESTERS else choose(hash_v2(KEY, aid), ranges([0.5, 0.5]))
        assert (offered.experiment, offered.variation) == (KEY, (WORSE, BETTER)[index])
        dealt[offered.variation] += 1
    assert len(dealt) == 2
    told = {(aid, offered.variation) for aid, offered in world.answers if offered}
    records = [json.loads(data) for data in world.records]
    assert {(one["unit"], one["variation"]) for one in records if one["unit"] != ROBOT} == told
    assert {one["unit"] for one in records if one["forced"]} == {aid for aid, _ in told if aid in TESTERS} != set()
    assert {one["unit"] for one in records if one["robot"]} == {ROBOT}


def test_what_a_visitor_is_shown_within_a_window_is_one_exposure(world: World) -> None:
    exposures: dict[tuple[str, int], set[str]] = defaultdict(set)
    lists: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in map(json.loads, world.records):
        window = brute.ms(record["served_at"]) // WINDOW_MS
        exposures[record["unit"], window].add(record["exposure_id"])
        lists[record["list_id"]].append(record)
    assert all(len(ids) == 1 for ids in exposures.values())
    assert len({one for ids in exposures.values() for one in ids}) == len(exposures)
    assert len(world.records) > 2 * len(exposures), "a visitor is shown several lists"
    assert all(same.count(same[0]) == len(same) for same in lists.values()), "copies, if any, are equal"
    asked = {offered.request_id: offered.items for _, offered in world.answers if offered}
    for record in map(json.loads, world.records):
        if record["unit"] != ROBOT:
            assert [entry["item"] for entry in record["items"]] == list(asked[record["request_id"]])
