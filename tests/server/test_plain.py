"""What is answered straight from memory is, byte for byte, what the usual way answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.server import answers, compiled, plain
from varde.server.asked import COMMON, asked
from varde.server.blend import Sums
from varde.server.experiments import Listed
from varde.server.hot_row import HotRow
from varde.server.kernel import Room
from varde.server.lists import made
from varde.server.params import Query
from varde.server.pen import Pen
from varde.store.serving import RowKey

from .memories import CONFIG, FIRST, FLOOR, ITEMS, SEED, entries_, item, memory_of, packed, queries_

SEEDS = 7
"""More than are looked up."""
rows_ = st.lists(
    st.dictionaries(
        st.integers(FIRST, FIRST + ITEMS - 1), st.tuples(st.integers(1, 9), st.integers(0, 30)), max_size=60
    ),
    min_size=SEEDS,
    max_size=SEEDS,
)
seeds_ = st.lists(st.integers(0, SEEDS - 1), min_size=1, max_size=SEEDS, unique=True)


def loops_of(engine):
    """The loops as Python runs them, or as machine code."""
    loops = compiled.Loops() if engine == "python" else compiled.compiled()
    assert loops is not None, "numba is among what is installed for development"
    return loops


def world(entries, rows, engine="python"):
    memory, _ = memory_of(entries, None)
    memory.sums, memory.pen = Sums(loops_of(engine)), Pen(loops_of(engine))
    for at, counts in enumerate(rows):
        others = {number: both for number, both in counts.items() if number != SEED + at}
        memory.hot.keep(HotRow(RowKey(0, SEED + at), packed(others)), memory.hot.now() + 1)
    return memory


async def both(memory, query, seeds, route_item):
    wanted = asked(Query(query, COMMON), CONFIG, FLOOR, ())
    quick = plain.content(memory, wanted, route_item, seeds) if wanted.plain else None
    once = plain.content(memory, wanted, route_item, seeds, rows=False) if wanted.plain else None
    assert (quick and quick[:3]) == (once and once[:3])
    list_ = await made(memory, wanted, seeds=seeds)
    return quick, (
        answers.body(memory.shelf, Listed(wanted, list_), route_item),
        list_.rung,
        len(list_.picks),
        list_.rows,
    )


@pytest.mark.parametrize("engine", ["python", "machine code"])
@given(entries=entries_, rows=rows_, query=queries_, places=seeds_, similar=st.booleans())
async def test_it_is_what_the_usual_way_answers(engine, entries, rows, query, places, similar):
    memory = world(entries, rows, engine)
    seeds = (item(places[0]),) if similar else tuple(map(item, places))
    quick, usual = await both(memory, query, seeds, seeds[0] if similar else None)
    assert quick is None or quick == usual


@pytest.mark.parametrize(
    ("query", "seeds"), [("", 1), ("n=3", 1), ("", 2), ("n=8", 5), ("n=8", 7), ("ranking=count", 1)]
)
@pytest.mark.parametrize("engine", ["python", "machine code"])
async def test_it_does_answer_where_nothing_is_special(engine, query, seeds):
    dense = [{number: (5 + number % 4, number % 30) for number in range(FIRST + SEEDS, FIRST + ITEMS)}] * SEEDS
    memory = world([], dense, engine)
    quick, usual = await both(memory, query, tuple(map(item, range(seeds))), None)
    assert quick == usual


@pytest.mark.parametrize("engine", ["python", "machine code"])
async def test_room_is_made_for_long_rows_and_for_a_catalogue_that_grows(engine, monkeypatch):
    monkeypatch.setattr("varde.server.pen.Room", lambda: Room(8))
    dense = [{number: (5 + number % 4, number % 30) for number in range(FIRST + SEEDS, FIRST + ITEMS)}] * SEEDS
    memory = world([], dense, engine)
    for more in (0, 2_000):  # more than there is room for at first
        for at in range(more):
            memory.shelf.slot(f"another item, the {at}th")
        quick, usual = await both(memory, "n=8", tuple(map(item, range(5))), None)
        assert quick == usual


@pytest.mark.parametrize(
    "query",
    [
        "lang=sv",
        "placement=picky",
        "placement=boosted",
        "uid=u",
        "aid=a",
        "cart=i-09",
        "max_price=50%25",
        "category=same",
    ],
)
def test_what_is_special_is_not_plain(query):
    assert not asked(Query(query, COMMON), CONFIG, FLOOR, ()).plain


async def test_nothing_is_made_of_rows_that_may_be_old_or_while_redis_is_away():
    dense = [dict.fromkeys(range(FIRST + SEEDS, FIRST + ITEMS), (5, 5))] * SEEDS
    memory = world([], dense)
    wanted = asked(Query("", COMMON), CONFIG, FLOOR, ())
    assert plain.content(memory, wanted, item(0), (item(0),)) is not None
    memory.away = lambda: True
    assert plain.content(memory, wanted, item(0), (item(0),)) is None
    memory.away = lambda: False
    memory.hot.checked = 0.0
    assert plain.content(memory, wanted, item(0), (item(0),)) is None
