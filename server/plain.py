"""Answers to plain requests, from rows straight to bytes, which `lists` and `answers` make in several steps.

Almost every request is plain: for everybody, at a placement without experiments, pins and boosts, of items whose rows
are in memory. What is made here is, byte for byte, what is made there (the tests hold one against the other); whatever
is not plain, or gives fewer items than are wanted, is left to them. So is everything where there is no numba.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import lists
from .answers import Content, cache_control, echo, kind
from .blend import SEEDS
from .experiments import NO_TRIAL
from .fragments import BUYABLE, SHOWN
from .hot_row import HotRow, place
from .pen import Wanted

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


def content(
    memory: Memory, asked: Asked, item: str | None, seeds: tuple[str, ...], *, rows: bool = True
) -> Content | None:
    """What is answered; None where it has to be made in the usual way.

    Args:
        memory: the server's.
        asked: the request, a plain one.
        item: the seed of `similar`, or None on other routes.
        seeds: item ids, the most recent first.
        rows: whether it is to say what rows it is made of.
    """
    shelf, hot, pen = memory.shelf, memory.hot, memory.pen
    if pen is None or not hot.fresh or memory.away():
        return None
    ready = asked.ready
    if ready is None or ready.epoch != shelf.epoch or ready.era != hot.era:
        ready = asked.ready = _ready(memory, asked)
    slot_of = shelf.slots
    try:
        slots = [slot_of[seed] for seed in seeds]
    except KeyError:
        return None
    held = len(slots)
    if ready.usual or held == 0:
        return None
    because = item is None
    made = pen.placed(shelf, ready.relation, ready.code, slots, min(held, SEEDS), ready.wanted, because=because)
    of: tuple[HotRow, ...] = ()
    if rows or made is None:
        of = _rows(memory, ready.relation, slots)
        if not of:
            return None
    if made is None:
        where = [order.where for order in hot.order(of, asked.ranking, asked.floor)]
        made = pen.items(where, slots, ready.wanted, shelf.fragments, because=because)
    if made is None or (made[1] < asked.n and (held > 1 or asked.fill)):
        return None
    hot.hits += min(held, SEEDS)
    begin = b'",' if because else b'",' + echo(item)
    return Content(b"".join((begin, ready.begin, made[0], b"]}")), lists.PAIRS, made[1], of)


def _rows(memory: Memory, relation: int, slots: Sequence[int]) -> tuple[HotRow, ...]:
    """The rows of the first SEEDS slots; none where one is not in memory."""
    numbers, known = memory.shelf.numbers, memory.hot.known
    found = [known(place(relation, numbers[slot])) for slot in slots[:SEEDS]]
    return tuple([row for row in found if row is not None]) if None not in found else ()


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
