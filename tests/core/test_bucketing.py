"""Buckets are GrowthBook's: its published cases, its own package over random cases, and what they must be good for."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import growthbook
import numpy as np
import pytest
from growthbook.core import chooseVariation, gbhash, getBucketRanges, inNamespace
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from varde.assignment import Assignment, Request, assign, merged
from varde.bucketing import Filter, Namespace, choose, fnv, hash_v1, hash_v2, namespace_filter, ranges
from varde.experiments import Experiment, Variation

CASES = 100_000
RUNS = 8_000
HASHES = [
    ("", "a", 1, 0.22),
    ("", "b", 1, 0.077),
    ("b", "a", 1, 0.946),
    ("ef", "d", 1, 0.652),
    ("asdf", "8952klfjas09ujk", 1, 0.549),
    ("", "123", 1, 0.011),
    ("", '___)((*":&', 1, 0.563),
    ("seed", "a", 2, 0.0505),
    ("seed", "b", 2, 0.2696),
    ("foo", "ab", 2, 0.2575),
    ("foo", "def", 2, 0.2019),
    ("89123klj", "8952klfjas09ujkasdf", 2, 0.124),
    ("90850943850283058242805", "123", 2, 0.7516),
    ("()**(%$##$%#$#", '___)((*":&', 2, 0.0128),
]
"""`hash` of GrowthBook's cases.json, the test suite that all its SDKs share."""
RANGES: list[tuple[list[float], float, list[tuple[float, float]]]] = [
    ([0, 0], 1, [(0, 0.5), (0.5, 1)]),
    ([0, 0], 0.5, [(0, 0.25), (0.5, 0.75)]),
    ([0, 0], 0, [(0, 0), (0.5, 0.5)]),
    ([0, 0, 0, 0], 1, [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]),
    ([0.4, 0.6], 1, [(0, 0.4), (0.4, 1)]),
    ([0.2, 0.3, 0.5], 1, [(0, 0.2), (0.2, 0.5), (0.5, 1)]),
    ([0.2, 0.3, 0.5], 0.2, [(0, 0.04), (0.2, 0.26), (0.5, 0.6)]),
    ([0, 0], -0.2, [(0, 0), (0.5, 0.5)]),
    ([0, 0], 1.5, [(0, 0.5), (0.5, 1)]),
    ([0.4, 0.1], 1, [(0, 0.5), (0.5, 1)]),
    ([0.7, 0.6], 1, [(0, 0.5), (0.5, 1)]),
    ([1.2, -0.2], 1, [(0, 0.5), (0.5, 1)]),
    ([0.4, 0.5999], 1, [(0, 0.4), (0.4, 0.9999)]),
]
"""Its `getBucketRange`; weights of 0 stand for none."""


@pytest.mark.parametrize(("seed", "value", "version", "bucket"), HASHES)
def test_the_published_hashes(seed: str, value: str, version: int, bucket: float) -> None:
    assert (hash_v2 if version == 2 else hash_v1)(seed, value) == bucket


@pytest.mark.parametrize(("weights", "coverage", "expected"), RANGES)
def test_the_published_ranges(weights: list[float], coverage: float, expected: list[tuple[float, float]]) -> None:
    assert [(round(low, 6), round(high, 6)) for low, high in ranges(weights, coverage)] == expected


def test_a_range_ends_before_its_end() -> None:
    assert [choose(n, ((0, 0.25), (0.5, 0.75))) for n in (0, 0.2499, 0.25, 0.5, 0.75, 0.9999)] == [0, 0, -1, 1, -1, -1]


ALPHABETS = ("abcdef0123456789-", "åäöæøßçé", "漢字かな", "😀🛒🏔👩‍🚀", "\x00\x7f\u0301\ufeff\uffff", "ab😀é")


def identifier(chance: random.Random) -> str:
    return "".join(chance.choices(chance.choice(ALPHABETS), k=chance.randint(1, 36)))


def some_weights(chance: random.Random) -> list[float]:
    sizes = [chance.randint(1, 50) for _ in range(chance.randint(2, 5))]
    return [size / sum(sizes) for size in sizes]


