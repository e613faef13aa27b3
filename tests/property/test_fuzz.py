"""Whatever comes: no crash, and every message and every piece of work is accounted for, once.

The seed of the mutations is printed; VARDE_FUZZ_SEED is no setting of Varde, so it is FUZZ_SEED that repeats a run.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import orjson
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.streaming.world import NOW, Cell, clock

from varde import profile
from varde.events import REASONS, Rejected, parse
from varde.history import DAY_MS
from varde.progress import settled
from varde.settings import Settings
from varde.store.sync import Store
from varde.streaming import local_runner, write
from varde.streaming.dead_letters import DEAD, DEAD_LETTER_BYTES
from varde.streaming.messages import HANDOVER, LINK, WITHDRAWAL
from varde.streaming.options import StreamParameters
from varde.streaming.parse import ANONYMOUS, KNOWN, TALLY, ParseMessage
from varde.streaming.pipeline import build
from varde.streaming.profiles import HANDED, AnonymousProfiles, KnownProfiles

from .mutate import JUNK, NAMES, WORDS, Mutator, corpus

SEED = int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
MESSAGES = 200_000 * max(1, settings().max_examples // 500)
"""Four times as many under `make prove`."""
SHOPS = (
    Settings(cap=4, window_days=30, flood_events=3, flood_items=2),
    Settings(cap=3, window_days=5, consent_categories=("ads",), robots="count"),
    Settings(cap=64, window_days=3650, consent_categories=("ads",), consent_default="denied", item_keys=("sku", "id")),
)
OUTCOMES = (
    "counted", "refreshed", "unchanged", "too_old", "erased", "flooded", "returned", "forgotten", "withdrawn",
    "linked", "link_conflict", "link_conflict_older", "merged",
)  # fmt: skip


class Steps:
    """The stream's own steps without an engine; a bundle is one message."""

    def __init__(self, shop: Settings) -> None:
        self._mapping = shop.mapping
        self._parse = ParseMessage(shop, 1)
        self._steps: dict[str, Any] = {
            ANONYMOUS: AnonymousProfiles(shop, 1, False, clock),
            KNOWN: KnownProfiles(shop, 1, False, clock),
        }
        self.cells: dict[tuple[str, str], Cell] = {}
        self.stats: Counter[str] = Counter()
        for step in self._steps.values():
            step.start_bundle()

    def take(self, data: bytes) -> None:
        """One message, and all that comes of it."""
        self._parse.start_bundle()
        outputs = [*self._parse.process((data, NOW)), *self._parse.finish_bundle()]
        dead = [output.value for output in outputs if output.tag == DEAD]
        (tally,) = [output.value.value[1] for output in outputs if output.tag == TALLY]
        fates = [name for name in tally.stats if name == "accepted" or name.startswith(("rejected:", "ignored:"))]
        assert tally.stats["messages"] == sum(tally.stats[name] for name in fates) == 1
        assert len(dead) == sum(name.startswith("rejected:") for name in fates)
        if dead:
            check_letter(dead[0], "parse")
            assert fates == [f"rejected:{dead[0].attributes['reason']}"]
            assert data.startswith(dead[0].data)
        self.stats.update(tally.stats)
        for output in outputs:
            if output.tag in self._steps:
                self._work(output.tag, *output.value)

    def _work(self, tag: str, key: str, work: tuple[Any, ...]) -> None:
        step = self._steps[tag]
        step.start_bundle()
        cell = self.cells.setdefault((tag, key), Cell())
        linked = profile.decode(cell.value).linked if cell.value else None
        outputs = [*step.process((key, work), cell, cell), *step.finish_bundle()]
        stats: Counter[str] = Counter()
        handed: list[Any] = []
        for output in outputs:
            where = getattr(output, "tag", None)
            if where == HANDED:
                handed.append(output.value)
            elif where == DEAD:
                check_letter(output.value.value, "profile")
            else:
                stats.update(output.value[1].stats)
        outcomes = sum(stats[name] for name in OUTCOMES)
        if tag == KNOWN:
            assert outcomes == 1
        elif work[0] == LINK:
            assert outcomes == (linked != work[1]), "a link that is known says nothing new"
            assert all(done[0] == HANDOVER for _, done in handed)
        else:
            assert outcomes == (linked is None or work[0] == WITHDRAWAL)
            assert handed == ([] if linked is None else [(linked, work)])
        self.stats.update(stats)
        for customer, more in handed:
            self._work(KNOWN, customer, more)


def check_letter(letter: PubsubMessage, stage: str) -> None:
    """A dead letter says where, why and how large, and holds the bytes up to the cap."""
    attributes = letter.attributes
    assert attributes["stage"] == stage == REASONS[attributes["reason"]].stage
    assert REASONS[attributes["reason"]].dead_letter
    assert len(letter.data) == min(int(attributes["bytes"]), DEAD_LETTER_BYTES)
    assert all(isinstance(value, str) and len(value) <= 256 for value in attributes.values())


