"""Lists of items: from what is asked, over the rungs of the ladder, to picks. It never fails.

pairs -> the seed's category by popularity -> popular -> the configured static list. When a rung gives nothing that the
rules allow, the next one is tried; with `fill` the next ones complete a list that is shorter than n.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from varde.config import Config
from varde.delivery import popularity
from varde.history import Signal
from varde.placements import BOOSTED, SAME, Price
from varde.store.serving import RowKey

from .asked import Asked
from .blend import SEEDS, Sums, blended
from .errors import StoreError
from .hot import HotRows
from .hot_row import HotRow
from .people import NOBODY, People, Person
from .popular import Popular, Trending
from .rules import NO_CATEGORY, Boosts, Offer, Pick, Picker, Rules
from .scored import EMPTY
from .shelf import Shelf, slots_of

if TYPE_CHECKING:
    from .pen import Pen

PAIRS, CATEGORY, POPULAR, TRENDING, STATIC, NONE = "pairs", "category", "popular", "trending", "static", "none"
RUNGS = (PAIRS, CATEGORY, POPULAR, TRENDING, STATIC, NONE)


Waiting = tuple[RowKey, HotRow | Awaitable[HotRow] | None]
"""A row that was asked for; None for one that there is not."""


class Made(NamedTuple):
    """A list: its picks, the rung of the first that was not pinned, and whether Redis failed to give a better one.

    rows: what it was made of; it is good while these are current.
    """

    picks: list[Pick]
    rung: str
    stale: bool
    rows: tuple[HotRow, ...]
    seeds: tuple[str, ...]


@dataclass(slots=True)
class Memory:
    """All that lists are made of."""

    shelf: Shelf
    hot: HotRows
    popular: Popular
    trending: Trending
    people: People
    config: Config
    half_life_days: float
    clock: Callable[[], int]
    away: Callable[[], bool] = lambda: False
    """Whether Redis is known not to answer, so that nothing in memory is up to date."""
    sums: Sums = field(default_factory=Sums)
    pen: Pen | None = None
    """Where loops are compiled."""


class Read(NamedTuple):
    """What Redis was asked for a list: the customer, the seeds, their rows; whether it failed to answer."""

    person: Person
    seeds: tuple[str, ...]
    rows: tuple[HotRow | None, ...]
    stale: bool


async def made(memory: Memory, asked: Asked, taken: Collection[int] = (), seeds: tuple[str, ...] | None = None) -> Made:
    """The list for a request.

    Args:
        memory: the server's.
        asked: the request; without seeds they are the customer's latest items.
        taken: slots that other lists of the same page show.
        seeds: instead of those of the request.
    """
    return compose(memory, asked, await read(memory, asked, asked.seeds if seeds is None else seeds), taken)


async def read(memory: Memory, asked: Asked, seeds: tuple[str, ...], sticky: bool = False) -> Read:
    """Everything that the list needs of Redis, within one deadline: customer and seeds' rows are asked for together.

    sticky: whether the customer's variations of experiments come along.
    """
    waits = _asked_for(memory, asked, seeds)
    person, stale = NOBODY, memory.away()
    if asked.uid is not None or asked.aid is not None:
        try:
            person = await memory.people.of(asked.uid, asked.aid, asked.relation, bool(seeds), sticky)
        except StoreError:
            stale = True
    if not seeds:
        waits = _asked_for(memory, asked, person.views)  # their rows came along
    rows, late = await _awaited(memory, waits)
    return Read(person, seeds or person.views, rows, stale or late)


async def reread(memory: Memory, asked: Asked, found: Read) -> Read:
    """The same for another request about the same customer and seeds: only rows of other pairs are read."""
    rows, late = await _awaited(memory, _asked_for(memory, asked, found.seeds))
    return found._replace(rows=rows, stale=found.stale or late)


async def _awaited(memory: Memory, waits: Sequence[Waiting]) -> tuple[tuple[HotRow | None, ...], bool]:
    """The rows, old ones where Redis does not answer; and whether it did not."""
    rows: list[HotRow | None] = []
    stale = False
    for key, wait in waits:
        if wait is None or isinstance(wait, HotRow):
            rows.append(wait)
            continue
        try:
            rows.append(await wait)
        except StoreError:
            stale = True
            rows.append(memory.hot.old(key))
    return tuple(rows), stale


def _asked_for(memory: Memory, asked: Asked, seeds: Sequence[str]) -> list[Waiting]:
    """The rows of the first SEEDS seeds, by their places; None for an item that Varde has counted nothing of."""
    if asked.placement.source not in ("similar", "recommendations"):
        return []
    shelf, relation = memory.shelf, int(asked.relation)
    out: list[Waiting] = []
    for seed in seeds[:SEEDS]:
        slot = shelf.slots.get(seed)
        key = RowKey(relation, -1 if slot is None else shelf.numbers[slot])
        out.append((key, None if key.number < 0 else memory.hot.ask(key, asked.ranking, asked.floor)))
    return out


def compose(memory: Memory, asked: Asked, found: Read, taken: Collection[int] = ()) -> Made:
    """The list, from what was read and what is in memory now. Pure but for reading it."""
    known = slots_of(memory.shelf, found.seeds)
    shelf = memory.shelf
    groups = [code for seed in found.seeds if (code := shelf.group_of(seed)) is not None]
    own = _own(shelf, asked, found, known)
    picker = Picker(shelf, rules(memory, asked, known), asked.n, taken=taken, own=own, groups=groups)
    if asked.placement.must_include:
        picker.pin(slots_of(shelf, asked.placement.must_include))
    rung = NONE
    if not picker.full:
        for name, candidates in _ladder(memory, asked, known, found):
            if picker.offer(name, candidates) and rung == NONE:
                rung = name
            if picker.full or (rung != NONE and not asked.fill):
                break
    if rung == NONE and picker.picks:
        rung = picker.picks[0].rung
    current = tuple(row for row in found.rows if row is not None)
    return Made(picker.picks, rung, found.stale, current, found.seeds)


def _ladder(memory: Memory, asked: Asked, seeds: Sequence[int], found: Read) -> Iterator[tuple[str, Iterable[Offer]]]:
    source = asked.placement.source
    if source == "trending":
        yield TRENDING, memory.trending.order(asked.floor)
    elif source != "popular" and found.rows:
        yield PAIRS, _pairs(memory, asked, found)
    signal = int(asked.relation.column_signal)
    now = popularity(memory.clock(), memory.half_life_days)
    if categories := _categories(memory.shelf, asked, seeds):
        yield CATEGORY, memory.popular.in_category(signal, categories, now)
    yield POPULAR, memory.popular.over_all(signal, now)
    if signal != Signal.VIEW:  # a young shop has more views than orders
        yield POPULAR, memory.popular.over_all(int(Signal.VIEW), now)
    fixed = memory.config.static if asked.placement.static is None else asked.placement.static
    yield STATIC, ((slot, 0.0, None, None) for slot in slots_of(memory.shelf, fixed))


def _categories(shelf: Shelf, asked: Asked, seeds: Sequence[int]) -> Collection[int]:
    """Where the rung `category` looks: the category that was asked for, else those of the seeds, narrow ones first."""
    wanted = _category(shelf, asked.category, seeds)
    if wanted is not None:
        return (wanted,)
    if asked.placement.source == "popular":
        return ()  # starts with what is popular over all
    return dict.fromkeys(code for seed in seeds[:SEEDS] for code in reversed(shelf.categories[seed])).keys()


def _pairs(memory: Memory, asked: Asked, found: Read) -> Iterator[Offer]:
    orders = iter(memory.hot.order([row for row in found.rows if row is not None], asked.ranking, asked.floor))
    by_place = [EMPTY if row is None else next(orders) for row in found.rows]
    seeds = [memory.shelf.slots.get(seed, -1) for seed in found.seeds[: len(by_place)]]
    return blended(by_place, seeds, memory.shelf.ids, memory.sums)


def rules(memory: Memory, asked: Asked, seeds: Sequence[int]) -> Rules:
    """What this list must obey by the request and its placement; kept with the request while the shelf is the same.

    Args:
        memory: the server's.
        asked: the request.
        seeds: the slots of the seeds that are known: bounds may be relative to the first one.
    """
    shelf, placement = memory.shelf, asked.placement
    kept = asked.standing.get(shelf.epoch)
    if kept is not None:
        return kept
    out = [*asked.exclude, *placement.exclude]
    if placement.exclude_in_cart:
        out += asked.cart
    price = shelf.price(seeds[0], asked.currency) if seeds else math.nan
    made = Rules(
        excluded=frozenset(slots_of(shelf, out)),
        excluded_brands=_codes(shelf.brands.find, placement.exclude_brands),
        excluded_categories=_codes(shelf.category_names.find, placement.exclude_categories),
        in_stock=asked.in_stock,
        listed_only=placement.unlisted != "show" and shelf.entries_listed > 0,
        group_variants=asked.group_variants,
        category=_category(shelf, asked.category, seeds),
        low=_bound(asked.low, price, -math.inf),
        high=_bound(asked.high, price, math.inf),
        currency=asked.currency,
        per_brand=placement.max_per_brand,
        boosts=_boosts(shelf, asked),
    )
    if not asked.relative:
        asked.standing.clear()
        asked.standing[shelf.epoch] = made
    return made


def _own(shelf: Shelf, asked: Asked, found: Read, seeds: Sequence[int]) -> list[int]:
    """What is left out of this answer alone: its seeds, and what this customer has in the cart or bought."""
    out = list(seeds)
    if asked.placement.exclude_in_cart and found.person.cart:
        out += slots_of(shelf, found.person.cart)
    if asked.placement.exclude_bought and found.person.bought:
        out += slots_of(shelf, found.person.bought)
    return out


def _bound(asked: Price | None, price: float, otherwise: float) -> float:
    found = None if asked is None else asked.of(None if math.isnan(price) else price)
    return otherwise if found is None else found


def _codes(find: Callable[[str], int | None], texts: Iterable[str]) -> frozenset[int]:
    return frozenset(code for text in texts if (code := find(text)) is not None)


def _category(shelf: Shelf, wanted: str | None, seeds: Sequence[int]) -> int | None:
    """The code of the category that items must have; None for any, also where the seed has none."""
    if wanted is None:
        return None
    if wanted == SAME:
        of_seed = shelf.categories[seeds[0]] if seeds else ()
        return of_seed[-1] if of_seed else None
    code = shelf.category_names.find(wanted)
    return NO_CATEGORY if code is None else code


def _boosts(shelf: Shelf, asked: Asked) -> Boosts | None:
    boosts = asked.placement.boost
    if not boosts:
        return None
    found: dict[str, dict[int, float]] = {by: {} for by in BOOSTED}
    finds: dict[str, Callable[[str], int | None]]
    finds = {"item": shelf.slots.get, "brand": shelf.brands.find, "category": shelf.category_names.find}
    for boost in boosts:
        key = finds[boost.by](boost.value)
        if key is not None:
            found[boost.by][key] = found[boost.by].get(key, 1.0) * boost.factor
    return Boosts(found["item"], found["brand"], found["category"])
