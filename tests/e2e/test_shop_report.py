"""What people see and click in a browser, on the demo's shop, appears in the experiment's report of the same run."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from tests.demo.shopping import CHROMIUM, SEEN_MS, chromium, visitor

from varde.batch.arguments import check
from varde.batch.exposures_loader import ExposureLoader
from varde.batch.loader import Loader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.demo import assortment, emulator, landing, pubsub, shop_child
from varde.demo.replay import publish
from varde.demo.settle import wait_until_settled
from varde.demo.simulate import Noise, shoppers
from varde.demo.system import System, running
from varde.settings import Settings, from_env
from varde.store.sync import Store

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the shop cannot be tried"),
]
KEY, ITEM, LIST = "what-they-bought", "tent-003", "#tried"
BEFORE, ENOUGH, MOST = 4000, 2, 16
"""Messages before; visitors that each variation has to have, and with how many it has them all but certainly."""


@dataclass
class World:
    """seen: of each visitor variation, request id, items and whether they clicked; messages, records: raw."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    messages: list[tuple[bytes, int]] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)

    def variations(self) -> Counter[str]:
        return Counter(one["variation"] for one in self.seen)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, broker: emulator.Emulator) -> Iterator[World]:
    file, made = tmp_path_factory.mktemp("report") / "warehouse.duckdb", World()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VARDE_")]:
            patch.delenv(name)
        for name, value in broker.env.items():
            patch.setenv(name, value)
        patch.setenv("VARDE_CONFIG", str(assortment.CONFIG))
        settings = from_env(os.environ)
        with running(settings) as system:
            landing.prepare(system)
            _visits(system, made)
        _report(made, file, settings)
        yield made


def _visits(system: System, world: World) -> None:
    now = time.time_ns() // 1_000_000
    url = shop_child.start(system, 0, 1)
    assortment.load(system.settings, now, url)
    before = itertools.islice(shoppers(1, now - BEFORE * 50, 20.0, noise=Noise(erasures=0)), BEFORE)
    sent = publish(before, system.publisher, system.names.topic).messages
    with closing(Store.from_settings(system.settings)) as store:
        wait_until_settled(system, store, sent)
    told = 0
    with chromium() as browser:
        while len(world.variations()) < 2 or min(world.variations().values()) < ENOUGH:
            assert len(world.seen) < MOST, world.variations()
            told += _visit(browser, url, world)
    names = system.names
    landing.exposures(system.url, len(world.seen))
    expected = sent + told
    came = landing.land(
        system, names.warehouse_subscription, lambda *one: world.messages.append(one), expected, patience_s=20
    )
    assert came >= expected
    world.records = list(pubsub.drain(system.subscriber, names.exposures_subscription, quiet_s=3.0))


def _visit(browser: Browser, url: str, world: World) -> int:
    """Somebody new looks at a product and its list; every second one clicks in it. How many events they sent."""
    with visitor(browser, url) as who:
        page = who.window()
        page.add_init_script(
            "window.shown = []; addEventListener('varde-shown', ({ target, detail }) => "
            "target.id === 'tried' && window.shown.push({ ...detail, items: detail.items.map(({ id }) => id) }));"
        )
        who.agree(page, f"/p/{ITEM}")
        expect(page.locator(f"{LIST}[state=shown]")).to_be_visible(timeout=SEEN_MS)
        page.locator(LIST).scroll_into_view_if_needed()
        expect(page.locator("html")).to_have_attribute("data-told", "yes")
        with page.expect_request(lambda request: _viewed(request.post_data or "")):
            pass
        seen = page.evaluate("() => window.shown.at(-1)")
        seen["clicks"] = (len(world.seen) // 2) % 2
        if seen["clicks"]:
            who.follow(page.locator(f"{LIST} a").first)
        world.seen.append(seen)
        return len(who.told)


def _viewed(text: str) -> bool:
    return '"Product List Viewed"' in text and '"list_id":"product-page"' in text


def _report(world: World, file: Path, settings: Settings) -> None:
    with DuckDBWarehouse(file, check(settings)) as warehouse:
        loader, shown = Loader(warehouse, settings.mapping), ExposureLoader(warehouse)
        for data, came in world.messages:
            loader.add(data, came)
        for data in world.records:
            shown.add(data)
        loader.flush()
        shown.flush()
    words = ["report", KEY, "--warehouse", str(file), f"--as-of={time.time_ns() // 10**6}"]
    done = subprocess.run([sys.executable, "-m", "varde.cli", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    world.result = json.loads(done.stdout.splitlines()[-1])


def _sums(result: dict[str, Any], outcome: str, per: dict[str, int]) -> dict[str, int]:
    """Variation -> the sum over its units of a metric that the report has by unit."""
    (metric,) = [one for one in result["metrics"] if one["outcome"] == outcome]
    (compared,) = metric["compared"]
    (baseline,) = per.keys() - {compared["variation"]}
    means = {baseline: metric["baseline"], compared["variation"]: compared["value"]}
    return {name: round(mean * per[name]) for name, mean in means.items()}


def test_every_visitor_is_a_unit_of_their_variation(world: World) -> None:
    assert world.result["units"] == world.variations()
    assert world.result["quality"]["counts"]["units_several"] == 0
    assert not world.result["quality"]["faults"], "nobody is taken for a robot"


def test_their_clicks_are_in_the_report(world: World) -> None:
    clicks = Counter(dict.fromkeys(world.variations(), 0))
    for one in world.seen:
        clicks[one["variation"]] += one["clicks"]
    assert sum(clicks.values()) > 0
    assert _sums(world.result, "clicks_per_unit", world.result["units"]) == clicks


def test_what_was_shown_and_seen_is_what_the_server_says(world: World) -> None:
    """The list that the browser shows, the exposure, and the event of the impression name the same answer."""
    exposed = {record["request_id"]: record for record in map(json.loads, world.records)}
    told = [body for body in map(_body, world.messages) if body.get("event") == "Product List Viewed"]
    viewed = {one["properties"]["request_id"]: one for one in told if "request_id" in one["properties"]
              and one["properties"]["list_id"] == "product-page"}  # fmt: skip
    for one in world.seen:
        record, impression = exposed[one["request_id"]], viewed[one["request_id"]]
        assert [item["item"] for item in record["items"]] == one["items"]
        assert [item["product_id"] for item in impression["properties"]["products"]] == one["items"]
        assert record["variation"] == impression["properties"]["variation"] == one["variation"]
        assert record["unit"] == impression["anonymousId"]


def _body(message: tuple[bytes, int]) -> dict[str, Any]:
    try:
        body = json.loads(message[0])
    except ValueError:
        return {}
    return body if isinstance(body, dict) and isinstance(body.get("properties"), dict) else {}
