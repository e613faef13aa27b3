"""docs/metrics.md against what the stream counts: the whole graph is run on an input that leaves no counter out."""

from __future__ import annotations

import ast
import re
from contextlib import closing
from pathlib import Path

import apache_beam as beam
import pytest
from tests.streaming.world import NOW, Cell, clock, identify, message, order, view

from varde import consent, keys, profile, seed, transitions
from varde.events import REASONS
from varde.figures import IGNORED, REJECTED
from varde.freshness import BOUNDS_MS, PREFIX
from varde.history import DAY_MS
from varde.pairs import Histories
from varde.profile import Profile
from varde.settings import Settings
from varde.store.sync import Store
from varde.streaming import catalogue, local_runner, write
from varde.streaming.options import StreamParameters
from varde.streaming.pipeline import build
from varde.streaming.profiles import AnonymousProfiles, KnownProfiles

DOCS = Path(__file__).parents[2] / "docs"
STREAM = (DOCS / "metrics.md").read_text(encoding="utf-8").split("\n## Stream\n")[1]
COUNTERS, BEAM_METRICS = STREAM.split("\n### Beam metrics\n")
VARIABLE_PARTS = {REJECTED: "<reason>", IGNORED: "<reason>", PREFIX: "<bound>", catalogue.REJECTED: "<reason>"}


def documented(section: str) -> list[str]:
    return re.findall(r"^\| `([a-z_:<>]+)` \|", section, re.M)


def examples_of_reasons() -> list[bytes]:
    rows = re.findall(
        r"^\| `\w+` \| .* \| (?:dead letter|counted only) \| `(.*)` \|$", (DOCS / "events.md").read_text(), re.M
    )
    each = [one for row in rows for one in row.split("` then `")]
    return [re.sub(r"<(\d+) x>", lambda found: "x" * int(found[1]), one).encode() for one in each]


def erasure(user: str, at: int) -> bytes:
    return message("delete", None, at, userId=user)


def refund(user: str, at: int) -> bytes:
    return message("track", "Order Refunded", at, userId=user, properties={"order_id": "o"})


DENIED = {"consent": {"categoryPreferences": {"Analytics": False}}}


FLOOD = 10
"""The least bound there is."""
EARLIER, LATER = NOW - DAY_MS, NOW - DAY_MS // 2
LATE = "an item for which there is no number left"

BY_PROFILE = {
    "u-seen": [view("a", user="u-seen", at=LATER), view("b", user="u-seen", at=LATER)],  # counted
    "u-again": [view("a", user="u-again", at=EARLIER), view("a", user="u-again", at=LATER)],  # refreshed
    "u-same": [view("a", user="u-same", at=LATER)] * 2,  # unchanged
    "u-old": [view("a", user="u-old", at=NOW - 400 * DAY_MS)],  # too_old
    "u-gone": [order(["a", "b"], "u-gone", EARLIER), erasure("u-gone", LATER), view("c", user="u-gone", at=EARLIER)],
    "d-1": [
        view("a", device="d-1", at=EARLIER),
        view("b", device="d-1", at=EARLIER),
        identify("u-1", "d-1", LATER),  # linked; merged at u-1; pairs_removed and pairs_added
        identify("u-2", "d-1", NOW),  # link_conflict
        identify("u-2", "d-1", EARLIER),  # link_conflict_older
    ],
    "u-back": [order(["a", "b"], "u-back", EARLIER), refund("u-back", LATER)],  # returned
    "u-shy": [
        view("a", user="u-shy", at=EARLIER),
        message(event=consent.CHANGED, at=LATER, userId="u-shy", context=DENIED),  # withdrawn
        message(at=LATER, userId="u-shy", item="a", context=DENIED),  # impersonal
    ],
    "u-late": [view("a", user="u-late", at=EARLIER), view(LATE, user="u-late", at=LATER)],  # items_refused
    "u-fast": [view(f"item-{n}", user="u-fast", at=LATER + n) for n in range(FLOOD + 1)],  # flooded
}
"""Messages that a profile has to get in this order."""

_PAST = seed.encode(seed.Seed(seed.KNOWN, "0123456789abcdef01234567", Profile(Histories(view={"a": EARLIER})))).decode()
SEEDS = [_PAST, _PAST, "{"]
"""Lines of a file of seeds: seeded, seeded_before, and one that nobody can read."""


