"""A server's memory with a catalogue and rows, random ones and given ones."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import strategies as st

from varde.catalogue import Entry
from varde.config import read
from varde.rows import Row, encode
from varde.server.hot import HotRows
from varde.server.hot_row import HotRow
from varde.server.lists import Memory
from varde.server.popular import Popular, Trending
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
    """A server's memory with one row, and that row."""
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


def packed(counts, revision=1):
    k = np.array([counts[number][0] for number in sorted(counts)], np.uint32)
    extra = np.array([counts[number][1] for number in sorted(counts)], np.uint32)
    return encode(Row(np.array(sorted(counts), np.uint32), k, k + extra, 20, 200, revision=revision))
