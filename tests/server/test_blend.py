"""The blend of serving rows against a blend by hand: its order, floor, ties, and items that have no name yet."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.config import Ranking
from varde.ranking import RANKINGS, formula, scores
from varde.rows import Row
from varde.server import compiled
from varde.server.blend import SEEDS, WEIGHTS, Sums, blended
from varde.server.scored import CUSTOMER_BITS, ordered
from varde.server.shelf import Shelf

NAMES = {number: f"item-{97 - number:02d}" for number in range(1, 30)}  # another order than the numbers'
NAMELESS = 30
FLOOR = 3
SEED_SLOTS = [1000 + place for place in range(SEEDS)]
"""The blend hands seeds on and looks nothing up by them."""


@pytest.fixture(scope="module")
def shelf():
    shelf = Shelf()
    shelf.learn((name, number) for number, name in sorted(NAMES.items(), key=lambda pair: pair[0] * 7 % 31))
    return shelf


def row_of(counts, support=50, total=1000):
    """A row from {number: (count, support)}; arrays are unsigned, as decoded ones are."""
    columns = (list(counts), [c for c, _ in counts.values()], [s for _, s in counts.values()])
    items, customers, supports = (np.array(column, dtype=np.uint32) for column in columns)
    return Row(items, customers, supports, support, total)


def orders_of(rows, ranking, shelf):
    """The orders of the rows, those that have candidates scored together as a server does; the others empty."""
    named = Ranking(name=ranking, formula=formula(ranking))
    there = [row for row in rows if row is not None and len(row)]
    found = iter(ordered(there, named, FLOOR, shelf) if there else [])
    nothing = ordered([row_of({NAMELESS: (9, 9)})], named, FLOOR, shelf)[0]
    return [next(found) if row is not None and len(row) else nothing for row in rows]


def blend(rows, ranking, shelf, sums=None):
    orders = orders_of(rows, ranking, shelf)
    found = blended(orders, SEED_SLOTS[: len(rows)], shelf.ids, sums or Sums())
    return [(shelf.ids[slot], score, customers, SEED_SLOTS.index(seed)) for slot, score, customers, seed in found]


def by_hand(rows, ranking):
    """Python dicts and sums, one candidate at a time."""
    found: dict[str, list[tuple[float, int, int]]] = {}
    for place, row in enumerate(rows):
        if row is None:
            continue
        score = scores(ranking, row.counts.astype(int), row.support, row.supports.astype(int), row.total)
        for number, value, customers in zip(row.items.tolist(), score, row.counts.tolist(), strict=True):
            if customers >= FLOOR and number in NAMES:
                found.setdefault(NAMES[number], []).append((-WEIGHTS[place] * value, -customers, place))
    answers = []
    for name, parts in found.items():
        total = 0.0
        for part in parts:
            total -= part[0]
        strongest = min(parts)
        answers.append((-total, strongest[1], name, strongest[2]))
    return [(name, -score, -customers, place) for score, customers, name, place in sorted(answers)]


cell = st.tuples(st.integers(0, 9), st.integers(1, 12))
row = st.none() | st.dictionaries(st.integers(1, NAMELESS), cell, max_size=29).map(row_of)


@given(rows=st.lists(row, max_size=SEEDS), ranking=st.sampled_from(sorted(RANKINGS)))
def test_blend_equals_the_blend_by_hand(shelf, rows, ranking):
    found, expected = blend(rows, ranking, shelf), by_hand(rows, ranking)
    # A sum of floats depends on the order of its terms in the last bits: scores are compared, then they decide.
    scores_by_hand = {name: score for name, score, _, _ in expected}
    assert {name: score for name, score, _, _ in found} == pytest.approx(scores_by_hand, rel=1e-12, abs=1e-12)
    assert len(found) == len(expected)
    assert {(name, n, place) for name, _, n, place in found} == {(name, n, place) for name, _, n, place in expected}
    assert found == sorted(found, key=lambda one: (-one[1], -one[2], one[0]))


@given(rows=st.lists(row, min_size=2, max_size=SEEDS))
def test_what_was_ordered_once_gives_the_same_again(shelf, rows):
    """An order is kept between requests, and serves other seeds."""
    orders = orders_of(rows, "llr", shelf)
    again = [list(blended(orders, SEED_SLOTS[: len(rows)], shelf.ids, Sums())) for _ in range(2)]
    assert again[0] == again[1]
    alone = list(blended(orders[:1], [7], shelf.ids, Sums()))
    assert {seed for *_, seed in alone} <= {7}
    assert [(shelf.ids[slot], score, customers, 0) for slot, score, customers, _ in alone] == by_hand(rows[:1], "llr")
    assert list(blended(orders[:1], [8], shelf.ids, Sums())) == [(*offer[:3], 8) for offer in alone]


@given(many=st.lists(st.lists(row, max_size=SEEDS), min_size=2, max_size=4))
def test_sums_of_one_request_do_not_reach_the_next(shelf, many):
    sums = Sums()
    for rows in many:
        assert blend(rows, "llr", shelf, sums) == by_hand(rows, "llr")


many_ = st.dictionaries(st.integers(1, 90), st.tuples(st.integers(3, 7), st.integers(0, 3)), max_size=80)


@pytest.fixture(scope="module")
def wide():
    shelf = Shelf()
    shelf.learn((f"item-{number * 37 % 91:02d}", number) for number in range(1, 91))
    return shelf


@pytest.mark.parametrize("engine", ["python", "compiled"])
@given(parts=st.lists(many_, min_size=2, max_size=SEEDS), ranking=st.sampled_from(["count", "llr", "jaccard"]))
def test_loops_and_numpy_blend_alike(wide, engine, parts, ranking):
    """Many ties, more items than are sorted at first, and all of them wanted."""
    loops = compiled.Loops() if engine == "python" else compiled.compiled()
    assert loops is not None
    orders = orders_of([row_of({n: (k, k + more) for n, (k, more) in part.items()}) for part in parts], ranking, wide)
    ours, plain = Sums(loops), Sums()
    for _ in range(2):  # nothing of the first is left in the second
        found = [list(blended(orders, SEED_SLOTS[: len(orders)], wide.ids, sums)) for sums in (ours, plain)]
        assert found[0] == found[1]


@pytest.mark.parametrize("loops", [None, compiled.Loops()])
def test_items_that_came_since_have_room(wide, loops):
    sums = Sums(loops)
    orders = orders_of([row_of({1: (5, 5)}), row_of({2: (4, 4)})], "count", wide)
    for order in orders:
        order.cells[:, 0] += 50_000 << CUSTOMER_BITS
    found = blended(orders, SEED_SLOTS[:2], ["x"] * 60_000, sums)
    assert [score for _, score, _, _ in found] == [5.0, 2.0]


def test_without_numba_numpy_adds_up(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "numba", None)  # an import of it fails
    caplog.set_level("INFO")
    assert compiled.compiled.__wrapped__() is None
    assert "numpy" in caplog.text


@pytest.mark.parametrize("rows", [1, 2])
def test_equal_pairs_are_in_the_order_of_item_ids_and_not_of_numbers(shelf, rows):
    tied = row_of(dict.fromkeys(range(1, 30), (5, 5)))
    found = blend([tied] * rows, "count", shelf)
    assert [name for name, *_ in found] == sorted(NAMES.values())
    assert len({score for _, score, _, _ in found}) == 1


def test_equal_scores_are_in_the_order_of_customers(shelf):
    found = blend([row_of({1: (8, 10), 2: (5, 10)}), row_of({2: (6, 10)})], "count", shelf)
    assert NAMES[2] < NAMES[1]  # the second would come first by its id; 5 and half of 6 are 8, too
    assert found == [(NAMES[1], 8.0, 8, 0), (NAMES[2], 8.0, 5, 0)]


def test_a_later_seed_weighs_less_and_the_stronger_one_is_the_reason(shelf):
    rows = [row_of({1: (10, 10), 2: (4, 10)}), row_of({2: (40, 40), 1: (4, 10)})]
    assert blend(rows, "count", shelf) == [(NAMES[2], 4 + 40 / 2, 40, 1), (NAMES[1], 10 + 4 / 2, 10, 0)]


def test_a_seed_keeps_its_weight_when_those_before_it_have_no_row(shelf):
    assert blend([None, row_of({1: (6, 6)})], "count", shelf) == [(NAMES[1], 3.0, 6, 1)]


def test_a_pair_below_the_floor_is_never_shown(shelf):
    assert blend([row_of({1: (2, 2), 2: (3, 3)})], "count", shelf) == [(NAMES[2], 3.0, 3, 0)]
    # Each seed for itself: two pairs of two customers make none of four.
    assert blend([row_of({1: (2, 2)}), row_of({1: (2, 2)})], "count", shelf) == []


def test_no_rows_give_no_candidates(shelf):
    assert blend([], "llr", shelf) == []
    assert blend([None, row_of({})], "llr", shelf) == []


def test_a_number_without_a_name_is_left_out_and_told(shelf):
    rows = [row_of({1: (5, 5), NAMELESS: (4, 4)})]
    assert [name for name, *_ in blend(rows, "count", shelf)] == [NAMES[1]]
    assert orders_of(rows, "count", shelf)[0].nameless
    assert not orders_of([row_of({1: (5, 5)})], "count", shelf)[0].nameless
