"""The loops that write answers: numbers as C has them, ids in the order of Python's texts."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from varde.server import by_address, compiled, digits, kernel, writing
from varde.server.fragments import BUYABLE, SHOWN, Fragments
from varde.server.scored import cells_of
from varde.server.shelf import Shelf


def written(value):
    out = np.zeros(64, np.uint8)
    end = digits.number(out, 3, value)
    return None if end < 0 else out[3:end].tobytes()


@given(value=st.one_of(st.floats(), st.floats(1e-6, 1e7), st.integers(0, 10**9).map(float)))
@example(value=0.1)
@example(value=999999999.5)
@example(value=99999999.95)
@example(value=9.9999999995e-5)
@example(value=0.000099999999996)
@example(value=1e9)
@example(value=123456789012.0)
@example(value=-2.5)
def test_a_number_is_what_c_writes_or_nothing(value):
    assert written(value) in (None, b"%.9g" % value)


def test_almost_every_score_is_written():
    chance = np.random.default_rng(3)
    scores = np.exp(chance.uniform(math.log(1e-9), math.log(1e12), 5_000))
    assert sum(written(float(score)) is None for score in scores) < 5


@given(value=st.integers(0, 2**40))
def test_whole_numbers(value):
    out = np.zeros(32, np.uint8)
    assert out[: digits.whole(out, 0, value)].tobytes() == b"%d" % value


def test_what_is_in_the_middle_of_two_numbers_is_left_to_others():
    (middle,) = struct.unpack("d", struct.pack("d", 1.000000005))
    assert written(middle) is None


@given(ids=st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=2, unique=True))
@example(ids=["ab", "a"])
@example(ids=["a!", "a"])
@example(ids=["é", "z"])
@example(ids=["\U0001f600", "￿"])
def test_ids_come_in_the_order_of_their_code_points(ids):
    shelf = Shelf()
    slots = [shelf.slot(item) for item in ids]
    found = writing.order(shelf.fragments.cards, shelf.fragments.text, *slots)
    assert found in (0, -1 if ids[0] < ids[1] else 1)
    assert found != 0 or any(ord(c) < 32 or c in '"\\' for c in "".join(ids))


def test_a_list_without_room_is_left_to_others():
    fragments, none = Fragments(), np.zeros(0, np.int64)
    for name in (b'"id":"a"', b'"id":"b"'):
        fragments.add(SHOWN | BUYABLE, 1, name, len(name))
    cells = cells_of(np.array([1]), np.array([2.0]), np.array([3]))
    for room, expected in ((64, -1), (256, len(b'{"score":2,"customers":3,"id":"b"},'))):
        out = np.zeros(room, np.uint8)
        cards, text = fragments.cards, fragments.text
        length, _ = by_address.one(cells, 1, SHOWN, False, False, np.zeros(1, np.int64), none, cards, text, out)
        assert length == expected


@pytest.mark.parametrize("seed", range(3))
def test_fragments_are_those_that_were_put_last(seed):
    chance = np.random.default_rng(seed)
    fragments, expected = Fragments(), []
    for turn in range(6_000):
        text = bytes(chance.integers(97, 123, chance.integers(1, 200), dtype=np.uint8))
        if turn % 3 == 0 or not expected:
            fragments.add(SHOWN, turn, text, 1)
            expected.append((turn, text))
        else:
            slot = int(chance.integers(len(expected)))
            fragments.put(slot, BUYABLE, turn, text, 1)
            expected[slot] = (turn, text)
    assert [(int(fragments.cards[at, 1]), fragments[at]) for at in range(len(expected))] == expected
    held = sum(len(text) for _, text in expected)
    assert len(fragments.text) < 5 * held


def test_what_was_compiled_of_other_sources_has_another_name(monkeypatch):
    """Else numba would go on with it, where the file of the function that it was asked for is the same."""
    before = compiled._versioned(kernel.select).__qualname__
    assert before.startswith("select_")
    compiled._version.cache_clear()
    monkeypatch.setattr(digits, "__file__", kernel.__file__)
    try:
        assert compiled._versioned(kernel.select).__qualname__ != before
    finally:
        compiled._version.cache_clear()