def test_buckets_ranges_and_namespaces_are_those_of_the_official_package() -> None:
    chance = random.Random(6)
    for _ in range(CASES):
        seed, value = identifier(chance), identifier(chance)
        assert hash_v2(seed, value) == gbhash(seed, value, 2)
        weights, coverage = some_weights(chance), chance.choice((1.0, 0.0, chance.random()))
        theirs = getBucketRanges(len(weights), coverage, weights)
        assert list(ranges(weights, coverage)) == theirs
        n = chance.choice((hash_v2(seed, value), theirs[-1][0], theirs[0][1]))
        assert choose(n, theirs) == chooseVariation(n, theirs)
        low, high = sorted((chance.random(), chance.random()))
        assert namespace_filter(Namespace(seed, low, high)).passes(value) == inNamespace(value, (seed, low, high))


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_any_text_has_the_bucket_of_the_official_package(seed: str, value: str) -> None:
    """Lone surrogates too: a browser may send them, and JavaScript hashes them."""
    assert hash_v2(seed, value) == gbhash(seed, value, 2)
    assert hash_v1(seed, value) == gbhash(seed, value, 1)
    assert fnv(seed + value) == fnv(value, fnv(seed))


class Case:
    """A random experiment in both forms, a visitor, and what they were dealt before."""

    def __init__(self, chance: random.Random) -> None:
        weights, self.sticky = some_weights(chance), chance.random() < 0.7
        keys = [f"v{index}" for index in range(len(weights))]
        version, lowest = chance.randint(0, 3), chance.choice((0, 0, 1, 2))
        self.fallback = self.sticky and chance.random() < 0.7
        namespace = Namespace(identifier(chance), *sorted((chance.random(), chance.random())))
        filters = [Filter(identifier(chance), ((0.1, 0.5), (0.6, 1.0)), chance.choice((1, 2)), "uid")]
        filters, named = filters * (chance.random() < 0.2), chance.random() < 0.4
        explicit = ((0.0, 0.3), (0.4, 0.9)) if len(weights) == 2 and chance.random() < 0.3 else ()
        key, seed, coverage = identifier(chance), identifier(chance), chance.choice((1.0, chance.random()))
        self.ours = Experiment(
            key=key, seed=seed, unit="uid", fallback="aid" if self.fallback else None, sticky=self.sticky,
            bucket_version=version, min_bucket_version=lowest, placements=("p",), coverage=coverage,
            namespace=namespace if named else None, ranges=explicit, filters=tuple(filters),
            variations=tuple(Variation(key=one, weight=weight) for one, weight in zip(keys, weights, strict=True)),
        )  # fmt: skip
        self.theirs: dict[str, Any] = {
            "key": key, "seed": seed, "hashVersion": 2, "hashAttribute": "id", "variations": keys, "weights": weights,
            "coverage": coverage, "meta": [{"key": one} for one in keys], "bucketVersion": version,
            "minBucketVersion": lowest, "disableStickyBucketing": not self.sticky,
            "fallbackAttribute": "anonymousId" if self.fallback else None,
            "namespace": (namespace.name, namespace.low, namespace.high) if named else None,
            "ranges": list(explicit) or None,
            "filters": [{"seed": f.seed, "ranges": list(f.ranges), "hashVersion": f.version} for f in filters] or None,
        }  # fmt: skip
        self.uid = identifier(chance) if chance.random() < 0.7 else None
        self.aid = identifier(chance) if chance.random() < 0.7 else None
        names = [f"{key}__{number}" for number in range(4)] + ["another__1"]
        self.documents = {
            kind: {name: chance.choice([*keys, "gone"]) for name in names if chance.random() < 0.3}
            for kind, given in (("id", self.uid), ("anonymousId", self.aid))
            if given and chance.random() < 0.6
        }

    def request(self) -> Request:
        return Request(self.uid, self.aid, "p", None, None, None, 0)

    def found(self) -> Assignment | None:
        own, other = self.documents.get("id"), self.documents.get("anonymousId")
        return assign(self.ours, self.request(), merged(own, other if self.fallback else None))

    def expected(self) -> tuple[Any, dict[str, dict[str, str]]]:
        """What the package says, and what its sticky documents hold afterwards."""
        attributes = {"id": self.uid, "anonymousId": self.aid}
        service = growthbook.InMemoryStickyBucketService()
        for kind, assignments in self.documents.items():
            document = {"attributeName": kind, "attributeValue": attributes[kind], "assignments": dict(assignments)}
            service.save_assignments(document)
        book = growthbook.GrowthBook(
            attributes={name: value for name, value in attributes.items() if value},
            sticky_bucket_service=service,
            sticky_bucket_identifier_attributes=["id", "anonymousId"],
        )
        book.refresh_sticky_buckets(force=True)
        result = book.run(growthbook.Experiment(**self.theirs))
        after = {kind: service.get_assignments(kind, value) for kind, value in attributes.items() if value}
        book.destroy()
        return result, {kind: doc["assignments"] for kind, doc in after.items() if doc}


