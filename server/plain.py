"""Answers to plain requests, from rows straight to bytes, which `lists` and `answers` make in several steps.

Almost every request is plain: for everybody, at a placement without experiments, pins and boosts, of items whose rows
are in memory. What is made here is, byte for byte, what is made there (the tests hold one against the other); whatever
is not plain, or gives fewer items than are wanted, is left to them. So is everything where there is no numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import lists
from .answers import Content, cache_control, echo, kind
from .blend import SEEDS
from .experiments import NO_TRIAL
from .fragments import BUYABLE, SHOWN
from .hot_row import place
from .pen import Pen, Wanted

if TYPE_CHECKING:
    from .asked import Asked
    from .lists import Memory


class Ready(NamedTuple):
    """What is the same for every answer to a request's parameters, while shelf and rankings are the same.

    epoch, era: of shelf and rows. code: of the order.
    begin: the first fields of the list. cache: its Cache-Control.
    """

    epoch: int
    era: int
    relation: int
    code: int
    wanted: Wanted
    begin: bytes
    cache: bytes
    usual: bool
    """Whether answers have to be made in the usual way."""


def content(memory: Memory, asked: Asked, item: str | None, seeds: tuple[str, ...]) -> Content | None:
    """What is answered; None where it has to be made in the usual way.

    Args:
        memory: the server's.
        asked: the request, a plain one.
        item: the seed of `similar`, or None on other routes.
        seeds: item ids, the most recent first.
    """
    shelf, hot = memory.shelf, memory.hot
    if memory.pen is None or not hot.fresh or memory.away():
        return None
    ready = asked.ready
    if ready is None or ready.epoch != shelf.epoch or ready.era != hot.era:
        ready = asked.ready = _ready(memory, asked)
    if ready.usual:
        return None
    if len(seeds) == 1:
        return _of_one(memory, memory.pen, asked, ready, item, seeds[0])
    return _of_several(memory, memory.pen, asked, ready, seeds)


def _of_one(memory: Memory, pen: Pen, asked: Asked, ready: Ready, item: str | None, seed: str) -> Content | None:
    shelf, hot = memory.shelf, memory.hot
    slot = shelf.slots.get(seed)
    row = None if slot is None else hot.known(place(ready.relation, shelf.numbers[slot]))
    if slot is None or row is None:
        return None
    where = row.where if row.code == ready.code else hot.order((row,), asked.ranking, asked.floor)[0].where
    made = pen.items((where,), (slot,), ready.wanted, shelf.fragments, because=item is None)
    if made is None or (asked.fill and made[1] < asked.n):
        return None
    hot.hits += 1
    return Content(b"".join((b'",', echo(item), ready.begin, made[0], b"]}")), lists.PAIRS, made[1], (row,))


def _of_several(memory: Memory, pen: Pen, asked: Asked, ready: Ready, seeds: tuple[str, ...]) -> Content | None:
    hot, code, relation = memory.hot, ready.code, ready.relation
    slot_of, numbers, known = memory.shelf.slots, memory.shelf.numbers, hot.known
    try:
        slots = [slot_of[seed] for seed in seeds]
    except KeyError:
        return None
    rows = [row for slot in slots[:SEEDS] if (row := known(numbers[slot] << 2 | relation)) is not None]
    if not rows or len(rows) < min(SEEDS, len(slots)):
        return None
    where = [row.where for row in rows if row.code == code]
    if len(where) < len(rows):
        where = [order.where for order in hot.order(rows, asked.ranking, asked.floor)]
    made = pen.items(where, slots, ready.wanted, memory.shelf.fragments, because=True)
    if made is None or made[1] < asked.n:
        return None
    hot.hits += len(rows)
    return Content(b"".join((b'",', ready.begin, made[0], b"]}")), lists.PAIRS, made[1], tuple(rows))


def _ready(memory: Memory, asked: Asked) -> Ready:
    shelf, hot = memory.shelf, memory.hot
    rules = lists.rules(memory, asked, ())
    names = kind(asked.placement.name, asked.relation.label, asked.ranking.name, lists.PAIRS)
    return Ready(
        shelf.epoch,
        hot.era,
        int(asked.relation),
        hot.code(asked.ranking, asked.floor),
        Wanted(asked.n, BUYABLE if rules.in_stock else SHOWN, rules.group_variants, rules.excluded),
        b'%b"stale":false,%b"items":[' % (names, NO_TRIAL),
        cache_control(memory.config, asked),
        not rules.plain or (rules.listed_only and shelf.some_unlisted),
    )