@pytest.fixture
def ran(redis_url):
    """(names of the counters in Redis, names of the Beam metrics of Parse and Apply)."""
    write._store.cache_clear()
    local_runner.repair()
    settings = Settings(
        redis_url=redis_url,
        window_days=90,
        consent_categories=("Analytics",),
        flood_events=FLOOD,
        max_items=1000,
    )
    beside = [item for item in map(str, range(5000)) if keys.shard_of(item) == keys.shard_of(LATE)]
    full = beside[: -(-settings.max_items // keys.SHARDS)]
    with closing(Store.from_settings(settings)) as store:
        store.intern(full)
    parameters = StreamParameters(settings=settings, run_id="names", lanes=2, batch_updates=50)
    messages = [*examples_of_reasons(), *(data for each in BY_PROFILE.values() for data in each)]
    pipeline = beam.Pipeline(runner="FnApiRunner")
    past = pipeline | "Past" >> beam.Create(SEEDS)
    items = pipeline | "Items" >> beam.Create([(b'{"id":"a","stock":1}', NOW), (b"{", NOW)])
    given = pipeline | beam.Create([(data, NOW) for data in messages])
    build(given, parameters, bounded=True, clock=clock, past=past, items=items)
    result = pipeline.run()
    result.wait_until_finish()
    store = Store.from_settings(settings)
    counters = store.stats()
    store.close()
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace("varde"))
    return counters, {metric.key.metric.name for kind in found.values() for metric in kind}


def counted_when_idle(step: KnownProfiles | AnonymousProfiles) -> set[str]:
    """What a timer counts; only a streaming engine fires one in time, so its method is called here."""
    viewed = Profile(Histories(view={"a": NOW - 400 * DAY_MS}))
    cell = Cell(profile.encode(viewed))
    outputs = list(step.idle("key", cell, None))
    assert cell.value is None
    return {name for output in outputs for name in output.value[1].stats}


def pattern(name: str) -> str:
    """The documented form of a counter's name."""
    prefix = next((prefix for prefix in VARIABLE_PARTS if name.startswith(prefix)), None)
    return f"{prefix}{VARIABLE_PARTS[prefix]}" if prefix else name


def test_the_counters_are_those_documented(ran):
    counters, _ = ran
    idle = [counted_when_idle(kind(Settings(), 1, clock=clock)) for kind in (KnownProfiles, AnonymousProfiles)]
    assert idle == [{"idle"}] * 2
    assert {pattern(name) for name in counters} | {"idle"} == set(documented(COUNTERS))
    assert len(documented(COUNTERS)) == len(set(documented(COUNTERS)))
    reasons = {name.split(":")[1] for name in counters if name.startswith((REJECTED, IGNORED))}
    assert reasons == {name for name, reason in REASONS.items() if reason.stage == "parse"}
    assert {name.removeprefix(PREFIX) for name in counters if name.startswith(PREFIX)} <= {*map(str, BOUNDS_MS), "inf"}


def test_the_input_leaves_no_outcome_of_a_profile_out(ran):
    """Or a new one would be missed above. An outcome is a text in transitions.py: what became of an element."""
    counters, _ = ran
    tree = ast.parse(Path(transitions.__file__).read_text(encoding="utf-8"))
    given = [
        word.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for word in call.keywords
        if word.arg == "outcome"
    ]
    at = transitions.Step._fields.index("outcome")
    steps = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and ast.unparse(call.func) == "Step"]
    given += [call.args[at] for call in steps if len(call.args) > at and isinstance(call.args[at], ast.Constant)]
    branches = [[value.body, value.orelse] if isinstance(value, ast.IfExp) else [value] for value in given]
    outcomes = {ast.literal_eval(node) for some in branches for node in some}
    outcomes.add(transitions.Step(profile.EMPTY).outcome)
    assert outcomes <= set(counters)
    assert len(outcomes) >= 13


def test_the_beam_metrics_are_those_documented(ran):
    """A repeat needs a worker that dies, so it is looked up in the source."""
    _, found = ran
    source = Path(write.__file__).read_text(encoding="utf-8")
    declared = set(re.findall(r'Metrics\.\w+\("varde", "(\w+)"\)', source))
    names = declared | {re.sub(r"^(rejected|ignored)_.*", r"\1_<reason>", name) for name in found}
    assert names == set(documented(BEAM_METRICS))
    assert declared - found == {"token_repeats"}


def test_messages_add_up(ran):
    counters, _ = ran
    fates = sum(n for name, n in counters.items() if name == "accepted" or name.startswith((REJECTED, IGNORED)))
    assert counters["messages"] == fates
    fates_of_interactions = ("counted", "refreshed", "unchanged", "too_old", "erased", "flooded")
    interactions = sum(counters[name] for name in fates_of_interactions)
    assert interactions == sum(n for name, n in counters.items() if name.startswith(PREFIX))
