"""The pairs that the warehouse has counted, read back in ranges of row items that hold no more than so many pairs.

A range is bounded by its pairs and not by its items, because the most popular items have as many pairs as there are
items. A single row is never divided: it has at most a pair with each other item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from varde.counts import Cells
from varde.pairs import Relation

from .warehouse import Parameters, Warehouse

CELLS = 1_000_000
"""Pairs that are read together, unless one row alone has more: about 100 MB with ids of ten characters."""


def ranges(sizes: Iterable[tuple[str, int]], cells: int = CELLS) -> Iterator[tuple[str, str]]:
    """The first and last row item of each range.

    Args:
        sizes: (row item, its pairs), in the order of the items.
        cells: pairs of a range at most; a row with more is a range of its own.
    """
    first, last, held = "", "", 0
    for item, size in sizes:
        if held and held + size > cells:
            yield first, last
            held = 0
        if not held:
            first = item
        last, held = item, held + size
    if held:
        yield first, last


def rows(warehouse: Warehouse, relation: Relation, cells: int = CELLS) -> Iterator[tuple[str, Cells]]:
    """(row item, column item -> customers) of every row of a relation in varde.pair_counts, in the order of the items.

    Args:
        warehouse: varde.pair_counts is in it, and does not change meanwhile.
        relation: which rows.
        cells: pairs that are read together, as in `ranges`.
    """
    found = warehouse.query("pair_sizes", {"relation": int(relation)})
    sizes = sorted(zip(found["row_item"].to_pylist(), found["cells"].to_pylist(), strict=True))
    for first, last in ranges(sizes, cells):
        given: Parameters = {"relation": int(relation), "first": first, "last": last}
        yield from _grouped(warehouse.query("pair_rows", given))


def _grouped(found: pa.Table) -> Iterator[tuple[str, Cells]]:
    """The rows of a range; besides the table only the ids that differ and one row are Python objects."""
    table = found.take(pc.sort_indices(found["row_item"])).combine_chunks()
    runs = pc.run_end_encode(table["row_item"].combine_chunks())
    others = table["column_item"].combine_chunks().dictionary_encode()
    names, places, customers = others.dictionary.to_pylist(), others.indices, table["customers"]
    start = 0
    for item, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        mine = places[start:end].to_pylist()
        counts = customers.slice(start, end - start).to_pylist()
        yield item, {names[place]: n for place, n in zip(mine, counts, strict=True)}
        start = end
