"""Explanations on the online retail data: counted by the stream's steps, asked over HTTP, held against plain sets."""

import math
import random
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.property import oracle
from tests.property.fold import Fold

from varde import events
from varde.delivery import Pane, split
from varde.demo import formats
from varde.history import DAY_MS, Limits
from varde.pairs import ANY_ITEM, Relation, universe
from varde.ranking import SHRINKAGE
from varde.settings import Settings
from varde.store.sync import Store

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "online_retail.csv.gz"
MESSAGES = 400
"""Orders, some days of the file."""
PAIRS = 300

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.exists(), reason="needs online_retail.csv.gz in ../shared/data"),
]


@pytest.fixture(scope="module")
def retail():
    """The events of the file's first messages, and the noon after the last."""
    found, now = [], 0
    for message in formats.read("online-retail", DATA, MESSAGES):
        parsed = events.parse(message.data, message.time + 1000, Settings(redis_url="").mapping)
        found += parsed if isinstance(parsed, tuple) else ()
        now = max(now, message.time)
    return found, now // DAY_MS * DAY_MS + DAY_MS + DAY_MS // 2


def entropy(*counts):
    """Sum of x ln(x / sum)."""
    everyone = sum(counts)
    return sum(x * math.log(x / everyone) for x in counts if x)


def by_hand(k, a, b, n):
    """The scores by their definitions (docs/configuration.md), for one pair."""
    g2 = 2 * (entropy(k, a - k, b - k, n - a - b + k) - entropy(a, n - a) - entropy(b, n - b) if n else 0.0)
    expected = a * b / n if n else 0.0
    return {
        "count": k,
        "jaccard": k / (a + b - k) if a + b - k else 0.0,
        "cosine": k / math.sqrt(a * b) * k / (k + SHRINKAGE) if k else 0.0,
        "llr": g2 if k >= expected else -g2,
        "lift": k / expected if expected else None,
    }


def asked_for(pairs):
    """Pairs to be explained: common and rare ones, both ways round, some that nobody has, and unknown items."""
    chance = random.Random(3)
    counted = sorted(pairs)
    items = sorted({item for _, *both in counted for item in both})
    best = sorted(counted, key=lambda pair: -pairs[pair])[: PAIRS // 4]
    some = chance.sample(counted, PAIRS // 4)
    anyhow = [(chance.choice([0, 1, 2]), *chance.sample(items, 2)) for _ in range(PAIRS // 4)]
    turned = [(relation, other, item) for relation, item, other in some]
    unknown = [(1, items[0], "no such item"), (1, "no such item", items[0]), (2, "nor this", "nor that")]
    return [*best, *some, *anyhow, *turned, *unknown]


async def test_every_figure_is_brute_force(serve, frail, retail):
    story, now = retail
    limits = Limits(64, 90)
    settings = Settings(redis_url=frail.url, deadline_ms=20_000, cap=limits.cap, window_days=limits.window_days)
    store = Store.from_settings(settings, clock=lambda: now)
    pane = Pane(counts=Fold(limits, now).play(story).total)
    for delivery in split(pane, "retail", lane=0, index=0, size=5_000):
        assert store.apply(delivery)
    store.close()
    pairs, supports = oracle.arrival(story, limits, now)
    assert len(pairs) > 10_000
    client = await serve(settings)
    wanted = asked_for(pairs)
    for number, item, other in wanted:
        relation = Relation(number)
        path = f"/v1/explain/{quote(item, safe='')}/{quote(other, safe='')}"
        response = await client.get(path, params={"relation": relation.label})
        body = await response.json()
        assert response.status == 200, body
        k = pairs.get((relation, item, other), 0)
        a = supports.get((relation.row_signal, item), 0)
        b = supports.get((relation.column_signal, other), 0)
        n = supports.get((universe(relation), ANY_ITEM), 0)
        assert [body[f"{name}customers"] for name in ("", "item_", "other_", "total_")] == [k, a, b, n], path
        for name, score in by_hand(k, a, b, n).items():
            expected = None if score is None else pytest.approx(score, rel=1e-9, abs=1e-6)
            assert body["scores"][name] == expected, (path, name)
        assert body["text"].startswith(f"{k:,} customer")
    assert sum((relation, item, other) in pairs for relation, item, other in wanted) > PAIRS / 2