def mutated(seed: int, n: int) -> Iterator[bytes]:
    return itertools.islice(iter(Mutator(random.Random(seed), corpus())), n)


@pytest.mark.timeout(1200)
def test_no_message_crashes_a_step_and_each_is_accounted_for() -> None:
    print(f"FUZZ_SEED={SEED}")
    shops = [Steps(shop) for shop in SHOPS]
    data = b""
    try:
        for steps, data in zip(itertools.cycle(shops), mutated(SEED, MESSAGES), strict=False):
            steps.take(data)
    except BaseException:
        print(f"the message: {data!r}")
        raise
    together = sum((steps.stats for steps in shops), Counter())
    assert together["messages"] == MESSAGES
    for steps in shops:
        assert settled(steps.stats, steps.stats["messages"])
    met = {name.partition(":")[2] for name in together if name.startswith(("rejected:", "ignored:"))}
    assert met == {reason for reason, why in REASONS.items() if why.stage == "parse"}, "every reason is met"
    assert not [name for name in OUTCOMES if not together[name]], "and every outcome"


names = st.one_of(st.sampled_from(NAMES), st.text(max_size=3))
scalars = st.one_of(st.sampled_from([value for value in JUNK if not isinstance(value, dict | list)]),
                    st.sampled_from(WORDS), st.text(max_size=8), st.integers(-(2**63), 2**64 - 1),
                    st.floats(allow_nan=False, allow_infinity=False),
                    st.integers(NOW - 40 * DAY_MS, NOW + DAY_MS))  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=8,
)
properties = st.one_of(anything, st.dictionaries(names, anything, max_size=4))
calls = st.fixed_dictionaries(
    {"type": st.sampled_from(WORDS[:8])},
    optional={name: anything for name in NAMES if name != "type"}
    | {"properties": properties, "event": st.sampled_from(WORDS)},
)
message_bytes = st.one_of(calls.map(orjson.dumps), calls.map(orjson.dumps), anything.map(orjson.dumps), st.binary())


@settings(max_examples=2 * settings().max_examples)
@given(st.lists(message_bytes, max_size=6), st.sampled_from(SHOPS))
def test_no_message_that_hypothesis_finds_does_either(messages: list[bytes], shop: Settings) -> None:
    steps = Steps(shop)
    for data in messages:
        steps.take(data)
    assert settled(steps.stats, len(messages))


def fates(messages: list[bytes], shop: Settings) -> Counter[str]:
    """What must become of messages, by what they are."""
    found: Counter[str] = Counter()
    for data in messages:
        meant = parse(data, NOW, shop.mapping)
        if isinstance(meant, Rejected):
            found[f"{'rejected' if meant.dead_letter else 'ignored'}:{meant.reason}"] += 1
        else:
            found["accepted"] += 1
    return found


@pytest.mark.parametrize("number", range(len(SHOPS)))
def test_the_whole_pipeline_accounts_for_each_in_redis(number: int, redis_url: str) -> None:
    print(f"FUZZ_SEED={SEED}")
    shop = Settings(redis_url=redis_url, **{name: getattr(SHOPS[number], name) for name in CHOSEN})
    messages = list(mutated(SEED + number, 1500))
    expected = fates(messages, shop)
    faults = Counter({name: n for name, n in expected.items() if name.startswith("rejected:")})

    def check(found: list[PubsubMessage]) -> None:
        letters = [letter for letter in found if letter.attributes["stage"] == "parse"]
        for letter in found:
            check_letter(letter, letter.attributes["stage"])
        assert Counter(f"rejected:{letter.attributes['reason']}" for letter in letters) == faults
        sent = Counter(data[:DEAD_LETTER_BYTES] for data in messages)
        assert not Counter(letter.data for letter in letters) - sent

    local_runner.repair()
    write._store.cache_clear()
    with beam.Pipeline(runner="FnApiRunner", options=PipelineOptions([])) as pipeline:
        source = pipeline | beam.Create([(data, NOW) for data in messages])
        outputs = build(source, StreamParameters(shop, "fuzz"), bounded=True, clock=clock)
        assert_that(outputs.dead, check)
    store = Store.from_settings(shop)
    stats = store.stats()
    store.close()
    named = {name: n for name, n in stats.items() if name == "accepted" or name.startswith(("rejected:", "ignored:"))}
    assert named == dict(expected)
    assert stats["messages"] == len(messages) == sum(named.values())
    assert settled(stats, len(messages))


CHOSEN = (
    "cap", "window_days", "flood_events", "flood_items", "consent_categories", "consent_default", "robots", "item_keys",
)  # fmt: skip
