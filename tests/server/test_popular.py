"""Popular and rising items against sorting by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import keys
from varde.catalogue import Entry
from varde.server import popular as module
from varde.server.popular import PRIOR, Popular, Trending, rise
from varde.server.shelf import Shelf

numbers = st.integers(1, 300)
weighted = st.dictionaries(numbers, st.sampled_from([0.5, 1.0, 1.0, 2.0, 7.25]), max_size=40)
CATEGORIES = [(), ("a",), ("a", "b"), ("c",)]


def shelf_of(known):
    shelf = Shelf()
    for number in known:
        shelf.learn([(f"item-{997 * number % 1000:03d}", number)])
    return shelf


def shards(values):
    out = {}
    for number, value in values.items():
        out.setdefault(keys.shard_of_number(number), []).append((number, value))
    return out


def names(shelf, offers):
    return [(shelf.ids[offer[0]], offer[1]) for offer in offers]


@given(weights=weighted, unknown=st.sets(numbers, max_size=5), kinds=st.lists(st.sampled_from(CATEGORIES), min_size=1))
def test_orders_are_sorted_by_hand(weights, unknown, kinds):
    known = [number for number in weights if number not in unknown]
    shelf = shelf_of(known)
    categories = {number: kinds[place % len(kinds)] for place, number in enumerate(known)}
    for number in known:
        item = shelf.ids[shelf.of_numbers(module.np.array([number], module.np.uint32))[0]]
        shelf.put(item, Entry(item, categories=categories[number]))
    popular = Popular(shelf)
    for shard, values in shards(weights).items():
        popular.put(0, shard, values)
    popular.arrange(0)
    order = sorted(known, key=lambda number: (-weights[number], number))
    by_hand = [(f"item-{997 * number % 1000:03d}", weights[number] / 2.0, number) for number in order]
    assert names(shelf, popular.over_all(0, 2.0)) == [one[:2] for one in by_hand]
    assert names(shelf, popular.over_all(1, 2.0)) == []
    for wanted in (["a"], ["c", "a"], ["b"]):
        codes = [code for name in wanted if (code := shelf.category_names.find(name)) is not None]
        expected = [one[:2] for name in wanted for one in by_hand if name in categories[one[2]]]
        assert names(shelf, popular.in_category(0, codes, 2.0)) == expected


def test_a_shard_that_is_read_again_replaces_what_it_said():
    shelf = shelf_of([64, 128, 65])
    popular = Popular(shelf)
    popular.put(0, 0, [(64, 3.0), (128, 2.0)])
    popular.put(0, 1, [(65, 1.0)])
    popular.arrange(0)
    popular.put(0, 0, [(128, 0.5)])
    assert [score for _, score in names(shelf, popular.over_all(0, 1.0))] == [3.0, 2.0, 1.0]  # not arranged yet
    popular.arrange(0)
    assert [score for _, score in names(shelf, popular.over_all(0, 1.0))] == [1.0, 0.5]
    popular.put(0, 0, [])
    popular.put(0, 1, [])
    popular.arrange(0)
    assert names(shelf, popular.over_all(0, 1.0)) == []


def test_orders_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(module, "MOST_IN_CATEGORY", 2)
    monkeypatch.setattr(module, "MOST_CONSIDERED", 5)
    shelf = shelf_of(range(64, 640, 64))
    for item in list(shelf.slots):
        shelf.put(item, Entry(item, categories=("a",)))
    popular = Popular(shelf)
    popular.put(0, 0, [(number, float(number)) for number in range(64, 640, 64)])
    popular.arrange(0)
    assert [score for _, score in names(shelf, popular.over_all(0, 1.0))] == [576.0, 512.0, 448.0]
    code = shelf.category_names.find("a")
    assert [score for _, score in names(shelf, popular.in_category(0, [code], 1.0))] == [576.0, 512.0]


@given(
    found=st.dictionaries(numbers, st.tuples(st.integers(-5, 60), st.integers(1, 900)), max_size=30),
    floor=st.integers(1, 10),
)
def test_trending_is_sorted_by_hand(found, floor):
    shelf = shelf_of(found)
    trending = Trending(shelf)
    for shard, values in shards(found).items():
        trending.put(shard, [(number, n) for number, (n, _) in values], [support for _, (_, support) in values])
    trending.arrange(2 / 90)
    by_hand = []
    for number, (n, support) in found.items():
        expected = support * 2 / 90 + PRIOR
        if n > expected and n >= floor:
            g2 = 2 * (n * math.log(n / expected) - (n - expected))
            by_hand.append((-g2, f"item-{997 * number % 1000:03d}", n))
    got = [(shelf.ids[offer[0]], offer[2]) for offer in trending.order(floor)]
    assert got == [one[1:] for one in sorted(by_hand)]
    assert [offer[1] for offer in trending.order(floor)] == pytest.approx([-one[0] for one in sorted(by_hand)])


def test_what_rises_is_more_than_its_share():
    assert rise(5, 0, 0.1) == 0.0  # as many as the prior
    assert rise(6, 0, 0.1) > 0 > rise(4, 0, 0.1)
    assert rise(30, 100, 0.1) > rise(30, 200, 0.1) > rise(20, 200, 0.1)
    assert rise(0, 100, 0.1) < 0
