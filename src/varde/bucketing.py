"""GrowthBook's bucketing: FNV-1a hashes, ranges with coverage, filters and namespaces. Pure.

A storefront that runs GrowthBook with the same key or seed deals the same variation to the same id. Source:
GrowthBook's "Build your own SDK"; the official Python package is the oracle of the tests. The hash runs over UTF-16
code units, as the JavaScript SDK's `charCodeAt` gives them. hash_v2 is that of experiments (10,000 buckets); hash_v1 is
only that of namespaces (1,000): under it two experiments of one unit are not independent of each other.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

Range = tuple[float, float]
"""Buckets from the first on, below the second: [low, high)."""
Ranges = tuple[Range, ...]

MOST_CACHED = 16_384
"""Buckets that are kept, of the latest units: a page asks for several lists of one visitor. About 4 MB."""
_OFFSET = 0x811C9DC5
_PRIME = 0x01000193
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Namespace:
    """A group of experiments that exclude each other, and the part of it, [low, high) within 0 and 1, of this one."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Filter:
    """Who may be in an experiment: ids whose hash lies in one of the ranges.

    version: of the hash, 1 or 2. unit: the id that is hashed, "uid" or "aid"; "": the one that the experiment hashes.
    """

    seed: str
    ranges: Ranges
    version: int = 2
    unit: str = ""

    def passes(self, value: str) -> bool:
        """Whether an id may be in; an empty one may not."""
        if not value:
            return False
        bucket = hash_v2(self.seed, value) if self.version == 2 else hash_v1(self.seed, value)
        return choose(bucket, self.ranges) >= 0


def fnv(text: str, state: int = _OFFSET) -> int:
    """FNV-1a, 32 bits, over the UTF-16 code units of a text.

    Args:
        text: any; lone surrogates count as they are.
        state: the hash of what stands before it.
    """
    if text.isascii():
        for unit in text.encode():
            state = (state ^ unit) * _PRIME & _MASK
        return state
    data = text.encode("utf-16-le", "surrogatepass")
    for unit in struct.unpack(f"<{len(data) // 2}H", data):
        state = (state ^ unit) * _PRIME & _MASK
    return state


@lru_cache(maxsize=MOST_CACHED)
def bucket(state: int, value: str) -> float:
    """hash_v2 of an id under a seed whose `fnv` is `state`: 0 to 0.9999."""
    return fnv(str(fnv(value, state))) % 10_000 / 10_000


def hash_v2(seed: str, value: str) -> float:
    """GrowthBook's hash version 2: 0 to 0.9999 in steps of 1/10,000."""
    return bucket(fnv(seed), value)


def hash_v1(seed: str, value: str) -> float:
    """GrowthBook's hash version 1: 0 to 0.999 in steps of 1/1,000."""
    return fnv(value + seed) % 1_000 / 1_000


def ranges(weights: Sequence[float], coverage: float = 1.0) -> Ranges:
    """The ranges of variations: each begins where the weights before it end, and covers that part of its own weight.

    So a higher coverage moves nobody to another variation.

    Args:
        weights: one a variation; negative ones and such as do not sum to 0.99 to 1.01 count as equal, as in GrowthBook.
        coverage: the share of all units that is in, held between 0 and 1.
    """
    if min(weights) < 0 or not 0.99 <= sum(weights) <= 1.01:
        weights = [1 / len(weights)] * len(weights)
    covered = min(max(coverage, 0.0), 1.0)
    out, start = [], 0.0
    for weight in weights:
        out.append((start, start + covered * weight))
        start += weight
    return tuple(out)


def choose(n: float, of: Sequence[Range]) -> int:
    """The index of the first range that a bucket lies in, -1 without one."""
    for index, (low, high) in enumerate(of):
        if low <= n < high:
            return index
    return -1


def namespace_filter(namespace: Namespace) -> Filter:
    """What lets an id into a namespace's part."""
    return Filter("__" + namespace.name, ((namespace.low, namespace.high),), 1)
