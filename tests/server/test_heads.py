"""Lists made of what is ready of a row are, byte for byte, those that are made of the row itself."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.catalogue import Entry
from varde.config import read
from varde.rows import Row, encode
from varde.server import answers
from varde.server.asked import COMMON, asked
from varde.server.experiments import Listed
from varde.server.heads import Head
from varde.server.hot import HotRow, HotRows
from varde.server.lists import Memory, made
from varde.server.params import Query
from varde.server.popular import Popular, Trending
from varde.server.scored import AT_ONCE
from varde.server.shelf import Shelf
from varde.store.serving import RowKey

ITEMS, FIRST, SEED, FLOOR = 70, 64, 64, 3
CONFIG = read(
    """
    static = ["i-69"]
    [placements.picky]
    max_per_brand = 2
    exclude_categories = ["c-3"]
    exclude = ["i-02"]
    must_include = ["i-05"]
    [placements.boosted]
    boost = [{ brand = "b-1", factor = 9.0 }]
    [placements.full]
    fill = true
    """,
    ("llr", "count", "cosine"),
)


class NoStore:
    """Rows are all in memory: nobody asks it."""


def item(place):
    return f"i-{place:02d}"


def memory_of(entries, row):
    """A server's memory with one row, and whether its head is ready."""
    shelf = Shelf()
    shelf.learn((item(at), FIRST + at) for at in range(ITEMS))
    for entry in entries:
        shelf.put(entry.id, entry)
    hot = HotRows(NoStore(), lambda _: None, shelf, time.monotonic)
    hot.checked = hot.now() + 3_600
    popular = Popular(shelf)
    popular.put(0, 0, [(FIRST + at, float(ITEMS - at)) for at in range(0, ITEMS, 3)])
    popular.arrange(0)
    memory = Memory(shelf, hot, popular, Trending(shelf), None, CONFIG, 7.0, lambda: 0)
    return memory, hot.keep(HotRow(RowKey(0, SEED), row), hot.now() + 1)


entries_ = st.lists(
    st.builds(
        Entry,
        st.integers(0, ITEMS - 1).map(item),
        title=st.sampled_from(["Stol, blå", "椅子", 'a "b"']),
        price=st.sampled_from([None, 5.0, 20.0]),
        stock=st.sampled_from([None, 0, 4]),
        hidden=st.booleans(),
        brand=st.sampled_from([None, "b-1", "b-2"]),
        categories=st.sampled_from([(), ("c-1",), ("c-3", "c-4")]),
        parent=st.sampled_from([None, "p-1", "p-2", "p-3"]),
    ),
    max_size=40,
)
rows_ = st.dictionaries(
    st.integers(SEED + 1, FIRST + ITEMS + 3), st.tuples(st.integers(1, 9), st.integers(0, 30)), max_size=60
)
queries_ = st.sampled_from(
    [
        "", "n=3", "n=30", "fill=true", "in_stock=false", "category=c-1", "max_price=10", "group_variants=no",
        "lang=sv", "exclude=i-08,i-09", "placement=picky", "placement=boosted", "placement=full&n=20", "ranking=count",
    ]
)  # fmt: skip


def packed(counts):
    k = np.array([counts[number][0] for number in sorted(counts)], np.uint32)
    extra = np.array([counts[number][1] for number in sorted(counts)], np.uint32)
    return encode(Row(np.array(sorted(counts), np.uint32), k, k + extra, 20, 200, revision=1))


@given(entries=entries_, counts=rows_, query=queries_)
async def test_a_list_of_a_head_is_the_list_of_its_row(entries, counts, query):
    found = []
    for ready in (False, True):
        memory, row = memory_of(entries, packed(counts))
        wanted = asked(Query(query, COMMON), CONFIG, FLOOR, ())
        if ready:
            memory.hot.prepare([(row.key, row.packed)], memory.hot.now() + 1, [(CONFIG.rankings["llr"], FLOOR)])
            assert bool(row.heads) == (row.packed is not None)
        list_ = await made(memory, wanted, seeds=(item(0),))
        found.append((answers.body(memory.shelf, Listed(wanted, list_), item(0)), list_.rung))
    assert found[0] == found[1]


def test_a_head_has_the_best_and_those_that_tie_with_the_last():
    counts = dict.fromkeys(range(SEED + 1, SEED + 1 + AT_ONCE + 4), (5, 5))
    memory, row = memory_of([], packed(counts))
    name = (CONFIG.rankings["llr"], FLOOR)
    (order,) = memory.hot.order([row], *name)
    head = Head(order, name)
    assert len(list(head)) == AT_ONCE + 4
    assert head.whole
    assert [slot for slot, _ in head] == [offer[0] for offer in order.best(0)]


@pytest.mark.parametrize("counts", [{}, {SEED + 1: (1, 0)}])
async def test_a_row_without_anything_to_show_has_an_empty_head(counts):
    memory, row = memory_of([], packed(counts))
    memory.hot.prepare([(row.key, packed(counts))], memory.hot.now() + 1, [(CONFIG.rankings["llr"], FLOOR)])
    assert [each for head in row.heads for each in head] == []
    wanted = asked(Query("", COMMON), CONFIG, FLOOR, ())
    assert (await made(memory, wanted, seeds=(item(0),))).rung == "popular"
