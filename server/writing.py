"""An answer's items as JSON, from rows to bytes, in plain loops that numba compiles (`kernel.compiled`).

Almost all of what an answer costs that is made anew would be Python objects: for each item its text, its group, its
score and their sums. These loops touch none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .digits import number, whole
from .fragments import GROUP, LENGTH, NAME, OPEN, START
from .pointers import copy
from .scored import CUSTOMER_BITS, CUSTOMERS

Array = NDArray[Any]


def _text(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, np.uint8)


SCORE, MET, BECAUSE, END = map(_text, (b'{"score":', b',"customers":', b',"because":', b"},"))
ID = len(b'"id":')
AROUND = 96
"""More than the bytes of an item beside its fragment and its seed's id."""
COMMA, QUOTE, ESCAPE = b',"\\'
LINE = 64
"""Bytes that a processor reads from memory at once."""


def allowed(
    slot: int, bits: int, variants: bool, seeds: Array, excluded: Array, groups: Array, taken: int, cards: Array
) -> bool:
    """Whether the rules allow an item; the parameters are those of `write`, groups and taken: those that are shown."""
    if cards[slot, OPEN] & bits == 0:
        return False
    for seed in seeds:
        if slot == seed:
            return False
    for other in excluded:
        if slot == other:
            return False
    if variants:
        group = cards[slot, GROUP]
        for before in range(taken):
            if groups[before] == group:
                return False
    return True


def item(out: Array, at: int, code: int, score: float, seed: int, because: bool, cards: Array, text: Array) -> int:
    """Write one item, with a comma after it; where that ends, or -1 (see `write`). code: slot and customers."""
    slot, name = code >> CUSTOMER_BITS, cards[seed, NAME] - ID
    if at + cards[slot, LENGTH] + name + AROUND > len(out):
        return -1
    at = number(out, copy(out, at, SCORE, 0, len(SCORE)), score)
    if at < 0:
        return -1
    at = whole(out, copy(out, at, MET, 0, len(MET)), code & CUSTOMERS)
    if because:
        at = copy(out, copy(out, at, BECAUSE, 0, len(BECAUSE)), text, cards[seed, START] + ID, name)
    out[at] = COMMA
    at = copy(out, at + 1, text, cards[slot, START], cards[slot, LENGTH])
    return copy(out, at, END, 0, len(END))


def fetch(lines: Array, n: int, cards: Array, text: Array) -> int:
    """Read a byte of each line of memory that the first n candidates' items lie on; their sum, which says nothing.

    One by one, each would be waited for; here the processor asks for many at once.
    """
    total = 0
    for place in range(min(n, len(lines))):
        total += cards[lines[place, 0] >> CUSTOMER_BITS, START]
    for place in range(min(n, len(lines))):
        slot = lines[place, 0] >> CUSTOMER_BITS
        start = cards[slot, START]
        for at in range(start, start + cards[slot, LENGTH], LINE):
            total += text[at]
    return total


def write(
    lines: Array,
    scores: Array,
    n: int,
    bits: int,
    variants: bool,
    because: bool,
    seeds: Array,
    excluded: Array,
    cards: Array,
    text: Array,
    out: Array,
) -> tuple[int, int]:
    """Write the items that the rules allow, best first, until there are n.

    Args:
        lines: candidates, the best first: slot and customers as Ordered has them; the score's bits; which seed it is
            there for, where there are three columns.
        scores: the same memory as floats.
        n: items wanted, at most.
        bits: of OPEN, one of which an item needs.
        variants: whether one item of each group is enough, and none of a seed's.
        because: whether the seed is named.
        seeds: their slots, which are left out.
        excluded: other slots that are left out.
        cards, text: of Fragments.
        out: JSON objects, each followed by a comma.

    Returns:
        Bytes, and items; -1 bytes where they have to be written in another way: no room, or a score that `number`
        leaves.
    """
    if fetch(lines, n, cards, text) < 0:  # never
        return -1, 0
    groups = np.empty(len(seeds) + n, np.int64)
    taken = 0
    for seed in seeds:
        groups[taken] = cards[seed, GROUP]
        taken += 1
    at, found, columns = 0, 0, lines.shape[1]
    for place in range(len(lines)):
        if found == n:
            break
        slot = lines[place, 0] >> CUSTOMER_BITS
        if not allowed(slot, bits, variants, seeds, excluded, groups, taken, cards):
            continue
        groups[taken] = cards[slot, GROUP]
        taken += 1
        seed = seeds[lines[place, 2] if columns > 2 else 0]
        at = item(out, at, lines[place, 0], scores[place, 1], seed, because, cards, text)
        if at < 0:
            return -1, found
        found += 1
    return at, found


def order(cards: Array, text: Array, one: int, other: int) -> int:
    """Compare the ids of two slots: -1 or 1 as the one or the other comes first by code points; 0 where it is not sure.

    The bytes of UTF-8 have the order of the code points; only what JSON escapes has another.
    """
    a, b = cards[one, START] + ID + 1, cards[other, START] + ID + 1
    for at in range(min(cards[one, NAME], cards[other, NAME]) - ID - 1):
        left, right = text[a + at], text[b + at]
        if left == ESCAPE or right == ESCAPE:
            return 0
        if left != right:
            # Where one ends, the end's quotation mark must come before any letter.
            return -1 if left == QUOTE or (left < right and right != QUOTE) else 1
    return 0


def untie(lines: Array, scores: Array, cards: Array, text: Array) -> bool:
    """Put those that tie in score and customers in the order of their ids, which stand together; whether it is sure."""
    for place in range(1, len(lines)):
        at = place
        while at > 0 and scores[at, 1] == scores[at - 1, 1] and not (lines[at, 0] ^ lines[at - 1, 0]) & CUSTOMERS:
            found = order(cards, text, lines[at - 1, 0] >> CUSTOMER_BITS, lines[at, 0] >> CUSTOMER_BITS)
            if found == 0:
                return False
            if found < 0:
                break
            for column in (0, 2):
                lines[at - 1, column], lines[at, column] = lines[at, column], lines[at - 1, column]
            at -= 1
    return True


def gather(n: int, counts: Array, totals: Array, lines: Array, scores: Array) -> None:
    """The first n of `kernel.select` as `write` reads them."""
    for place in range(n):
        lines[place, 0] = counts[place, 0] << CUSTOMER_BITS | counts[place, 1]
        scores[place, 1] = totals[place, 0]
        lines[place, 2] = counts[place, 2]
