"""The blend of serving rows against a blend by hand, its order, floor and exclusions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from varde.ranking import RANKINGS, scores
from varde.rows import Row
from varde.server.blend import WEIGHTS, best, named

NAMES = {number: f"item-{97 - number:02d}" for number in range(30)}  # another order than the numbers'
FLOOR = 3


def row_of(counts, support=50, total=1000):
    """A row from {number: (count, support)}; arrays are unsigned, as decoded ones are."""
    columns = (list(counts), [c for c, _ in counts.values()], [s for _, s in counts.values()])
    items, customers, supports = (np.array(column, dtype=np.uint32) for column in columns)
    return Row(items, customers, supports, support, total)


def by_hand(rows, ranking, excluded, n):
    """Python dicts and sums, one candidate at a time."""
    found: dict[str, list[tuple[float, int, int]]] = {}
    for place, row in enumerate(rows[:5]):
        if row is None:
            continue
        score = scores(ranking, row.counts.astype(int), row.support, row.supports.astype(int), row.total)
        for number, value, customers in zip(row.items.tolist(), score, row.counts.tolist(), strict=True):
            if customers >= FLOOR:
                found.setdefault(NAMES[number], []).append((-WEIGHTS[place] * value, -customers, place))
    answers = []
    for name, parts in found.items():
        if name not in excluded:
            total = 0.0
            for part in parts:
                total -= part[0]
            strongest = min(parts)
            answers.append((-total, strongest[1], name, strongest[2]))
    return [(name, -score, -customers, place) for score, customers, name, place in sorted(answers)[:n]]


cell = st.tuples(st.integers(0, 9), st.integers(1, 12))
row = st.none() | st.dictionaries(st.integers(0, 29), cell, max_size=20).map(row_of)


@given(
    rows=st.lists(row, max_size=7),
    ranking=st.sampled_from(sorted(RANKINGS)),
    excluded=st.sets(st.sampled_from(sorted(NAMES.values())), max_size=4),
    n=st.integers(1, 25),
)
def test_blend_equals_the_blend_by_hand(rows, ranking, excluded, n):
    candidates = best(rows, ranking, FLOOR, n + len(excluded))
    names = [NAMES[candidate.number] for candidate in candidates]
    assert [tuple(item) for item in named(candidates, names, excluded, n)] == by_hand(rows, ranking, excluded, n)


def test_equal_pairs_are_cut_by_item_id_and_not_by_number():
    rows = [row_of(dict.fromkeys(range(10), (5, 5)))]
    candidates = best(rows, "count", FLOOR, 2)
    assert len(candidates) == 10  # all tie with the second, so all have to be named
    chosen = named(candidates, [NAMES[candidate.number] for candidate in candidates], (), 2)
    assert [item.id for item in chosen] == ["item-88", "item-89"]


def test_a_later_seed_weighs_less_and_the_stronger_one_is_the_reason():
    rows = [row_of({1: (10, 10), 2: (4, 10)}), row_of({2: (40, 40), 1: (4, 10)})]
    first, second = best(rows, "count", FLOOR, 10)
    assert (first.number, first.score, first.customers, first.seed) == (2, 4 + 40 / 2, 40, 1)
    assert (second.number, second.score, second.customers, second.seed) == (1, 10 + 4 / 2, 10, 0)


def test_a_pair_below_the_floor_is_never_shown():
    assert best([row_of({1: (2, 2), 2: (3, 3)})], "llr", FLOOR, 10) == best([row_of({2: (3, 3)})], "llr", FLOOR, 10)


def test_no_rows_give_no_candidates():
    assert best([], "llr", FLOOR, 10) == []
    assert best([None, row_of({})], "llr", FLOOR, 10) == []


def test_a_number_without_a_name_is_left_out():
    candidates = best([row_of({1: (5, 5), 2: (4, 4)})], "count", FLOOR, 10)
    assert [item.id for item in named(candidates, [None, "b"], (), 10)] == ["b"]
