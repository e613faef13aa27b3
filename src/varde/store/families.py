"""Every key family by its pattern, and what a backup does with it. docs/redis.md has the same table, with reasons.

Keys are told apart by what `keys` itself puts into them; nothing from outside is part of a key. Pure.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from varde import keys


class Fate(StrEnum):
    """What a backup does with a family. REBUILD: an import makes it anew from what it has written."""

    EXPORT = "exported"
    REBUILD = "made anew"
    OMIT = "left out"


class Kind(StrEnum):
    """How a family is kept in Redis."""

    HASH = "hash"
    SORTED = "sorted set"
    STRING = "string"
    STREAM = "stream"


class Family(NamedTuple):
    """The function of `keys` that makes its keys; the part of them after the tag, as a regular expression."""

    name: str
    kind: Kind
    fate: Fate
    pattern: str
    customer: bool = False
    """Whether the tag is a customer's, not a shard's."""


_N = rb"\d{1,10}"
_ALL = (
    Family("numbers", Kind.HASH, Fate.EXPORT, "numbers"),
    Family("names", Kind.HASH, Fate.EXPORT, "names"),
    Family("sequence", Kind.HASH, Fate.EXPORT, "sequence"),
    Family("pairs", Kind.HASH, Fate.EXPORT, "pairs:N:N"),
    Family("pairs_day", Kind.HASH, Fate.EXPORT, "pairs:N:N:N"),
    Family("supports", Kind.HASH, Fate.EXPORT, "supports:N"),
    Family("supports_day", Kind.HASH, Fate.EXPORT, "supports:N:N"),
    Family("row", Kind.STRING, Fate.REBUILD, "row:N:N"),
    Family("touched", Kind.SORTED, Fate.REBUILD, "touched"),
    Family("popular", Kind.SORTED, Fate.EXPORT, "popular:N"),
    Family("applied", Kind.STRING, Fate.EXPORT, r"applied:.+:N:N:N"),
    Family("stats", Kind.HASH, Fate.EXPORT, "stats"),
    Family("recents", Kind.SORTED, Fate.EXPORT, "recents:N", customer=True),
    Family("sticky", Kind.HASH, Fate.EXPORT, "sticky", customer=True),
    Family("frozen", Kind.HASH, Fate.EXPORT, "frozen", customer=True),
    Family("opened", Kind.SORTED, Fate.OMIT, "opened", customer=True),
    Family("tombstones", Kind.SORTED, Fate.EXPORT, "tombstones"),
    Family("successor", Kind.HASH, Fate.OMIT, "next"),
    Family("reconciled", Kind.HASH, Fate.EXPORT, "reconciled"),
    Family("night", Kind.HASH, Fate.EXPORT, "night"),
    Family("under_way", Kind.HASH, Fate.OMIT, "under_way"),
    Family("schema", Kind.HASH, Fate.REBUILD, "schema"),
    Family("lock", Kind.STRING, Fate.OMIT, "lock"),
    Family("catalogue", Kind.HASH, Fate.EXPORT, "catalogue"),
    Family("changes", Kind.STREAM, Fate.REBUILD, "changes"),
    Family("followers", Kind.HASH, Fate.OMIT, "followers"),
    Family("loads", Kind.HASH, Fate.OMIT, "loads"),
)
FAMILIES = {family.name: family for family in _ALL}

PREFIX = f"varde:{keys.VERSION}:"
EVERY = f"{PREFIX}*"
"""All of Varde's keys, as SCAN matches them."""
_SHARD, _CUSTOMER = rb"\{(?:\d|[1-5]\d|6[0-3])\}", rb"\{c[0-9a-f]+\}"
_WHOLE = re.compile(
    re.escape(PREFIX.encode())
    + rb"(?:"
    + rb"|".join(
        (_CUSTOMER if family.customer else _SHARD)
        + rb":(?P<%b>%b)" % (family.name.encode(), family.pattern.encode().replace(b"N", _N))
        for family in _ALL
    )
    + rb")",
    re.DOTALL,
)


class Found(NamedTuple):
    """A key's family, and the numbers after its name: of `pairs` relation and item number, and so on."""

    family: Family
    numbers: tuple[int, ...]


def family_of(key: bytes) -> Found | None:
    """What a key is; None for one that no family has."""
    match = _WHOLE.fullmatch(key)
    if match is None:
        return None
    name = str(match.lastgroup)
    if name == "applied":  # a run's name is between
        return Found(FAMILIES[name], ())
    return Found(FAMILIES[name], tuple(map(int, match[name].split(b":")[1:])))


def tag_of(key: bytes) -> bytes:
    """The hash tag of a key of Varde's: what one script may touch together."""
    return key[key.index(b"{") + 1 : key.index(b"}")]