def test_assignments_are_those_of_the_official_package() -> None:
    """Whole: hash, coverage, weights, ranges, namespace, filters, fallback, sticky documents with their versions."""
    chance = random.Random(7)
    seen = {"in": 0, "out": 0, "sticky": 0, "fallback": 0, "kept sticky": 0}
    for _ in range(RUNS):
        case = Case(chance)
        found, (expected, after) = case.found(), case.expected()
        assert (found is not None) == expected.inExperiment, vars(case)
        seen["in" if found else "out"] += 1
        if found is None:
            continue
        kind = {"id": "uid", "anonymousId": "aid"}[expected.hashAttribute]
        assert (found.index, found.variation.key, found.bucket) == (
            expected.variationId,
            expected.key,
            expected.bucket,
        ), vars(case)
        assert (found.unit_kind, found.unit) == (kind, expected.hashValue)
        assert found.sticky == expected.stickyBucketUsed
        kept = after.get(expected.hashAttribute, {}).get(case.ours.sticky_field)
        if found.to_remember:
            assert kept == found.variation.key, "what is to be remembered is what the package has stored"
        seen["sticky"] += found.sticky
        seen["fallback"] += found.unit_kind == "aid"
        seen["kept sticky"] += found.to_remember
    assert min(seen.values()) > RUNS / 50, seen


STABLE = """
from varde.assignment import Request, assign
from varde.experiments import Experiment, Variation
e = Experiment(key="stable", placements=("p",), variations=tuple(Variation(key=k, weight=1/3) for k in "abc"))
print([assign(e, Request(None, f"id-{n}-å😀", "p", None, None, None, 0)).index for n in range(2000)])
"""


def test_assignment_is_the_same_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", STABLE],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (output,) = outputs
    assert [output.count(index) for index in "012"] == [649, 670, 681], "as it was when this test was written"


def fnv_of_rows(rows: np.ndarray, lengths: np.ndarray, state: np.ndarray) -> np.ndarray:
    """FNV-1a of many ASCII texts at once: rows of bytes, shape (m, longest), of which the first lengths count."""
    out = state.astype(np.uint32)
    for place in range(rows.shape[1]):
        more = (out ^ rows[:, place]) * np.uint32(0x01000193)
        out = np.where(place < lengths, more, out)
    return out


def digits(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as decimal text: rows of bytes, left-aligned, and their lengths."""
    text = np.char.mod("%d", numbers).astype("S10")
    return np.frombuffer(text.tobytes(), dtype=np.uint8).reshape(len(numbers), 10), np.char.str_len(text)


def buckets(seed: str, ids: np.ndarray) -> np.ndarray:
    """Buckets of many visitors `v` + number under a seed, 0 to 9,999."""
    rows, lengths = digits(ids)
    start = np.full(len(ids), fnv(seed + "v"), dtype=np.uint32)
    rows2, lengths2 = digits(fnv_of_rows(rows, lengths, start))
    return fnv_of_rows(rows2, lengths2, np.full(len(ids), fnv(""), dtype=np.uint32)) % 10_000


MANY = 1_000_000


def test_shares_are_as_they_should_be_over_a_million_ids() -> None:
    """And two experiments are independent of each other: who is in one says nothing about the other."""
    ids = np.arange(MANY)
    one, two = buckets("first", ids), buckets("second", ids)
    for number in range(0, MANY, 9_973):
        assert hash_v2("first", f"v{number}") == one[number] / 10_000, "the fast hash of this test is ours"
    weights = (0.1, 0.2, 0.3, 0.4)
    dealt = ranges(weights, 0.9)
    sides = [np.full(MANY, -1), np.full(MANY, -1)]
    for side, bucket in zip(sides, (one, two), strict=True):
        for index, (low, high) in enumerate(dealt):
            side[(low <= bucket / 10_000) & (bucket / 10_000 < high)] = index
        sizes = np.bincount(side + 1, minlength=5)
        assert chisquare(sizes, [0.1 * MANY, *(0.9 * weight * MANY for weight in weights)]).pvalue > 1e-4
    table = np.zeros((5, 5))
    np.add.at(table, (sides[0] + 1, sides[1] + 1), 1)
    assert chi2_contingency(table).pvalue > 1e-4
