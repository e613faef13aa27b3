"""A list's items by the addresses of what they are made of: what Python calls of the loops takes numbers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import places
from .blend import WEIGHTS
from .fragments import COLUMNS
from .kernel import add, select
from .pointers import integers, octets
from .writing import gather, untie, write

Array = NDArray[Any]
LEFT, SMALL = -1, -2
SPARE = 6
"""Items of several rows that are looked at beyond the items wanted and the seeds: rules seldom leave more out."""
MOST, BITS, VARIANTS, EXCLUDED, EXCLUDED_N = range(5)
"""Of a request, in memory: items wanted, bits of OPEN, whether one of a group is enough, slots that are left out."""
RULES = 5
CARDS, CARDS_N, TEXT, TEXT_N, OUT, OUT_N, TABLE, TABLE_N, ENTRIES, COUNTS, TOTALS, TOP, LINES = range(13)
"""Where there is what, and how many of them: Fragments', what is written on, and kernel.Room's."""
MEMORY = 13


def one(
    cells: Array, n: int, bits: int, variants: bool, because: bool, seeds: Array, excluded: Array,
    cards: Array, text: Array, out: Array,
) -> tuple[int, int]:  # fmt: skip
    """The items of one row, whose `cells` are Ordered's; the rest as `write` has it."""
    scores = cells.view(np.float64)
    return write(cells, scores, n, bits, variants, because, seeds, excluded, cards, text, out)


def several(
    rows: Array, n: int, spare: int, bits: int, variants: bool, because: bool, seeds: Array, excluded: Array,
    cards: Array, text: Array, table: Array, counts: Array, totals: Array, top: Array, out: Array, blended: Array,
) -> tuple[int, int]:  # fmt: skip
    """The items of several rows, added up as `blend.blended` has it.

    Args:
        rows: the address of each row's cells and how many there are; the seed of each is that at its place of `seeds`.
        n: as `write` has it, like what is not named here.
        spare: how many are looked at beyond n at first.
        bits, variants, because, seeds, excluded, cards, text, out: see `write`.
        table, counts, totals, top: room, as `kernel` wants it, for all entries.
        blended: the candidates, as `write` reads them.

    Returns:
        As `write`; also -1 bytes where two candidates tie in all but ids that `order` cannot compare.
    """
    scores = blended.view(np.float64)
    most = n + len(seeds) + spare
    while True:
        found = 0
        for part in range(len(rows)):
            cells = integers(rows[part, 0], 2 * rows[part, 1]).reshape((rows[part, 1], 2))
            found = add(cells, part, WEIGHTS[part], found, table, counts, totals)
        table[:] = 0
        most = min(most, found)
        if most == 0:
            return 0, 0
        ready = select(found, most, top, counts, totals)
        tied, ready = ready < 0, abs(ready)
        gather(ready, counts, totals, blended, scores)
        lines = blended[:ready]
        if tied and not untie(lines, scores[:ready], cards, text):
            return -1, 0
        at, written = write(lines, scores[:ready], n, bits, variants, because, seeds, excluded, cards, text, out)
        if at < 0 or written == n or ready == found:
            return at, written
        most = 4 * ready


def made(each: Array, slots: Array, because: int, rules: int, memory: int) -> int:
    """The items of rows, whose addresses and lengths `each` has; the rest as `answer` has it."""
    rule, room = integers(rules, RULES), integers(memory, MEMORY)
    excluded = integers(rule[EXCLUDED], rule[EXCLUDED_N])
    cards = integers(room[CARDS], COLUMNS * room[CARDS_N]).reshape((room[CARDS_N], COLUMNS))
    text, out = octets(room[TEXT], room[TEXT_N]), octets(room[OUT], room[OUT_N])
    n, bits, variants, named = rule[MOST], rule[BITS], rule[VARIANTS] != 0, because != 0
    if len(each) == 1:
        cells = integers(each[0, 0], 2 * each[0, 1]).reshape((each[0, 1], 2))
        at, found = one(cells, n, bits, variants, named, slots, excluded, cards, text, out)
    else:
        entries = room[ENTRIES]
        if each[:, 1].sum() > entries:
            return SMALL
        at, found = several(
            each, n, SPARE, bits, variants, named, slots, excluded, cards, text,
            octets(room[TABLE], 4 * room[TABLE_N]).view(np.int32),
            integers(room[COUNTS], 3 * entries).reshape((entries, 3)),
            integers(room[TOTALS], 2 * entries).reshape((entries, 2)).view(np.float64),
            integers(room[TOP], entries).view(np.float64),
            out,
            integers(room[LINES], 3 * entries).reshape((entries, 3)),
        )  # fmt: skip
    return at << 8 | found if at > 0 else LEFT


def answer(rows: int, held: int, seeds: int, asked: int, because: int, rules: int, memory: int) -> int:
    """The items of a list, by the addresses of what they are made of.

    Args:
        rows: of two numbers for each row: the address of its cells, and how many there are.
        held: rows, at least one and at most blend.SEEDS.
        seeds: of the seeds' slots, those of the rows first.
        asked: seeds.
        because: whether the seed is named.
        rules: of RULES numbers.
        memory: of MEMORY numbers.

    Returns:
        Bytes written, times 256, and items; LEFT where the list has to be made in another way, SMALL where the room is
        too small for the rows.
    """
    return made(integers(rows, 2 * held).reshape((held, 2)), integers(seeds, asked), because, rules, memory)


def placed(
    table: int, known: int, code: int, held: int, seeds: int, asked: int, because: int, rules: int, memory: int
) -> int:
    """The same of the rows that Places has of the first `held` seeds; LEFT where one is missing or in another order.

    Args:
        table: of a relation's rows.
        known: its lines.
        code: of the order.
        held: rows, at least one and at most blend.SEEDS.
        seeds, asked, because, rules, memory: as `answer` has them.
    """
    slots, found = integers(seeds, asked), integers(table, places.COLUMNS * known).reshape((known, places.COLUMNS))
    each = np.empty((held, 2), np.int64)
    for at in range(held):
        slot = slots[at]
        if slot >= known or found[slot, places.CODE] != code + 1:
            return LEFT
        each[at, 0], each[at, 1] = found[slot, places.ADDRESS], found[slot, places.ENTRIES]
    return made(each, slots, because, rules, memory)
