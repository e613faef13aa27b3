"""Answers to plain requests, straight to bytes, which `lists` and `answers` make in several steps. Pure.

Almost every request is plain: for everybody, at a placement without experiments, pins and boosts, of items whose rows
are in memory. What is made here is, byte for byte, what is made there (the tests hold one against the other); whatever
is not plain, or gives fewer items than are wanted, is left to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import lists
from .answers import Content, because_of, echo, kind
from .asked import Asked
from .blend import FIRST, SEEDS, WEIGHTS
from .experiments import NO_TRIAL
from .heads import MOST_HEADS, Head, Name, said
from .hot import HotRow, HotRows
from .lists import PAIRS, Memory
from .rules import Rules
from .shelf import Shelf

_SPARE = 6
"""Sums that are ready beyond the items wanted and the seeds: rules seldom leave more out."""


def content(memory: Memory, asked: Asked, item: str | None, seeds: tuple[str, ...]) -> Content | None:
    """What is answered; None where it has to be made in the usual way.

    Args:
        memory: the server's.
        asked: the request, a plain one.
        item: the seed of `similar`, or None on other routes.
        seeds: item ids, the most recent first.
    """
    shelf = memory.shelf
    slots = [shelf.slots.get(seed, -1) for seed in seeds]
    if not slots or -1 in slots or memory.away():
        return None
    rows = _rows(memory, asked, slots)
    rules = lists.rules(memory, asked, slots)
    if rows is None or not rules.plain or (rules.listed_only and shelf.some_unlisted):
        return None
    begin = _begin(asked, item)
    out = [begin]
    if len(rows) == 1:
        head = lists.head_of(rows[0], asked) or _head(memory.hot, rows[0], (asked.ranking, asked.floor))
        n = _written(shelf, rules, asked.n, slots, _of_head(head, shelf, None if item is not None else seeds[0]), out)
        enough = n == asked.n or (head.whole and n > 0 and not asked.fill)
    else:
        n = _written(shelf, rules, asked.n, slots, _blended(memory, asked, rows, slots), out)
        enough = n == asked.n
    if not enough:
        return None
    out[-1] = b"}]}"
    return Content(b"".join(out), PAIRS, n, rows)


def _rows(memory: Memory, asked: Asked, slots: Sequence[int]) -> tuple[HotRow, ...] | None:
    """The rows of the first SEEDS seeds; None unless all are in memory and known to be like those in Redis."""
    hot, numbers, relation = memory.hot, memory.shelf.numbers, int(asked.relation)
    rows = hot.known([(relation, numbers[slot]) for slot in slots[:SEEDS]])
    return rows if rows is None or hot.fresh else None


def _begin(asked: Asked, item: str | None) -> bytes:
    names = kind(asked.placement.name, asked.relation.label, asked.ranking.name, PAIRS)
    return b'",%b%b"stale":false,%b"items":[' % (echo(item), names, NO_TRIAL)


def _head(hot: HotRows, row: HotRow, name: Name) -> Head:
    """The head of a row that has none of this name; it is kept."""
    made = Head(hot.order((row,), *name)[0], name)
    row.heads = (*row.heads[1 - MOST_HEADS :], made)
    return made


def _of_head(head: Head, shelf: Shelf, seed: str | None) -> Iterable[tuple[int, bytes]]:
    """Slots and what is said of each; with the seed they are there for, unless it is said already."""
    if seed is None:
        return head
    reason = because_of(seed)
    return ((slot, words + reason) for slot, words in head)


def _blended(memory: Memory, asked: Asked, rows: Sequence[HotRow], slots: Sequence[int]) -> Iterable[tuple[int, bytes]]:
    """The same of several rows; nothing where `blend` has to do it."""
    ids = memory.shelf.ids
    orders = memory.hot.order(rows, asked.ranking, asked.floor)
    there = [at for at, order in enumerate(orders) if len(order.cells)]
    if len(there) < 2:
        return ()
    parts = [orders[at] for at in there]
    weights = (*[WEIGHTS[at] for at in there], *(0.0,) * (SEEDS - len(there)))
    of = [slots[at] for at in there]
    reasons = {slot: because_of(ids[slot]) for slot in of}
    most = min(FIRST, asked.n + len(slots) + _SPARE)
    offers = memory.sums.best(parts, weights, of, ids, most)
    return ((slot, said(score, met) + reasons[seed]) for slot, score, met, seed in offers)


def _written(
    shelf: Shelf, rules: Rules, n: int, seeds: Sequence[int], offers: Iterable[tuple[int, bytes]], out: list[bytes]
) -> int:
    """Add the items that the rules allow to `out`, best first, until there are n; how many.

    As Picker does it where no kind of item is left out.
    """
    open_ = shelf.buyable if rules.in_stock else shelf.shown
    group, fragments, variants = shelf.group, shelf.fragments, rules.group_variants
    seen, left = {*rules.excluded, *seeds}, n
    groups = {group[slot] for slot in seeds}
    for slot, words in offers:
        if not open_[slot] or slot in seen:
            continue
        if variants:
            code = group[slot]
            if code in groups:
                continue
            groups.add(code)
        seen.add(slot)
        out += words, fragments[slot], b"},"
        left -= 1
        if not left:
            break
    return n - left
